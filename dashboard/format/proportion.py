"""A proportion, and how it is said: a count of n with its 95 % interval."""

from dataclasses import dataclass
from functools import cached_property

from ml.stats.intervals import wilson


@dataclass(frozen=True)
class Proportion:
    """count of n; prints as '84.1 % (81.7 – 86.2, 841 of 1,000)'. Of none it is 0, anywhere from 0 to 1."""

    count: int
    n: int

    @property
    def value(self) -> float:
        """0..1"""
        return self.count / max(self.n, 1)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Of the Wilson interval, 0..1."""
        low, high = wilson(self.count, self.n)
        return float(low), float(high)

    @property
    def percent(self) -> str:
        """'84.1'"""
        return f"{100 * self.count / max(self.n, 1):.1f}"

    @property
    def span(self) -> str:
        """'81.7 – 86.2', the interval in percent."""
        return " – ".join(f"{100 * end:.1f}" for end in self.ends)

    def __str__(self) -> str:
        return f"{self.percent} % ({self.span}, {self.count:,} of {self.n:,})" if self.n else "none of 0"
