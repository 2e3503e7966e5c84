"""What is said of two runs, in numbers and in words: the verdict, the gap on each class, what was different.

A is the run of the address, B the one it is against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.data.pair import RunPair
from dashboard.format.numbers import chance, duration, milliseconds
from ml.artifacts import kinds
from ml.artifacts.kinds import TRAINING
from ml.stats.calibration import cross_entropy
from ml.stats.paired import bootstrap, gap, holm, mcnemar, mean_gap, newcombe
from ml.system.wording import quantity
from ml.training import wording

LEVEL = 0.05
IMAGES = {"test": "test images", "validation": "validation images", "reference": "training images"}


@dataclass(frozen=True)
class Verdict:
    """Of all n images. buckets: both right, only A, only B, neither. gap: share A has right minus share B has right.

    low, high: ends of its 95 % paired bootstrap interval. p: exact McNemar. loss: mean of A's minus B's, with the ends
    of its 95 % paired normal interval, None where one came without all probabilities. same: on how many both say the
    same.
    """

    a: str
    b: str
    split: str
    buckets: tuple[int, int, int, int]
    gap: float
    low: float
    high: float
    p: float
    loss: tuple[float, float, float] | None
    same: int

    @property
    def n(self) -> int:
        return sum(self.buckets)

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance would make."""
        return self.p < LEVEL

    def sentence(self) -> str:
        """Who is better and by how much, or that nobody can tell."""
        _, only_a, only_b, _ = self.buckets
        ahead, more = (self.a, only_a - only_b) if only_a >= only_b else (self.b, only_b - only_a)
        ends = (self.low, self.high) if only_a >= only_b else (-self.high, -self.low)
        images, digits = IMAGES[self.split], 1 if abs(self.gap) >= 0.001 else 2
        low, high = (f"{100 * end:z.{digits}f}".replace("-", "−") for end in ends)
        points = f"{100 * abs(self.gap):.{digits}f} points, 95 % {low} {'–' if ends[0] >= 0 else 'to'} {high}"
        if self.same == self.n:
            return f"The two say the same on all {self.n:,} {images}."
        if self.significant:
            return f"{ahead} is better: {more:,} more of {self.n:,} {images} right ({points}), {chance(self.p)}."
        few = images.removesuffix("s") if more == 1 else images
        who = f"{ahead} has {more:,} more {few} right" if more else f"both have as many {images} right"
        return f"No difference can be told at n = {self.n:,}: {who} ({points}), {chance(self.p)}."


def verdict(pair: RunPair) -> Verdict:
    """Over the whole split; the filters of the page do not touch it."""
    buckets = pair.buckets()
    both, only_a, only_b, neither = map(int, buckets)
    low, high = bootstrap(buckets)
    loss = None
    if pair.a.can("probabilities") and pair.b.can("probabilities"):
        each = [cross_entropy(p, pair.answers.labels) for p in pair.probabilities()]
        loss = mean_gap(*each) if pair.n > 1 else (0.0, 0.0, 0.0)
    return Verdict(
        pair.a.title, pair.b.title, pair.split, (both, only_a, only_b, neither), float(gap(buckets)), low, high,
        mcnemar(only_a, only_b), loss, int((pair.answers.a == pair.answers.b).sum()),
    )  # fmt: skip


@dataclass(frozen=True)
class Gaps:
    """By label, each [C]. buckets: int [C, 4]. gap with the ends of its 95 % interval (Newcombe, paired).

    p: exact McNemar of that class; adjusted: for all classes being looked at (Holm).
    """

    buckets: np.ndarray
    gap: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray

    @property
    def n(self) -> np.ndarray:
        return self.buckets.sum(1)

    @property
    def sure(self) -> np.ndarray:
        """bool [C], where the two can be told apart."""
        return self.adjusted < LEVEL


def gaps(buckets: np.ndarray) -> Gaps:
    """buckets: int [C, 4]"""
    p = np.array([mcnemar(only_a, only_b) for _, only_a, only_b, _ in buckets.tolist()])
    return Gaps(buckets, gap(buckets), *newcombe(buckets), p, holm(p))


def changes(pair: RunPair) -> tuple[list[tuple[str, str, str]], int]:
    """(what, A's, B's) in words for every setting and fact that differs, and how many settings are the same."""
    first, second = pair.a.manifest, pair.b.manifest
    one, other = (kinds.settings(manifest) or {} for manifest in (first, second))
    names = one.keys() | other.keys()
    if pair.a.can(TRAINING) != pair.b.can(TRAINING) or not (one and other):  # what one side lacks, nobody asked it for
        names = one.keys() & other.keys()
    one, other = ({name: side[name] for name in side if name in names} for side in (one, other))
    settings = wording.changes(one, other)
    facts = [
        (name, sides[0], sides[1])
        for name, say in FACTS.items()
        if (sides := [_fact(say, manifest) for manifest in (first, second)])[0] != sides[1]
    ]
    return settings + facts, len(names) - len(settings)


def _fact(say: Callable[[dict[str, Any]], str], manifest: dict[str, Any]) -> str:
    try:
        return say(manifest)
    except (KeyError, TypeError, ValueError):
        return wording.UNKNOWN


def _machine(manifest: dict[str, Any]) -> str:
    machine = manifest["machine"]
    return f"{machine['processor']}, {quantity(machine['threads'], 'thread')}"


KIND_WORDS = {"trained": "a network that was trained here", "imported": "a network", "recorded": "predictions alone"}
FACTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "What it is": lambda m: KIND_WORDS[kinds.kind_of(m)],
    "Parameters": lambda m: f"{m['parameters']:,}",
    "Size of the weights": lambda m: f"{m['bytes'] / 1e6:.2f} MB",
    "Time for one image": lambda m: f"{milliseconds(m['latency_ms'] / 1000)} ms",
    "Trained in": lambda m: duration(m["training_seconds"]),
    "Best epoch": lambda m: f"{m['best_epoch']}",
    "Images learned from": lambda m: f"{m['train_images']:,}",
    "Machine": _machine,
    "Torch": lambda m: f"{m['torch']}",
    "Made on": lambda m: f"{m['created'][:10]}",
}
