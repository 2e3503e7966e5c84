"""Which of many classes a panel shows: all of a few, else both ends of their order, a page of it, or what is found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.state.values import MANY_CLASSES

PAGE, END = 12, 6  # classes of a page, and of either end


@dataclass(frozen=True)
class Listed:
    """places: of the classes shown, in order; words: what of all they are, '' for all; back, on: whether there are
    others before and after; cut: how many of them come before a gap, 0 for none."""

    places: list[int]
    words: str = ""
    back: bool = False
    on: bool = False
    cut: int = 0


@dataclass(frozen=True)
class Part:
    """find: in the names, in any case; page: from 1, of what is found from 0; 0 without anything to find: both ends."""

    find: str = ""
    page: int = 0

    @classmethod
    def read(cls, find: object, on: object, back: object) -> "Part":
        """From a field and the clicks of two buttons, which come from the browser."""
        clicks = [count if isinstance(count, int) and not isinstance(count, bool) else 0 for count in (on, back)]
        return cls(find.strip().casefold()[:60] if isinstance(find, str) else "", max(0, clicks[0] - clicks[1]))

    def of(self, names: Sequence[str], order: Sequence[int], ranked: int | None = None) -> Listed:
        """order: positions in names as they are ranked; ranked: how many of them have a rank, the first ones; None for
        all."""
        if len(order) <= MANY_CLASSES:
            return Listed(list(order))
        known = len(order) if ranked is None else ranked
        if not self.find and not self.page and known > 2 * END:
            places = [*order[:END], *order[known - END : known]]
            return Listed(places, f"first and last {END} of {known:,}{unranked(len(order) - known)}", on=True, cut=END)
        hits = [place for place in order if self.find in names[place].casefold()] if self.find else list(order)
        last = max(0, -(-len(hits) // PAGE) - 1)
        page = min(self.page if self.find else max(0, self.page - 1), last)
        shown = hits[page * PAGE : (page + 1) * PAGE]
        if not shown:
            return Listed([], f"none of {len(order):,} is called so")
        span = f"{page * PAGE + 1:,} – {page * PAGE + len(shown):,} of {len(hits):,}"
        return Listed(shown, span + (" found" if self.find else ""), page > 0 or not self.find, page < last)


def unranked(n: int) -> str:
    """What is said of classes without an image."""
    return f"; {n:,} more without an image here" if n else ""


def by_interval(low: np.ndarray, high: np.ndarray, n: np.ndarray) -> tuple[list[int], int]:
    """Class ids, best first by the middle of their interval, so that one image alone makes a class neither best nor
    worst; those without an image come last. And how many have one."""
    middle = np.where(np.asarray(n) > 0, (np.asarray(low) + np.asarray(high)) / 2, -1.0)
    return np.argsort(-middle, kind="stable").tolist(), int((np.asarray(n) > 0).sum())
