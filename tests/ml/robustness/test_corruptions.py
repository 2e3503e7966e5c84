"""Corruptions of pictures so small that the answer is known, and what holds for all of them."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from ml.robustness import corruptions as c
from ml.robustness.catalogue import CORRUPTIONS, PHOTO_SIDE, SEVERITIES, of_size
from ml.robustness.corruptions import corrupt


def pictures(n=6, height=28, width=28, channels=1, seed=0):
    """Soft blobs, as clothes are: noise that pixels share with their neighbours."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((n, 4, 4, channels))
    large = coarse.repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)[:, :height, :width]
    return np.rint(large * 255).astype(np.uint8)


def chances(n, seed=0):
    return [np.random.default_rng([seed, i]) for i in range(n)]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3), (16, 12, 2)])
def test_any_size_and_channels(name, shape):
    images = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    for severity in SEVERITIES:
        worse = corrupt(images, name, severity, ids=np.arange(3))
        assert worse.shape == images.shape
        assert worse.dtype == np.uint8
    assert (worse != images).mean() > 0.2


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_picture_alone_comes_out_as_in_the_whole(name):
    images, ids = pictures(5), np.array([3, 900, 17, 5, 70_000])
    whole = corrupt(images, name, 4, ids=ids, seed=2)
    assert (corrupt(images[2:3], name, 4, ids=ids[2:3], seed=2)[0] == whole[2]).all()
    assert (corrupt(images[::-1], name, 4, ids=ids[::-1], seed=2)[::-1] == whole).all()


@pytest.mark.parametrize("name", ["noise", "occlusion", "shift", "rotation"])
def test_chance_comes_from_the_seed_and_the_id(name):
    images = pictures(1).repeat(40, axis=0)
    ids = np.arange(40)
    first = corrupt(images, name, 3, ids=ids, seed=0)
    assert len(np.unique(first.reshape(40, -1), axis=0)) > 1
    assert (corrupt(images, name, 3, ids=ids, seed=1) != first).any()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_changes_more(name):
    images = pictures(40)
    apart = [np.abs(corrupt(images, name, s, ids=np.arange(40)).astype(float) - images).mean() for s in SEVERITIES]
    assert apart[0] < apart[2] < apart[4]


def test_what_is_not_there_is_refused():
    images = pictures(1)
    with pytest.raises(KeyError):
        corrupt(images, "fog", 1, ids=np.arange(1))
    for severity in (0, 6):
        with pytest.raises(ValueError, match="1 to 5"):
            corrupt(images, "noise", severity, ids=np.arange(1))


def test_noise_has_the_deviation_it_says():
    grey = np.full((20, 28, 28, 1), 0.5, np.float32)
    found = c.noise(grey, 0.08, chances(20))
    assert found.std() == pytest.approx(0.08, rel=0.03)
    assert found.mean() == pytest.approx(0.5, abs=0.003)


def test_blur_is_a_gaussian_whose_width_grows_with_the_picture():
    point = np.zeros((1, 33, 33, 1), np.float32)
    point[0, 16, 16, 0] = 1
    found = c.blur(point, 1.0, chances(1))[0, :, :, 0]
    assert found.sum() == pytest.approx(1, abs=1e-5)
    sigma = 33 / 32
    assert found[16, 17] / found[16, 16] == pytest.approx(math.exp(-1 / (2 * sigma**2)), rel=1e-5)
    assert found[14, 16] / found[16, 16] == pytest.approx(math.exp(-4 / (2 * sigma**2)), rel=1e-5)
    both = np.concatenate([point, 1 - point], axis=-1)
    assert np.allclose(c.blur(both, 1.0, chances(1)).sum(-1), 1, atol=1e-6)  # channels keep apart


def test_contrast_by_hand():
    picture = np.array([0, 255, 51, 102], np.uint8).reshape(1, 2, 2, 1)  # mean 102 of 255
    assert corrupt(picture, "contrast", 1, ids=np.arange(1)).ravel().tolist() == [61, 163, 82, 102]
    colours = np.concatenate([picture, 255 - picture], axis=-1)
    assert corrupt(colours, "contrast", 1, ids=np.arange(1))[..., 1].ravel().tolist() == [194, 92, 173, 153]


def test_occlusion_is_a_square_inside_that_grows_over_itself():
    picture = np.zeros((9, 20, 30, 1), np.float32)
    picture[:, :10] = 1
    small, large = (c.occlusion(picture, level, chances(9)) == 0.5 for level in (0.2, 0.4))
    for hole, size in [*((one, 4) for one in small), *((one, 8) for one in large)]:
        assert hole.sum() == size * size
        assert hole.any((1, 2)).sum() == hole.any((0, 2)).sum() == size
    assert (large & small == small).mean() > 0.99
    assert len({hole.tobytes() for hole in small}) > 1


