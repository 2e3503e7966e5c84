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


def by_definition(images):
    """float64 [n, 7], in double precision and in the words of `measure`, but for ink, in whole levels."""
    found = []
    for image in images:
        levels = image.sum(-1, dtype=np.int64)
        top = 255 * image.shape[-1]
        grey = levels / top
        border = np.concatenate([levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]])
        away = np.abs(levels - np.median(border))
        steep = np.hypot(*np.gradient(grey)).mean()
        centred = grey - grey.mean()
        even = (centred * centred[:, ::-1]).sum() / (centred**2).sum() if levels.std() else 1
        places = [
            (np.linspace(-1, 1, away.shape[1 - axis]) * away.sum(axis)).sum() / away.sum() if away.any() else 0
            for axis in (0, 1)
        ]
        found.append([grey.mean(), grey.std(), (away * 10 > top).mean(), steep, even, *places])
    return np.array(found)


@pytest.mark.parametrize("shape", [(40, 9, 12, 1), (20, 40, 33, 3), (3, 230, 224, 3), (4, 8, 8, 20)])
@pytest.mark.parametrize(("low", "high"), [(0, 256), (250, 253), (7, 8)])
def test_single_precision_says_what_double_does(shape, low, high):
    """A picture of hardly any contrast loses most digits where its mean is not taken off first."""
    images = np.random.default_rng(1).integers(low, high, shape, np.uint8)
    found, expected = measure(images).to_numpy(), by_definition(images)
    assert np.abs(found - expected).max() < 6e-5  # four digits are kept


def test_a_tenth_away_is_no_ink():
    """Of even numbers of pixels at the border the median may lie between levels, and others just a tenth of 255 away:
    rounding decided whether they were ink."""
    picture = np.full((1, 4, 4, 1), 100, np.uint8)
    picture[0, 0], picture[0, 1, 0], picture[0, 2, 0] = 101, 101, 101  # half of the border each: 100.5
    picture[0, 1:3, 1:3, 0] = [[126, 127], [75, 74]]
    assert measure(picture)["ink"].item() == pytest.approx(2 / 16)
