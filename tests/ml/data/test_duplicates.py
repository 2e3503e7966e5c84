"""Near-duplicates planted among noise, each pair against numpy's own correlation."""

import numpy as np
import pandas as pd
import pytest

from ml.data import duplicates
from ml.data.base import Split


@pytest.fixture
def splits():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 200, (30, 12, 12, 1), dtype=np.uint8)
    images[20] = images[3]  # test 0 is train 3
    images[21] = np.minimum(images[4] + 30, 255)  # test 1 is train 4, brighter
    images[22] = images[20] // 2  # test 2 is test 0, flatter
    images[26] = images[7]  # validation
    images[26, 5, 5] ^= 40
    images[8] = images[9]  # a pair within train
    images[23] = images[27] = 80  # blank ones are all alike
    labels = np.zeros(30, np.int64)
    ids = np.arange(30, dtype=np.int32)
    train = Split(images[:20], labels[:20], ids[:20])
    return {
        "test": Split(images[20:26], labels[20:26], ids[:6]),
        "validation": Split(images[26:], labels[26:], ids[20:24]),
        "reference": train.take(np.arange(5, 15)),
        "train": train,
    }


@pytest.mark.parametrize("room", [duplicates.ROOM_BYTES, 0])  # in memory, a few at a time
def test_planted_pairs_are_found_and_nothing_else(splits, monkeypatch, room):
    monkeypatch.setattr(duplicates, "BLOCK", 4)
    monkeypatch.setattr(duplicates, "ROOM_BYTES", room)
    found = duplicates.table(splits)
    pairs = {(r.split, r.example_id, r.other_split, r.other_id) for r in found.itertuples()}
    assert pairs == {
        ("test", 0, "train", 3), ("test", 0, "test", 2), ("test", 1, "train", 4), ("test", 2, "test", 0),
        ("test", 2, "train", 3), ("test", 3, "validation", 21), ("validation", 21, "test", 3),
        ("validation", 20, "train", 7), ("reference", 7, "validation", 20), ("reference", 8, "train", 9),
        ("reference", 9, "train", 8),
    }  # fmt: skip
    for row in found.itertuples():
        one, other = (
            splits[s].images[list(splits[s].ids).index(i)].ravel().astype(float)
            for s, i in ((row.split, row.example_id), (row.other_split, row.other_id))
        )
        r = np.corrcoef(one, other)[0, 1] if one.std() else 1.0
        assert row.distance == pytest.approx(np.sqrt(max(2 - 2 * r, 0)), abs=1e-4)
    exact = found[(found["split"] == "test") & (found["example_id"] == 0)].iloc[0]
    assert (exact["other_split"], exact["distance"]) == ("train", 0)


def test_the_nearest_are_kept(splits):
    assert duplicates.table(splits, most=1).groupby(["split", "example_id"]).size().max() == 1
    none = duplicates.table({"test": splits["test"].take(np.arange(4, 6)), "train": splits["train"]})
    assert len(none) == 0


def test_large_pictures_are_averaged_down():
    images = np.random.default_rng(0).integers(0, 256, (3, 70, 64, 3), dtype=np.uint8)
    vectors = duplicates.units(images)
    assert vectors.shape == (3, (70 // 3) * (64 // 3) * 3)
    by_hand = images[0, :3, :3, 1].mean() - images[0, :69, :63].mean()
    assert vectors[0, 1] / vectors[0, 0] == pytest.approx(
        by_hand / (images[0, :3, :3, 0].mean() - images[0, :69, :63].mean()), rel=1e-3
    )


def test_pictures_that_are_all_alike_take_no_memory_for_each_pair():
    """As small ones between the same black borders are: 600 of 32 pixels once took 8 GB."""
    import tracemalloc

    rng = np.random.default_rng(0)
    images = np.zeros((600, 32, 32, 1), np.uint8)
    images[:, :20] = 120 + rng.integers(0, 9, (600, 20, 32, 1))
    alike = Split(images, np.zeros(600, np.int64), np.arange(600, dtype=np.int32))
    tracemalloc.start()
    found = duplicates.table({"pool": alike})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 600 * duplicates.MAX_PAIRS_PER_IMAGE
    assert peak < 200e6
    vectors = duplicates.units(images).astype(np.float64)
    for row in (0, 300, 599):
        apart = np.linalg.norm(vectors - vectors[row], axis=1)
        apart[row] = np.inf
        nearest = np.argsort(apart)[: duplicates.MAX_PAIRS_PER_IMAGE]
        mine = found[found["example_id"] == row]
        assert mine["other_id"].tolist() == nearest.tolist()
        np.testing.assert_allclose(mine["distance"], apart[nearest], atol=1e-6)


@pytest.mark.parametrize(("shape", "step"), [((40, 31, 3), 2), ((64, 64, 1), 2), ((9, 300, 3), 9), ((33, 33, 1), 2)])
def test_larger_pictures_are_averaged_as_numpy_would(shape, step):
    images = np.random.default_rng(3).integers(0, 256, (5, *shape), np.uint8)
    images[0] = 255
    height, width, channels = shape
    part = images[:, : height // step * step, : width // step * step].astype(np.float64)
    cells = part.reshape(5, height // step, step, width // step, step, channels).mean((2, 4)).reshape(5, -1)
    assert duplicates._step(images) == step
    np.testing.assert_array_equal(duplicates._small(images), cells.astype(np.float32))


def test_of_a_large_pool_some_are_compared_at_a_time(monkeypatch):
    images = np.random.default_rng(4).integers(0, 256, (60, 6, 6, 1), np.uint8)
    images[50] = images[7]
    split = Split(images, np.zeros(60, np.int64), np.arange(60, dtype=np.int32))
    whole = duplicates.table({"test": split})
    monkeypatch.setattr(duplicates, "COMPARED", 100)
    pd.testing.assert_frame_equal(duplicates.table({"test": split}), whole)
    assert len(whole) == 2
