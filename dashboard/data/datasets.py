"""READ: every data set whose pictures are on this machine, by what its dataset.json says; pictures are not opened."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts.identity import digest, same_pictures
from ml.artifacts.reader import Library, Missing, RunEntry
from ml.artifacts.schema import RUN_ID
from ml.system import small_files

ALL_SPLITS = ("train", "validation", "test", "unlabelled", "reference")  # reference: what ships of train


@dataclass(frozen=True)
class DataSet:
    """described: its dataset.json; counts: pictures by split; bytes: on the disk; shipped: it comes with the app.

    runs: ids of those that learned from it as it is; older: of those that learned from an earlier version. here:
    whether its pictures are; where not, it ships without them and can be fetched.
    """

    name: str
    described: Mapping[str, Any]
    folder: Path
    bytes: int
    shipped: bool = False
    runs: Sequence[str] = ()
    older: Sequence[str] = ()
    problem: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    here: bool = True

    @property
    def title(self) -> str:
        return str(self.described.get("title") or self.name)

    @property
    def classes(self) -> list[str]:
        return list(self.described.get("classes", ()))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = (int(self.described.get(side, 0)) for side in ("height", "width", "channels"))
        return height, width, channels

    @property
    def total(self) -> int:
        """Pictures, each counted once."""
        counted = [n for split, n in self.counts.items() if split != "reference" or "train" not in self.counts]
        return sum(counted)

    @property
    def digest(self) -> str:
        return digest(self.described)

    @property
    def made(self) -> datetime | None:
        """When it was written; None where nobody knows."""
        try:
            return datetime.fromtimestamp((self.folder / "dataset.json").stat().st_mtime, UTC)
        except OSError:
            return None


def listing(library: Library, entries: Sequence[RunEntry]) -> list[DataSet]:
    """Shipped ones first, then own ones by name; one whose description cannot be read says so in `problem`.

    entries: the listing of runs.
    """
    found: dict[str, DataSet] = {}
    for root in (library.artifacts, library.home):
        folder = root / "datasets"
        try:
            names = sorted(one.name for one in os.scandir(folder) if one.is_dir() and RUN_ID.fullmatch(one.name))
        except OSError:
            continue
        for name in names:
            if name not in found or not found[name].here:  # own ones take the place of those that ship without pictures
                found[name] = _read(folder / name, name, root == library.artifacts, entries)
    return list(found.values())


def one(library: Library, name: object, entries: Sequence[RunEntry]) -> DataSet:
    """Raises Missing where there is none of that name."""
    found = None
    for root in (library.artifacts, library.home) if isinstance(name, str) and RUN_ID.fullmatch(name) else ():
        folder = root / "datasets" / str(name)
        if folder.is_dir() and (found is None or not found.here):
            found = _read(folder, str(name), root == library.artifacts, entries)
    if found is not None:
        return found
    raise Missing("This data set is not on this machine (any more).")


def class_counts(dataset: DataSet) -> dict[str, list[int]]:
    """split → pictures of each class, in class order; of labelled splits alone."""
    counts = {}
    for split in ALL_SPLITS:
        if not dataset.counts.get(split) or split == "unlabelled":
            continue
        if split == "reference" and "train" in dataset.counts:
            continue
        labels = labels_of(dataset.folder / f"{split}.npz") if dataset.here else listed_labels(dataset.folder, split)
        counts[split] = np.bincount(labels, minlength=len(dataset.classes)).tolist()
    return counts


def labels_of(file: Path) -> np.ndarray:
    """int [n]: the labels of a split's file, its pictures unread. Raises Missing."""
    try:
        small_files.judge(file)
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["labels"].astype(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise Missing("The labels of this data set cannot be read.") from error


def listed_labels(folder: Path, split: str) -> np.ndarray:
    """int [n]: the labels of a split of a data set that ships without its pictures. Raises Missing."""
    try:
        files = pd.read_parquet(folder / "files.parquet", columns=["split", "label"])
        return files.loc[files["split"] == split, "label"].to_numpy(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise Missing("The labels of this data set cannot be read.") from error


def _read(folder: Path, name: str, shipped: bool, entries: Sequence[RunEntry]) -> DataSet:
    size = sum(file.stat().st_size for file in os.scandir(folder) if file.is_file(follow_symlinks=False))
    try:
        described = small_files.document(folder / "dataset.json")
        counts = {split: int(n) for split, n in described["splits"].items() if split in ALL_SPLITS}
        if not isinstance(described["classes"], list):
            raise ValueError("classes")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return DataSet(name, {}, folder, size, shipped, problem="its description cannot be read")
    mine = [entry for entry in entries if entry.ok and entry.manifest["dataset"]["name"] == name]
    now = [entry.run_id for entry in mine if same_pictures(entry.manifest["dataset"], described)]
    older = [entry.run_id for entry in mine if entry.run_id not in now]
    here = not shipped or not described.get("published") or (folder / "test.npz").is_file()
    return DataSet(name, described, folder, size, shipped, now, older, counts=counts, here=here)
