"""Counts answers by run and minute: in memory while a request runs, in the database a little later, from a thread.

A request adds a few numbers under a lock and never waits for a disk. What was counted in the last seconds before a
process is killed is lost; what was written is there after a restart. Minutes older than two days become hours.
"""

import atexit
import bisect
import contextlib
import logging
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from dashboard.records.rows import HOUSEKEEPING, Declined, Opener, Rows

OWNER = "monitor"
BINS = 20  # of the confidence, 0..1
ABSTAIN = 0.5  # an answer less sure than this counts as an abstention
LATENCY_EDGES = tuple(0.001 * 1.25**k for k in range(48))  # seconds: upper ends of the latency's bins, 1 ms to 36 s
DIGITS = 5  # of a confidence that is kept
KEPT = 200  # confidences of a minute that are kept one by one
DRAWN = 2_000  # of them for a test
WRITE_SECONDS = 10.0
LOOK_SECONDS = 0.5  # between two pictures that are compared with the training data
CHORE_SECONDS = 3600.0
MINUTES = 3_000  # held in memory where nothing can be written
FOLD_MINUTES = 2 * 24 * 60
SPANS = {"hour": 60, "day": 24 * 60, "all": None}
AHEAD_MINUTES = 24 * 60  # by which a minute may be ahead and be counted as just now: the clock was set back meanwhile
NEVER = 2**31 - 1  # the last minute that a column holds
FIRST_MINUTE = 26_297_280  # of 2020: machines without a clock of their own begin in 1970, until they have asked
log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What was answered in a while. bins: int [BINS]; latency: int [len(LATENCY_EDGES) + 1]; seconds: their sum.

    classes: name → answers; checked, unlike: pictures compared with the training data, and those called unlike it.
    sample: at most KEPT confidences, each answer's as likely as any other's.
    """

    n: int = 0
    abstained: int = 0
    checked: int = 0
    unlike: int = 0
    seconds: float = 0.0
    confidence: float = 0.0
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    latency: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_EDGES) + 1))
    classes: dict[str, int] = field(default_factory=dict)
    sample: list[float] = field(default_factory=list)

    def add(self, label: str, confidence: float, seconds: float) -> None:
        """One answer."""
        self.n += 1
        self.abstained += confidence < ABSTAIN
        self.seconds += seconds
        self.confidence += confidence
        self.bins[min(int(confidence * BINS), BINS - 1)] += 1
        self.latency[_bin(seconds)] += 1
        self.classes[label] = self.classes.get(label, 0) + 1
        if len(self.sample) < KEPT:
            self.sample.append(round(confidence, DIGITS))
        elif (place := random.randrange(self.n)) < KEPT:
            self.sample[place] = round(confidence, DIGITS)

    def look(self, unlike: bool) -> None:
        """One picture compared with the training data."""
        self.checked += 1
        self.unlike += unlike

    def percentile(self, share: float) -> float:
        """Seconds that this share of the answers needed at most: the end of its bin, a quarter too much at worst."""
        places = np.cumsum(self.latency)
        if not places[-1]:
            return 0.0
        place = int(np.searchsorted(places, share * places[-1], side="left"))
        return LATENCY_EDGES[min(place, len(LATENCY_EDGES) - 1)]

    @classmethod
    def of(cls, tallies: Iterable["Tally"]) -> "Tally":
        """All of them as one; its sample is drawn again where one of them had to leave some out."""
        tallies = list(tallies)
        made = cls()
        for one in tallies:
            made.n += one.n
            made.abstained += one.abstained
            made.checked += one.checked
            made.unlike += one.unlike
            made.seconds += one.seconds
            made.confidence += one.confidence
            made.bins = [a + b for a, b in zip(made.bins, one.bins, strict=True)]
            made.latency = [a + b for a, b in zip(made.latency, one.latency, strict=True)]
            for name, count in one.classes.items():
                made.classes[name] = made.classes.get(name, 0) + count
        made.sample = _drawn(tallies)
        return made

    def row(self, most: int = KEPT) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "sample": self.sample[:most]}

    @classmethod
    def read(cls, row: object) -> "Tally":
        """From JSON; empty where it is none of ours."""
        known = cls()
        if not isinstance(row, dict) or not {*vars(known)} <= {*row}:
            return known
        made = cls(**{name: row[name] for name in vars(known)})
        return made if (len(made.bins), len(made.latency)) == (BINS, len(LATENCY_EDGES) + 1) else known


def _bin(seconds: float) -> int:
    return bisect.bisect_left(LATENCY_EDGES, seconds)


def _drawn(tallies: Sequence[Tally]) -> list[float]:
    """At most DRAWN confidences, each answer's as likely as any other's."""
    tallies = [one for one in tallies if one.sample]
    values = np.array([value for one in tallies for value in one.sample])
    if len(values) <= DRAWN and all(len(one.sample) == one.n for one in tallies):
        return values.tolist()
    weights = np.array([one.n / len(one.sample) for one in tallies for _ in one.sample])
    # as many as one can have so that no confidence stands for less than itself
    most = int(min(DRAWN, len(values), weights.sum() / weights.max()))
    rng = np.random.default_rng(0)
    return rng.choice(values, most, replace=False, p=weights / weights.sum()).tolist()


def _schema_1() -> tuple[Table, MetaData]:
    """The table as the first migration makes it. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    counts = Table(
        "monitor",
        metadata,
        Column("run", String(64), nullable=False),
        Column("minute", Integer, nullable=False, index=True),  # since 1970
        Column("span", Integer, nullable=False),  # minutes
        Column("writer", String(16), nullable=False),  # one process
        Column("tally", JSON, nullable=False),
        UniqueConstraint("run", "minute", "span", "writer"),
    )
    return counts, metadata


