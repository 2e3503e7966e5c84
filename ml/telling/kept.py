"""What a script has told so far, on the disk: settings, epochs line by line, and answers in streams of Arrow.

All of it lies in `publishing/<run_id>.partial` of the home folder until the run is made. Nothing is held in memory:
each call of the script is written before it returns, and what a process that is killed leaves can be read up to its
last whole call.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from ml.recording.reading import Part
from ml.system import atomic, small_files

FOLDER, SETTINGS, EPOCHS, LOCK = "publishing", "settings.json", "epochs.jsonl", "lock"
FINAL = 0  # stands for answers that are of no epoch: those of the finished network
STREAM = re.compile(r"(train|validation|test)-(\d+)\.arrows")


class Busy(RuntimeError):
    """Another script, or an earlier call of this one, tells of this run just now."""


def folder(home: Path, run_id: str) -> Path:
    """Where what is told of a run lies until it is made."""
    return home / FOLDER / f"{run_id}.partial"


class Kept:
    """One run's folder. Only one process writes to it, which its lock says; a process that ends in any way gives it
    back."""

    def __init__(self, home: Path, run_id: str) -> None:
        self.place, self.run_id = folder(home, run_id), run_id
        self._lock = FileLock(self.place / LOCK)
        self._streams: dict[str, tuple[int, Any, _Stream]] = {}  # split → epoch, file, writer
        self._begun: set[tuple[str, int]] = set()

    @property
    def there(self) -> bool:
        """Whether something was told of it before."""
        return (self.place / SETTINGS).is_file()

    def take(self) -> None:
        """Make this process the one that writes. Raises Busy, OSError."""
        self.place.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise Busy(self.run_id) from None

    def give_back(self) -> None:
        """Close what is open; the folder stays."""
        for split in [*self._streams]:
            self._close(split)
        self._lock.release()

    def remove(self) -> None:
        """The run is made, or nobody wants it: all that was told of it goes."""
        self.give_back()
        shutil.rmtree(self.place, ignore_errors=True)

    def clear(self) -> None:
        """Begin again: nothing that was told before counts."""
        for one in self.place.iterdir():
            if one.name != LOCK:
                shutil.rmtree(one) if one.is_dir() else one.unlink()

    # ---- settings

    def settings(self) -> dict[str, Any]:
        """What is known of the run besides epochs and answers; empty where nothing is."""
        try:
            found = small_files.document(self.place / SETTINGS)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def settle(self, **settings: Any) -> None:
        """Write down settings, beside those that are there."""
        atomic.write(self.place / SETTINGS, json.dumps({**self.settings(), **settings}, ensure_ascii=False))

    # ---- epochs

    def add_epoch(self, number: int, told: Mapping[str, float]) -> None:
        """One line, on the disk when this returns. Epochs from this number on that were told before are replaced."""
        before = self.epochs()
        if any(one >= number for one in before):
            kept = {one: row for one, row in before.items() if one < number}
            lines = [json.dumps({"epoch": one, **row}) for one, row in [*kept.items(), (number, told)]]
            atomic.write(self.place / EPOCHS, "".join(f"{line}\n" for line in lines))
            return
        with (self.place / EPOCHS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": number, **told}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def epochs(self) -> dict[int, dict[str, float]]:
        """Number → measures, ascending, up to the last whole line."""
        found: dict[int, dict[str, float]] = {}
        with contextlib.suppress(OSError):
            for line in small_files.content(self.place / EPOCHS).decode(errors="replace").splitlines():
                try:
                    row = json.loads(line)
                    found[int(row.pop("epoch"))] = row
                except (ValueError, KeyError, AttributeError):
                    break  # cut off when the process was killed
        return dict(sorted(found.items()))

    # ---- answers

    def add_answers(
        self, split: str, epoch: int, rows: np.ndarray, said: np.ndarray, features: np.ndarray | None
    ) -> None:
        """rows: int [n], places in the split; said: float [n, C], or int [n], class ids; features: float [n, d] or
        None.

        The first call of this process for a split and epoch replaces what an earlier process said of them. Raises
        ValueError where width or feature vectors are not those of earlier calls.
        """
        writer = self._writer(split, epoch, said, features)
        columns = {"row": pa.array(rows.astype(np.int32)), "said": _column(said, writer.schema.field("said").type)}
        if "features" in writer.schema.names:
            columns["features"] = _column(features, writer.schema.field("features").type)
        writer.write_batch(pa.record_batch(columns, schema=writer.schema))
        self._streams[split][1].flush()

    def _writer(self, split: str, epoch: int, said: np.ndarray, features: np.ndarray | None) -> "_Stream":
        known = self._streams.get(split)
        if known is not None and known[0] == epoch:
            schema = known[2].schema
            same = "features" in schema.names, schema.field("said").type
            if same != (features is not None, _type(said, same[1])):
                raise ValueError("feature vectors or the number of classes differ from those of earlier calls")
            if features is not None and schema.field("features").type.list_size != features.shape[1]:
                width = schema.field("features").type.list_size
                raise ValueError(f"feature vectors have {features.shape[1]} numbers, and had {width} before")
            return known[2]
        self._close(split)
        if (split, epoch) in self._begun:
            raise ValueError(
                f"the answers about {split} after epoch {epoch} were told already, and others since: tell all of an "
                "epoch one after the other"
            )
        self._begun.add((split, epoch))
        fields = [("row", pa.int32()), ("said", _type(said))]
        if features is not None:
            fields.append(("features", pa.list_(pa.float32(), features.shape[1])))
        file = (self.place / f"{split}-{epoch}.arrows").open("wb")
        writer = _Stream(file, pa.schema(fields))
        self._streams[split] = (epoch, file, writer)
        return writer

    def _close(self, split: str) -> None:
        known = self._streams.pop(split, None)
        if known is not None:
            known[2].close()
            known[1].flush()
            os.fsync(known[1].fileno())
            known[1].close()

    def told(self) -> dict[int, list[str]]:
        """Epoch → splits of which there are answers; FINAL for those of no epoch."""
        found: dict[int, list[str]] = {}
        for file in self.place.glob("*.arrows"):
            if match := STREAM.fullmatch(file.name):
                found.setdefault(int(match[2]), []).append(match[1])
        return dict(sorted(found.items()))

    def rows(self, split: str, epoch: int) -> np.ndarray:
        """int [n]: the places in the split that answers were told of, ascending, each once."""
        return np.unique(np.concatenate([np.zeros(0, int), *(one["row"] for one in self._read(split, epoch, ["row"]))]))

    def part(self, split: str, epoch: int, classes: int, *, features: bool = False) -> Part:
        """What was said, one row a picture, ascending; of several rows of one the last counts."""
        names = ["row", "said", *(["features"] if features else [])]
        batches = [*self._read(split, epoch, names)]
        if not batches:
            return Part(np.zeros(0, int), np.zeros((0, classes)))
        rows = np.concatenate([one["row"] for one in batches]).astype(int)
        last = len(rows) - 1 - np.unique(rows[::-1], return_index=True)[1]
        said = np.concatenate([one["said"] for one in batches])[last]
        if said.ndim == 1:  # class ids
            said = np.eye(classes)[said]
        vectors = [one["features"] for one in batches if "features" in one]
        whole = np.concatenate(vectors)[last] if len(vectors) == len(batches) and vectors else None
        return Part(rows[last], said, whole)

    def _read(self, split: str, epoch: int, names: list[str]) -> Iterator[dict[str, np.ndarray]]:
        """Batch after batch, up to the last whole one."""
        with (self.place / f"{split}-{epoch}.arrows").open("rb") as file:
            try:
                stream = pa.ipc.open_stream(file)
            except (pa.ArrowException, OSError, EOFError):
                return
            while True:
                try:
                    batch = stream.read_next_batch()
                except (StopIteration, pa.ArrowException, OSError, EOFError):
                    return
                yield {name: _array(batch.column(name)) for name in names if name in batch.schema.names}


class _Stream:
    """A stream of Arrow with its schema at hand."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self.schema, self._writer = schema, pa.ipc.new_stream(file, schema)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


def _type(said: np.ndarray, before: pa.DataType | None = None) -> pa.DataType:
    """before: of earlier calls, whose digits count: a float of more digits loses some."""
    if said.ndim == 1:
        return pa.int32()
    wide = pa.list_(pa.float64() if said.dtype == np.float64 else pa.float32(), said.shape[1])
    fits = before is not None and pa.types.is_fixed_size_list(before) and before.list_size == said.shape[1]
    return before if fits else wide


def _column(values: np.ndarray | None, kind: pa.DataType) -> pa.Array:
    assert values is not None
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values.astype(np.int32))
    flat = np.ascontiguousarray(values, kind.value_type.to_pandas_dtype()).ravel()
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), kind.list_size)


def _array(column: pa.Array) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy(zero_copy_only=False)
    return column.flatten().to_numpy().reshape(len(column), column.type.list_size)
