"""Tables as competitions, annotators and clouds write them: answers of no worth, a column for each class, no head."""

import numpy as np
import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen, drawn
from tests.ml.data.importing.test_webdataset import packed


@pytest.fixture
def put(tmp_path, pictures):
    """put({path: text}, path of picture i): a source with these files. Gives it."""

    def write(files, name):
        top = tmp_path / "set"
        for path, data in (
            {name(i): pictures[i] for i in range(N)} | {k: v.encode() for k, v in files.items()}
        ).items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(data)
        return top

    return write


def csv(*rows):
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def matches(seen, pictures, labels):
    assert dict(zip(seen.content, seen.labels, strict=True)) == dict(zip(pictures, labels, strict=True))
    assert len(seen.records) == N


@pytest.mark.parametrize("name", ["sample_submission.csv", "sampleSubmission.csv", "LOC_sample_submission.csv"])
def test_a_sample_of_answers_is_no_label(put, pictures, name):
    """Kaggle's, in which every test picture is of one class: they are pictures without a label, and counted once."""
    files = {
        "train.csv": csv(("id", "label"), *((f"x{i:03}", LABELS[i]) for i in range(16))),
        "test.csv": csv(("id",), *((f"x{i:03}",) for i in range(16, N))),
        name: csv(("id", "label"), *((f"x{i:03}", "ring") for i in range(16, N))),
    }
    seen = Seen(put(files, lambda i: f"{'train' if i < 16 else 'test'}/x{i:03}.png"))
    matches(seen, pictures, [one if i < 16 else None for i, one in enumerate(LABELS)])


def test_train_and_test_that_number_their_files_alike(put, pictures):
    """Kaggle's CIFAR-10: train/1.png and test/1.png are two pictures, and trainLabels.csv is of the first alone."""
    n = N // 2
    files = {
        "trainLabels.csv": csv(("id", "label"), *((i + 1, LABELS[i]) for i in range(n))),
        "sampleSubmission.csv": csv(("id", "label"), *((i + 1, "ring") for i in range(n))),
    }
    seen = Seen(put(files, lambda i: f"{'train' if i < n else 'test'}/{i % n + 1}.png"))
    matches(seen, pictures, [one if i < n else None for i, one in enumerate(LABELS)])
    assert seen.splits.count("train") == seen.splits.count("unlabelled") == n


@pytest.mark.parametrize("one", ["1", "1.0"])
def test_a_column_for_each_class(put, pictures, one):
    """Of ISIC 2019 and Plant Pathology; a row with several is left out, and one with none has no label."""
    nothing = "0.0" if "." in one else "0"
    rows = [[f"x{i:03}", *(one if LABELS[i] == name else nothing for name in ("ring", "block"))] for i in range(N)]
    rows[2][1:], rows[3][1:] = (one, one), (nothing, nothing)
    more = {"more.csv": csv(("image", "age"), *((f"x{i:03}", 30 + i) for i in range(N)))}
    seen = Seen(put({"truth.csv": csv(("image", "ring", "block"), *rows), **more}, lambda i: f"input/x{i:03}.png"))
    assert seen.classes == ("ring", "block")
    labels = dict(zip(seen.content, seen.labels, strict=True))
    assert labels[pictures[3]] is None
    assert [labels[pictures[i]] for i in range(4, N)] == LABELS[4:]
    assert "a column for each of 2 classes, from 'ring' on" in seen.told
    assert "several labels" in seen.told


def test_the_label_that_was_given_and_not_the_one_predicted(put, pictures):
    rows = [(f"im/{i}.png", i % 7 == 0, 0.9 - i / 100, LABELS[i], LABELS[i - 1]) for i in range(N)]
    head = ("image", "is_label_issue", "label_score", "given_label", "predicted_label")
    matches(Seen(put({"issues.csv": csv(head, *rows)}, lambda i: f"im/{i}.png")), pictures, LABELS)


def test_addresses_in_a_bucket_of_which_a_copy_lies_here(put, pictures):
    rows = [("TEST" if i % 3 == 2 else "TRAIN", f"gs://bucket/flowers/{i}.png", LABELS[i]) for i in range(N)]
    source = put({"all.csv": csv(*rows)}, lambda i: f"flowers/{i}.png")
    seen = Seen(source)
    matches(seen, pictures, LABELS)
    assert seen.splits.count("test") == N // 3
    (source / "flowers" / "5.png").unlink()
    assert "an address on the web" in Seen(source).told


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_of_pixels_without_a_line_of_names(tmp_path, last, channels):
    """mnist_train.csv of pjreddie.com and of Datumaro; with the label behind, optdigits.tra of UCI."""
    pixels = drawn(size=(8, 8, channels))
    pixels[:, 0, 0, 0] = 0  # a corner that is always the same
    label = np.arange(N)[:, None] % 2
    rows = pixels.reshape(N, -1)
    (tmp_path / "mnist_train.csv").write_text(csv(*np.hstack([rows, label] if last else [label, rows])))
    seen = Seen(tmp_path / "mnist_train.csv")
    assert seen.labels == [str(i % 2) for i in range(N)]
    assert all(np.array_equal(one, pixels[i]) for i, one in enumerate(seen.pixels))
    assert "no line of names" in seen.told


