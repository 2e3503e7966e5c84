"""Properties of pictures made by hand."""

import numpy as np
import pytest

from ml.data.properties import NAMES, measure


def test_a_square_in_a_corner():
    picture = np.zeros((1, 10, 10, 3), np.uint8)
    picture[0, 1:3, 6:8] = 255  # 4 of 100 pixels, at the upper right
    found = measure(picture).iloc[0]
    assert list(found.index) == list(NAMES)
    assert found["brightness"] == pytest.approx(0.04)
    assert found["contrast"] == pytest.approx(np.sqrt(0.04 * 0.96), abs=1e-4)
    assert found["ink"] == pytest.approx(0.04)
    assert found["x"] == pytest.approx((6.5 / 9) * 2 - 1, abs=1e-4)
    assert found["y"] == pytest.approx((1.5 / 9) * 2 - 1, abs=1e-4)
    # halved differences of neighbours two apart: 6 pixels outside, 2 whole ones at the border, 4 inside in x and y
    assert found["edges"] == pytest.approx((6 * 0.5 + 2 * 1 + 4 * np.hypot(0.5, 0.5)) / 100, abs=1e-4)
    # no pixel of the square meets itself in the mirror: the correlation of two sets of 4 of 100
    assert found["symmetry"] == pytest.approx(-0.04 / 0.96, abs=1e-4)


def test_a_light_ground_is_not_ink():
    picture = np.full((2, 8, 8, 1), 250, np.uint8)
    picture[1, 2:6, 3:5] = 10
    flat, marked = measure(picture).itertuples(index=False)
    assert (flat.contrast, flat.ink, flat.edges, flat.symmetry, flat.x, flat.y) == (0, 0, 0, 1, 0, 0)
    assert marked.ink == pytest.approx(8 / 64)
    assert (marked.symmetry, marked.x, marked.y) == pytest.approx((1, 0, 0), abs=1e-4)


def test_blocks_do_not_matter(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 9, 12, 1), dtype=np.uint8)
    whole = measure(images)
    monkeypatch.setattr("ml.data.properties.BLOCK", 3)
    assert measure(images).equals(whole)
    assert len(measure(images[:0])) == 0
