"""Writes runs and pictures so that a crash at any moment leaves either the old state or the new one."""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from ml.artifacts.kinds import core
from ml.artifacts.schema import NOUNS, PICTURE_NOUNS, RUN_ID, TOLD, VERSION, Arrays, Table
from ml.data import images
from ml.data.base import Dataset, Split
from ml.system import atomic

Payload: TypeAlias = "pd.DataFrame | Mapping[str, np.ndarray] | bytes"


def partial(runs: Path, run_id: str) -> Path:
    """The folder a run is written in before it is published; made if missing. Refuses ids the readers would."""
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(f"run id {run_id!r} must match {RUN_ID.pattern}")
    if (runs / run_id).exists():
        raise FileExistsError(f"run {run_id} exists already")
    folder = runs / f"{run_id}.partial"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def beginning(partial: Path) -> Iterator[None]:
    """What is refused in here leaves no empty folder behind; one with something in it stays."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            partial.rmdir()
        raise


def write_noun(
    folder: Path, noun: str, data: Payload, *, started: float | None = None, told: bool = False
) -> dict[str, Any]:
    """Check and write one noun into a run's folder, replacing it atomically; its manifest entry.

    started: time.perf_counter() at which computing it began, for `seconds`; told: as runs from elsewhere may have it.
    """
    declared = TOLD[noun] if told else NOUNS[noun]
    target = folder / declared.file
    if isinstance(declared, Table):
        assert isinstance(data, pd.DataFrame)
        declared.check(data)
        write_table(target, data)
    elif isinstance(declared, Arrays):
        assert isinstance(data, Mapping)
        declared.check(data)
        write_arrays(target, data)
    else:
        assert isinstance(data, bytes)
        declared.check(data)
        atomic.write(target, data)
    return {
        "file": declared.file,
        "sha256": sha256(target),
        "bytes": target.stat().st_size,
        "minor": declared.minor,
        "seconds": round(time.perf_counter() - started, 3) if started is not None else 0.0,
        "made": now(),
    }


def write_weights(folder: Path, weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """weights.safetensors and its manifest entry."""
    target = folder / "weights.safetensors"
    with atomic.replacing(target) as scratch:
        # of others it writes the numbers in the order of memory
        save_file({name: np.ascontiguousarray(one) for name, one in weights.items()}, scratch)
        scratch.chmod(0o644)  # safetensors writes for its owner alone, unlike every other file of a run
    return {"file": target.name, "sha256": sha256(target), "made": now()}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace manifest.json atomically."""
    atomic.write(folder / "manifest.json", as_json({"schema": VERSION, **manifest}))


