"""A data set on its way out, as a zip that is made while it is read: a folder for each class, or parquet files as
Hugging Face's `datasets` reads them.

Both are read again by `python -m ml data import`.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from ml.data.base import UNLABELLED, Dataset
from ml.images.file_names import safe_folder

BATCH = 256  # pictures of a row group
PAGE = 16  # of them in a page: a reader holds a page whole, and the default looks at its size after 1,024

# (split, example id) → another class id, or None for a picture that is left out
Corrections = Mapping[tuple[str, int], int | None]
NOTHING: Corrections = {}


class _Pipe(io.RawIOBase):
    """What a zip is written into and taken from piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What has been written since it was last asked for."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def as_folders(dataset: Dataset, corrections: Corrections = NOTHING) -> Iterator[bytes]:
    """`<split>/<class>/<id>.png`, and labels.csv with file, label, split and id of each."""

    def write(archive: zipfile.ZipFile) -> Iterator[None]:
        folders = [safe_folder(name) for name in dataset.classes]
        if len(set(folders)) < len(folders):
            folders = [f"{i:04d}-{folder}" for i, folder in enumerate(folders)]
        table = io.StringIO(newline="")
        lines = csv.writer(table)
        lines.writerow(["file", "label", "split", "id"])
        for split, example, label, image in pictures(dataset, corrections):
            folder = folders[label] if label >= 0 else ""
            name = "/".join(part for part in (split, folder, f"{example:07d}.png") if part)
            archive.writestr(zipfile.ZipInfo(name), png(image))
            lines.writerow([name, dataset.classes[label] if label >= 0 else "", split, example])
            yield
        archive.writestr(zipfile.ZipInfo("labels.csv"), table.getvalue().encode())
        yield

    return _zipped(write)


def as_parquet(dataset: Dataset, corrections: Corrections = NOTHING) -> Iterator[bytes]:
    """`data/<split>-00000-of-00001.parquet`, columns image (bytes, path), label (ClassLabel) and example_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(dataset.classes), "_type": "ClassLabel"},
        "example_id": {"dtype": "int32", "_type": "Value"},
    }
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", image), ("label", pa.int64()), ("example_id", pa.int32())], metadata=about)

    def write(archive: zipfile.ZipFile) -> Iterator[None]:
        for split in dataset.splits:
            with (
                archive.open(f"data/{split}-00000-of-00001.parquet", "w", force_zip64=True) as file,
                pq.ParquetWriter(file, schema, write_batch_size=PAGE) as writer,
            ):
                for rows in _grouped(pictures(dataset, corrections, split)):
                    columns = [
                        [{"bytes": png(image), "path": f"{example:07d}.png"} for _, example, _, image in rows],
                        [label for _, _, label, _ in rows],  # -1 is the ClassLabel of what has none
                        [example for _, example, _, _ in rows],
                    ]
                    writer.write_table(pa.table(columns, schema=schema))
                    yield
        yield

    return _zipped(write)


KINDS: Mapping[str, Callable[[Dataset, Corrections], Iterator[bytes]]] = {"folder": as_folders, "parquet": as_parquet}


def pictures(dataset: Dataset, corrections: Corrections, only: str = "") -> Iterator[tuple[str, int, int, np.ndarray]]:
    """(split, example id, class id or -1, uint8 [h, w, c]) of each, with labels as corrected; a few are in memory.

    One that came without a label and was given one is of train.
    """
    for name, split in dataset.splits.items():
        given = name == UNLABELLED and any(where == UNLABELLED for where, _ in corrections)
        if only not in ("", name) and not (given and only == "train"):
            continue
        for row, (label, example) in enumerate(zip(split.labels.tolist(), split.ids.tolist(), strict=True)):
            now = corrections.get((name, example), label)
            where = "train" if name == UNLABELLED and now is not None and now >= 0 else name
            if now is not None and only in ("", where):
                yield where, example, now, np.asarray(split.images[row])


def png(image: np.ndarray) -> bytes:
    """A file of uint8 [h, w, 1 or 3]."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _grouped(rows: Iterator[Any]) -> Iterator[list[Any]]:
    group: list[Any] = []
    for row in rows:
        group.append(row)
        if len(group) == BATCH:
            yield group
            group = []
    if group:
        yield group


def _zipped(write: Callable[[zipfile.ZipFile], Iterator[None]]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # pictures are packed already
        for _ in write(archive):
            if piece := pipe.taken():
                yield piece
    yield pipe.taken()
