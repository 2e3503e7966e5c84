"""Pictures that are read when they are asked for."""

import json
import mmap
import os
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
import torch

from ml.artifacts.reader import Broken, Library
from ml.artifacts.writer import write_pictures, write_split
from ml.data import folder, images, synthetic
from ml.data.base import Split
from ml.data.images import Images, batches, joined, take, total
from ml.models import build
from ml.training import held
from ml.training.config import TrainConfig
from ml.training.loop import fit

SHAPE = (5, 4, 3)


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)


@pytest.fixture
def mapped(array, tmp_path):
    images.write(tmp_path, "some", array, np.arange(20), np.arange(100, 120))
    return images.read(tmp_path, "some").images


@pytest.fixture(scope="module")
def data():
    return synthetic.load("synthetic-4-28x28x1", train=128, validation=40, test=16)


MASK = np.arange(20) % 3 == 0


@pytest.mark.parametrize(
    "rows", [3, np.int64(4), -1, slice(2, 9), slice(None), [5, 1, 1], np.array([7, 0]), MASK, np.zeros(0, int)]
)
def test_what_is_asked_for_is_read(array, mapped, rows):
    chain = joined(mapped.take(np.arange(8)), array[8:])
    for one in (mapped, Images(array, np.arange(20)), chain):
        found = one[rows]
        assert type(found) is np.ndarray
        assert found.dtype == np.uint8
        assert np.array_equal(found, array[rows])
        assert found.flags.owndata or found.base is not None
    mapped[0][:] = 7  # what was read is the reader's own
    assert np.array_equal(mapped[0], array[0])


def test_rows_of_rows_are_taken_without_reading(array, mapped):
    odd = take(mapped, np.arange(20) % 2 == 1)
    some = take(odd, np.array([3, 0]))
    assert isinstance(some, Images)
    assert (some.shape, len(some), some.nbytes, some.ndim) == ((2, *SHAPE), 2, 120, 4)
    assert np.array_equal(np.asarray(some), array[[7, 1]])
    assert np.array_equal(take(array, MASK), array[MASK])
    assert [image.tolist() for image in some] == array[[7, 1]].tolist()


def test_batches_are_of_a_size_or_of_some_bytes(array, mapped, monkeypatch):
    assert [len(batch) for batch in batches(mapped, 8)] == [8, 8, 4]
    assert [len(batch) for batch in batches(array)] == [20]
    monkeypatch.setattr(images, "BATCH_BYTES", 3 * 60)
    assert [len(batch) for batch in batches(mapped)] == [3] * 6 + [2]
    assert np.array_equal(np.concatenate([*batches(mapped, rows=np.array([9, 2, 4, 4]))]), array[[9, 2, 4, 4]])
    assert np.array_equal(total(mapped, np.flatnonzero(MASK)), array[MASK].sum(0))


def test_an_imported_data_set_is_mapped_and_reference_is_a_part_of_train(data, tmp_path):
    folder_ = write_pictures(tmp_path, data, complete=True)
    assert not (folder_ / "reference.npy").exists()
    there = folder.load(folder_)
    library = Library(tmp_path / "none", tmp_path)
    for split in ("train", "validation", "test", "reference"):
        one = there.reference() if split == "reference" else there[split]
        other = data.reference() if split == "reference" else data[split]
        assert isinstance(one.images, Images)
        assert np.array_equal(np.asarray(one.images), other.images)
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.ids, other.ids)
        pictures = library.pictures(data.name, split)
        assert np.array_equal(np.asarray(pictures.images), other.images)
        assert np.array_equal(pictures.ids, other.ids)
    assert there.digest == data.digest
    assert there.statistics() == data.statistics()


def test_what_an_earlier_version_packed_is_read(data, tmp_path):
    place = write_pictures(tmp_path, data, complete=True)
    for file in place.glob("*.np[yz]"):
        file.unlink()
    for name in ("train", "validation", "test"):
        write_split(place, name, data[name])
    there = folder.load(place)
    assert isinstance(there["train"].images, np.ndarray)
    assert np.array_equal(there["train"].images, data["train"].images)
    assert np.array_equal(Library(tmp_path / "none", tmp_path).pictures(data.name, "test").images, data["test"].images)


def shorter(place):
    file = place / "test.npy"
    file.write_bytes(file.read_bytes()[:-1])


def other_pictures(place):
    images.write(place, "aside", np.zeros((3, 28, 28, 1), np.uint8), np.zeros(3), np.zeros(3))
    os.replace(place / "aside.npy", place / "test.npy")


def other_size(place):
    split = Split(np.zeros((16, 9, 9, 1), np.uint8), np.zeros(16, np.int64), np.arange(16, dtype=np.int32))
    images.write(place, "test", split.images, split.labels, split.ids)


def floats(place):
    np.save(place / "test.npy", np.zeros((16, 28, 28, 1)))


