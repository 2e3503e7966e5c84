"""Files of predictions as columns: CSV, TSV, JSON lines, parquet, npz. Never a pickle: what a file holds is data."""

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml.data.importing.arrow_tables import class_names
from ml.recording import numbers
from ml.recording.shapes import rows_of
from ml.recording.strangers import strange
from ml.system.damage import DAMAGED
from ml.system.memory import TOO_LITTLE

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 200  # rows that columns are told from
SUFFIXES = {".csv": "text", ".tsv": "text", ".txt": "text", ".jsonl": "json", ".ndjson": "json", ".json": "json",
            ".parquet": "parquet", ".pq": "parquet", ".npz": "npz", ".npy": "npy",
            ".feather": "feather", ".arrow": "feather",
            ".xlsx": "text", ".xls": "text", ".ods": "text"}  # fmt: skip
CODE = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".bin", ".ckpt", ".dill", ".h5")
TAKEN = "CSV, TSV, JSON lines, parquet and npz are read"
# names of columns that tell pictures, without what stands between their words, the likelier first
DIGESTS = ("digest", "sha256", "sha", "hash", "checksum", "imagedigest", "imagesha256")
FILES = ("path", "filepath", "imagepath", "imgpath", "file", "filename", "image", "imagefile", "imagefilename", "img",
         "imagename", "picture", "name", "files", "paths", "filenames", "images", "key", "keys")  # fmt: skip
IDS = ("exampleid", "imageid", "sampleid", "id", "ids", "exampleids", "imgid", "index", "idx", "indices", "row",
       "unnamed0", "")  # fmt: skip
CLASSES = ("classes", "class_names", "classnames", "names", "label_names")  # arrays of an npz that name the classes


@dataclass
class Table:
    """n rows. columns: 1-D, text or floats; blocks: float [n, k], what stands in one cell a row; lists: what else does,
    one a row; names: of classes by id, where the file says them; notes: sentences on how it was read."""

    name: str
    n: int
    columns: dict[str, np.ndarray]
    blocks: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    percent: bool = False
    notes: list[str] = field(default_factory=list)

    def columns_there(self) -> list[str]:
        """Names of all columns, of whatever kind."""
        return [*self.columns, *self.blocks, *self.lists]


