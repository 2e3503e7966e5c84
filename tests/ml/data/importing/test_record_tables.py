"""TensorFlow's records of tf.train.Example, written byte by byte as TensorFlow 2.21 does."""

import gzip
import struct

import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen

CLASSES = ["block", "ring"]
IDS = [CLASSES.index(one) for one in LABELS]


def varint(number):
    found = b""
    number &= 2**64 - 1
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(values):
    if isinstance(values[0], int):
        return field(3, field(1, b"".join(map(varint, values))))
    if isinstance(values[0], float):
        return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
    return field(1, b"".join(field(1, one) for one in values))


def records(*rows):
    """Each row: feature → list of bytes, of whole numbers or of others."""
    content = b""
    for row in rows:
        entries = (field(1, field(1, key.encode()) + field(2, feature(values))) for key, values in row.items())
        record = field(1, b"".join(entries))
        content += struct.pack("<QI", len(record), 0) + record + bytes(4)
    return content


def flower(pictures, i):
    return {"image": [pictures[i]], "class": [IDS[i]], "id": [f"{i:08x}".encode()]}


def slim(pictures, i):
    return {"image/class/label": [IDS[i] - 1], "image/class/text": [LABELS[i].encode()], "image/encoded": [pictures[i]],
            "image/filename": [f"{i}.png".encode()], "image/object/bbox/xmin": [0.25, 0.5]}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_folders_of_splits_as_kaggle_has_them(tmp_path, pictures, packed):
    for split, rows in (("train", range(16)), ("val", range(16, 20)), ("test", range(20, N))):
        file = tmp_path / "tfrecords-jpeg" / split / f"00-{len(rows)}.tfrec"
        file.parent.mkdir(parents=True)
        said = [flower(pictures, i) for i in rows]
        if split == "test":
            said = [{key: value for key, value in one.items() if key != "class"} for one in said]
        file.write_bytes(gzip.compress(records(*said)) if packed else records(*said))
    seen = Seen(tmp_path)
    wanted = {pictures[i]: (str(IDS[i]) if i < 20 else None) for i in range(N)}
    assert dict(zip(seen.content, seen.labels, strict=True)) == wanted
    assert [seen.splits.count(one) for one in ("train", "validation", "unlabelled")] == [16, 4, 4]


@pytest.mark.parametrize("names", ["train-{:05}-of-00002", "birds-train.tfrecord-{:05}-of-00002"])
def test_shards_as_slim_writes_them(tmp_path, pictures, names):
    """A picture in the record goes before the name that its file had, and a class's name before its number."""
    for shard in range(2):
        (tmp_path / names.format(shard)).write_bytes(
            records(*(slim(pictures, i) for i in range(shard * 8, shard * 8 + 8)))
        )
    test = names.replace("train", "test").replace("2", "1").format(0)
    (tmp_path / test).write_bytes(records(*(slim(pictures, i) for i in range(16, N))))
    seen = Seen(tmp_path)
    assert dict(zip(seen.content, seen.labels, strict=True)) == dict(zip(pictures, LABELS, strict=True))
    assert [seen.splits.count(one) for one in ("train", "test")] == [16, 8]


def test_names_of_classes_beside_records_as_tfds_writes_them(tmp_path, pictures):
    """In their order, which need not be that of letters, with or without one that has no picture."""
    (tmp_path / "label.labels.txt").write_text("ring\nblock\nowl\n")
    (tmp_path / "features.json").write_text('{"pythonClassName": "FeaturesDict", "featuresDict": {"features": {}}}')
    (tmp_path / "dataset_info.json").write_text('{"fileFormat": "tfrecord", "splits": [{"name": "train"}]}')
    for split, rows in (("train", range(16)), ("test", range(16, N))):
        said = [{"image": [pictures[i]], "label": [1 - IDS[i]]} for i in rows]
        (tmp_path / f"birds-{split}.tfrecord-00000-of-00001").write_bytes(records(*said))
    seen = Seen(tmp_path)
    assert seen.classes[:2] == ("ring", "block")
    assert dict(zip(seen.content, seen.labels, strict=True)) == dict(zip(pictures, LABELS, strict=True))


def test_of_one_that_breaks_off_the_rest_is_read(tmp_path, pictures):
    content = records(*(flower(pictures, i) for i in range(N)))
    (tmp_path / "a.tfrecord").write_bytes(content[:-40])
    seen = Seen(tmp_path / "a.tfrecord")
    assert seen.labels == [str(one) for one in IDS[:-1]]
    assert "breaks off after 23 records" in seen.told


def test_zeros_after_its_records_are_none(tmp_path, pictures):
    """As a disk holds them where a file was made as long as it was to become; each 16 were taken for a record."""
    content = records(*(flower(pictures, i) for i in range(N)))
    (tmp_path / "a.tfrecord").write_bytes(content + bytes(4_000))
    seen = Seen(tmp_path / "a.tfrecord")
    assert seen.labels == [str(one) for one in IDS]
    assert "breaks off after 24 records" in seen.told


@pytest.mark.parametrize("cut", [slice(0, -40), slice(0, 30)])
def test_a_packed_one_that_is_damaged_is_named(tmp_path, pictures, cut):
    packed = gzip.compress(records(*(flower(pictures, i) for i in range(N))))
    (tmp_path / "b").mkdir()
    for content in (packed[cut], packed[:40] + bytes(60) + packed[100:]):
        (tmp_path / "b" / "a.tfrecord.gz").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.tfrecord\.gz"):
            Seen(tmp_path / "b")


@pytest.mark.parametrize("content", [b"", b"\x10\0\0\0 bytes", bytes(40), records({"a": [1]}), b"\xff" * 40])
def test_what_holds_no_pictures_says_so(tmp_path, content):
    (tmp_path / "a.tfrecord").write_bytes(content)
    with pytest.raises(ValueError, match=r"records without encoded pictures"):
        Seen(tmp_path)


def test_any_byte_may_be_another(tmp_path, pictures):
    """Taken, left out or refused in words."""
    content, refused = records(*(flower(pictures, i) for i in range(8))), 0
    for at in range(len(records(flower(pictures, 0)))):
        changed = bytes([content[at] ^ 0x85])
        (tmp_path / "a.tfrecord").write_bytes(content[:at] + changed + content[at + 1 :])
        try:
            assert len(Seen(tmp_path / "a.tfrecord").records) >= 7
        except ValueError:
            refused += 1
    assert refused < 40, "of a record and what says how long it is"
