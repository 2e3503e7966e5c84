"""Some validation pictures of a data set as they came, beside those made to fit: what preparation is measured on."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ml.data.base import Split

FILES = "validation_files.zip"
FILES_KEPT, FILES_BYTES = 200, 32_000_000  # pictures that are kept, and their bytes


def some(split: Split, files: Sequence[Callable[[], bytes]], seed: int) -> dict[int, bytes]:
    """Example id → bytes of some pictures of a split, at most FILES_KEPT and FILES_BYTES. files: by example id, each to
    be read."""
    kept: dict[int, bytes] = {}
    room = FILES_BYTES
    for row in np.random.default_rng(seed).permutation(len(split))[:FILES_KEPT]:
        example_id = int(split.ids[row])
        content = files[example_id]()
        if len(content) <= room:
            kept[example_id] = content
            room -= len(content)
    return kept


def write(folder: Path, files: Mapping[int, bytes]) -> None:
    """Into a data set's own folder, stored as they are."""
    with zipfile.ZipFile(folder / FILES, "w") as archive:
        for example_id in sorted(files):
            archive.writestr(zipfile.ZipInfo(str(example_id)), files[example_id])


def read(folder: Path) -> dict[int, bytes]:
    """What `write` wrote. Raises OSError, zipfile.BadZipFile or ValueError for another file."""
    kept: dict[int, bytes] = {}
    room = FILES_BYTES
    with zipfile.ZipFile(folder / FILES) as archive:
        for entry in archive.infolist()[:FILES_KEPT]:
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > room:
                raise ValueError(f"{FILES} is not what an import writes")
            room -= entry.file_size
            kept[int(entry.filename)] = archive.read(entry)
    return kept