def objects(place):
    np.save(place / "test.npy", np.array([{}] * 16, object), allow_pickle=True)


def a_link(place):
    os.replace(place / "test.npy", place / "elsewhere.npy")
    os.symlink("elsewhere.npy", place / "test.npy")


@pytest.mark.parametrize("damage", [shorter, other_pictures, other_size, floats, objects, a_link])
def test_pictures_that_do_not_fit_what_is_said_of_them_are_refused(data, tmp_path, damage):
    damage(write_pictures(tmp_path, data, complete=True))
    with pytest.raises(Broken, match="cannot be read"):
        Library(tmp_path / "none", tmp_path).pictures(data.name, "test")


def test_rows_that_train_has_not_are_refused(data, tmp_path):
    place = write_pictures(tmp_path, data, complete=True)
    images.write_part(place, "reference", np.array([0, 500]), np.zeros(2), np.zeros(2))
    with pytest.raises(Broken, match="cannot be read"):
        Library(tmp_path / "none", tmp_path).pictures(data.name, "reference")


@pytest.mark.parametrize("frozen", [0, 1])
def test_mapped_pictures_train_the_same_weights(data, tmp_path, monkeypatch, frozen):
    there = folder.load(write_pictures(tmp_path, data, complete=True))
    weights = []
    for dataset, most in ((data, held.HELD_BYTES), (there, held.HELD_BYTES), (there, 0)):
        monkeypatch.setattr(held, "HELD_BYTES", most)
        torch.manual_seed(7)
        model = build("compact_cnn", channels=1, height=28, width=28, classes=4)
        config = TrainConfig(model="compact_cnn", epochs=2, batch_size=32, threads=1, augment=("flip", "shift"))
        epochs = list(fit(model, dataset, config.model_copy(update={"frozen_epochs": frozen})))
        weights.append([*model.state_dict().values(), torch.tensor(epochs[-1].validation_loss)])
    for other in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], other, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_split_takes_no_memory_of_its_own(tmp_path):
    """96 MB of pictures, of which each is looked at."""
    code = """
        import sys, pathlib, re
        import numpy as np
        from ml.data import images, properties
        place = pathlib.Path(sys.argv[1])
        def anonymous():
            return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
        grown = []
        if sys.argv[2] == "write":
            some = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
            images.write(place, "train", images.Images(some, np.arange(8000) % 20), np.zeros(8000), np.arange(8000))
        else:
            properties.measure(np.zeros((50, 64, 64, 3), np.uint8))
            before = anonymous()
            stored = images.read(place, "train")
            assert len(properties.measure(stored.images.take(np.arange(300)))) == 300
            images.total(stored.images, np.arange(8000))
            print(anonymous() - before)
        """
    for step in ("write", "read"):
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), step]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 48


@pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="a system that can be told what is about to be read")
def test_what_is_about_to_be_read_of_a_mapped_file_is_fetched_as_a_whole(tmp_path, monkeypatch):
    """Of a map read at random the system fetches a page at a time: 48 pictures of 224 pixels took 1,187 waits."""
    monkeypatch.setattr(mmap, "PAGESIZE", 4096)
    pictures = np.random.default_rng(0).integers(0, 256, (40, 100, 100, 1), np.uint8)
    np.save(tmp_path / "train.npy", pictures)
    found = images.Mapped(tmp_path / "train.npy")
    told = []
    found._map = types.SimpleNamespace(madvise=lambda advice, start, length: told.append((advice, start, length)))
    head = (tmp_path / "train.npy").stat().st_size - pictures.nbytes

    def of(*runs):
        """(start, length) of pieces that hold pictures from one to before another, from the page they begin in on."""
        pieces = []
        for first, after in runs:
            begin, end = (head + 10_000 * first) // 4096 * 4096, head + 10_000 * after
            pieces += [(at, min(1 << 17, end - at)) for at in range(begin, end, 1 << 17)]
        return [(mmap.MADV_WILLNEED, *piece) for piece in pieces]

    for rows, expected in (
        (np.array([30, 3, 31, 3]), of((3, 4), (30, 32))),
        (slice(2, 38), of((2, 38))),
        (7, of((7, 8))),
        (np.arange(40) == 39, of((39, 40))),
        (slice(3, 3), []),
    ):
        told.clear()
        assert np.array_equal(found[rows], pictures[rows])
        assert told == expected
    assert len(of((2, 38))) == 3

    np.save(tmp_path / "test.npy", pictures[:, :20, :20])
    small = images.Mapped(tmp_path / "test.npy")
    small._map = found._map
    told.clear()
    assert np.array_equal(small[[3, 9]], pictures[[3, 9], :20, :20])
    assert not told  # a page each
    assert np.array_equal(small[:], pictures[:, :20, :20])
    assert len(told) == 1
