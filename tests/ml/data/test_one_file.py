"""An import writes each picture once: the file that it is read into becomes train.npy, of which every split is some."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from ml.artifacts.reader import Library
from ml.data import folder, images, import_dataset
from ml.images.fitted import HEAD, put

SIDE, EACH = 8, 30


def picture(number: int) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3], another for each number and near none."""
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def source(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "source" / name).mkdir(parents=True)
        for i in range(EACH):
            number = label * EACH + i
            Image.fromarray(picture(number)).save(tmp_path / "source" / name / f"{number:03}.png")
    return tmp_path / "source"


def as_they_were(dataset):
    """Every picture of every split is the one of its number, in the import's order."""
    ids = []
    for split in dataset.splits.values():
        ids += split.ids.tolist()
        for i, image in zip(split.ids.tolist(), split.images, strict=True):
            assert (image == picture(i)).all()
    return sorted(ids) == list(range(2 * EACH))


def npys(place):
    return sorted(file.name for file in place.glob("*.npy"))


def test_pictures_are_written_once(source, tmp_path):
    made = import_dataset(source, "pets", home=tmp_path / "home")
    place = tmp_path / "home" / "datasets" / "pets"
    assert as_they_were(made.dataset)
    there = folder.load(place)
    assert as_they_were(there)
    assert there.digest == made.dataset.digest
    if not hasattr(os, "O_TMPFILE"):
        return
    assert npys(place) == ["train.npy"]
    assert (place / "train.npy").stat().st_size == HEAD + 2 * EACH * SIDE * SIDE * 3
    assert np.load(place / "train.npy", mmap_mode="r").offset == HEAD


def test_what_shows_pictures_finds_them(source, tmp_path):
    import_dataset(source, "pets", home=tmp_path / "home")
    library = Library(tmp_path / "none", tmp_path / "home")
    for split in ("train", "validation", "test", "reference"):
        found = library.pictures("pets", split)
        assert len(found.images) == len(found.ids) > 0
        for i, image in zip(found.ids.tolist(), found.images, strict=True):
            assert (image == picture(i)).all()


def test_what_is_added_lies_in_one_file_too(source, tmp_path):
    import_dataset(source, "pets", home=tmp_path / "home")
    for name, number in (("cat", 2 * EACH), ("dog", 2 * EACH + 1)):
        (tmp_path / "more" / name).mkdir(parents=True)
        Image.fromarray(picture(number)).save(tmp_path / "more" / name / "one.png")
    made = import_dataset(tmp_path / "more", "pets", home=tmp_path / "home", add=True)
    assert sum(map(len, made.dataset.splits.values())) == 2 * EACH + 2
    there = folder.load(tmp_path / "home" / "datasets" / "pets")
    for split in there.splits.values():
        for i, image in zip(split.ids.tolist(), split.images, strict=True):
            assert (image == picture(i)).all()


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name that can be given one")
def test_where_none_can_be_named_they_are_copied(source, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(images.os, "link", refuse)
    made = import_dataset(source, "pets", home=tmp_path / "home")
    place = tmp_path / "home" / "datasets" / "pets"
    assert npys(place) == ["test.npy", "train.npy", "validation.npy"]
    assert as_they_were(folder.load(place))
    assert folder.load(place).digest == made.dataset.digest


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name that can be given one")
def test_a_disk_that_is_full_then_is_said(source, tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(images.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        import_dataset(source, "pets", home=tmp_path / "home")
    assert not (tmp_path / "home" / "datasets" / "pets").exists()


def test_a_file_of_which_little_is_kept_is_copied(tmp_path):
    with images.Placed(tmp_path, (SIDE, SIDE, 3), 20) as placed:
        for i in range(20):
            put(placed.number, picture(i), i * SIDE * SIDE * 3)
        kept = placed.images([3, 4, 9])
    label = np.zeros(3)
    images.write_all(tmp_path, {"train": images.Stored(kept, label, np.array([3, 4, 9]))})
    assert (tmp_path / "train.npy").stat().st_size < HEAD
    found = images.read(tmp_path, "train").images
    assert [(found[i] == picture(n)).all() for i, n in enumerate((3, 4, 9))] == [True] * 3
