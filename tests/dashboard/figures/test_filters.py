"""Kernels: at most 64 at a time, every one reachable, on one scale centred at zero."""

import numpy as np
import pytest

from dashboard.figures import filters


@pytest.mark.parametrize(
    ("shape", "number", "first"),
    [
        ((32, 1), 1, "All 32 filters"),
        ((8, 8), 1, "All 8 filters"),
        ((32, 3), 3, "Picture channel 1"),
        ((64, 32), 64, "Filter 1"),
        ((2, 130), 6, "Filter 1, inputs 1 to 64"),
        ((100, 1), 2, "Picture channel 1, filters 1 to 64"),
    ],
)
def test_parts_hold_every_kernel_once(shape, number, first):
    parts = filters.parts(*shape)
    assert (len(parts), parts[0].words) == (number, first)
    assert all(1 <= len(part.places) <= filters.LIMIT for part in parts)
    places = [place for part in parts for place in part.places]
    assert sorted(places) == [(o, i) for o in range(shape[0]) for i in range(shape[1])]


def test_kernels_stand_in_a_grid_with_gaps():
    weights = np.array([[[[1, -2], [3, 4]]], [[[0.5, 0], [0, -5]]]], np.float32)
    (part,) = filters.parts(2, 1)
    heat, names = filters.kernels(weights, part)["data"]
    assert heat["z"] == [
        [None, None, None, None, None, None],
        [1, -2, None, 0.5, 0, None],
        [3, 4, None, 0, -5, None],
    ]
    assert (heat["zmin"], heat["zmax"]) == (-5, 5)
    assert filters.strongest(weights, part) == 5
    assert heat["text"][2][4] == "<b>-5.000</b> filter 2, input 1<br>row 2, column 2"
    assert names["text"] == ["1", "2"]
    assert filters.aspect(weights, part) == "24 / 3"


def test_dead_kernels_still_have_a_scale():
    weights = np.zeros((1, 1, 3, 3), np.float32)
    heat = filters.kernels(weights, filters.parts(1, 1)[0])["data"][0]
    assert heat["zmin"] < heat["zmax"]
