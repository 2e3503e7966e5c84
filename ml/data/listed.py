"""Which file is which picture: the list by which a published data set has the same numbers and splits on every machine.

Numbers follow from the list and not from pixels, so that photographs as they were published and smaller copies of them
are the same pictures to whatever was written of them.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ml.data import images, originals
from ml.data.base import SPLITS

FILE = "files.parquet"
COLUMNS = ("example_id", "split", "label", "path")


def digest(files: pd.DataFrame) -> str:
    """Of a list: 64 digits. files: COLUMNS, by ascending number."""
    rows = files[list(COLUMNS)].itertuples(index=False)
    lines = "".join(f"{row.example_id}\t{row.split}\t{row.label}\t{row.path}\n" for row in rows)
    return hashlib.sha256(lines.encode()).hexdigest()


def of(folder: Path) -> pd.DataFrame:
    """The list of a data set that was imported from files of a folder. Raises ValueError, OSError, in words, where a
    picture came from no file of its own."""
    paths = pd.read_parquet(folder / originals.FILE, columns=["path"])["path"]
    parts = []
    for split in SPLITS:
        stored = images.read(folder, split)
        ids = stored.ids.astype(np.int32)
        parts.append(
            pd.DataFrame({"example_id": ids, "split": split, "label": stored.labels.astype(np.int32),
                          "path": paths.to_numpy()[ids]})
        )  # fmt: skip
    files = pd.concat(parts, ignore_index=True).sort_values("example_id", ignore_index=True)
    if (files["path"] == "").any() or files["path"].duplicated().any():
        raise ValueError("not every picture of this data set came from a file of its own")
    return files


def check(files: pd.DataFrame, described: Mapping[str, object]) -> None:
    """Raises ValueError unless this is the list that a dataset.json names, of classes that it has."""
    if digest(files) != described.get("files"):
        raise ValueError(f"{FILE} is not the list that its dataset.json names")
    classes = described.get("classes")
    assert isinstance(classes, list)
    if not files["label"].between(0, len(classes) - 1).all() or not files["split"].isin(SPLITS).all():
        raise ValueError(f"{FILE} names a class or a split that its data set has not")
    if any(path.startswith("/") or {"..", ".", ""} & set(path.split("/")) for path in files["path"]):
        raise ValueError(f"{FILE} names a path that leads out of its folder")
