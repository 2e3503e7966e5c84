"""Sheets of pictures: small ones as they are, photographs made smaller, each where its tile's style looks for it."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard.format import images


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(28, 28, 30), (8, 5, 3), (224, 224, 30), (300, 150, 13), (225, 150, 13), (160, 160, 30)],
)
def test_a_tile_is_where_its_style_says(height, width, count):
    """The style's background, laid out by hand as CSS defines it, shows the picture and nothing of its neighbours."""
    pictures = np.stack([np.full((height, width, 1), 5 * (i + 1), np.uint8) for i in range(count)])
    sheet = images.sheet(pictures)[..., 0]
    for place in range(count):
        style = images.tile_style("x", place, count, height, width)
        assert style["aspectRatio"] == f"{width} / {height}"
        across, down = (float(one.rstrip("%")) / 100 for one in style["backgroundSize"].split())
        x, y = (float(one.rstrip("%")) / 100 for one in style["backgroundPosition"].split())
        wide, high = sheet.shape[1] / across, sheet.shape[0] / down  # what the box shows of the sheet
        left, top = x * (sheet.shape[1] - wide), y * (sheet.shape[0] - high)
        seen = sheet[round(top) : round(top + high), round(left) : round(left + wide)]
        assert seen.min() == seen.max() == 5 * (place + 1), (place, left, top, wide, high)


def test_photographs_are_no_larger_than_they_are_shown():
    many = np.zeros((48, 224, 160, 3), np.uint8)
    assert images.reduced(224, 160, 48) == (112, 80), "whole pixels make one, while that is not too small"
    assert images.reduced(160, 120, 48) == (128, 96)
    assert images.reduced(501, 3, 48) == (126, 1)
    assert images.sheet(many).shape == (4 * 114, 12 * 82, 3)
    assert images.sheet(many[:1]).shape == (226, 162, 3), "one alone may be shown large"
    assert images.sheet(np.zeros((48, 28, 28, 1), np.uint8)).shape == (4 * 30, 12 * 30, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(224, 224), (225, 223), (300, 150)])
def test_a_smaller_picture_has_the_means_of_what_it_covers(size, channels):
    """Against sums by hand."""
    picture = np.random.default_rng(0).integers(0, 256, (*size, channels), np.uint8)
    small = images.resized(picture, images.reduced(*size, 2))
    every = -(-size[0] // small.shape[0])
    for row, column in ((0, 0), (17, 40), (small.shape[0] - 2, small.shape[1] - 2)):
        covered = picture[row * every : (row + 1) * every, column * every : (column + 1) * every]
        assert small[row, column] == pytest.approx(covered.mean((0, 1)), abs=0.6), (row, column)


def test_a_jpeg_of_many_is_the_sheet_with_half_of_the_bytes():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 40, 3), np.uint8)).resize((480, 144), Image.Resampling.BICUBIC)
    whole, small = (images.jpeg(np.asarray(coarse), small=small) for small in (False, True))
    assert len(small) < 0.7 * len(whole)
    back = np.asarray(Image.open(io.BytesIO(small))).astype(int)
    assert np.abs(back - np.asarray(coarse)).mean() < 4


def test_a_jpeg_is_the_sheet():
    ramp = np.tile(np.linspace(0, 255, 90, dtype=np.uint8)[None, :, None], (60, 1, 3))
    back = np.asarray(Image.open(io.BytesIO(images.jpeg(ramp))))
    assert np.abs(back.astype(int) - ramp).max() < 12