def read(place: Path) -> Table:
    """Raises ValueError, in words, for what cannot be read; OSError."""
    suffix, name = place.suffix.casefold(), place.name
    with place.open("rb") as file:
        start = file.read(4096)
    if suffix in CODE or start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise ValueError(f"{name} may hold a pickle, which could run anything, and is never opened; {TAKEN}")
    if (other := strange(name, place, start)) is not None:
        raise ValueError(other)
    kind = SUFFIXES.get(suffix) or ("json" if start.lstrip(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else "")
    if kind in ("", "text", "json") and start[:4] == b"PAR1":
        kind = "parquet"
    if start[:6] == b"ARROW1":
        kind = "feather"
    if kind == "":
        raise ValueError(f"{name}: what this file is cannot be told from its name; {TAKEN}")

    def damaged(error: Exception) -> ValueError:
        words = str(error).splitlines() or [type(error).__name__]
        return ValueError(f"{name} cannot be read: {words[0][:200]}")

    readers = {"text": _text, "json": _json, "parquet": _parquet, "feather": _feather, "npz": _npz, "npy": _npy}
    try:
        table = readers[kind](place)
    except pa.ArrowMemoryError:
        raise ValueError(f"{name} takes {TOO_LITTLE}") from None
    except (pa.ArrowException, UnicodeError, csv.Error) as error:
        raise damaged(error) from None
    except OSError as error:
        if error.errno is not None:  # of the disk; pyarrow's have none
            raise
        raise damaged(error) from None
    except ValueError:
        raise
    except MemoryError:
        raise ValueError(f"{name} takes {TOO_LITTLE}") from None
    except DAMAGED as error:
        raise damaged(error) from None
    if not table.n:
        raise ValueError(f"{name} has no rows")
    return table


def _text(place: Path) -> Table:
    encoding, notes = _encoding(place)
    with place.open(encoding=encoding, errors="replace") as file:
        lines = [line for _, line in zip(range(SAMPLE), file, strict=False)]
    skipped, delimiter = _before(lines)
    lines = lines[skipped:]
    rows = [row for row in csv.reader(io.StringIO("".join(lines)), delimiter=delimiter) if any(map(str.strip, row))]
    if len(rows) < 2:
        raise ValueError(f"{place.name} has no rows")
    head = [cell.strip() for cell in rows[0]]
    if all(numbers.NUMBER.fullmatch(cell) for cell in head if cell) and any(head):
        raise ValueError(f"{place.name} has no line of column names: write one, such as id,p_0,p_1,…")
    if twice := {name for name in head if name and head.count(name) > 1}:
        raise ValueError(f"{place.name} has the column {min(twice)!r} twice")
    body = [row for row in rows[1:] if len(row) == len(head)]
    kinds = {name: _kind(name, [row[i] for row in body]) for i, name in enumerate(head)}
    floats = {name: np.float64 for name, kind in kinds.items() if kind == "plain"}
    options: dict[str, Any] = {
        "sep": delimiter, "encoding": encoding, "encoding_errors": "replace", "header": 0, "names": head,
        "keep_default_na": False, "index_col": False, "skip_blank_lines": True, "skiprows": skipped,
    }  # fmt: skip
    texts = {name: str for name in head if name not in floats}
    blank = {name: ["", "nan", "NaN", "NA", "null", "None"] for name in floats}
    try:
        try:
            frame = pd.read_csv(place, dtype={**texts, **floats}, na_values=blank, **options)
        except ValueError as error:
            if isinstance(error, pd.errors.ParserError):
                raise
            frame = pd.read_csv(place, dtype=str, **options)  # further down stands something that is no number
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{place.name} cannot be read as a table: {str(error).splitlines()[0][:200]}") from None
    table = Table(place.name, len(frame), {}, notes=notes)
    for name in head:
        cells = frame[name]
        if kinds[name] in ("plain", "comma", "percent") and not pd.api.types.is_float_dtype(cells):
            table.columns[name] = numbers.parsed(cells, comma=kinds[name] == "comma" or delimiter != ",")
            table.percent |= kinds[name] == "percent"
        elif kinds[name] == "list":
            _take_lists(table, name, [_literal(cell) for cell in cells])
        else:
            table.columns[name] = cells.to_numpy()
    if "comma" in kinds.values():
        table.notes.append("decimal commas are read as such")
    return table


def _before(lines: Sequence[str]) -> tuple[int, str]:
    """How many lines come before the column names, and the delimiter: remarks, and the one by which a spreadsheet
    tells its delimiter."""
    skipped, delimiter = 0, ""
    while skipped < len(lines):
        line = lines[skipped].strip()
        if match := re.fullmatch(r"sep=(.|\\t)", line, re.IGNORECASE):
            delimiter = match[1].replace("\\t", "\t")
        elif line.startswith("#"):
            below = [one for one in lines[skipped:] if not one.startswith("#")]
            mark = delimiter or max(DELIMITERS, key=lambda one: _cut(below, one))
            if len(line.split(mark)) == _cut(below, mark)[1]:
                break  # of the column names, the first of which begins with #
        elif line:
            break
        skipped += 1
    return skipped, delimiter or max(DELIMITERS, key=lambda one: _cut(lines[skipped:], one))


def _encoding(place: Path) -> tuple[str, list[str]]:
    with place.open("rb") as file:
        start = file.read(2**20)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", []
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with place.open("rb") as file:
            for piece in iter(lambda: file.read(2**20), b""):
                decoder.decode(piece)
    except UnicodeDecodeError:
        return "cp1252", [f"{place.name} is not UTF-8 and was read as Windows-1252"]
    return "utf-8-sig", []


def _cut(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How well a delimiter cuts: rows as long as the first, where that has several cells; and its cells."""
    rows = list(csv.reader(io.StringIO("".join(lines[:50])), delimiter=delimiter))
    if not rows or len(rows[0]) < 2:
        return 0, 1
    return sum(len(row) == len(rows[0]) for row in rows), len(rows[0])


def _kind(name: str, cells: Sequence[str]) -> str:
    """plain, comma or percent for numbers; list for what is one; text for others, and for what tells pictures."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or _told(name):
        return "text"
    if all(cell[0] in "[{" and cell[-1] in "]}" for cell in filled):
        return "list"
    for kind, pattern in (("plain", numbers.NUMBER), ("percent", numbers.PERCENT), ("comma", numbers.COMMA)):
        if sum(pattern.fullmatch(cell) is not None for cell in filled) * 10 >= len(filled) * 9:
            return kind
    return "text"


def _literal(cell: Any) -> Any:
    """A list as JSON, NumPy or Python print it, None where it is none; nothing is run."""
    text = str(cell).strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(text.replace("'", '"').replace("(", "[").replace(")", "]"))
    except (ValueError, RecursionError):
        pass
    parts = text.strip("[]").replace(",", " ").split()
    try:
        return [float(one) for one in parts]
    except ValueError:
        return None


def _json(place: Path) -> Table:
    data = place.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-16") if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{place.name} is not UTF-8") from None
    notes: list[str] = []
    try:
        rows = rows_of(json.loads(text))
    except (ValueError, RecursionError):
        rows, broken = [], 0
        for line in text.splitlines():
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except (ValueError, RecursionError):
                    broken += 1
        if broken:
            notes.append(f"{place.name}: {broken:,} lines are no JSON and are left out")
    rows = [row for row in rows if isinstance(row, dict)]
    if not rows:
        raise ValueError(f"{place.name} holds no rows: one JSON object a line is read, or a list of them")
    table = Table(place.name, len(rows), {}, notes=notes)
    for name in dict.fromkeys(name for row in rows for name in row):
        _take_cells(table, str(name), [row.get(name) for row in rows])
    return table


def _take_cells(table: Table, name: str, cells: list[Any]) -> None:
    """One column of values as JSON or parquet have them."""
    first = next((cell for cell in cells if cell is not None), None)
    if isinstance(first, list | dict):
        _take_lists(table, name, cells)
    elif isinstance(first, int | float) and not isinstance(first, bool) and not _told(name):
        table.columns[name] = np.array([_float(cell) for cell in cells], np.float64)
    else:
        table.columns[name] = np.array(["" if cell is None else _written(cell) for cell in cells], object)


def _told(name: str) -> bool:
    """Whether a column's name says that it tells pictures, so that its numbers are names."""
    return numbers.words(name) in (*DIGESTS, *FILES, *IDS)


def _written(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def _take_lists(table: Table, name: str, cells: list[Any]) -> None:
    """Lists of as many numbers each become a block, others stay lists."""
    lengths = {len(cell) for cell in cells if isinstance(cell, list)}
    flat = all(cell is None or (isinstance(cell, list) and all(map(_is_number, cell))) for cell in cells)
    if flat and len(lengths) == 1:
        empty = [float("nan")] * lengths.pop()
        table.blocks[name] = np.array([empty if cell is None else cell for cell in cells], np.float64)
    else:
        table.lists[name] = cells


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parquet(place: Path) -> Table:
    with pq.ParquetFile(place) as file:
        return _arrow(place.name, file.read(), file.schema_arrow)


def _feather(place: Path) -> Table:
    with pa.memory_map(str(place)) as mapped, pa.ipc.open_file(mapped) as file:
        return _arrow(place.name, file.read_all(), file.schema)


def _arrow(name_of: str, found: pa.Table, schema: pa.Schema) -> Table:
    table = Table(name_of, found.num_rows, {}, names=next(iter(class_names(schema).values()), []))
    for number, name in enumerate(schema.names):
        column, kind = found.column(number), schema.field(number).type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and not _told(name)) or pa.types.is_decimal(kind):
            values = column.to_pandas().to_numpy()
            table.columns[name] = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            _block(table, name, column, kind)
        else:
            _take_cells(table, name, column.to_pylist())
    return table


def _block(table: Table, name: str, column: Any, kind: Any) -> None:
    """A column of lists: a block at once where they are of numbers and of one length."""
    if not column.null_count and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        width = len(flat) // max(len(column), 1)
        lengths = {len(cell) for cell in column}
        if lengths == {width}:
            kept = flat if flat.dtype in (np.float32, np.float64) else flat.astype(np.float64)
            table.blocks[name] = kept.reshape(-1, width)
            return
    _take_lists(table, name, column.to_pylist())


def _npz(place: Path) -> Table:
    with zipfile.ZipFile(place) as archive:
        if not all(name.endswith(".npy") for name in archive.namelist()):
            raise ValueError(f"{place.name} holds something that is no array")
    try:
        with np.load(place, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise ValueError(
                f"{place.name} holds pickled objects, which could run anything, and is never opened: save text as "
                "np.array(names, dtype=str)"
            ) from None
        raise ValueError(f"{place.name} cannot be read: {str(error).splitlines()[0][:200]}") from None
    return _of_arrays(place.name, arrays)


def _npy(place: Path) -> Table:
    try:
        array = np.load(place, allow_pickle=False)
    except ValueError:
        raise ValueError(f"{place.name} holds pickled objects and is never opened, or is no array") from None
    return _of_arrays(place.name, {"probabilities" if array.ndim > 1 else "predicted": array})


def _of_arrays(name: str, arrays: dict[str, np.ndarray]) -> Table:
    """Arrays of one first length; those of epochs × pictures × classes are cut into epochs by `reading`."""
    if strange := [key for key, array in arrays.items() if array.dtype.kind == "V" and array.dtype.names is None]:
        raise ValueError(
            f"{name}: {strange[0]!r} was saved in bfloat16, or another type that NumPy's files do not name: save "
            f"{strange[0]}.astype('float32')"
        )
    names = next((arrays.pop(one) for one in CLASSES if one in arrays and arrays[one].dtype.kind in "US"), None)
    whole = {key: array for key, array in arrays.items() if array.ndim == 3}
    lengths = {key: len(array) for key, array in arrays.items() if array.ndim in (1, 2)}
    if whole:
        cube = next(iter(whole.values()))
        epochs = next(
            (arrays[key] for key in ("epoch", "epochs") if key in arrays and len(arrays[key]) == len(cube)), None
        )
        epochs = np.arange(1, len(cube) + 1) if epochs is None else epochs
        n = cube.shape[1]
        flat = {key: np.tile(arrays[key], (len(cube), *[1] * (arrays[key].ndim - 1)))
                for key, length in lengths.items() if length == n and key not in ("epoch", "epochs")}  # fmt: skip
        cubes = {
            key: array.reshape(-1, array.shape[2]) for key, array in whole.items() if array.shape[:2] == cube.shape[:2]
        }
        return _of_arrays(
            name, {**flat, **cubes, "epoch": np.repeat(epochs, n)} | ({} if names is None else {"classes": names})
        )
    n = max(lengths.values(), key=list(lengths.values()).count, default=0)
    table = Table(name, n, {}, names=[] if names is None else [str(one) for one in names])
    for key, length in lengths.items():
        array = arrays[key]
        if length != n:
            table.notes.append(f"{name}: the array {key!r} has {length:,} rows, the others {n:,}, and is left out")
        elif array.ndim == 2 and array.dtype.kind in "fiu":
            table.blocks[key] = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
        elif array.dtype.kind in "iu" and _told(key):
            table.columns[key] = array.astype(str).astype(object)
        elif array.dtype.kind in "fiub":
            table.columns[key] = array.astype(np.float64)
        elif array.dtype.kind in "US" and array.ndim == 1:
            table.columns[key] = (
                np.char.decode(array).astype(object) if array.dtype.kind == "S" else array.astype(object)
            )
    return table
