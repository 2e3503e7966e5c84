"""Pictures as rows of LIBSVM: a label, then `place:value` of all numbers that are not 0 (USPS, mnist.scale)."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ml.data.importing import archives
from ml.data.importing.sources import Entry, Scratch
from ml.images.decoding import Refusal

LINE = re.compile(rb"\s*[-+]?\d+(?:\.0*)?(?:\s+\d+:[-+]?[\d.]+(?:[eE][-+]?\d+)?)+\s*")
LAST = re.compile(rb"(\d+):\S+\s*$")
LEAST, HEAD = 4, 2**16  # numbers in the first row; bytes in which it is looked for
FORMS = {8 * 8: (8, 8), 16 * 16: (16, 16), 28 * 28: (28, 28), 32 * 32: (32, 32), 3 * 32 * 32: (3, 32, 32)}
"""Numbers of a row → the form of the picture. Last places that are always 0 are not written: the next larger counts."""
CALLED = re.compile(r"[^.]+|.+\.(?:libsvm|svm|svmlight|scale|tr|t|val|txt|data|bz2|gz|xz)", re.IGNORECASE)
FILES = 20  # that may be such, beyond which each belongs to a picture


def among(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are such files."""
    several = [one for one in entries if CALLED.fullmatch(one.name.rpartition("/")[2])]
    return [one for one in several if is_one(one)] if len(several) <= FILES else []


def is_one(entry: Entry) -> bool:
    """Whether a file says such rows of pictures."""
    try:
        with _open(entry.place()) as file:
            first = file.readline(HEAD)
    except (*archives.BROKEN, Refusal, ValueError):
        return False
    return LINE.fullmatch(first) is not None and first.count(b":") >= LEAST


def read(entry: Entry, scratch: Scratch) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, float32 [n, …], mapped, and labels, int64 [n]. Raises ValueError, in words, OSError."""
    labels, most = [], 0
    for line in _lines(entry.place()):
        found = LAST.search(line)
        labels.append(int(float(line.split(None, 1)[0])))
        most = max(most, int(found[1]) if found else 0)
    size = next((one for one in sorted(FORMS) if one >= most), 0)
    if not size:
        raise ValueError(
            f"its rows have {most:,} numbers, and pictures of {', '.join(map(str, sorted(FORMS)))} are read"
        )
    values = np.lib.format.open_memmap(scratch.path(), "w+", np.float32, (len(labels), size))
    for row, line in zip(values, _lines(entry.place()), strict=True):
        pairs = line.replace(b":", b" ").split()[1:]
        row[np.array(pairs[::2], np.int64) - 1] = np.array(pairs[1::2], np.float32)
    return values.reshape(len(labels), *FORMS[size]), np.array(labels, np.int64)


def _lines(place: Path) -> Iterator[bytes]:
    with _open(place) as file:
        for line in file:
            if LINE.fullmatch(line):
                yield line


@contextlib.contextmanager
def _open(place: Path) -> Iterator[IO[bytes]]:
    """The text, unpacked where it is compressed."""
    with place.open("rb") as file:
        opens = archives.packed(file.read(8))
        file.seek(0)
        if opens is None:
            yield file
            return
        with opens(file) as plain:
            yield plain
