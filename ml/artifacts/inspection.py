"""What a file of a run says of itself, judged before it is read: its kind, its size, its rows, columns and shapes.

A file of some kilobytes can claim millions of rows, and a pipe is read for ever. What a run can have follows from its
manifest: so many examples, classes, epochs, parameters, each at most once where they stand in a table. Raises Mismatch
with a reason that begins with the file's name, or OSError.
"""

import json
import math
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.artifacts.kinds import IMPORTED_NETWORK, WEIGHTS
from ml.artifacts.schema import NOUNS, Arrays, Mismatch, Table

MB = 2**20
MANIFEST = "manifest.json"
NOUN_BYTES = 64 * MB
GRAPH_BYTES = 480 * MB  # of an ONNX file, which holds the weights again
CELLS = 40_000_000  # of a table in memory, rows × columns, whatever its file says; more only where the file has the
CELLS_A_BYTE = 1.25  # bytes for them: numbers that were learned take about one of each, those that were made up less
LARGE_BYTES = 1024 * MB  # of what has a row for each of many million examples
# on the disk; every other file: NOUN_BYTES
FILE_BYTES = {MANIFEST: 2 * MB, WEIGHTS: 480 * MB} | dict.fromkeys(
    ("predictions.parquet", "unlabelled.parquet", "projection.parquet"), LARGE_BYTES
)
UNPACKED_BYTES = 512 * MB  # of an npz in memory
GROUPS = 1_000  # of rows in a table
TEXT_BYTES = 64  # of a text in a table: a split's or a metric's name
RULE_BYTES = 1_000  # of a slice's name and rule, a processor's name
MEMBERS = 200  # arrays in an npz
HEADER_BYTES = 8  # of a safetensors file: the length of the description that follows
DESCRIPTION_BYTES = 8 * MB  # of a safetensors file
TENSORS = 10_000
WIDTHS = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
    "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8,
}  # fmt: skip
KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "a link to another place"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
EPOCHS = 10_000  # of a run that does not say how many it learned for
ROOMY = 4_096  # rows or bytes that are never too many


@dataclass(frozen=True)
class Bounds:
    """What a run can have at most. examples: of test, validation and train, and of train once more as reference."""

    examples: int
    classes: int
    epochs: int
    parameters: int
    pixels: int

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Bounds":
        """Of a manifest that was checked."""
        data = manifest["dataset"]
        counts = data["counts"]
        return cls(
            sum(counts.values()) + counts.get("train", 0),
            len(data["classes"]),
            (manifest.get("config") or {}).get("epochs", EPOCHS),
            manifest.get("parameters") or 0,
            data["height"] * data["width"] * data["channels"],
        )


# the most rows of each table that may have more than ROOMY
ROWS: dict[str, Callable[[Bounds], int]] = {
    "history": lambda most: most.epochs,
    "predictions": lambda most: most.examples,
    "scores": lambda most: 100 * (most.classes + 1),
    "confusion": lambda most: 4 * most.classes**2,
    "projection": lambda most: most.examples,
    "neighbours": lambda most: 10 * most.examples,
    "unlabelled": lambda most: most.examples,
    "unlabelled_neighbours": lambda most: 10 * most.examples,
    "label_issues": lambda most: most.examples,
    "tags": lambda most: 8 * most.examples,
    "slice_members": lambda most: 200 * most.examples,
    "properties": lambda most: most.examples,
    "duplicates": lambda most: 20 * most.examples,
    "files": lambda most: most.examples,
}

# the most bytes of each npz in memory
BYTES: dict[str, Callable[[Bounds], int]] = {
    "filters": lambda most: 2 * most.parameters,
    "features": lambda most: most.examples * (2 * 256 + 4),
    "familiarity": lambda most: NOUN_BYTES + 8 * most.examples,
    "looks": lambda most: 1 << 16,  # a few groups of twelve numbers
    "epochs": lambda most: most.examples * (20 * most.classes + 140) + 4 * most.epochs,
    "suspects": lambda most: 500 * (most.pixels + 4 * most.classes + 80),
    "robustness_answers": lambda most: most.examples * 400,
}


def regular(path: Path, most: int | None = None) -> os.stat_result:
    """Of a file that may be opened: no link, folder, pipe or device, of at most so many bytes (None: of its name)."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for is_one, words in KINDS if is_one(found.st_mode)), "a device")
        raise Mismatch(f"{path.name} is {kind}, not a file")
    limit = cap(path.name) if most is None else most
    if found.st_size > limit:
        raise Mismatch(f"{path.name} has {found.st_size / MB:,.1f} MiB, a run's has at most {limit / MB:,.0f}")
    return found


def cap(name: str) -> int:
    """The most bytes of a run's file of this name."""
    return FILE_BYTES.get(name, GRAPH_BYTES if name.endswith(".onnx") else NOUN_BYTES)


def content(path: Path, most: int | None = None) -> bytes:
    """All of a small file, judged first; what takes its place in between is not waited for."""
    limit = regular(path, most).st_size
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        return file.read(limit)


