import numpy as np

from dashboard.figures.attention import difference, mean_picture, shares
from dashboard.theme import palette, rgb


def test_the_mean_is_rounded_to_levels():
    image = mean_picture(np.array([[[0.4], [254.6]]]))
    assert image.dtype == np.uint8
    assert image[..., 0].tolist() == [[0, 255]]


def test_both_sides_share_one_scale():
    first, second = shares(np.array([[0.0, 0.2]]), np.array([[0.1, 0.0]]))
    assert first[0, 1, 3] == 255, "the largest of both is full"
    assert 0 < second[0, 0, 3] < 255
    empty, _ = shares(np.zeros((1, 2)), np.zeros((1, 2)))
    assert not empty[..., 3].any()


def test_the_difference_has_two_colours_and_is_pale_where_it_may_be_chance():
    image = difference(np.array([[0.2, -0.2, 0.1]]), np.array([[True, True, False]]), mode="light")
    stops = palette("light").div
    assert tuple(int(v) for v in image[0, 0, :3]) == rgb(stops[-1])
    assert tuple(int(v) for v in image[0, 1, :3]) == rgb(stops[0])
    assert image[0, :, 3].tolist() == [255, 255, 64]
    same = difference(np.zeros((1, 1)), np.ones((1, 1), bool), mode="dark")
    assert same.shape == (1, 1, 4)
