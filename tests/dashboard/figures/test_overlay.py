import numpy as np
import pytest

from dashboard.figures.overlay import UNSEEN, heatmap_overlay, laid
from dashboard.theme import palette, rgb


def test_what_counts_nothing_is_clear_and_what_counts_most_is_opaque():
    overlay = heatmap_overlay(np.array([[0.0, 0.5], [1.0, 2.0]], np.float32))
    assert overlay.dtype == np.uint8
    assert overlay.shape == (2, 2, 4)
    assert overlay[0, 0, 3] == 0
    assert 0 < overlay[0, 1, 3] < 255
    assert overlay[1, 0, 3] == 255
    np.testing.assert_array_equal(overlay[1, 0], overlay[1, 1])


def test_colours_run_from_plum_to_amber():
    scale = palette("dark").seq
    overlay = heatmap_overlay(np.array([[0.0, 1.0]]))
    assert tuple(int(v) for v in overlay[0, 0, :3]) == rgb(scale[0])
    assert tuple(int(v) for v in overlay[0, 1, :3]) == rgb(scale[-1])


def lit(height=8, width=8):
    """A veil whose upper left quarter is lit, the rest clear."""
    attribution = np.zeros((height, width), np.float32)
    attribution[: height // 2, : width // 2] = 1
    return heatmap_overlay(attribution)


def test_a_veil_lies_where_its_picture_was_cut_out():
    # the network saw the lower right quarter of 40 × 60, twice as large as it is
    place = np.array([[15 / 4, 0, 30], [0, 10 / 4, 20]])
    found = laid(lit(), place, 40, 60)
    assert found.shape == (40, 60, 4)
    assert found[30, 15].tolist() == [0, 0, 0, UNSEEN], "what it never saw is dark"
    assert found[10, 45].tolist() == [0, 0, 0, UNSEEN]
    assert found[22:28, 32:42, 3].min() == 255, "the lit quarter"
    assert found[33:, 48:, 3].max() == 0, "clear where nothing counted"
    np.testing.assert_array_equal(found[24, 35, :3], lit()[0, 0, :3])


def test_a_turned_veil_is_turned_back_and_large_pictures_are_shown_small():
    # turned a quarter to the left: the right edge of the picture came to the top
    place = np.array([[0, -100.0, 800], [100.0, 0, 0]])
    found = laid(lit(), place, 800, 800, side=80)
    assert found.shape == (80, 80, 4)
    assert found[5:35, 45:75, 3].min() == 255, "lit at the upper right"
    assert found[45:, :, 3].max() == found[:, :35, 3].max() == 0
    with pytest.raises(ValueError, match="somewhere"):
        laid(lit(), np.zeros((2, 3)), 8, 8)