def document(path: Path, most: int | None = None) -> Any:
    """The value of a JSON file in UTF-8. Raises ValueError too where it holds what is no JSON: NaN, lone surrogates."""

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise Mismatch(f"{path.name} holds {number[:20]}, which is no finite number")
        return value

    found = json.loads(content(path, most).decode(), parse_constant=finite, parse_float=finite)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def table(path: Path, declared: Table, most: Bounds | None = None) -> None:
    """most: what the run or data set can have, where that is known."""
    size = regular(path).st_size
    described, columns = pq.read_metadata(path), pq.read_schema(path)
    rows, groups = described.num_rows, described.num_row_groups
    limit = max(CELLS, int(CELLS_A_BYTE * size)) // max(described.num_columns, 1)
    if most is not None:
        limit = min(limit, max(ROOMY, ROWS.get(declared.noun, lambda _: 0)(most)))
    if rows > limit:
        raise Mismatch(f"{path.name} would have {rows:,} rows, and of this run at most {limit:,}")
    inside = [described.row_group(number) for number in range(min(groups, GROUPS))]
    if groups > GROUPS or sum(group.num_rows for group in inside) != rows:
        raise Mismatch(f"{path.name} would have {groups:,} parts or other rows than it says")
    if any(group.total_byte_size < 0 for group in inside) or sum(g.total_byte_size for g in inside) > max(
        4 * NOUN_BYTES, 8 * size
    ):
        raise Mismatch(f"{path.name} would be larger than a run's when unpacked")
    twice = {name for name in columns.names if columns.names.count(name) > 1} if len(columns) < ROOMY else {"a column"}
    if twice:
        raise Mismatch(f"{path.name} has {min(twice)[:40]} twice")
    _texts(path, declared, columns)


def _texts(path: Path, declared: Table, columns: pa.Schema) -> None:
    """Columns of plain types, their texts short: one long text named by a million rows would fill the memory."""
    texts = [one.name for one in columns if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
    for column in columns:
        plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if not plain and column.name not in texts:
            words = f"{path.name} has a column of the type {str(column.type)[:40]}"
            raise Mismatch(f"{words}, which no table of a run has")
    limit = RULE_BYTES if declared.noun in ("slices", "engines") else TEXT_BYTES
    if not texts:
        return
    # read_table would open it as a data set of many files, on threads of its own: 30 MB that stay
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        read = file.read(columns=texts, use_threads=False)
    for chunk in (chunk for column in read.columns for chunk in column.chunks):
        lengths = pc.binary_length(chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk)
        if (pc.max(lengths).as_py() or 0) > limit:
            raise Mismatch(f"{path.name} holds texts that are longer than a run's")


def arrays(path: Path, noun: str = "", most: Bounds | None = None, file_bytes: int | None = None) -> dict[str, Any]:
    """name → (dtype, shape) of an npz. most: what the run can have; file_bytes: of the file, in place of a run's."""
    regular(path, file_bytes)
    limit = UNPACKED_BYTES if file_bytes is None else 64 * file_bytes
    if most is not None:
        limit = min(limit, max(MB, BYTES.get(noun, lambda _: NOUN_BYTES)(most)))
    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        inside = archive.infolist()
        if len(inside) > MEMBERS or sum(entry.file_size for entry in inside) > limit + ROOMY * len(inside):
            raise Mismatch(f"{path.name} would be larger than a run's when unpacked")
        for entry in inside:
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename:
                raise Mismatch(f"unsafe format: {path.name} holds something that is no array")
            if name in found:
                raise Mismatch(f"{path.name} has {name[:40]} twice")
            with archive.open(entry) as file:
                found[name] = _header(path, file)
    unpacked = sum(dtype.itemsize * math.prod(shape) for dtype, shape in found.values())
    if unpacked > limit:
        raise Mismatch(f"{path.name} would be larger than a run's when unpacked")
    return found


def array(path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of an npy of any size, which must be as large as they say."""
    size = regular(path, sys.maxsize).st_size
    with path.open("rb") as file:
        dtype, shape = _header(path, file)
        if size != file.tell() + dtype.itemsize * math.prod(shape):
            raise Mismatch(f"{path.name} is not as large as its description says")
    return dtype, shape


def _header(path: Path, file: Any) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of an array, from the description at its beginning."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise Mismatch(f"{path.name} holds an array of a format that is not read here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise Mismatch(f"unsafe format: {path.name} holds pickled objects, which could run anything")
    return dtype, shape


def tensors(path: Path) -> dict[str, list[int]]:
    """name → shape of a safetensors file, whose description must cover it byte for byte."""
    size = regular(path).st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER_BYTES), "little")
        if length > min(size - HEADER_BYTES, DESCRIPTION_BYTES):
            raise Mismatch(f"{path.name} ends within its description")
        described = json.loads(file.read(length))
    described.pop("__metadata__", None)
    if len(described) > TENSORS:
        raise Mismatch(f"{path.name} would hold {len(described):,} arrays")
    total = 0
    for name, tensor in described.items():
        begin, end = tensor["data_offsets"]
        shape = tensor["shape"]
        if not all(type(side) is int and side >= 0 for side in (begin, end, *shape)):
            raise Mismatch(f"{path.name} describes {name[:40]} in a way that cannot be")
        if end - begin != math.prod(shape) * WIDTHS[tensor["dtype"]]:
            raise Mismatch(f"{path.name} has another size for {name[:40]} than its shape")
        total += end - begin
    if total != size - HEADER_BYTES - length:
        raise Mismatch(f"{path.name} is not as large as its description says")
    return {name: tensor["shape"] for name, tensor in described.items()}


def folder(path: Path) -> None:
    """Every file that a run can have, where it is there: a regular one, under its cap."""
    for name in (MANIFEST, WEIGHTS, IMPORTED_NETWORK, *(noun.file for noun in NOUNS.values())):
        try:
            regular(path / name)
        except FileNotFoundError:
            continue


def noun(path: Path, declared: Table | Arrays, most: Bounds | None) -> None:
    """A table or npz of a run, by its own description."""
    if isinstance(declared, Table):
        table(path, declared, most)
    else:
        arrays(path, declared.noun, most)
