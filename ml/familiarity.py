"""How unlike the training pictures is a picture, in the eyes of a network?

The score of a picture is its mean Euclidean distance to the RANKS nearest reference pictures in the network's
penultimate features. It is read against the same score of the validation pictures, which the network never trained on:
a percentile of 41 means that 41 % of these lie closer to the training pictures. numpy only, never torch.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

RANKS = 5  # of 1, 3, 5 and 10 on validation, see docs/preparation.md
LIMIT = 95.0  # percentile past which a picture is called unlike the training data: one in twenty validation pictures is


@dataclass(frozen=True)
class Familiarity:
    """score: mean distance to the nearest RANKS; percentile: 0 to 100 among n validation pictures.

    neighbour_ids: int32 [k], nearest first; distances: float32 [k]. rival: the nearest picture of the class that was
    asked for, None where there is none.
    """

    score: float
    percentile: float
    n: int
    neighbour_ids: np.ndarray
    distances: np.ndarray
    rival: "Rival | None" = None

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
        found = None if rival is None or self._labels is None else self._nearest(distances, self._labels == rival)
        return Familiarity(score, share, len(self._usual), self._ids[rows], distances[rows], found)

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
