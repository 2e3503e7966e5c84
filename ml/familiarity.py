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

    neighbour_ids: int32 [k], nearest first; distances: float32 [k].
    """

    score: float
    percentile: float
    n: int
    neighbour_ids: np.ndarray
    distances: np.ndarray

    @property
    def unlike(self) -> bool:
        """Whether the picture is called unlike the training data."""
        return self.percentile > LIMIT


class Reference:
    """A run's reference features and what is usual. features: float16 [n, d]; ids: int32 [n]; usual: float [m], scores
    of validation pictures in any order."""

    def __init__(self, features: np.ndarray, ids: np.ndarray, usual: np.ndarray) -> None:
        self._features = features
        self._ids = ids
        self._usual = np.sort(usual)

    @property
    def width(self) -> int:
        """d"""
        return int(self._features.shape[1])

    def look_up(self, feature: np.ndarray, count: int = 10) -> Familiarity:
        """feature: float [≥ d] of one picture, compared as the reference is stored: its first d, at half precision."""
        point = feature[: self.width].astype(np.float16).astype(np.float32)
        # a thousand at a time: all at once would need 20 MB for a moment, which the process then keeps
        rows_at_once = range(0, len(self._features), 1_000)
        squares = [((self._features[r : r + 1_000].astype(np.float32) - point) ** 2).sum(axis=1) for r in rows_at_once]
        distances = np.sqrt(np.concatenate(squares))
        count = min(max(count, RANKS), len(distances))
        rows = np.argpartition(distances, count - 1)[:count]
        rows = rows[np.argsort(distances[rows], kind="stable")]
        score = float(distances[rows[:RANKS]].mean())
        below = int(np.searchsorted(self._usual, score, side="left"))
        share = 100 * below / len(self._usual) if len(self._usual) else 0.0
        return Familiarity(score, share, len(self._usual), self._ids[rows], distances[rows])


def usual(neighbours: pd.DataFrame, split: str = "validation") -> np.ndarray:
    """Scores of a split's pictures from the table `neighbours`, float64 [n] in order of example id."""
    rows = neighbours[(neighbours["split"] == split) & (neighbours["rank"] <= RANKS)]
    return rows.groupby("example_id")["distance"].mean().to_numpy()
