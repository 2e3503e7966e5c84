"""A data set as a zip: pictures and labels as they are, or as reviewed, read again by the import and by pyarrow."""

import csv
import io
import json
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ml.data.base import Dataset, Split
from ml.publishing import dataset_export

CLASSES = ("cat", "T-shirt/top", "C:\\nul.")


def split(first: int, labels: list[int], channels: int = 3) -> Split:
    rng = np.random.default_rng(first)
    ids = np.arange(first, first + len(labels), dtype=np.int32)
    return Split(rng.integers(0, 256, (len(labels), 5, 4, channels)).astype(np.uint8), np.array(labels), ids)


@pytest.fixture(params=[1, 3], ids=["gray", "colour"])
def dataset(request) -> Dataset:
    splits = {"train": split(0, [0, 1, 2], request.param), "test": split(7, [1, 0], request.param)}
    return Dataset("pets", "Pets", CLASSES, splits)


def unpacked(pieces) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def pixels(content: bytes) -> np.ndarray:
    image = np.asarray(Image.open(io.BytesIO(content)))
    return image[..., None] if image.ndim == 2 else image


def test_a_folder_for_each_class(dataset):
    archive = unpacked(dataset_export.as_folders(dataset))
    assert archive.testzip() is None
    lines = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [(one["label"], one["split"], one["id"]) for one in lines] == [
        ("cat", "train", "0"), ("T-shirt/top", "train", "1"), ("C:\\nul.", "train", "2"),
        ("T-shirt/top", "test", "7"), ("cat", "test", "8"),
    ]  # fmt: skip
    assert [one["file"] for one in lines[:3]] == [
        "train/cat/0000000.png", "train/T-shirt_top/0000001.png", "train/C__nul/0000002.png",
    ]  # fmt: skip
    for line, image in zip(lines, [*dataset["train"].images, *dataset["test"].images], strict=True):
        assert np.array_equal(pixels(archive.read(line["file"])), image)


def test_two_classes_whose_folders_would_be_one_stay_apart(dataset):
    alike = Dataset("pets", "Pets", ("a/b", "a_b", "c"), dataset.splits)
    names = unpacked(dataset_export.as_folders(alike)).namelist()
    assert names[0] == "train/0000-a_b/0000000.png"
    assert names[1] == "train/0001-a_b/0000001.png"


def test_labels_as_reviewed(dataset):
    corrections = {("train", 0): 1, ("test", 8): None}
    archive = unpacked(dataset_export.as_folders(dataset, corrections))
    lines = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [one["label"] for one in lines] == ["T-shirt/top", "T-shirt/top", "C:\\nul.", "T-shirt/top"]


def test_parquet_as_hugging_face_reads_it(dataset, monkeypatch):
    monkeypatch.setattr(dataset_export, "BATCH", 2)  # more than one row group
    archive = unpacked(dataset_export.as_parquet(dataset))
    assert archive.namelist() == ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"]
    table = pq.read_table(io.BytesIO(archive.read("data/train-00000-of-00001.parquet")))
    about = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert about["label"] == {"names": list(CLASSES), "_type": "ClassLabel"}
    assert about["image"] == {"_type": "Image"}
    rows = table.to_pylist()
    assert [row["label"] for row in rows] == [0, 1, 2]
    assert np.array_equal(pixels(rows[2]["image"]["bytes"]), dataset["train"].images[2])
