"""Files of which a bit is another: each is read, or refused in words, whatever its reader raises."""

import io
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from ml.data import importing
from ml.importing import from_weights
from ml.importing.graph import Unusable
from ml.recording import files

FLIPS = 120
PICTURES = np.random.default_rng(0).integers(0, 255, (60, 9, 9), dtype=np.uint8)
LABELS = np.arange(60) % 3
ANSWERS = np.random.default_rng(1).dirichlet(np.ones(3), 60).astype(np.float32)


def packed(**arrays):
    made = io.BytesIO()
    np.savez_compressed(made, **arrays)
    return made.getvalue()


def array(values):
    made = io.BytesIO()
    np.save(made, values)
    return made.getvalue()


def hdf5():
    h5py = pytest.importorskip("h5py")
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file["x"], file["y"] = PICTURES, LABELS
    return made.getvalue()


def spoiled(whole):
    """Half of the flips are within the first 300 bytes, where heads are."""
    chance = np.random.default_rng(2)
    for number in range(FLIPS):
        place = int(chance.integers(8 * (len(whole) if number % 2 else min(300, len(whole)))))
        made = bytearray(whole)
        made[place // 8] ^= 1 << place % 8
        yield bytes(made)


def deflated(archive):
    """The same zip, its parts packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(archive) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed_anew:
        for one in given.infolist():
            packed_anew.writestr(one.filename, given.read(one))
    return made.getvalue()


def looked_at(place):
    with importing.opened(place, home=place / "home"):
        pass


def said(read, place):
    """The sentence with which it is refused, '' where it is read. Raises what else is raised."""
    try:
        read(place)
    except (ValueError, Unusable) as words:
        return str(words) or pytest.fail("refused without a word")
    return ""


@pytest.mark.parametrize("name", ["a.npz", "a.h5"])
def test_of_pictures(name, tmp_path):
    whole = hdf5() if name.endswith("h5") else packed(train_images=PICTURES, train_labels=LABELS)
    refused = 0
    for made in spoiled(whole):
        (tmp_path / name).write_bytes(made)
        refused += said(looked_at, tmp_path) != ""
    assert 0 < refused <= FLIPS


@pytest.mark.parametrize("name", ["p.npz", "p.npy"])
def test_of_predictions(name, tmp_path):
    whole = array(ANSWERS) if name.endswith("npy") else packed(probabilities=ANSWERS, ids=np.arange(60))
    refused = 0
    for made in spoiled(whole):
        (tmp_path / name).write_bytes(made)
        refused += said(files.read, tmp_path / name) != ""
    assert 0 < refused <= FLIPS


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "packed.pt"])
def test_of_weights(name, tmp_path):
    weights = {"body.0.weight": torch.ones(3, 4), "head.bias": torch.zeros(4)}
    made = io.BytesIO()
    torch.save(weights, made)
    whole = {"w.safetensors": save(weights), "w.pt": made.getvalue(), "packed.pt": deflated(made)}[name]
    refused = 0
    for one in spoiled(whole):
        (tmp_path / name).write_bytes(one)
        refused += said(from_weights.read, tmp_path / name) != ""
    assert 0 < refused < FLIPS
