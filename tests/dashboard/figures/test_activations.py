"""Feature maps as pictures."""

import numpy as np

from dashboard.figures import activations
from dashboard.theme import DARK, rgb


def test_zero_is_black_and_the_ends_are_the_scale():
    drawn = activations.tint(np.array([[-2.0, 0.0, 2.0]]), 2.0)
    assert drawn[0].tolist() == [list(rgb(DARK.div[0])), [0, 0, 0], list(rgb(DARK.div[-1]))]
    assert activations.grey(np.array([[0.0, 1.0, 4.0]]), 4.0)[0, :, 0].tolist() == [0, 128, 255]  # square-root scale


def test_silent_maps_are_black_not_an_error():
    assert not activations.paint(np.zeros((2, 2)), 0.0).any()


def test_a_sheet_keeps_order_and_shows_64_at_most():
    maps = np.zeros((70, 2, 3), np.float32)
    maps[9] = 1.0  # second row, second column
    sheet = activations.sheet(maps)
    assert sheet.shape == (8 * 3 - 1, 8 * 4 - 1, 3)
    assert (sheet[3:5, 4:7] == 255).all()
    assert (sheet[0:2, 0:3] == 0).all()


def test_who_speaks_loudest_and_who_sees_a_shape():
    maps = np.zeros((3, 2, 2), np.float32)
    maps[1] = 0.5  # an even shade
    maps[2, 0, 0] = 1.0  # one spot
    assert activations.excited(maps).tolist() == [1, 2, 0]
    assert activations.liveliest(maps) == 2
