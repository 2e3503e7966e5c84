"""How unlike the training pictures is a picture, in the eyes of a network?

The evidence are the nearest reference pictures in the network's penultimate features. The score says how far the
picture lies from every class in the means and deviations of all layers (`OodModel`, the noun familiarity), or, for a
run without that noun, how far its RANKS nearest reference pictures are on average. It is read against the same score of
the validation pictures, which the network never trained on: a percentile of 41 means that 41 % of these are less
unlike the training pictures. numpy only, never torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

RANKS = 5  # of 1, 3, 5 and 10 on validation, see docs/preparation.md
SHRINK = 1e-3
RENDERED = 0.3  # of 0, 0.3 and 0.5, see docs/preparation.md
WIDEST = 640  # numbers that a picture is described by at most: of more, neighbours are averaged
SHRINK_LAST = 0.1  # of the last layer's at unit length: of 0.001, 0.01, 0.1 and 0.3 on validation, see there
LIMIT = 96.0  # percentile past which a picture is called unlike the training data: so that of test fewer than 5 % are


@dataclass(frozen=True)
class Familiarity:
    """score: mean distance to the nearest RANKS; percentile: 0 to 100 among n validation pictures, by Known's score
    where the run has that.

    neighbour_ids: int32 [k], nearest first; distances: float32 [k]. rival: the nearest picture of the class that was
    asked for, None where there is none. layers: whether all layers said the percentile, model: whether a model did, of
    them or of the last one, not the nearest alone.
    """

    score: float
    percentile: float
    n: int
    neighbour_ids: np.ndarray
    distances: np.ndarray
    rival: "Rival | None" = None
    layers: bool = False
    model: bool = False

    @property
    def unlike(self) -> bool:
        """Whether the picture is called unlike the training data."""
        return self.percentile > LIMIT


@dataclass(frozen=True)
class Rival:
    """The nearest reference picture of one class. place: among all of them, 1 for the nearest of all."""

    example_id: int
    distance: float
    place: int


class OodModel:
    """What a run knows: a Gaussian for each class, all of one spread (Lee et al. 2018, arXiv:1807.03888).

    The score of a picture is its squared Mahalanobis distance to the nearest class, per number looked at.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """arrays: those of the noun familiarity, see `learn`. Raises ValueError where they do not fit each other."""
        d, rank = arrays["turn"].shape
        if arrays["scale"].shape != (d,) or arrays["centre"].shape[1:] != (rank,) or not arrays["centre"].size:
            raise ValueError("the arrays of familiarity do not fit each other")
        self._scale = arrays["scale"]
        self._turn = arrays["turn"].astype(np.float32)
        self._centre = arrays["centre"]
        self._squares = (self._centre**2).sum(axis=1)
        self._usual = np.sort(arrays["validation"]) if "validation" in arrays else np.zeros(0, np.float32)
        self.last = "last" in arrays
        """Whether it was learned from `directions` of the last layer's input alone, not from all layers."""

    @property
    def usual(self) -> np.ndarray:
        """Scores of validation pictures, float [n], smallest first. Do not write to them."""
        return self._usual

    @property
    def n(self) -> int:
        """How many validation pictures a score is read against."""
        return len(self._usual)

    def scores(self, statistics: np.ndarray) -> np.ndarray:
        """float32 [n, d], of Classifier.statistics → float32 [n], 1 or so for an ordinary picture. Raises ValueError
        for another d."""
        if statistics.shape[1] != len(self._scale):
            raise ValueError(f"familiarity was learned from {len(self._scale)} numbers, not {statistics.shape[1]}")
        turned = (statistics / self._scale) @ self._turn
        squares = (turned**2).sum(axis=1, keepdims=True) - 2 * turned @ self._centre.T + self._squares  # [n, classes]
        return np.maximum(squares, 0).min(axis=1) / turned.shape[1]

    def percentile(self, score: float) -> float:
        """0..100: the share of validation pictures with a smaller score; 0 where there are none."""
        return 100 * int(np.searchsorted(self._usual, score, side="left")) / max(self.n, 1)