def publish(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Turn `<run_id>.partial` into `<run_id>`: manifest last, then one rename. Raises when a core noun is missing."""
    missing = [noun for noun in core(manifest) if noun not in manifest["nouns"]]
    if missing:
        raise ValueError(f"a run cannot be published without {', '.join(missing)}")
    write_manifest(folder, manifest)
    final = folder.with_name(folder.name.removesuffix(".partial"))
    atomic.rename(folder, final)
    # only now: without its checkpoint, a training killed before the rename would begin again from nothing
    for leftover in (*final.glob("*.partial"), *final.glob("checkpoint*")):
        leftover.unlink(missing_ok=True)  # some match both
    return final


def add_nouns(folder: Path, base: Mapping[str, Any], nouns: Mapping[str, tuple[Payload, float]]) -> dict[str, Any]:
    """Write optional nouns into a published run, or into the folder laid over a shipped one; its new manifest.

    base: the run's manifest as read; nouns: noun → (data, time.perf_counter() at which computing it began).
    """
    fixed = [noun for noun in nouns if noun in core(base)]
    if fixed:
        raise ValueError(f"{', '.join(fixed)} never change after a run is published")
    folder.mkdir(parents=True, exist_ok=True)
    entries = {noun: write_noun(folder, noun, data, started=started) for noun, (data, started) in nouns.items()}
    manifest = {**base, "nouns": {**base["nouns"], **entries}}
    if "empty" in base:
        manifest["empty"] = [noun for noun in base["empty"] if noun not in entries]
    write_manifest(folder, manifest)
    return manifest


def add_empty(folder: Path, base: Mapping[str, Any], noun: str) -> dict[str, Any]:
    """Write down that a noun was looked for and came to nothing, so that nobody is sent to look again; as add_nouns."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {**base, "empty": sorted({*base.get("empty", ()), noun})}
    write_manifest(folder, manifest)
    return manifest


def discard(folder: Path) -> None:
    """Remove an unpublished run."""
    if not folder.name.endswith(".partial"):
        raise ValueError("only unpublished runs may be discarded")
    shutil.rmtree(folder, ignore_errors=True)


def write_pictures(
    root: Path, dataset: Dataset, *, complete: bool = False, about: Mapping[str, Any] | None = None
) -> Path:
    """`datasets/<name>/`: dataset.json and the pictures of test, validation and reference (and train and unlabelled, if
    complete). about: what else dataset.json says.

    Complete ones are kept so that they can be mapped (ml.data.images), others packed.
    """
    folder = root / "datasets" / dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    splits = {"test": dataset["test"], "validation": dataset["validation"], "reference": dataset.reference()}
    if complete:
        splits["train"] = dataset["train"]
        for name in dataset.splits:
            split = dataset[name]
            images.write(folder, name, split.images, split.labels, split.ids)
        write_part(folder, "reference", splits["reference"], dataset["train"])
    else:
        for name, split in splits.items():
            write_split(folder, name, split)
    counts = {name: len(split) for name, split in {**splits, **(dataset.splits if complete else {})}.items()}
    description = {"schema": VERSION, **describe(dataset), "splits": counts, **(about or {})}
    atomic.write(folder / "dataset.json", as_json(description))
    return folder


def write_about(folder: Path, noun: str, frame: pd.DataFrame) -> None:
    """Check and write a table of a data set into the folder of its pictures, replacing it atomically."""
    PICTURE_NOUNS[noun].check(frame)
    write_table(folder / PICTURE_NOUNS[noun].file, frame)


def write_split(folder: Path, name: str, split: Split) -> None:
    """<name>.npz, packed: images, labels, ids."""
    arrays = {"images": np.asarray(split.images), "labels": split.labels.astype(np.int16), "ids": split.ids}
    write_arrays(folder / f"{name}.npz", arrays)


def write_part(folder: Path, name: str, part: Split, train: Split) -> None:
    """A split that is some of train's pictures, by their ids; packed where train's are not here to be mapped."""
    if not (folder / "train.npy").is_file():
        write_split(folder, name, part)
        return
    order = np.argsort(train.ids, kind="stable")
    rows = order[np.searchsorted(train.ids, part.ids, sorter=order)]
    images.write_part(folder, name, rows, part.labels, part.ids)


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a manifest says of its data set."""
    height, width, channels = dataset.shape
    mean, std = dataset.statistics()
    return {
        "name": dataset.name,
        "title": dataset.title,
        "classes": list(dataset.classes),
        "height": height,
        "width": width,
        "channels": channels,
        "mean": mean,
        "std": std,
        "seed": dataset.seed,
        "complete": dataset.complete,
        "hashes": dataset.hashes,
        "fitting": dataset.fitting,
        "resampling": dataset.resampling,
        "background": dataset.background,
        "levels": list(dataset.levels) if dataset.levels else None,
        "counts": {name: len(split) for name, split in dataset.splits.items()},
    }


def write_index(artifacts: Path, default: str, runs: list[str]) -> None:
    """index.json: what ships."""
    atomic.write(artifacts / "index.json", as_json({"default": default, "runs": runs}))


def write_table(target: Path, frame: pd.DataFrame) -> None:
    """Replace a parquet file atomically; the index is left out."""
    with atomic.replacing(target) as scratch:
        frame.to_parquet(scratch, index=False, compression="zstd")


def write_arrays(target: Path, arrays: Mapping[str, Any]) -> None:
    """Replace a compressed npz file atomically."""
    with atomic.replacing(target) as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, **arrays)


def as_json(content: Mapping[str, Any]) -> str:
    """Text that people can read and git can compare."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
