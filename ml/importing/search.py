"""A network asked about the same pictures in many ways, the likelier first, for as long as there is time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.artifacts.reader import Broken
from ml.data.base import stratified
from ml.importing import readings
from ml.importing.mistakes import Change, Mistakes
from ml.importing.readings import Ordered, Scored
from ml.inference.imported import Interface, ask

SECONDS = 55.0
MOST, LEAST = 400, 60  # pictures that a way of asking is judged on
SCREENED, FEWEST = 80, 16  # of them, those on which ways are chosen from
WHOLE, SCREEN = 0.055, 0.014  # of the seconds, for one asking about all of them, and about those
LOOKING = 0.6  # of the seconds, for looking; the rest is for judging what was found
ALONE = 0.8  # of them, after which nothing more is looked at even alone
FIRST, SHOWN = 8, 32  # ways that are judged before singles are, and at most
KEPT = 32 << 20  # bytes of resized pictures that are kept


@dataclass(eq=False)
class Way:
    """One way of asking: how, and what differs from what was stated. values: float [k, outputs] of the first k
    pictures; reading: number kind → what came of it; ordered: the same in another order of classes; sure: whether a
    reading can be no other."""

    how: Interface
    changes: tuple[Change, ...]
    values: np.ndarray
    readings: dict[str, Scored] = field(default_factory=dict)
    ordered: dict[str, Ordered] = field(default_factory=dict)
    sure: dict[str, bool] = field(default_factory=dict)

    @property
    def score(self) -> tuple[float, float]:
        """The larger, the better: the share of right answers and less loss, in the best reading."""
        return max(_score(one) for one in [*self.readings.values(), *self.ordered.values()])

    @property
    def plainly(self) -> tuple[float, float]:
        """The same with the classes in the order as stated."""
        return max(map(_score, self.readings.values()))


def _score(one: Scored) -> tuple[float, float]:
    return one.right, -float(one.losses.mean())


@dataclass(eq=False)
class Found:
    """What came of it. judged: asked about all pictures, as stated first; screened: about the first few of them alone;
    labels: int [n], of the pictures in their order; refused: ways that could not be asked; asked: how many could; left:
    sentences on what was not tried."""

    judged: list[Way]
    screened: list[Way]
    labels: np.ndarray
    few: int
    seconds: float
    asked: int
    refused: int
    left: list[str]


class Asking:
    """A session and its pictures. session: of onnxruntime or asked like one; images: uint8 [n, h, w, c]; labels: int
    [n]; ordering: whether there are pictures enough to look for an order of classes."""

    def __init__(self, session: Any, images: np.ndarray, labels: np.ndarray, ordering: bool) -> None:
        self.session, self.images, self.labels, self.ordering = session, images, labels, ordering
        self._frames: dict[tuple[Any, ...], np.ndarray] = {}

    def values(self, how: Interface, start: int, stop: int) -> np.ndarray | None:
        """float [k, outputs]; None where the network cannot be asked so."""
        try:
            answer = ask(self.session, how, how.scaled(self._framed(how, start, stop)), [how.output])[0]
            values = how.table(answer)
        except (Broken, ValueError, TypeError, IndexError):
            return None
        fits = values.shape == (stop - start, how.width_of_answers) and np.isfinite(values).all()
        return values if fits else None

    def _framed(self, how: Interface, start: int, stop: int) -> np.ndarray:
        key = (start, stop, how.height, how.width, how.transposed, how.frame, how.share, how.resampling)
        if key not in self._frames:
            made = how.framed(self.images[start:stop])
            if made.nbytes * (len(self._frames) + 1) > KEPT:
                return made
            self._frames[key] = made
        return self._frames[key]

    def way(self, stated: Interface, changes: Sequence[Change], few: int) -> Way | None:
        """Asked about the first few pictures. None where it cannot be asked or read."""
        how = stated.model_copy(update={name: value for one in changes for name, value in one.fields.items()})
        values = self.values(how, 0, few)
        return None if values is None else self.read(Way(how, tuple(changes), values))

    def read(self, way: Way) -> Way | None:
        """The way with what its values come to; None where no reading fits."""
        labels = self.labels[: len(way.values)]
        way.readings, way.ordered = {}, {}
        way.sure = readings.plausible(way.values, way.how.numbers)
        for kind in way.sure:
            how = way.how.model_copy(update={"numbers": kind})
            if (one := readings.scored(how, way.values, labels)) is not None:
                way.readings[kind] = one
                if self.ordering and (other := readings.ordered(how, way.values, labels)) is not None:
                    way.ordered[kind] = other
        return way if way.readings else None

    def judged(self, way: Way, n: int) -> Way | None:
        """The way asked about the pictures that it was not asked about yet."""
        more = self.values(way.how, len(way.values), n) if len(way.values) < n else way.values[:0]
        return None if more is None else self.read(Way(way.how, way.changes, np.concatenate([way.values, more])))


def arranged(labels: np.ndarray, few: int) -> np.ndarray:
    """Positions of all, the first few of them of all classes alike."""
    rng = np.random.default_rng(0)
    first = stratified(labels, few, rng) if few < len(labels) else np.arange(len(labels))
    return np.concatenate([first, rng.permutation(np.setdiff1d(np.arange(len(labels)), first))])


def sizes(each: float, n: int, seconds: float) -> tuple[int, int]:
    """How many pictures, and of them how many to choose by. each: seconds that one picture takes."""
    whole = min(n, MOST, max(LEAST, int(WHOLE * seconds / each)))
    return whole, min(whole, SCREENED, max(FEWEST, int(SCREEN * seconds / each)))


def search(
    session: Any, stated: Interface, mistakes: Mistakes, images: np.ndarray, labels: np.ndarray, *,
    seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic,
) -> Found | None:  # fmt: skip
    """Ask as stated, with each change, then with pairs of them. images: uint8 [n, h, w, c]; labels: int [n]. None where
    it cannot be asked as stated."""
    began = clock()
    probe = Asking(session, images, labels, ordering=False)
    some = min(len(labels), FEWEST)
    if probe.values(stated, 0, some) is None:  # which also warms it up
        return None
    before = clock()
    probe.values(stated, 0, some)
    n, few = sizes(max(clock() - before, 1e-6) / some, len(labels), seconds)
    rows = arranged(labels, n)[:n]
    rows = rows[arranged(labels[rows], few)]
    images, labels = images[rows], labels[rows]
    counts = np.bincount(labels, minlength=len(stated.order))
    asking = Asking(session, images, labels, ordering=bool(counts.min() >= readings.LEAST) and not stated.outputs)
    left = [*mistakes.left, *_unordered(stated, counts)]
    whole = asking.way(stated, (), n)
    if whole is None:
        return None

    def late(share: float) -> bool:
        return clock() - began > share * seconds

    ways, refused, waiting = _looked(asking, stated, mistakes, few, late)
    left += waiting
    best = sorted(ways, key=lambda way: way.score, reverse=True)
    chosen = sorted(ways, key=lambda way: way.plainly, reverse=True)[:FIRST]
    chosen += [way for way in best[:FIRST] if way not in chosen]
    chosen += [way for way in best if len(way.changes) == 1 and way not in chosen]
    chosen += [way for way in best if way not in chosen]
    judged = [whole]
    for way in chosen[: SHOWN - 1]:
        if late(1.0 if len(judged) > 1 else 1.2):
            break
        if (one := asking.judged(way, n)) is not None:
            judged.append(one)
    rest = chosen[len(judged) - 1 :]
    return Found(judged, rest, labels, few, round(clock() - began, 1), 1 + len(ways), refused, left)


def _unordered(stated: Interface, counts: np.ndarray) -> list[str]:
    """Why no order of the classes is looked for, nothing where one is."""
    if stated.outputs:
        return ["order of the classes: the network has other classes than the data set"]
    if counts.min() < readings.LEAST:
        return [
            f"order of the classes: it needs {readings.LEAST} pictures of each, and there are {counts.min()} of one"
        ]
    return []


def _looked(
    asking: Asking, stated: Interface, mistakes: Mistakes, few: int, late: Callable[[float], bool]
) -> tuple[list[Way], int, list[str]]:
    """Singles, then pairs of the best singles first: what was asked, how many could not be, and what was left. late:
    whether a share of the time is over."""
    ways: list[Way] = []
    refused, alone = 0, {}
    singles = mistakes.singles()
    for place, change in enumerate(singles):
        if late(ALONE):
            return ways, refused, [f"{len(singles) - place} single mistakes, and all pairs: there was no time"]
        way = asking.way(stated, (change,), few)
        if way is None:
            refused += 1
        else:
            ways.append(way)
            alone[id(change)] = way.score
    pairs = [pair for pair in mistakes.pairs() if any(id(one) in alone for one in pair)]
    nothing = (0.0, -np.inf)

    def promise(pair: tuple[Change, Change]) -> tuple[float, float]:
        scores = [alone.get(id(one), nothing) for one in pair]
        return sum(one[0] for one in scores), max(one[1] for one in scores)

    pairs.sort(key=promise, reverse=True)
    for place, pair in enumerate(pairs):
        if late(LOOKING):
            return ways, refused, [f"{len(pairs) - place:,} pairs of mistakes: there was no time"]
        way = asking.way(stated, pair, few)
        if way is None:
            refused += 1
        else:
            ways.append(way)
    return ways, refused, []
