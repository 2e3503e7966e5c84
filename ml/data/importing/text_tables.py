"""Tables as text: CSV, TSV, JSON lines, a JSON list. Read row by row; where each begins is kept, to read it again."""

import codecs
import csv
import json
import math
import re
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 50  # rows that a delimiter is told from
MOST_JSON = 400_000_000  # bytes of a JSON file that is no JSON lines, which is read as a whole
LEAST_LEVELS = 16  # of a picture
BROKEN = "the row is broken"
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # pictures in base64 are longer than it is by itself


class TextTable:
    """Rows of an opened file. columns: names of them; notes: sentences on how it was read."""

    names: dict[str, list[str]]  # of classes by id, column → names: text has none

    def __init__(self, place: Path, name: str, is_picture: Callable[[str], bool], scratch: Callable[[], Path]) -> None:
        """Raises OSError, ValueError in words."""
        self.name, self.names = name, {}
        self.notes: list[str] = []
        self._starts = array("q")
        with place.open("rb") as file:
            start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            place, start = _as_utf8(place, scratch())
        self._file = place.open("rb")
        self._strange = 0
        self._lines = start.lstrip(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") and not name.endswith((".csv", ".tsv"))
        self._list: list[Any] | None = None
        try:
            if self._lines:
                self._columns_of_json(name)
            else:
                self._columns_of_csv(is_picture)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _columns_of_json(self, name: str) -> None:
        self._file.seek(0)
        first = self._file.readline().removeprefix(codecs.BOM_UTF8).strip()
        try:
            is_row = isinstance(json.loads(first), dict)
            is_row &= bool(self._file.readline()) or not name.casefold().endswith(".json")
        except (ValueError, RecursionError):
            is_row = False
        if not is_row:
            self._list = _listed(self._file, name)
        columns: dict[str, None] = {}
        for _, row in zip(range(SAMPLE), self._objects(), strict=False):
            if isinstance(row, dict):
                columns |= dict.fromkeys(map(str, row))
        self.columns = tuple(columns)

    def _objects(self) -> Iterator[dict[str, Any] | str]:
        if self._list is not None:
            yield from (row if isinstance(row, dict) else BROKEN for row in self._list)
            return
        self._file.seek(0)
        self._starts = array("q")
        while True:
            at = self._file.tell()
            line = self._file.readline()
            if not line:
                return
            if line.strip():
                self._starts.append(at)
                yield _object(line)

    def _columns_of_csv(self, is_picture: Callable[[str], bool]) -> None:
        sample: dict[str, list[list[str]]] = {}
        for delimiter in DELIMITERS:
            self._delimiter = delimiter
            sample[delimiter] = [row for _, row in zip(range(SAMPLE), self._records(), strict=False)]
        self._delimiter = max(DELIMITERS, key=lambda one: _columns(sample[one]))
        rows = sample[self._delimiter]
        if not rows:
            raise ValueError(f"{self.name} is an empty table")
        self.columns = tuple(" ".join(cell.split()) for cell in rows[0])
        self._head = not any(is_picture(cell) for cell in rows[0])
        if levels := _levels_without_head(rows):
            self._head, self.columns = False, levels
            self.notes.append(f"{self.name} has no line of names: its rows are taken as a label and levels of pixels")
        elif not self._head:
            self.columns = tuple(str(i) for i in range(1, len(rows[0]) + 1))
            self.notes.append(f"{self.name} has no line of names: its columns are called 1 to {len(rows[0])}")
        elif len(set(self.columns)) < len(self.columns) or not all(self.columns):
            self.columns = tuple(
                f"{one or 'column'} {i}" if not one or one in self.columns[: i - 1] else one
                for i, one in enumerate(self.columns, 1)
            )

    def _records(self) -> Iterator[list[str]]:
        """Every record that is not empty; where each begins is kept."""
        self._file.seek(0)
        self._starts, at, self._strange = array("q"), [0], 0

        def lines() -> Iterator[str]:
            for number, line in enumerate(iter(self._file.readline, b"")):
                yield self._decoded(line.removeprefix(codecs.BOM_UTF8) if number == 0 else line)
                at[0] += len(line)

        start = 0
        for record in csv.reader(lines(), delimiter=self._delimiter):
            if any(cell.strip() for cell in record):
                self._starts.append(start)
                yield record
            start = self._file.tell()

    def _decoded(self, line: bytes) -> str:
        try:
            return line.replace(b"\0", b"").decode()
        except UnicodeError:
            self._strange += 1
            return line.replace(b"\0", b"").decode("cp1252", "replace")

    def sample(self) -> dict[str, list[Any]]:
        """Column → its first cells."""
        rows = [row for _, row in zip(range(SAMPLE), self.rows(self.columns), strict=False) if not isinstance(row, str)]
        return {column: [row[i] for row in rows] for i, column in enumerate(self.columns)}

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any] | str]:
        """These columns of every row, or a sentence on why one cannot be read."""
        if self._lines:
            for row in self._objects():
                yield row if isinstance(row, str) else [row.get(column) for column in columns]
            return
        at = [self.columns.index(column) for column in columns]
        for number, record in enumerate(self._records()):
            if number == 0 and self._head:
                continue
            if len(record) != len(self.columns):
                yield f"{BROKEN}: it has {len(record)} of {len(self.columns)} cells"
            else:
                yield [record[i] for i in at]
        if self._strange:
            self.notes.append(f"{self.name} is not UTF-8: {self._strange:,} lines were read as Windows-1252")

    def cell(self, row: int, column: str) -> Any:
        """One cell of a row of those that `rows` gave, read anew."""
        return self.cells(row, [column])[0]

    def cells(self, row: int, columns: Sequence[str]) -> list[Any]:
        if self._list is not None:
            return [self._list[row].get(column) for column in columns]
        self._file.seek(self._starts[row if self._lines else row + self._head])
        if self._lines:
            found = _object(self._file.readline())
            return [found.get(column) if isinstance(found, dict) else None for column in columns]
        lines = (self._decoded(line) for line in iter(self._file.readline, b""))
        record = next(csv.reader(lines, delimiter=self._delimiter))
        named = dict(zip(self.columns, record, strict=False))
        return [named.get(column) for column in columns]


