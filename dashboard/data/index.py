"""Examples sorted once by what matrix and chips ask for: a click looks at what it selects, not at all there are."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.state.values import exact


@dataclass(frozen=True, eq=False)
class CellIndex:
    """The counted examples of a split by cell of the confusion matrix, the surest first within each.

    Of an example, its rank is its place among all counted ones by falling confidence, the earlier position first where
    two are equally sure. by_rank: int32 [m], their positions in the predictions; cells: int [k], those that hold any,
    label · C + predicted, ascending; starts: int64 [k + 1], where each begins in ranks; ranks: int32 [m], ascending in
    each cell; confidence: float32 [n], of the predictions.
    """

    by_rank: np.ndarray
    cells: np.ndarray
    starts: np.ndarray
    ranks: np.ndarray
    confidence: np.ndarray
    classes: int

    @classmethod
    def of(cls, cells: np.ndarray, confidence: np.ndarray, kept: np.ndarray, classes: int) -> "CellIndex":
        """cells: int [n], label · C + predicted; confidence: float32 [n]; kept: bool [n], which are counted at all."""
        by_rank = np.argsort(-confidence, kind="stable").astype(np.int32)
        if not kept.all():
            by_rank = by_rank[kept[by_rank]]
        ranked = cells[by_rank]
        ranks = np.argsort(ranked, kind="stable").astype(np.int32)
        counts = np.bincount(ranked, minlength=1)
        held = np.flatnonzero(counts)
        starts = np.concatenate([[0], np.cumsum(counts[held])])
        return cls(by_rank, held, starts, ranks, confidence, classes)

    def __len__(self) -> int:
        return len(self.by_rank)

    def surer(self, than: Callable[[float], bool]) -> int:
        """How many examples lead the ranks until one is `than`, which no surer one may be."""
        return bisect_left(self.by_rank, True, key=lambda row: than(float(self.confidence[row])))

    def span(self, conf: tuple[float, float] | None, reject: float | None) -> tuple[int, int]:
        """First rank and the one past the last, of low < confidence ≤ high (from 0 on where low is 0) and from
        `reject` on."""
        first, last = 0, len(self)
        if conf:
            low, high = (exact(end) for end in conf)
            first = self.surer(lambda sure: sure <= high)
            last = last if low == 0 else self.surer(lambda sure: sure <= low)
        if reject:
            last = min(last, self.surer(lambda sure: sure < reject))
        return first, max(first, last)

    def spread(self, pieces: list[np.ndarray], place: Callable[[Any], Any], number: int) -> np.ndarray:
        """int [number]: how many of these ranks, ascending in each piece, have a confidence of each place.

        place: of float64 [k] of confidences: 0 to number - 1 each, which never falls as confidence rises.
        """
        wanted, size = np.arange(number + 1), len(self)
        first, last = np.zeros(number + 1, np.int64), np.full(number + 1, size)
        while (open_ := first < last).any():  # all ends at once: ranks before them are of their place and above
            middle = np.minimum((first + last) // 2, size - 1)
            above = place(self.confidence[self.by_rank[middle]].astype(np.float64)) >= wanted
            first, last = np.where(open_ & above, middle + 1, first), np.where(open_ & ~above, middle, last)
        ends = first.astype(np.int32)  # as ranks are, which would be copied otherwise
        before = sum((np.searchsorted(piece, ends) for piece in pieces), np.zeros(number + 1, np.int64))
        return before[:-1] - before[1:]

    def ranked(
        self, true: np.ndarray | None, pred: np.ndarray | None, right: bool | None, span: tuple[int, int]
    ) -> list[np.ndarray]:
        """Ranks, ascending in each piece, of the examples in a span of them whose label is among `true`, whose
        predicted class is among `pred` (bool [C] each, None for any) and which are right, wrong, or either (None)."""
        truths, guesses = np.divmod(self.cells, self.classes)
        within = np.ones(len(self.cells), bool)
        if true is not None:
            within &= true[truths]
        if pred is not None:
            within &= pred[guesses]
        if right is not None:
            within &= (truths == guesses) == right
        if within.all():
            return [np.arange(*span, dtype=np.int32)]
        pieces = [self.ranks[self.starts[cell] : self.starts[cell + 1]] for cell in np.flatnonzero(within)]
        if span != (0, len(self)):
            pieces = [piece[slice(*np.searchsorted(piece, span))] for piece in pieces]
        return pieces


def merged(pieces: list[np.ndarray]) -> np.ndarray:
    """int32, ascending: all that is in these ascending pieces, no copy of a single one."""
    if len(pieces) == 1:
        return pieces[0]
    return np.sort(np.concatenate([*pieces, np.zeros(0, np.int32)]))
