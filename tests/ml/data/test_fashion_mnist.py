import gzip
import hashlib

import numpy as np
import pytest

from ml.data import fashion_mnist


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No folder of this machine holds the data set."""
    monkeypatch.setenv("FASHION_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(fashion_mnist, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    return tmp_path


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(gzip.compress(content))


def test_the_real_data_set():
    data = fashion_mnist.load()
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    assert data.shape == (28, 28, 1)
    assert len(data.classes) == 10
    assert np.bincount(data["test"].labels).tolist() == [1_000] * 10
    assert np.bincount(data["validation"].labels).tolist() == [500] * 10
    assert not set(data["train"].ids) & set(data["validation"].ids)
    assert sorted([*data["train"].ids, *data["validation"].ids]) == list(range(60_000))
    assert data["test"].ids.tolist() == list(range(10_000))
    assert data.classes[data["test"].labels[0]] == "Ankle boot"  # the first test picture, as published
    assert np.bincount(data.reference().labels).tolist() == [1_000] * 10
    assert set(data.reference().ids) <= set(data["train"].ids)


def test_parse_idx():
    content = b"\0\0\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(range(6))
    assert fashion_mnist.parse_idx(content).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="idx"):
        fashion_mnist.parse_idx(b"PK\x03\x04 a zip file")


def test_search_order(nowhere, monkeypatch):
    assert fashion_mnist.find() is None
    names = dict.fromkeys(fashion_mnist.SHA256, b"x")
    write(nowhere / "debian", names)
    assert fashion_mnist.find() == nowhere / "debian"
    write(nowhere / "cache" / "fashion-mnist", names)
    assert fashion_mnist.find() == nowhere / "cache" / "fashion-mnist"
    write(nowhere / "mine", names)
    monkeypatch.setenv("FASHION_DATA_DIR", str(nowhere / "mine"))
    assert fashion_mnist.find() == nowhere / "mine"


def test_a_file_that_differs_is_named(nowhere, monkeypatch):
    names = list(fashion_mnist.SHA256)
    good = b"\0\0\x08\x01" + (1).to_bytes(4, "big") + b"\7"
    monkeypatch.setattr(fashion_mnist, "SHA256", dict.fromkeys(names, hashlib.sha256(good).hexdigest()))
    write(nowhere / "debian", dict.fromkeys(names, good))
    assert set(fashion_mnist.read(nowhere / "debian")) == set(names)
    (nowhere / "debian" / names[1]).write_bytes(gzip.compress(good)[:-4])
    with pytest.raises(ValueError, match=names[1]):
        fashion_mnist.read(nowhere / "debian")


def test_without_data_the_message_says_what_to_do(nowhere):
    with pytest.raises(fashion_mnist.DataMissing) as caught:
        fashion_mnist.load(fetch=False)
    words = str(caught.value)
    assert len(words.splitlines()) == 3
    assert "apt-get install dataset-fashion-mnist" in words
    assert "FASHION_DATA_DIR" in words
