"""The picture as the network saw it: what the panels of an answer share."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from dash.exceptions import PreventUpdate

from dashboard.figures.overlay import heatmap_overlay, laid
from dashboard.services import uploads
from dashboard.services.explainer import photograph
from dashboard.services.uploads import Refusal
from ml.images.form import Prepared

SHOWN = re.compile(r"data:image/(?:webp|png);base64,[A-Za-z0-9+/=]{1,400000}")
LARGEST = 100_000  # pixels of a side


class Ids(StrEnum):
    CARD = "prediction-answer-card"
    STATE = "prediction-answer-state"  # the picture as the network saw it: {run, image, whole, target, …}
    FACE = "prediction-answer-face"
    BODY = "prediction-answer-body"
    ABOUT = "prediction-answer-about"
    UNLIKE = "prediction-unlike"  # what stands in the place of the headline where the label is a guess
    ASKED = "prediction-asked"  # which run was asked and why, what others say, and the way to ask them
    LABEL = "prediction-label"
    CONFIDENCE = "prediction-confidence"
    TRUTH = "prediction-truth"
    SET = "prediction-set"
    TOP = "prediction-top"
    CHOICES = "prediction-told"
    CSV = "prediction-answer-csv"
    ABSTAIN = "prediction-abstain-slider"  # assets/slide.js makes it the address's abstain
    THRESHOLD = "prediction-abstain-said"
    ALL = "prediction-probabilities-title"
    GRAPH = "prediction-probabilities-graph"
    GRAPH_FACE = "prediction-probabilities-face"
    BADGE = "prediction-familiarity-badge"
    UNUSUAL = "prediction-familiarity-meter"
    MORE = "prediction-more"


def seen(state: Any) -> tuple[str, np.ndarray]:
    """Run and picture, uint8 [h, w, c], of an answer's state; PreventUpdate when there is none.

    The browser sends the state back, so it is read like any other upload. Raises Refusal (a ValueError).
    """
    if not isinstance(state, dict) or not isinstance(state.get("run"), str):
        raise PreventUpdate
    if not state.get("image"):
        raise Refusal("There is no picture to look at: send one, or choose one of the data set.")
    return state["run"], uploads.decode(uploads.from_data_url(state.get("image"))).pixels


def truth_of(state: Any) -> int | None:
    """The label of a picture of the data set, None for any other."""
    truth = state.get("truth")
    return truth if isinstance(truth, int) else None


@dataclass(frozen=True)
class Whole:
    """The picture as it was sent, upright. src: of a small copy; height, width: of the picture; place: float [2, 3],
    see ml.images.form.Prepared."""

    src: str
    height: int
    width: int
    place: np.ndarray

    def veil(self, heatmap: np.ndarray) -> np.ndarray:
        """heatmap: float [h, w] of the network's picture → uint8 [H, W, 4] over this one."""
        return laid(heatmap_overlay(heatmap), self.place, self.height, self.width)


def whole(prepared: Prepared) -> dict[str, Any] | None:
    """What an answer's state says of the picture as it was sent, None where the network saw all of it as it was."""
    upright = prepared.steps[0].image
    if prepared.unchanged or (upright.shape == prepared.image.shape and np.array_equal(prepared.place, np.eye(2, 3))):
        return None
    return {
        "src": uploads.thumbnail(upright, 448),
        "size": list(upright.shape[:2]),
        "place": [[round(float(one), 6) for one in row] for row in prepared.place],
    }


def whole_of(state: Any) -> Whole | None:
    """The picture as it was sent, of an answer's state; None where there is none, or none that can be meant."""
    said = state.get("whole") if isinstance(state, dict) else None
    if not isinstance(said, dict):
        return None
    src, size, rows = said.get("src"), said.get("size"), said.get("place")
    if not isinstance(src, str) or not SHOWN.fullmatch(src):
        return None
    if not isinstance(size, list) or len(size) != 2 or not all(type(one) is int and 0 < one < LARGEST for one in size):
        return None
    if not isinstance(rows, list) or [len(row) if isinstance(row, list) else 0 for row in rows] != [3, 3]:
        return None
    if not all(type(one) in (int, float) and math.isfinite(one) and abs(one) < LARGEST for row in rows for one in row):
        return None
    place = np.array(rows, np.float64)
    if not abs(np.linalg.det(place[:, :2])) > 1e-9:
        return None
    return Whole(src, size[0], size[1], place)


def over_whole(state: Any, image: np.ndarray) -> Whole | None:
    """What a map of a photograph is laid over: the picture as it was sent. None: over what the network saw."""
    return whole_of(state) if photograph(image) else None
