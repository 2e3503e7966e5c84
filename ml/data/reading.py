"""The pictures of a source, read one after another and made to fit: what an import does most of."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ml.data.decoders import LEAST, Decoders
from ml.data.images import Images, Placed
from ml.data.importing import sources
from ml.data.importing.records import Record
from ml.images.decoding import Refusal
from ml.images.fitted import Outcome, Raw, Unwritten
from ml.images.form import Form
from ml.system.processor import cores

TOGETHER, BYTES = 16, 2 << 20  # pictures, or bytes of their files, that are handed on at a time
READING = "reading pictures"  # what is told of meanwhile
Progress: TypeAlias = Callable[[int, int, str], None]


class Cancelled(Exception):
    """An import was given up, as was asked; nothing of it is left."""


class Coloured(Exception):
    """A picture has colour, which no picture looked at had. row: its place among the records."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


def nobody(done: int, total: int, what: str) -> None:
    """For whom nobody waits."""


def never() -> bool:
    """For what nobody can give up."""
    return False


@dataclass(frozen=True)
class Hand:
    """Where pictures lie meanwhile, and who waits."""

    home: Path
    progress: Progress = nobody
    cancelled: Callable[[], bool] = never

    def check(self) -> None:
        """Raises Cancelled."""
        if self.cancelled():
            raise Cancelled


@dataclass
class Made:
    """Files that could be read, in order, and uint8 [h, w, c] of each; rows: their places among the records;
    lengths, in bytes, and digests: of each as it came; pixels: what stands for those of each as it is kept; sums: of
    its levels and their squares; sizes: upright; dim: places of those that are all but black; left: of those that could
    not be read, and why."""

    files: list[Record]
    images: Images
    rows: list[int]
    lengths: list[int]
    digests: list[bytes]
    pixels: list[bytes]
    sums: list[np.ndarray]
    sizes: Counter[tuple[int, int]]
    dim: list[int]
    left: list[tuple[int, str]]

    @classmethod
    def empty(cls) -> "Made":
        return cls([], Images(np.zeros((0, 1, 1, 1), np.uint8)), [], [], [], [], [], Counter(), [], [])

    def take(self, rows: np.ndarray) -> "Made":
        at = rows.tolist()
        return Made(
            [self.files[i] for i in at], self.images.take(rows), [self.rows[i] for i in at],
            [self.lengths[i] for i in at], [self.digests[i] for i in at],
            [self.pixels[i] for i in at], [self.sums[i] for i in at], self.sizes, self.dim, self.left,
        )  # fmt: skip


def read_all(records: Sequence[Record], form: Form, hand: Hand, *, watch: bool) -> Made:
    """One thread reads, processes decode (ml.data.decoders); a few pictures are in memory, all of them in a file
    (images.Placed).

    watch: raise Coloured at the first picture with colour. Raises Cancelled, OSError.
    """
    total, made = len(records), Made.empty()
    with Placed(hand.home, (form.height, form.width, form.channels), total) as placed:
        for row, one in enumerate(_outcomes(records, form, placed.number)):
            hand.check()
            hand.progress(row, total, READING)
            if isinstance(one, Refusal):
                made.left.append((row, str(one)))
                continue
            if isinstance(one, OSError):
                made.left.append((row, f"It cannot be read: {one.strerror or one}."))
                continue
            if watch and one.coloured:
                raise Coloured(row)
            made.files.append(records[row])
            made.rows.append(row)
            made.lengths.append(one.length)
            made.digests.append(one.digest)
            made.pixels.append(one.pixels)
            made.sums.append(one.sums)
            made.sizes[one.size] += 1
            made.dim += [row] * one.dim
        hand.progress(total, total, READING)
        made.images = placed.images(made.rows)
        return made


def _outcomes(records: Sequence[Record], form: Form, number: int) -> Iterator[Outcome]:
    """Of each record, in order; its pixels are in the file of that number. Raises OSError, as of a full disk."""
    threads = cores()
    wanted = threads > 1 and len(records) >= LEAST
    with Decoders(form, number, wanted) as decoders, ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Outcome]]] = deque()
        try:
            for start, raws in _together(records):
                waiting.append(pool.submit(decoders.fit, raws, start))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except Unwritten as problem:
            raise problem.error from None
        finally:
            pool.shutdown(cancel_futures=True)


def _together(records: Sequence[Record]) -> Iterator[tuple[int, list[Raw]]]:
    """Some records at a time, from which place on, as files or where these are: by a process of its own a file on the
    disk is read there."""
    raws: list[Raw] = []
    size = start = 0
    for row, record in enumerate(records):
        place = sources.file_of(record.read)
        raw: Raw
        try:
            raw = place if place is not None else record.raw()
        except (Refusal, OSError) as problem:
            raw = problem
        raws.append(raw)
        size += len(raw) if isinstance(raw, bytes) else raw.nbytes if isinstance(raw, np.ndarray) else 0
        if len(raws) == TOGETHER or size >= BYTES:
            yield start, raws
            raws, size, start = [], 0, row + 1
    if raws:
        yield start, raws
