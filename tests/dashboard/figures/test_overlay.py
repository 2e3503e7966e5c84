import numpy as np

from dashboard.figures.overlay import heatmap_overlay
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