def directions(features: np.ndarray) -> np.ndarray:
    """float [n, d], what the last layer reads → float32 [n, ≤ WIDEST], at unit length, neighbours averaged where d is
    larger. How long they are says mostly how much is in a picture; where they point, what."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(length > 0, length, 1)
    group = -(-unit.shape[1] // WIDEST)
    if group > 1:
        room = -unit.shape[1] % group
        unit = np.pad(unit, ((0, 0), (0, room))).reshape(len(unit), -1, group).mean(axis=2)
    return np.asarray(unit, np.float32)


def learn(
    statistics: np.ndarray,
    labels: np.ndarray,
    again: np.ndarray | None = None,
    of: np.ndarray | None = None,
    shrink: float = SHRINK,
) -> dict[str, np.ndarray]:
    """scale float32 [d], turn float16 [d, d], centre float32 [classes, d] from pictures that the run learned from.

    statistics: float32 [n, d]; labels: int [n]; again: float32 [m, d], pictures that were prepared from renderings, and
    of: int [m], their labels. These weigh RENDERED, so that what preparation does to a picture is nothing unusual.
    Correlations are shrunk by `shrink` towards none, without which layers that repeat each other could not be inverted.
    """
    known = sorted(set(labels.tolist()))
    centre = np.stack([statistics[labels == c].mean(axis=0) for c in known]).astype(np.float64)
    if again is not None and of is not None:
        for row, c in enumerate(known):
            if (of == c).any():
                centre[row] = (1 - RENDERED) * centre[row] + RENDERED * again[of == c].mean(axis=0)
    place = {c: row for row, c in enumerate(known)}

    def spread(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
        apart = values - centre[[place[c] for c in classes.tolist()]]
        return apart.T @ apart / len(apart)

    covariance = spread(statistics, labels)
    if again is not None and of is not None:
        kept = np.isin(of, known)
        covariance = (1 - RENDERED) * covariance + RENDERED * spread(again[kept], of[kept])
    scale = np.sqrt(covariance.diagonal())
    scale[scale < 1e-6] = 1.0  # a channel that is always the same
    correlation = covariance / np.outer(scale, scale)
    correlation = (1 - shrink) * correlation + shrink * np.eye(len(scale))
    values, vectors = np.linalg.eigh(correlation)
    turn = (vectors / np.sqrt(np.maximum(values, shrink))).astype(np.float16)
    return {
        "scale": scale.astype(np.float32),
        "turn": turn,
        "centre": (centre / scale).astype(np.float32) @ turn.astype(np.float32),
    }


class Reference:
    """A run's reference features and what is usual. features: float16 [n, d]; ids: int32 [n]; usual: float [m], scores
    of validation pictures in any order; labels: int [n], or None where they are not known."""

    def __init__(
        self, features: np.ndarray, ids: np.ndarray, usual: np.ndarray, labels: np.ndarray | None = None
    ) -> None:
        self._features = features
        self._ids = ids
        self._usual = np.sort(usual)
        self._labels = labels

    @property
    def width(self) -> int:
        """d"""
        return int(self._features.shape[1])

    @property
    def usual(self) -> np.ndarray:
        """Scores of validation pictures, float [m], smallest first. Do not write to them."""
        return self._usual

    def look_up(
        self, feature: np.ndarray, count: int = 10, *, itself: int | None = None, rival: int | None = None
    ) -> Familiarity:
        """feature: float [≥ d] of one picture, compared as the reference is stored: its first d, at half precision.

        itself: the picture's own id where it is one of the reference, so that it is not its own neighbour; rival: the
        class whose nearest picture is wanted.
        """
        point = feature[: self.width].astype(np.float16).astype(np.float32)
        # a thousand at a time: all at once would need 20 MB for a moment, which the process then keeps
        rows_at_once = range(0, len(self._features), 1_000)
        squares = [((self._features[r : r + 1_000].astype(np.float32) - point) ** 2).sum(axis=1) for r in rows_at_once]
        distances = np.sqrt(np.concatenate(squares))
        if itself is not None:
            distances[self._ids == itself] = np.inf
        count = min(max(count, RANKS), len(distances))
        rows = np.argpartition(distances, count - 1)[:count]
        rows = rows[np.argsort(distances[rows], kind="stable")]
        score = float(distances[rows[:RANKS]].mean())
        below = int(np.searchsorted(self._usual, score, side="left"))
        share = 100 * below / len(self._usual) if len(self._usual) else 0.0
        rows = rows[np.isfinite(distances[rows])]
        nearest = None if rival is None or self._labels is None else self._nearest(distances, self._labels == rival)
        return Familiarity(score, share, len(self._usual), self._ids[rows], distances[rows], nearest)

    def _nearest(self, distances: np.ndarray, wanted: np.ndarray) -> Rival | None:
        rows = np.flatnonzero(wanted & np.isfinite(distances))
        if not len(rows):
            return None
        row = rows[distances[rows].argmin()]
        return Rival(int(self._ids[row]), float(distances[row]), int((distances < distances[row]).sum()) + 1)


def usual(neighbours: pd.DataFrame, split: str = "validation") -> np.ndarray:
    """Scores of a split's pictures from the table `neighbours`, float64 [n] in order of example id."""
    rows = neighbours[(neighbours["split"] == split) & (neighbours["rank"] <= RANKS)]
    return rows.groupby("example_id")["distance"].mean().to_numpy()
