"""Where the pictures of an imported data set came from, and their files as they were, read where they still lie."""

import contextlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ml.data import importing
from ml.data.importing.choices import Choices
from ml.data.importing.records import Record
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.fitted import fingerprint
from ml.system import atomic, small_files
from ml.system.damage import DAMAGED
from ml.system.paths import home_dir

FILE = "originals.parquet"
ROWS = 10_000  # of a group of rows, which is what is read to find one
COLUMNS = {
    "row": pa.int32(),  # its place among the source's pictures
    "name": pa.string(),  # as it is shown
    "path": pa.string(),  # of its file within the source, '' for what is no file of its own
    "part": pa.string(),  # what the source calls its split
    "bytes": pa.int64(),
    "digest": pa.binary(),
    "source": pa.int16(),  # which of the data set's sources, where pictures were added to it
}
UNKNOWN = "Nothing is known of where this picture came from."


class Moved(LookupError):
    """An original that is not where it was, or is another one; the message is for people."""


@dataclass(frozen=True)
class Original:
    """Where a picture came from. source: the folder, archive or file that was imported; length: in bytes; the rest as
    in COLUMNS."""

    source: Path
    row: int
    name: str
    path: str
    part: str
    length: int
    digest: bytes


def write(folder: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Into a data set's own folder; one row for each example id, in order. Raises OSError."""
    first = {"source": [0] * len(columns["row"])}
    table = pa.table({name: pa.array({**first, **columns}[name], kind) for name, kind in COLUMNS.items()})
    with atomic.replacing(folder / FILE) as scratch:
        pq.write_table(table, scratch, compression="zstd", row_group_size=ROWS)


def after(columns: dict[str, list[Any]], folder: Path, source: int, n: int) -> None:
    """Give the first n rows of an import that added to a data set what is known of those pictures there; the others are
    of that source. folder: of the data set as it was."""
    nothing = {"row": -1, "name": "", "path": "", "part": "", "bytes": 0, "digest": b"", "source": 0}
    try:
        table = pq.read_table(folder / FILE)
    except (OSError, pa.ArrowException):
        table = pa.table({})
    whole = table.num_rows == n
    columns["source"] = [source] * len(columns["row"])
    columns["row"] = [row - n for row in columns["row"]]  # among the source's own
    for name in COLUMNS:
        known = table[name].to_pylist() if whole and name in table.column_names else [nothing[name]] * n
        columns[name] = [*known, *columns[name][n:]]


def of(name: str, example_id: int, home: Path | None = None) -> Original:
    """Where a picture of a data set of one's own came from. Raises Moved where that is not known."""
    folder = (home or home_dir()) / "datasets" / name
    try:
        described = _described(folder)
        sources = described.get("sources") or [described.get("source") or {}]
        with pq.ParquetFile(folder / FILE) as file:
            first = 0
            for group in range(file.num_row_groups):
                n = file.metadata.row_group(group).num_rows
                if first <= example_id < first + n:
                    found = file.read_row_group(group).slice(example_id - first, 1).to_pylist()[0]
                    source = sources[found.pop("source", None) or 0]
                    place = folder / str(source.get("path", ""))  # of what was fetched: a file beside the pictures
                    return Original(place, length=found.pop("bytes"), **found)
                first += n
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException):
        pass
    raise Moved(UNKNOWN)


def read(name: str, example_id: int, home: Path | None = None) -> bytes:
    """The file of a picture as it was imported, as PNG where it was pixels alone. Raises Moved, in words."""
    original = of(name, example_id, home)
    if not original.source.exists():
        raise Moved(f"{original.source} is not where it was when it was imported.")
    near = _near(original)
    if near is not None and fingerprint(near) == (original.length, original.digest):
        return near
    folder = (home or home_dir()) / "datasets" / name
    try:
        choices = Choices.from_json(_described(folder).get("choices") or {})
        with importing.opened(original.source, choices, home) as found:
            return _again(original, found.records)
    except (OSError, ValueError, Refusal) as error:
        raise Moved(f"{original.source} cannot be read as it was imported: {error}") from None


def _again(original: Original, records: Sequence[Record]) -> bytes:
    """Of the source, read anew. Raises Moved, OSError, Refusal."""
    candidates = [records[original.row]] if original.row < len(records) else []
    candidates += [one for one in records if one.path == original.path != ""]
    for one in candidates:
        if fingerprint(one.raw()) == (original.length, original.digest):
            return one.content()
    raise Moved(f"{original.name} of {original.source} is not there any more, or is another picture now.")


def _near(original: Original) -> bytes | None:
    """The file of this path in the folder or zip that was imported, None where there is none."""
    with contextlib.suppress(*DAMAGED):
        if not original.path:
            return None
        if zipfile.is_zipfile(original.source):
            with zipfile.ZipFile(original.source) as archive, archive.open(original.path) as file:
                return file.read(FILE_BYTES + 1)
        root = original.source if original.source.is_dir() else original.source.parent
        with (root / original.path).open("rb") as file:
            return file.read(FILE_BYTES + 1)
    return None


def _described(folder: Path) -> dict[str, Any]:
    found = small_files.document(folder / "dataset.json")
    return found if isinstance(found, dict) else {}