_counts, _metadata = _schema_1()


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


Key = tuple[str, int]


class Monitor(Rows):
    """The answers of this process, and what all processes on the database wrote. Its thread starts with the first."""

    owner = OWNER
    migrations = (_step_1,)

    def __init__(
        self,
        opener: Opener | None = None,
        unlike: Callable[[str, np.ndarray], bool | None] | None = None,
        *,
        chores: Collection[Callable[[], object]] = (),
        read_only: bool = False,
    ) -> None:
        """unlike(run, picture): whether it is unlike the training data; chores: what is to be done every hour."""
        super().__init__(opener, read_only=read_only)
        self._unlike, self._chores = unlike, chores
        self._writer = secrets.token_hex(8)
        self._counting = threading.Lock()
        self._minutes: dict[Key, Tally] = {}  # not written yet, or not over yet
        self._stale: set[Key] = set()  # counted since they were written
        self._totals: dict[str, Tally] = {}  # since the start of this process
        self._looks: deque[tuple[str, np.ndarray]] = deque(maxlen=4)  # under load the newest few are looked at
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- count

    def saw(self, run: str, label: str, confidence: float, seconds: float, image: np.ndarray | None = None) -> None:
        """One answer. seconds: preparation and forward pass; image: uint8 [h, w, c] as the network saw it."""
        with self._counting:
            key = (run, int(time.time() // 60))
            for tally in (self._at(key), self._totals.setdefault(run, Tally())):
                tally.add(label, confidence, seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="monitor", daemon=True)
                self._thread.start()
                atexit.register(self.write)
        if image is not None and self._unlike is not None:
            self._looks.append((run, image))
            self._wake.set()

    def _at(self, key: Key) -> Tally:
        self._stale.add(key)
        tally = self._minutes.get(key)
        if tally is None:
            tally = self._minutes[key] = Tally()
            if len(self._minutes) > MINUTES:  # nothing can be written: the oldest are kept as a sum alone
                oldest = min(self._minutes, key=lambda one: (one[1] == 0, one[1]))
                gone = self._minutes.pop(oldest)
                self._stale.discard(oldest)
                base = (oldest[0], 0)
                self._minutes[base] = Tally.of([gone, self._minutes.get(base, Tally())])
        return tally

    def look(self) -> bool:
        """Compare one waiting picture with the training data; whether there was one."""
        try:
            run, image = self._looks.pop()
        except IndexError:
            return False
        unlike = self._unlike(run, image) if self._unlike is not None else None
        if unlike is not None:
            with self._counting:
                self._at((run, int(time.time() // 60))).look(unlike)
                self._totals.setdefault(run, Tally()).look(unlike)
        return True

    # ---- look

    def totals(self) -> dict[str, Tally]:
        """run → what this process answered since its start; the tallies are copies."""
        with self._counting:
            return {run: _copy(tally) for run, tally in self._totals.items()}

    def seen(self, span: str, run: str) -> Tally:
        """What all processes answered with a run in the last hour or day, or ever. span: one of SPANS."""
        return Tally.of(tally for _, tally in self.minutes(span, run))

    def minutes(self, span: str, run: str) -> list[tuple[int, Tally]]:
        """(minute since 1970, what was answered in it), oldest first; several of one minute where processes share."""
        past = SPANS[span]
        now = int(time.time() // 60)
        first, last = (0, NEVER) if past is None else (now - past + 1, now + AHEAD_MINUTES)
        with self._counting:
            own = {k: _copy(v) for k, v in self._minutes.items() if k[0] == run and first <= k[1] <= last}
        query = select(_counts).where(_counts.c.run == run, _counts.c.minute.between(first, last))
        tallies = [
            (row["minute"], Tally.read(row["tally"]))
            for row in self.rows(query)
            if not (row["writer"] == self._writer and row["span"] == 1 and (run, row["minute"]) in own)
        ]
        return sorted([*tallies, *((minute, tally) for (_, minute), tally in own.items())], key=lambda one: one[0])

    def runs(self) -> dict[str, int]:
        """run → minutes in which it answered; runs that never did are not in it."""
        with self._counting:
            minutes = {run: 1 for run, _ in self._minutes}
        for row in self.rows(select(_counts.c.run)):
            minutes[row["run"]] = minutes.get(row["run"], 0) + 1
        return minutes

    # ---- write

    def write(self) -> bool:
        """Write what was counted since the last time; whether all of it is on the disk. Never raises."""
        if self.read_only or self._opener is None:
            return False
        with self._counting:
            fresh = {key: _copy(self._minutes[key]) for key in self._stale if key[1]}
            self._stale.clear()
        if not fresh:
            self._forget()
            return True
        try:
            with self.writing(HOUSEKEEPING) as connection:
                for (run, minute), tally in fresh.items():
                    self._put(connection, run, minute, tally)
        except Declined:
            with self._counting:
                self._stale |= {key for key in fresh if key in self._minutes}
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        """Let go of minutes that are over and written: they are read from the database, and once."""
        now = int(time.time() // 60)
        with self._counting:
            for key in [key for key in self._minutes if 0 < key[1] < now and key not in self._stale]:
                del self._minutes[key]

    def _put(self, connection: Connection, run: str, minute: int, tally: Tally) -> None:
        mine = {"run": run, "minute": minute, "span": 1, "writer": self._writer}
        here = [_counts.c[name] == value for name, value in mine.items()]
        if not connection.execute(update(_counts).where(*here).values(tally=tally.row())).rowcount:
            connection.execute(insert(_counts).values(**mine, tally=tally.row()))

    def fold(self, now: float | None = None) -> int:
        """Make hours of the minutes that are older than two days; how many minutes went. Never raises."""
        if self.read_only or self.opened() is None:
            return 0
        self._forget()
        # whole hours alone, so that a minute that comes late finds no hour before it
        limit = (int((time.time() if now is None else now) // 60) - FOLD_MINUTES) // 60 * 60
        old = (_counts.c.span == 1, _counts.c.minute < limit)
        with contextlib.suppress(Declined), self.writing(HOUSEKEEPING) as connection:
            rows = connection.execute(select(_counts).where(*old)).mappings().all()
            hours: dict[Key, list[Tally]] = {}
            for row in rows:
                hours.setdefault((row["run"], row["minute"] // 60 * 60), []).append(Tally.read(row["tally"]))
            connection.execute(delete(_counts).where(*old))
            for (run, minute), tallies in hours.items():
                made = {"run": run, "minute": minute, "span": 60, "writer": secrets.token_hex(8)}
                connection.execute(insert(_counts).values(**made, tally=Tally.of(tallies).row(4 * KEPT)))
            return len(rows)
        return 0

    def _work(self) -> None:
        written, tidied = time.monotonic(), time.monotonic()
        while True:
            self._wake.wait(LOOK_SECONDS if self._looks else WRITE_SECONDS)
            self._wake.clear()
            try:
                if self.look():
                    time.sleep(LOOK_SECONDS)
                now = time.monotonic()
                if now - written >= WRITE_SECONDS:
                    self.write()
                    written = now
                if now - tidied >= CHORE_SECONDS:
                    tidied = now
                    self.fold()
                    for chore in self._chores:
                        chore()
            except Exception:  # a thread that ends would count no more, and say nothing of it
                log.exception("what was answered cannot be counted just now")
                time.sleep(LOOK_SECONDS)


def dated(minute: int, now: int) -> bool:
    """Whether a minute can be when it says; now: this one. Both since 1970."""
    return FIRST_MINUTE <= minute <= now + AHEAD_MINUTES


def _copy(tally: Tally) -> Tally:
    return Tally(
        **{
            **vars(tally), "bins": [*tally.bins], "latency": [*tally.latency], "classes": {**tally.classes},
            "sample": [*tally.sample],
        }
    )  # fmt: skip
