"""Is what comes in still what the run was tested on? Live answers beside those on the test set.

The population stability index is Σ (p − q) ln(p / q) over bins, p the live shares and q the baseline's; by custom below
0.1 is no change, 0.1 to 0.25 some, above 0.25 much (Siddiqi 2006, "Credit risk scorecards"). Both samples are small
beside what the custom was made for, so what chance alone gives is said beside it: (B − 1)(1/n + 1/m) on average for B
bins and n and m answers (Yurdakul 2018, "Statistical properties of population stability index").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.records.prediction_log import ABSTAIN, BINS, DIGITS, Tally
from dashboard.state.values import MANY_CLASSES
from ml.artifacts.reader import Missing

SOME, MUCH = 0.1, 0.25
DRAWN = 12  # of many classes
FEWEST = 100  # answers below which nothing is called a drift
MIN_BIN_SHARE = 0.05  # share of the baseline that a bin of the index holds at least


@dataclass(frozen=True)
class Index:
    """value: the population stability index; chance: what it is on average without any change; n: live answers."""

    value: float
    chance: float
    n: int

    @property
    def word(self) -> str:
        """none, some, much, or unknown where there are too few answers, or no more change than chance makes."""
        if self.n < FEWEST:
            return "unknown"
        if self.value < SOME or self.value < 2 * self.chance:
            return "none"
        return "some" if self.value < MUCH else "much"


@dataclass(frozen=True)
class Gap:
    """Kolmogorov and Smirnov's largest distance between two distributions, 0..1, its p, and the live n."""

    distance: float
    p: float
    n: int

    @property
    def few(self) -> bool:
        """Whether there are too few answers to call anything a drift, as of `Index`."""
        return self.n < FEWEST


@dataclass(frozen=True)
class Baseline:
    """The run's answers on the test set. confidence: float [n]; bins: int [BINS]; classes: int [C] answers by class.

    unlike: test pictures called unlike the training data; of none for a run without the noun familiarity.
    """

    confidence: np.ndarray
    bins: np.ndarray
    classes: np.ndarray
    unlike: Proportion

    @classmethod
    def of(cls, run: RunData) -> "Baseline":
        """Raises Missing or Broken."""
        predictions = run.predictions("test")
        places = np.minimum((predictions.confidence * BINS).astype(int), BINS - 1)
        counts = np.bincount(predictions.predicted, minlength=len(run.classes))
        try:
            unlike = Proportion(*run.unusual())
        except Missing:
            unlike = Proportion(0, 0)
        return cls(predictions.confidence.astype(float), np.bincount(places, minlength=BINS), counts, unlike)

    @property
    def n(self) -> int:
        return len(self.confidence)

    @property
    def abstained(self) -> Proportion:
        """Answers that would be abstentions."""
        return Proportion(int((self.confidence < ABSTAIN).sum()), self.n)


def index(live: Sequence[int] | np.ndarray, base: Sequence[int] | np.ndarray) -> Index:
    """The population stability index of counts by bin, in the same bins. Half an answer is added to each bin."""
    p, q = np.asarray(live, float), np.asarray(base, float)
    n, m, bins = p.sum(), q.sum(), len(p)
    if not n or not m or bins < 2:
        return Index(0.0, 0.0, int(n))
    p, q = (p + 0.5) / (n + 0.5 * bins), (q + 0.5) / (m + 0.5 * bins)
    return Index(float(((p - q) * np.log(p / q)).sum()), float((bins - 1) * (1 / n + 1 / m)), int(n))


def merged(live: Sequence[int] | np.ndarray, base: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring bins put together until each holds MIN_BIN_SHARE of the baseline: nearly empty ones are noise."""
    p, q = np.asarray(live), np.asarray(base)
    need = MIN_BIN_SHARE * q.sum()
    groups, held = [0], 0.0
    for place, count in enumerate(q):
        if held >= need and q[place:].sum() >= need:
            groups.append(place)
            held = 0.0
        held += count
    return np.add.reduceat(p, groups), np.add.reduceat(q, groups)


def confidence(live: Tally, base: Baseline) -> Index:
    """Of the confidence."""
    return index(*merged(live.bins, base.bins))


def mix(live: Tally, base: Baseline, classes: Sequence[str]) -> Index:
    """Of the classes answered."""
    return index([live.classes.get(name, 0) for name in classes], base.classes)


def moved(live: Sequence[int], base: Sequence[int]) -> list[int]:
    """The classes that are drawn: all, of many those whose share parts most from the test set's, in class order."""
    if len(live) <= MANY_CLASSES:
        return list(range(len(live)))
    shares = [np.asarray(counts, float) / max(sum(counts), 1) for counts in (live, base)]
    return sorted(np.argsort(-np.abs(shares[0] - shares[1]), kind="stable")[:DRAWN].tolist())


def gap(live: Tally, base: Baseline) -> Gap | None:
    """Of the confidences that were kept one by one; None without any. Loads scipy.stats when first called."""
    if not live.sample or not base.n:
        return None
    from scipy.stats import ks_2samp

    # in the digits that are kept of live answers: of values on a grid, as int8 networks give, the same ones would
    # otherwise stand beside each other, and no two distributions be alike
    ours, theirs = (np.rint(np.asarray(one, np.float64) * 10**DIGITS) for one in (live.sample, base.confidence))
    test = ks_2samp(ours, theirs, method="asymp")  # exact takes seconds, and says the same here
    return Gap(float(test.statistic), float(test.pvalue), len(live.sample))
