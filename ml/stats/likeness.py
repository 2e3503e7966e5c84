"""How likely are measurements, by what is known of several groups of them, and how rare is a score?

Each group is a multivariate t distribution: like a Gaussian near its centre, and patient with what lies far out, so
that two of them can be compared where neither was ever met. numpy only.
"""

from collections.abc import Mapping, Sequence

import numpy as np

FREEDOM = 4.0  # degrees of it: of 3, 4, 8 and a Gaussian on validation, see docs/preparation.md
FLOOR = 0.1  # the least deviation of a measurement: what never varies in a group may do so a little in the next picture
SHRINK = 0.1  # of correlations towards none
TAIL = 0.1  # the share of known scores from which on rarer ones are told


def learn(groups: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """centre float32 [k, d] and whiten float32 [k, d, d] of measurements, float [n, d] for each of k groups.

    `(x - centre) @ whiten` has no correlations and a deviation of one. Raises ValueError where there are none.
    """
    if not groups or any(len(group) < 2 for group in groups):
        raise ValueError("there is nothing to learn from")
    centres, whitens = [], []
    for group in groups:
        values = np.asarray(group, np.float64)
        deviation = np.maximum(values.std(axis=0), FLOOR)
        apart = (values - values.mean(axis=0)) / deviation
        correlation = (1 - SHRINK) * (apart.T @ apart) / len(apart)
        np.fill_diagonal(correlation, 1.0)
        lengths, directions = np.linalg.eigh(correlation)
        whitens.append((directions / np.sqrt(np.maximum(lengths, SHRINK))) / deviation[:, None])
        centres.append(values.mean(axis=0))
    return {"centre": np.stack(centres).astype(np.float32), "whiten": np.stack(whitens).astype(np.float32)}


class Likeness:
    """What `learn` made, asked about other measurements."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises ValueError where the arrays do not fit each other."""
        self._centre = arrays["centre"].astype(np.float64)
        self._whiten = arrays["whiten"].astype(np.float64)
        groups, width = self._centre.shape
        if not groups or self._whiten.shape != (groups, width, width):
            raise ValueError("the arrays of likeness do not fit each other")
        self._volume = np.linalg.slogdet(self._whiten)[1]  # [k]

    @property
    def width(self) -> int:
        """d"""
        return int(self._centre.shape[1])

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """float [n, d] → float64 [n]: of the likeliest group, but for a constant, so that to have been learned from
        many groups makes nobody less likely.

        Raises ValueError for another d.
        """
        if values.ndim != 2 or values.shape[1] != self.width:
            raise ValueError(f"likeness was learned from {self.width} numbers, not {values.shape[-1]}")
        apart = np.einsum("nkd,kde->nke", values[:, None] - self._centre, self._whiten)
        squares = (apart**2).sum(axis=2)
        each = self._volume - 0.5 * (FREEDOM + self.width) * np.log1p(squares / FREEDOM)
        found: np.ndarray = each.max(axis=1)
        return found


def rarity(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """float [n] → float64 [n]: minus the logarithm of the share of known scores that are as large, 0 and more.

    Past all but TAIL of them, that share is taken to fall as an exponential does, so that what is larger than every
    known score still differs. known: float [m], in any order, of pictures like those that are asked about.
    """
    ordered = np.sort(np.asarray(known, np.float64))
    m = len(ordered)
    if m < 2:
        return np.zeros(len(scores))
    share = (m - np.searchsorted(ordered, scores, side="left") + 1) / (m + 1)
    edge = float(np.quantile(ordered, 1 - TAIL))
    beyond = ordered[ordered > edge] - edge
    length = float(beyond.mean()) if len(beyond) else 0.0
    if length <= 0:
        return np.asarray(-np.log(share))
    far = -np.log(TAIL) + (np.asarray(scores, np.float64) - edge) / length
    return np.where(scores > edge, far, -np.log(share))
