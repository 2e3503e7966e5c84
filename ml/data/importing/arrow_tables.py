"""Tables as Arrow keeps them: parquet, and the files of data sets that Hugging Face saved. Pictures are read in small
batches, one after the other."""

import bisect
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH, PICTURES = 1024, 16  # rows read at a time, of plain columns and of those that hold pictures
SAMPLE = 20  # rows that columns are told from
NOTHING: tuple[tuple[str, ...], int, int, Any, Iterator[Any]] = ((), 0, 0, None, iter(()))


class _Sampled:
    """A table of which cells can be read one by one."""

    columns: tuple[str, ...]
    _starts: list[int]

    def cell(self, row: int, column: str) -> Any:
        raise NotImplementedError

    def cells(self, row: int, columns: Sequence[str]) -> list[Any]:
        return [self.cell(row, column) for column in columns]

    def sample(self) -> dict[str, list[Any]]:
        """Column → its first cells, as far as they can be read."""
        found: dict[str, list[Any]] = {column: [] for column in self.columns}
        for column, cells in found.items():
            with contextlib.suppress(OSError):
                for row in range(min(SAMPLE, self._starts[-1])):
                    cells.append(self.cell(row, column))
        return found


class ParquetTable(_Sampled):
    """A parquet file. names: column → names of classes by id, where Hugging Face wrote them beside the columns."""

    def __init__(self, place: Path, name: str) -> None:
        """Raises OSError, ValueError in words."""
        self.name: str = name
        self.notes: list[str] = []
        try:
            self._file = pq.ParquetFile(place, memory_map=True)  # else the whole column of a row group is read first
        except pa.ArrowException as error:
            raise ValueError(f"{name} is no parquet file that can be read: {error}") from error
        self.columns = tuple(self._file.schema_arrow.names)
        self.names = class_names(self._file.schema_arrow)
        self._shapes = _shapes(self._file.schema_arrow)
        groups = self._file.metadata
        self._starts = [0]
        for i in range(groups.num_row_groups):
            self._starts.append(self._starts[-1] + groups.row_group(i).num_rows)
        self._open = NOTHING

    def close(self) -> None:
        self._file.close()

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any] | str]:
        """These columns of every row; of pictures in a column of structures, the path alone."""
        light = [_without_bytes(self._file.schema_arrow.field(column)) for column in columns]
        try:
            for batch in self._file.iter_batches(BATCH, columns=light):
                yield from ([row.get(column) for column in columns] for row in batch.to_pylist())
        except pa.ArrowException as error:
            self.notes.append(f"{self.name} is damaged: {error}")

    def cell(self, row: int, column: str) -> Any:
        """Raises OSError where the file is damaged."""
        return self.cells(row, [column])[0]

    def cells(self, row: int, columns: Sequence[str]) -> list[Any]:
        kept, first, last, batch, more = self._open
        wanted, group = tuple(columns), bisect.bisect_right(self._starts, row) - 1
        try:
            if kept != wanted or not (first <= row and self._starts[group] <= first) or batch is None:
                more = self._file.iter_batches(PICTURES, row_groups=[group], columns=list(wanted))
                first = last = self._starts[group]
            while row >= last:
                batch = next(more)
                first, last = last, last + batch.num_rows
        except (pa.ArrowException, StopIteration) as error:
            self._open = NOTHING
            raise OSError(f"the row is damaged: {error}") from error
        self._open = (wanted, first, last, batch, more)
        return [
            _laid_out(batch.column(column)[row - first].as_py(), *self._shapes.get(column, ((), ())))
            for column in wanted
        ]