def test_shift_moves_both_ways_and_leaves_black():
    picture = np.zeros((60, 28, 28, 1), np.float32)
    picture[:, 10, 12] = 1
    found = c.shift(picture, 3, chances(60))
    places = np.argwhere(found[..., 0] > 0.999)
    assert len(places) == 60
    assert {(y - 10, x - 12) for _, y, x in places.tolist()} == {(3, 3), (3, -3), (-3, 3), (-3, -3)}
    whole = np.ones((1, 28, 28, 1), np.float32)
    assert c.shift(whole, 3, chances(1)).sum() == pytest.approx(25 * 25, abs=1e-3)
    wide = np.zeros((1, 56, 80, 1), np.float32)
    wide[0, 20, 20] = 1
    assert np.abs(np.argwhere(c.shift(wide, 3, chances(1))[0, ..., 0] > 0.999) - 20).tolist() == [[6, 6]]


def test_rotation_by_hand():
    picture = np.zeros((40, 21, 21, 1), np.float32)
    picture[:, 4, 10] = 1  # above the middle
    found = c.rotation(picture, math.pi / 2, chances(40))
    places = {tuple(np.argwhere(one[..., 0] > 0.99)[0].tolist()) for one in found}
    assert places == {(10, 4), (10, 16)}
    wide = np.zeros((1, 21, 41, 1), np.float32)
    wide[0, 10, 26] = 1  # six pixels right of the middle: no picture is stretched
    turned = np.argwhere(c.rotation(wide, math.pi / 2, chances(1))[0, ..., 0] > 0.99)
    assert turned.tolist() in ([[4, 20]], [[16, 20]])


def test_jpeg_is_what_the_file_says():
    images = pictures(2, 17, 24, 3)
    with io.BytesIO() as file:
        Image.fromarray(images[1]).save(file, "JPEG", quality=25)
        expected = np.asarray(Image.open(file))
    assert (corrupt(images, "jpeg", 1, ids=np.arange(2))[1] == expected).all()
    grey = images[..., :2]
    with io.BytesIO() as file:
        Image.fromarray(grey[1, :, :, 1]).save(file, "JPEG", quality=7)
        expected = np.asarray(Image.open(file))
    assert (corrupt(grey, "jpeg", 5, ids=np.arange(2))[1, :, :, 1] == expected).all()


def test_pixelate_by_hand():
    picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    found = c.pixelate(picture, 0.5, chances(1))[0, ..., 0]
    assert found.tolist() == [[2.5, 2.5, 4.5, 4.5]] * 2 + [[10.5, 10.5, 12.5, 12.5]] * 2


def test_photographs_are_blurred_and_pixelated_as_imagenet_c_does_it():
    from scipy.ndimage import gaussian_filter

    photos, small = pictures(2, 96, 120, 3), pictures(1)
    assert CORRUPTIONS["blur"].at(84) is CORRUPTIONS["blur"]
    assert CORRUPTIONS["blur"].at(PHOTO_SIDE).levels == (1, 2, 3, 4, 6)
    for severity, width in ((1, 1), (5, 6)):
        wanted = gaussian_filter(photos / np.float32(255), (0, width * 96 / 224, width * 96 / 224, 0), mode="nearest")
        found = corrupt(photos, "blur", severity, ids=np.arange(2))
        assert np.abs(found - 255 * wanted).max() <= 0.51
        tiny = gaussian_filter(
            small / np.float32(255), (0, *[(0.4, 1.0)[severity > 1] * 28 / 32] * 2, 0), mode="nearest"
        )
        assert np.abs(corrupt(small, "blur", severity, ids=np.arange(1)) - 255 * tiny).max() <= 0.51
    image = Image.fromarray(photos[1])
    boxed = image.resize((int(120 * 0.3), int(96 * 0.3)), Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)
    np.testing.assert_array_equal(corrupt(photos, "pixelate", 4, ids=np.arange(2))[1], np.asarray(boxed))


def test_what_imagenet_c_and_mnist_c_share_is_the_same_at_every_size():
    large = of_size(224, 300)
    assert [name for name in CORRUPTIONS if large[name] != CORRUPTIONS[name]] == ["blur"]
    assert of_size(28, 300) == CORRUPTIONS
    assert "224" in large["blur"].unit
