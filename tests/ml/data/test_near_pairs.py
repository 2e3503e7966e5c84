"""What a tree of shadows finds is what comparing each with each finds, and takes no room for it."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from ml.data import duplicates, near_pairs
from ml.data.base import Split


def planted(n, copies, seed=0, side=12):
    """n pictures of soft noise, the last ones of which are earlier ones, changed more or less."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (n, 4, 4, 1))
    images = np.kron(coarse, np.ones((1, side // 4, side // 4, 1))) + rng.normal(0, 12, (n, side, side, 1))
    of = rng.integers(0, n - copies, copies)
    images[n - copies :] = images[of] + rng.normal(0, rng.uniform(0, 9, (copies, 1, 1, 1)), (copies, side, side, 1))
    images[:3] = 90  # blank ones
    images[3] = images[n - 1]
    images = np.clip(images, 0, 255).astype(np.uint8)
    ids = rng.permutation(n).astype(np.int32)
    order = rng.permutation(n)
    whole = Split(images[order], np.zeros(n, np.int64), ids)
    train = whole.take(np.arange(n // 2))
    return {
        "test": whole.take(np.arange(n // 2, 3 * n // 4)),
        "validation": whole.take(np.arange(3 * n // 4, n)),
        "reference": train.take(np.arange(0, n // 2, 3)),
        "train": train,
    }


@pytest.mark.parametrize(("neighbours", "axes"), [(64, 24), (4, 24), (4, 2), (64, 1)])
def test_the_pairs_are_those_of_comparing_each_with_each(monkeypatch, neighbours, axes):
    splits = planted(800, 200)
    exact = duplicates.table(splits)
    assert len(exact) > 50
    monkeypatch.setattr(duplicates, "PRODUCTS", 0)
    monkeypatch.setattr(near_pairs, "NEIGHBOURS", neighbours)
    monkeypatch.setattr(near_pairs, "AXES", axes)
    monkeypatch.setattr(near_pairs, "BLOCK", 100)
    pd.testing.assert_frame_equal(duplicates.table(splits), exact)


def test_pictures_that_are_all_alike_are_no_harder(monkeypatch):
    monkeypatch.setattr(duplicates, "PRODUCTS", 0)
    alike = Split(np.full((300, 8, 8, 1), 7, np.uint8), np.zeros(300, np.int64), np.arange(300, dtype=np.int32))
    found = duplicates.table({"test": alike.take(np.arange(100)), "train": alike.take(np.arange(100, 300))})
    assert (found.groupby(["split", "example_id"]).size() == duplicates.MAX_PAIRS_PER_IMAGE).all()
    assert (found["distance"] == 0).all()
    assert found["example_id"].nunique() == 100


def test_vectors_are_not_kept(monkeypatch):
    splits = planted(3_000, 100, side=32)
    whole = 3_000 * 32 * 32 * 4
    monkeypatch.setattr(duplicates, "PRODUCTS", 0)
    monkeypatch.setattr(near_pairs, "BLOCK", 100)
    monkeypatch.setattr(near_pairs, "SAMPLE", 100)
    tracemalloc.start()
    duplicates.table(splits)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < whole / 2
