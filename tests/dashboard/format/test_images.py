"""Sheets of pictures: small ones as they are, photographs made smaller, each where its tile's style looks for it."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard.format import images


@pytest.mark.parametrize(("height", "width", "count"), [(28, 28, 30), (8, 5, 3), (224, 224, 30), (300, 150, 13)])
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
    height, width = images.reduced(224, 160, 48)
    assert (height, width) == (128, 91)
    assert images.sheet(many).shape == (4 * 130, 12 * 93, 3)
    assert images.sheet(many[:1]).shape == (226, 162, 3), "one alone may be shown large"
    assert images.sheet(np.zeros((48, 28, 28, 1), np.uint8)).shape == (4 * 30, 12 * 30, 1)


def test_a_jpeg_is_the_sheet():
    ramp = np.tile(np.linspace(0, 255, 90, dtype=np.uint8)[None, :, None], (60, 1, 3))
    back = np.asarray(Image.open(io.BytesIO(images.jpeg(ramp))))
    assert np.abs(back.astype(int) - ramp).max() < 12
