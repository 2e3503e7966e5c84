"""The run of photographs that ships: what it says is in its tables, and no picture comes with it."""

import numpy as np
import pytest

from ml.artifacts.reader import Library
from ml.inference.classifier import Classifier
from ml.inference.engines import open_run
from ml.stats.calibration import expected_calibration_error
from ml.system.paths import ARTIFACTS

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".npy", ".zip", ".svg"}
SHARES = {"validation": 0.91, "test": 0.88}  # right answers at least


@pytest.fixture(scope="module")
def run():
    return Library(ARTIFACTS, ARTIFACTS).open("clothing_photos")


@pytest.fixture(scope="module")
def said(run):
    return run.table("predictions")


def test_no_picture_of_it_ships(run):
    folders = (ARTIFACTS / "datasets" / "clothing-photos", ARTIFACTS / "runs" / "clothing_photos")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not [path.name for path in files if path.suffix in PICTURES]
    for path in files:
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                shapes = {name: arrays[name].shape for name in arrays.files}
            assert not [name for name, shape in shapes.items() if shape[1:3] == (224, 224) or "image" in name], (
                path.name
            )


def test_it_is_small(run):
    sizes = {path.name: path.stat().st_size for path in (ARTIFACTS / "runs" / "clothing_photos").iterdir()}
    assert sum(sizes.values()) <= 22e6
    assert sizes["weights.safetensors"] + sizes["network-int8.onnx"] <= 15e6


@pytest.mark.parametrize("split", SHARES)
def test_its_tables_say_what_its_manifest_says(run, said, split):
    rows = said[said["split"] == split]
    result = run.manifest["results"][split]
    assert len(rows) == result["n"] == run.manifest["dataset"]["counts"][split]
    right = (rows["predicted"] == rows["label"]).to_numpy()
    assert right.sum() == result["correct"] >= SHARES[split] * len(rows)
    chances = rows[[f"p_{k}" for k in range(10)]].to_numpy()
    assert np.abs(chances.sum(1) - 1).max() < 1e-4
    assert expected_calibration_error(chances.max(1), right) < 0.06


def test_sets_of_nine_in_ten_hold_the_truth_and_are_small(run):
    rows = run.table("conformal").query("split == 'test' and level == 0.9")
    assert len(rows) == 1
    assert 0.85 <= rows["coverage"].item() <= 0.97
    assert rows["size"].item() <= 1.4


def test_the_small_engine_says_what_the_large_one_says(run):
    """Of drawn things, since no photograph is here: a network that lost its way in eight bits would not."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (24, 7, 7, 3), dtype=np.uint8)
    images = coarse.repeat(32, axis=1).repeat(32, axis=2)
    whole = Classifier.open(run).probabilities(images)
    small = open_run(run, "int8").probabilities(images)
    assert whole.shape == small.shape == (24, 10)
    assert (whole.argmax(1) == small.argmax(1)).mean() >= 0.75
    assert np.abs(whole - small).mean() < 0.03
