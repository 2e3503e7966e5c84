"""The pictures of a source, read one after another and made to fit: what an import does most of."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np

from ml.data.base import sums
from ml.data.images import Growing, Images
from ml.data.importing.records import Record
from ml.images.decoding import Refusal
from ml.images.form import Form
from ml.images.preparation import prepare
from ml.system.processor import cores

AHEAD = 4  # pictures read for each thread that decodes, before the first of them is asked for
DIGEST = 16  # bytes of what stands for an original
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
    """One thread reads, the others decode; a few pictures are in memory, all of them in a file (images.Growing).

    watch: raise Coloured at the first picture with colour. Raises Cancelled, OSError.
    """
    total = len(records)
    with Growing(hand.home, (form.height, form.width, form.channels)) as growing:
        made = Made.empty()
        for row, (file, given) in enumerate(prepared(records, form)):
            hand.check()
            hand.progress(row, total, READING)
            try:
                one = given()
            except Refusal as refusal:
                made.left.append((row, str(refusal)))
                continue
            except OSError as error:
                made.left.append((row, f"It cannot be read: {error.strerror or error}."))
                continue
            if watch and one.coloured:
                raise Coloured(row)
            growing.add(one.image)
            made.files.append(file)
            made.rows.append(row)
            made.lengths.append(one.length)
            made.digests.append(one.digest)
            made.pixels.append(one.pixels)
            made.sums.append(one.sums)
            made.sizes[one.size] += 1
            made.dim += [row] * one.dim
        hand.progress(total, total, READING)
        made.images = growing.images()
        return made


@dataclass(frozen=True, slots=True)
class Picture:
    """image: uint8 [h, w, c] of the form; dim, coloured: of the picture; size: upright; the rest as in Made."""

    image: np.ndarray
    dim: bool
    coloured: bool
    size: tuple[int, int]
    pixels: bytes
    sums: np.ndarray
    length: int
    digest: bytes


Prepared: TypeAlias = Callable[[], Picture]


def prepared(records: Iterable[Record], form: Form) -> Iterator[tuple[Record, Prepared]]:
    """Each record, in order, with what gives its picture; that may raise."""

    def fit(raw: bytes | np.ndarray) -> Picture:
        picture = Record.decoded(raw, form)
        image = prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image
        size = (picture.height, picture.width) if picture.orientation < 5 else (picture.width, picture.height)
        pixels = fingerprint(image)[1]
        return Picture(image, picture.dim, picture.pixels.shape[2] == 3, size, pixels, sums(image), *fingerprint(raw))

    threads = cores()
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Record, Prepared]] = deque()
        try:
            for record in records:
                try:
                    waiting.append((record, pool.submit(fit, record.raw()).result))
                except (Refusal, OSError) as problem:
                    waiting.append((record, partial(_raise, problem)))
                while len(waiting) > AHEAD * threads:
                    yield waiting.popleft()
            yield from waiting
        finally:
            pool.shutdown(cancel_futures=True)


def fingerprint(raw: bytes | np.ndarray) -> tuple[int, bytes]:
    """How many bytes an original has, and what stands for them."""
    plain = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).data
    return len(raw) if isinstance(raw, bytes) else raw.nbytes, hashlib.sha256(plain).digest()[:DIGEST]


def _raise(problem: Exception) -> NoReturn:
    raise problem
