import numpy as np
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import data
from ml.artifacts.writer import write_pictures
from ml.data import folder, synthetic
from ml.data.base import natural
from ml.data.importing import Choices


def test_synthetic_is_as_its_name_says():
    made = synthetic.load("synthetic-13-40x32x3", train=26, validation=13, test=13)
    assert made.shape == (40, 32, 3)
    assert len(made.classes) == 13
    assert np.bincount(made["train"].labels).tolist() == [2] * 13
    again = synthetic.load("synthetic-13-40x32x3", train=26, validation=13, test=13)
    assert np.array_equal(made["test"].images, again["test"].images)
    with pytest.raises(KeyError):
        synthetic.load("synthetic-13")


@pytest.fixture
def pictures(tmp_path):
    """Two classes of twelve pictures of two forms, and one file that is none."""
    rng = np.random.default_rng(0)
    for c, name in enumerate(("Cat", "Dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(12):
            image = rng.integers(0, 100, (20 + i, 30, 3), np.uint8) + np.uint8(100 * c)
            Image.fromarray(image).save(tmp_path / "pets" / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    (tmp_path / "pets" / "Cat" / "broken.png").write_bytes(b"not a picture")
    return tmp_path / "pets"


def test_import_a_folder(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    assert cli.main(["data", "import", str(pictures), "--name", "pets", "--size", "24x32", "--colour"]) == 0
    told = capsys.readouterr()
    assert "broken.png" in told.err
    assert "2 classes" in told.out
    made = data.load("pets")
    assert (made.classes, made.shape, made.complete) == (("Cat", "Dog"), (24, 32, 3), True)
    ids = np.concatenate([made[s].ids for s in ("train", "validation", "test")])
    assert sorted(ids) == list(range(24))
    assert "pets" in data.available()


@pytest.fixture
def numbered(tmp_path):
    """Eleven classes named by numbers, ten pictures each, as grey as their number."""
    for number in range(1, 12):
        (tmp_path / "Scanned digits" / str(number)).mkdir(parents=True)
        for i in range(10):
            Image.new("L", (28, 28), 20 * number).save(tmp_path / "Scanned digits" / str(number) / f"{i}.png")
    return tmp_path / "Scanned digits"


def test_classes_stand_in_natural_order(numbered):
    made = folder.read(numbered, "digits", Choices(size=(28, 28), colour=False)).dataset
    assert made.classes == tuple(str(number) for number in range(1, 12))
    train = made["train"]
    assert (train.images[:][:, 0, 0, 0] == 20 * (train.labels + 1)).all()


def test_numbers_stand_by_their_value_and_versions_by_their_parts():
    assert natural(["3", "-5", "0.5", "-10", "01", "0.25", "1"]) == ["-10", "-5", "0.25", "0.5", "01", "1", "3"]
    assert natural(["v1.10", "v1.9", "V1.2"]) == ["V1.2", "v1.9", "v1.10"]
    assert natural(["0,5", "0,25", "−10", "-5", "2"]) == ["−10", "-5", "0,25", "0,5", "2"]
    assert natural(["-5 mm", "10 mm", "9 mm"]) == ["9 mm", "10 mm", "-5 mm"]


def test_an_imported_data_set_is_called_by_its_name(numbered):
    made = folder.read(numbered, "digits", Choices(size=(28, 28), colour=False)).dataset
    assert made.title == "digits"


def test_what_is_imported_again_keeps_its_class_ids(numbered, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    by_text = sorted(str(number) for number in range(1, 12))
    old = folder.read(numbered, "digits", Choices(size=(28, 28), colour=False, order=by_text)).dataset
    assert old.classes == tuple(by_text)
    write_pictures(tmp_path / "home", old, complete=True)
    assert data.load("digits").classes == tuple(by_text)
    assert cli.main(["data", "import", str(numbered), "--name", "digits", "--new-version"]) == 0
    again = data.load("digits")
    assert again.classes == tuple(by_text)
    assert (again["train"].images[:][:, 0, 0, 0] == 20 * np.array(by_text, int)[again["train"].labels]).all()


@pytest.mark.parametrize("arguments", [["--name", "¡!"], ["--size", "28"], ["--name", "fashion-mnist"]])
def test_import_refuses_in_words(pictures, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    assert cli.main(["data", "import", str(pictures), *arguments]) == 1
    assert capsys.readouterr().err
    assert not (tmp_path / "home" / "datasets").exists()


def test_what_ships_stands_in_for_a_missing_data_set(monkeypatch):
    from ml.data import fashion_mnist

    def missing(fetch=True):
        raise fashion_mnist.DataMissing("not here")

    monkeypatch.setitem(data.DATASETS, "fashion-mnist", missing)
    shipped = data.load("fashion-mnist")
    assert not shipped.complete
    assert {name: len(split) for name, split in shipped.splits.items()} == {
        "train": 10_000,
        "validation": 5_000,
        "test": 10_000,
    }
    with pytest.raises(KeyError, match="unknown data set"):
        data.load("nothing-like-it")


def test_sixteen_bits_are_scaled_and_any_suffix_is_read(tmp_path):
    levels = np.linspace(0, 65535, 28 * 28).astype(np.uint16).reshape(28, 28)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.fromarray(levels).save(tmp_path / name / f"{i}.{'PNG' if i % 2 else 'scan'}", "PNG")
        Image.fromarray(levels).save(tmp_path / name / "y.tif", "TIFF")
        Image.fromarray(levels).save(tmp_path / name / "z.jp2", "JPEG2000")
        (tmp_path / name / ".DS_Store").write_bytes(b"left by a system")
    imported = folder.read(tmp_path, "deep", Choices(size=(28, 28), colour=False))
    made, refused = imported.dataset, imported.left_out.files
    assert sum(len(split) for split in made.splits.values()) == 24
    np.testing.assert_array_equal(made["train"].images[0][..., 0], ((levels.astype(int) + 128) // 257).astype(np.uint8))
    assert not refused
