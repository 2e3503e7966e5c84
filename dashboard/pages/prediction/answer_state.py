"""The picture as the network saw it: what the panels of an answer share."""

from enum import StrEnum
from typing import Any

import numpy as np
from dash.exceptions import PreventUpdate

from dashboard.services import uploads
from dashboard.services.uploads import Refusal


class Ids(StrEnum):
    STATE = "prediction-answer-state"  # the picture as the network saw it: {run, image, target, truth, engine, …}
    FACE = "prediction-answer-face"
    BODY = "prediction-answer-body"
    ABOUT = "prediction-answer-about"
    UNLIKE = "prediction-unlike"  # what stands in the place of the headline where the label is a guess
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