def test_levels_beside_files_are_copies_of_them(put, pictures):
    levels = csv((*(f"pixel{i:04}" for i in range(64)), "label"), *(([7] * 64 + [i % 2]) for i in range(N)))
    files = {"hmnist_8_8_L.csv": levels, "meta.csv": csv(("image_id", "dx"), *((f"x{i}", LABELS[i]) for i in range(N)))}
    seen = Seen(put(files, lambda i: f"part_{i % 2}/x{i}.png"))
    matches(seen, pictures, LABELS)
    assert "another table names files" in seen.told


def test_subsets_of_cvat_as_datumaro_writes_them(put, pictures):
    """A file for each subset, which says it by its name alone."""
    labels = "".join(f"<label><name>{one}</name></label>" for one in ("ring", "block"))
    head = f"<?xml version='1.0'?><annotations><meta><task><labels>{labels}</labels></task></meta>"
    tags = [f"<image name='{i}.png'><tag label='{LABELS[i]}' source='manual'></tag></image>" for i in range(N)]
    files = {"train.xml": head + "".join(tags[:16]) + "</annotations>"}
    files["test.xml"] = head + "".join(tags[16:]) + "</annotations>"
    seen = Seen(put(files, lambda i: f"images/{i}.png"))
    matches(seen, pictures, LABELS)
    assert seen.splits.count("test") == N - 16
    assert seen.splits.count("train") == 16


@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord-00000-of-00002", "train.rec", "x.beton", "train.lmdb"])
def test_files_of_other_programs_say_what_to_do(tmp_path, name):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / name).write_bytes(b"\x10\0\0\0 bytes")
    for place in (tmp_path / "set", tmp_path / "set" / name):
        with pytest.raises(ValueError, match=r"is one of .* which are not read: write the pictures into a folder"):
            Seen(place)


@pytest.mark.parametrize("files", [
    ("_versions/1.manifest", "_transactions/0-a.txn", "data/0a.lance"),
    ("zarr.json", "images/zarr.json", "images/c/0/0/0/0", "labels/zarr.json", "labels/c/0"),
    (".zgroup", "images/.zarray", "images/0.0.0.0", "labels/.zarray", "labels/0"),
    ("train/index.json", "train/shard.00000.mds"),
    ("train/index.json", "train/shard.00000.mds.zstd"),
    ("train/index.json", "train/chunk-0-0.bin"),
    ("_deeplake_log/_meta/next_base", "_deeplake_log/_meta/01c0.jsonl", "1dh32zg/0", "1n083we/0"),
    ("dataset_meta.json", "images/chunks/a1", "images/tensor_meta.json", "labels/chunks/b2", "labels/tensor_meta.json"),
])  # fmt: skip
def test_stores_are_neither_classes_nor_tables(tmp_path, files):
    """As pylance 14.0.2, zarr 3.1.6 (and 2), mosaicml-streaming 0.13.0, litdata 0.2.76 and deeplake 4.7.4 (and 3) lay
    them out."""
    written = b'{"shards": [{"samples": 9, "raw_data": {"basename": "shard.00000.mds"}}], "version": 2}'
    for name in files:
        place = tmp_path / "set" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(written if name.endswith(".json") else b"\x10\0\0\0 bytes")
    packed(tmp_path / "set.tar", {name: (tmp_path / "set" / name).read_bytes() for name in files}.items())
    for place in (tmp_path / "set", tmp_path / "set.tar"):
        with pytest.raises(
            ValueError, match=r"holds no pictures.* is one of .* which are not read: write the pictures"
        ):
            Seen(place)


def test_samples_of_arrays_say_what_to_do(tmp_path):
    files = {f"{i:03}.npy": b"\x93NUMPY" for i in range(4)} | {f"{i:03}.cls": b"1" for i in range(4)}
    packed(tmp_path / "data-000000.tar", files.items())
    with pytest.raises(ValueError, match="write them anew as png or jpg"):
        Seen(tmp_path)
