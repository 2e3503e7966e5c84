"""Two classifiers on the same examples: who is right where, and whether the difference is more than chance.

Counts come as `buckets`, int [..., 4]: both right, only A, only B, neither.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.stats.intervals import Z, percentile, wilson

REDRAWS = 10_000
SEED = 0


@dataclass(frozen=True)
class Answers:
    """labels, a, b: int64 [n], class ids: the truth and what A and B said. rows, below: bool [n], which to count."""

    labels: np.ndarray
    a: np.ndarray
    b: np.ndarray

    @cached_property
    def bucket(self) -> np.ndarray:
        """int8 [n]: 0 both right, 1 only A, 2 only B, 3 neither."""
        return (3 - 2 * (self.a == self.labels) - (self.b == self.labels)).astype(np.int8)

    def buckets(self, rows: np.ndarray) -> np.ndarray:
        """int64 [4]"""
        return np.bincount(self.bucket[rows], minlength=4)

    def by_class(self, classes: int, rows: np.ndarray) -> np.ndarray:
        """int64 [classes, 4], one row a label."""
        flat = 4 * self.labels[rows] + self.bucket[rows]
        return np.bincount(flat, minlength=4 * classes).reshape(classes, 4)

    def confusions(self, classes: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The confusion matrices of A and of B where they say different things, int64 [classes, classes] each.

        Where they say the same they cancel, so the difference is that of the whole matrices.
        """
        apart = rows & (self.a != self.b)
        flat = (classes * self.labels[apart] + predicted[apart] for predicted in (self.a, self.b))
        first, second = (np.bincount(cells, minlength=classes**2).reshape(classes, classes) for cells in flat)
        return first, second

    def moved(self, classes: list[int]) -> np.ndarray:
        """bool [n]: one of these classes was said by A or by B, and something else by the other."""
        return (self.a != self.b) & (np.isin(self.a, classes) | np.isin(self.b, classes))


def gap(buckets: np.ndarray) -> np.ndarray:
    """Share A has right minus share B has right, [...]; 0 where there is nothing."""
    buckets = np.asarray(buckets)
    n = buckets.sum(-1)
    return np.divide(buckets[..., 1] - buckets[..., 2], n, out=np.zeros(np.shape(n)), where=n > 0)


def newcombe(buckets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of `gap`: -1 and 1 where there is nothing.

    Newcombe's square-and-add interval for paired proportions: the two Wilson intervals, joined by the correlation of
    the two answers (method 10 of Newcombe 1998, Stat. Med. 17:2635).
    """
    buckets = np.asarray(buckets, float)
    both, only_a, only_b, neither = np.moveaxis(buckets, -1, 0)
    n = buckets.sum(-1)
    some = np.maximum(n, 1)
    a, b = both + only_a, both + only_b
    (low_a, high_a), (low_b, high_b) = wilson(a, some), wilson(b, some)
    a_below, a_above, b_below, b_above = a / some - low_a, high_a - a / some, b / some - low_b, high_b - b / some
    cross = both * neither - only_a * only_b
    cross = np.where(cross > 0, np.maximum(cross - n / 2, 0), cross)  # his continuity correction
    spread = np.sqrt(a * (n - a) * b * (n - b))
    phi = np.divide(cross, spread, out=np.zeros(np.shape(n)), where=spread > 0)
    low = gap(buckets) - np.sqrt(np.maximum(a_below**2 - 2 * phi * a_below * b_above + b_above**2, 0))
    high = gap(buckets) + np.sqrt(np.maximum(a_above**2 - 2 * phi * a_above * b_below + b_below**2, 0))
    return np.where(n > 0, np.clip(low, -1, 1), -1.0), np.where(n > 0, np.clip(high, -1, 1), 1.0)


def bootstrap(buckets: np.ndarray, *, redraws: int = REDRAWS, seed: int = SEED) -> tuple[float, float]:
    """Ends of the 95 % percentile interval of `gap` over paired redraws of the examples. buckets: int [4].

    A redraw of n examples with their two answers changes the gap only through the four counts, which are multinomial:
    drawing those is the same bootstrap.
    """
    buckets = np.asarray(buckets)
    n = int(buckets.sum())
    if not n:
        return -1.0, 1.0
    low, high = percentile(gap(np.random.default_rng(seed).multinomial(n, buckets / n, redraws)))
    return float(low), float(high)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p of McNemar's test (1947, Psychometrika 12:153): the discordant pairs as tosses of a fair coin.

    Whole numbers until the last division, so it is exact for any count; 10,000 pairs take some 10 ms.
    """
    n, fewer = int(only_a) + int(only_b), min(int(only_a), int(only_b))
    term = tail = 1
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(2 * tail / 2**n, 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """p values adjusted for being looked at together (Holm 1979, Scand. J. Stat. 6:65). p: float [m]."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def mean_gap(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Mean of a - b and the ends of its 95 % normal interval, paired. a, b: float [n], n ≥ 2."""
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    mean, spread = float(difference.mean()), Z * float(difference.std(ddof=1)) / len(difference) ** 0.5
    return mean, mean - spread, mean + spread


def effect(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences over repeated trainings and examples, and the ends of its 95 % interval.

    differences: [k, n], by training (each with its twin of the same seed) and example: A right minus B right. Both are
    samples: the variance over trainings (Student's t with k − 1 degrees) and that of the examples' means add up, as in
    a crossed random-effects model. A part of the doubt is in both, so the interval is rather too wide. With one
    training nobody knows what another seed would give, and the interval is of the examples alone.
    """
    k, n = differences.shape
    means, mean = differences.mean(1), float(differences.mean())
    spread = Z * float(differences.mean(0).std(ddof=1)) / n**0.5 if n > 1 else 1.0
    if k > 1:
        from scipy.stats import t

        spread = float(np.hypot(spread, t.ppf(0.975, k - 1) * means.std(ddof=1) / k**0.5))
    return mean, mean - spread, mean + spread
