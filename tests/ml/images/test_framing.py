"""Pictures made those of a network's size, counted by hand."""

import numpy as np
import pytest
from PIL import Image

from ml.images.framing import ALONE, FRAMES, RESAMPLING, framed


def test_a_picture_of_the_size_stays_but_where_its_middle_is_cut_out():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert framed(images, 16, 16) is images
    assert framed(images, 16, 16, "letterbox") is images
    assert framed(images, 16, 16, "crop", 1.0) is images
    cut = framed(images, 16, 16, "crop", 0.8, "nearest")
    larger = np.asarray(Image.fromarray(images[0]).resize((20, 20), Image.Resampling.NEAREST))
    assert np.array_equal(cut[0], larger[2:18, 2:18])


def test_proportions_are_kept_or_given_up():
    image = np.full((1, 10, 20, 1), 200, np.uint8)
    boxed = framed(image, 20, 20, "letterbox")[0, :, :, 0]
    assert (boxed[5:15] == 200).all()
    assert (boxed[:5] == 0).all()
    assert (boxed[15:] == 0).all()
    assert (framed(image, 20, 20, "stretch") == 200).all()
    image[0, :, :5] = image[0, :, 15:] = 0  # what stands over is cut
    assert (framed(image, 20, 20, "crop", 1.0, "nearest")[0] == 200).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest", "lanczos"])
def test_each_channel_is_resized_by_itself(channels, how):
    images = np.random.default_rng(1).integers(0, 256, (1, 9, 7, channels), dtype=np.uint8)
    found = framed(images, 5, 11, "stretch", 1.0, how)
    for channel in range(channels):
        alone = Image.fromarray(images[0, :, :, channel]).resize((11, 5), Image.Resampling[how.upper()])
        assert np.array_equal(found[0, :, :, channel], np.asarray(alone))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("resampling", RESAMPLING)
def test_many_small_ones_come_out_as_each_alone(channels, frame, resampling):
    """They are resized together."""
    rng = np.random.default_rng(0)
    for height, width in ((24, 17), (9, 31), (28, 28)):
        images = rng.integers(0, 256, (ALONE + 3, 28, 20, channels), np.uint8)
        for several in (images, images.transpose(0, 2, 1, 3)):
            together = framed(several, height, width, frame, 0.875, resampling)
            alone = [framed(several[i : i + 1], height, width, frame, 0.875, resampling) for i in range(len(several))]
            assert np.array_equal(together, np.concatenate(alone))