def _as_utf8(place: Path, copy: Path) -> tuple[Path, bytes]:
    with place.open(encoding="utf-16", newline="") as old, copy.open("w", encoding="utf-8", newline="") as new:
        for piece in iter(lambda: old.read(2**20), ""):
            new.write(piece)
    with copy.open("rb") as file:
        return copy, file.read(4096)


def _columns(rows: list[list[str]]) -> tuple[int, int]:
    """How well rows are cut: how many have as many cells as the first, where these are several; and how many those
    are."""
    if not rows or len(rows[0]) < 2:
        return 0, 1
    return sum(len(row) == len(rows[0]) for row in rows), len(rows[0])


def _levels_without_head(rows: list[list[str]]) -> tuple[str, ...]:
    """Names of columns of numbers alone, of which all but the first or last make a square of grey levels or of red,
    green and blue; () for other tables. The label is the first, unless that is always the same (UCI's digits)."""
    pixels = len(rows[0]) - 1
    square = any(n * 3 in (pixels, 3 * pixels) and math.isqrt(n) ** 2 == n for n in (pixels, pixels // 3))
    if (
        pixels < LEAST_LEVELS
        or not square
        or not all(re.fullmatch(r"-?\d+(\.\d+)?", cell.strip()) for row in rows for cell in row)
    ):
        return ()
    names = [f"pixel{i}" for i in range(pixels)]
    first_varies, last_varies = (len({row[i] for row in rows if len(row) > pixels}) > 1 for i in (0, -1))
    return ("label", *names) if first_varies or not last_varies else (*names, "label")


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        found = json.loads(line.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        return f"{BROKEN}: it is no JSON"
    return found if isinstance(found, dict) else f"{BROKEN}: it is no JSON object"


def _pairs(found: dict[str, Any]) -> list[dict[str, Any]]:
    """A label for each file, by its name."""
    plain = all(isinstance(value, str | int) for value in found.values())
    return [{"file": name, "label": value} for name, value in found.items()] if plain else []


def _listed(file: Any, name: str) -> list[Any]:
    """A JSON list of rows, or one under a key. Raises ValueError, in words."""
    file.seek(0)
    content = file.read(MOST_JSON + 1)
    if len(content) > MOST_JSON:
        raise ValueError(f"{name} has more than {MOST_JSON // 10**6} MB in one JSON value: write it as JSON lines")
    try:
        found = json.loads(content.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no JSON") from None
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        found = lists[0] if len(lists) == 1 else [] if lists else _pairs(found)
    return found if isinstance(found, list) else []
