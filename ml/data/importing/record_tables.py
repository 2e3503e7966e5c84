"""TensorFlow's records of tf.train.Example as a table: a row for each, a column for each feature.

A file is records one after the other: their length, a check of that, the record, a check of it. A record is a message
of protocol buffers, of which what an Example may have is read here, and nothing else. Checks are not counted again.
"""

import gzip
import re
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ml.data.importing.sources import poured

NAME = re.compile(r"\.tfrec(?:ords?)?(?:\.gz)?(?:-\d+-of-\d+)?$|^(?:train|val|valid|validation|test)-\d{5}-of-\d{5}$")
SAMPLE = 50  # rows that columns are told from
MOST = 2**28  # bytes of a record
MOST_WORDS = 1_000  # bytes of what is text and no picture
BROKEN = "the row is broken"
LENGTH, FIXED_8, FIXED_4 = 2, 1, 5  # kinds of fields
STRANGE = "it is no file of TensorFlow's records"


class RecordTable:
    """Rows of an opened file. columns: names of features; names: of classes by column, as TFDS has them beside it."""

    def __init__(
        self, place: Path, name: str, scratch: Callable[[], Path], names: dict[str, list[str]] | None = None
    ) -> None:
        """Raises OSError, ValueError in words."""
        self.name, self.names = name, names or {}
        self.notes: list[str] = []
        self._starts = array("q")
        with place.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        if packed:
            copy = scratch()
            try:
                with gzip.open(place) as file:
                    poured(file.read, copy)
            except (EOFError, zlib.error) as error:
                raise ValueError(f"it is damaged: {error}") from error
            place = copy
        self._file = place.open("rb")
        try:
            columns: dict[str, None] = {}
            for _, row in zip(range(SAMPLE), self._objects(), strict=False):
                columns |= dict.fromkeys(row if isinstance(row, dict) else ())
            if not columns:
                raise ValueError(STRANGE)
        except BaseException:
            self._file.close()
            raise
        self.columns = tuple(columns)

    def close(self) -> None:
        self._file.close()

    def _objects(self) -> Iterator[dict[str, Any] | str]:
        self._starts, at = array("q"), 0
        while True:
            self._file.seek(at)
            head = self._file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            if length > MOST:
                raise ValueError(STRANGE if not at else f"{self.name} is damaged after {len(self._starts):,} records")
            record = self._file.read(length)
            if not head:
                return
            if len(head) < 12 or len(record) < length or not length:  # zeros are where nothing was written
                if not at:
                    raise ValueError(STRANGE)
                note = f"{self.name} breaks off after {len(self._starts):,} records"
                self.notes += [note] if note not in self.notes else []
                return
            self._starts.append(at)
            at += 12 + length + 4
            yield _example(record)

    def sample(self) -> dict[str, list[Any]]:
        """Column → its first cells."""
        rows = [row for _, row in zip(range(SAMPLE), self.rows(self.columns), strict=False) if not isinstance(row, str)]
        return {column: [row[i] for row in rows] for i, column in enumerate(self.columns)}

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any] | str]:
        """These columns of every row, or a sentence on why one cannot be read."""
        for row in self._objects():
            yield row if isinstance(row, str) else [row.get(column) for column in columns]

    def cell(self, row: int, column: str) -> Any:
        """One cell of a row of those that `rows` gave, read anew."""
        return self.cells(row, [column])[0]

    def cells(self, row: int, columns: Sequence[str]) -> list[Any]:
        self._file.seek(self._starts[row])
        found = _example(self._file.read(struct.unpack("<Q", self._file.read(12)[:8])[0]))
        return [found.get(column) if isinstance(found, dict) else None for column in columns]


def _example(record: bytes) -> dict[str, Any] | str:
    """Feature → its one value, or a list of several; bytes are text where they are short and UTF-8."""
    try:
        found: dict[str, Any] = {}
        for number, features in _fields(memoryview(record)):
            for _, entry in _fields(features) if number == 1 else ():
                parts = dict(_fields(entry))
                values = _values(parts.get(2, memoryview(b"")))
                found[bytes(parts[1]).decode()] = values[0] if len(values) == 1 else values
        return found
    except (IndexError, KeyError, TypeError, ValueError, struct.error):
        return f"{BROKEN}: it is no tf.train.Example"


def _values(feature: memoryview) -> list[Any]:
    for kind, inside in _fields(feature):
        if kind == 1:
            return [_bytes(bytes(one)) for _, one in _fields(inside)]
        if kind == 2:
            packed = b"".join(bytes(one) for _, one in _fields(inside))
            return [*struct.unpack(f"<{len(packed) // 4}f", packed)]
        numbers: list[Any] = []
        for _, one in _fields(inside):
            if isinstance(one, int):
                numbers.append(_signed(one))
                continue
            at = 0
            while at < len(one):
                number, at = _varint(one, at)
                numbers.append(_signed(number))
        return numbers
    return []


def _bytes(value: bytes) -> bytes | str:
    try:
        text = value.decode() if len(value) <= MOST_WORDS else ""
    except UnicodeDecodeError:
        return value
    return text if text.isprintable() and text else value


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: a part of the message, or a whole number. Raises IndexError, ValueError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        length = 8 if kind == FIXED_8 else 4
        if kind == LENGTH:
            length, at = _varint(message, at)
        elif kind not in (FIXED_8, FIXED_4):
            raise ValueError(kind)
        if at + length > len(message):
            raise IndexError(length)
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise ValueError(shift)