class ArrowTable(_Sampled):
    """A file of Arrow's streaming or file format, mapped into memory."""

    def __init__(self, place: Path, name: str) -> None:
        """Raises OSError, ValueError in words."""
        self.name: str = name
        self.notes: list[str] = []
        self._map = pa.memory_map(str(place))
        self._batches: list[Any] = []
        try:
            try:
                reader = pa.ipc.open_stream(self._map)
                schema = reader.schema
                batches = iter(reader)
            except pa.ArrowInvalid:
                self._map.seek(0)
                whole = pa.ipc.open_file(self._map)
                schema = whole.schema
                batches = (whole.get_batch(i) for i in range(whole.num_record_batches))
        except pa.ArrowException as error:
            raise ValueError(f"{name} is no Arrow file that can be read: {error}") from error
        try:
            self._batches.extend(batches)
        except (pa.ArrowException, OSError) as error:
            self.notes.append(f"{name} is damaged, and what comes after its first rows is not read: {error}")
        self.columns, self.names, self._shapes = tuple(schema.names), class_names(schema), _shapes(schema)
        self._starts = [0]
        for batch in self._batches:
            self._starts.append(self._starts[-1] + batch.num_rows)

    def close(self) -> None:
        self._batches = []
        self._map.close()

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any] | str]:
        for batch in self._batches:
            values = [_plain(batch.column(column)).to_pylist() for column in columns]
            yield from (list(row) for row in zip(*values, strict=True))

    def cell(self, row: int, column: str) -> Any:
        at = bisect.bisect_right(self._starts, row) - 1
        value = self._batches[at].column(column)[row - self._starts[at]].as_py()
        return _laid_out(value, *self._shapes.get(column, ((), ())))


def _shapes(schema: Any) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Column → the shape that its values have in memory, and the order in which they are meant, () for that one: of
    Arrow's own tensors, and of those of libraries that write a shape beside the column, as Ray does."""
    found: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for field in schema:
        if isinstance(field.type, pa.FixedShapeTensorType):
            found[field.name] = tuple(field.type.shape), tuple(field.type.permutation or ())
            continue
        with contextlib.suppress(KeyError, ValueError, RecursionError):
            said = json.loads((field.metadata or {})[b"ARROW:extension:metadata"])
            shape = said.get("shape") if isinstance(said, dict) else said
            if isinstance(shape, list) and shape and all(type(one) is int and one > 0 for one in shape):
                found[field.name] = tuple(shape), ()
    return found


def _laid_out(value: Any, shape: tuple[int, ...], order: tuple[int, ...]) -> Any:
    """A list of levels as rows of pixels, where its shape is known. pyarrow writes the order of an array that is seen
    transposed the other way round than it reads it: of both the one counts in which channels are first or last."""
    if not isinstance(value, list) or len(shape) < 2 or len(value) != np.prod(shape):
        return value
    array = np.array(value).reshape(shape)
    if len(order) == len(shape):
        ways = [array.transpose(order), array.transpose(np.argsort(order))]
        array = next((one for one in ways if one.ndim < 3 or {one.shape[0], one.shape[2]} & {1, 3, 4}), ways[0])
    return array.tolist()


def class_names(schema: Any) -> dict[str, list[str]]:
    """column → names of classes by id, as Hugging Face writes them into a file's head."""
    try:
        return named((json.loads((schema.metadata or {})[b"huggingface"]).get("info") or {}).get("features"))
    except (KeyError, ValueError, AttributeError, RecursionError):
        return {}


def named(features: Any) -> dict[str, list[str]]:
    """The same of Hugging Face's description of columns."""
    if not isinstance(features, dict):
        return {}
    kept = {name: one for name, one in features.items() if isinstance(one, dict) and isinstance(one.get("names"), list)}
    return {name: [str(one) for one in kept[name]["names"]] for name in kept if kept[name].get("_type") == "ClassLabel"}


def _without_bytes(field: Any) -> str:
    inside = [one.name for one in field.type] if pa.types.is_struct(field.type) else []
    return f"{field.name}.path" if "path" in inside and "bytes" in inside else str(field.name)


def _plain(column: Any) -> Any:
    """A structure without its bytes, which would be copied."""
    if not pa.types.is_struct(column.type) or not {"path", "bytes"} <= {one.name for one in column.type}:
        return column
    return pa.StructArray.from_arrays([column.field("path")], ["path"])
