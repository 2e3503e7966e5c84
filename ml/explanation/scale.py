"""What the explanations share: their range, their ground and their refusal."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 85  # pixels of the shorter side from which a picture is a photograph, whose answers take tens of milliseconds
SMOOTHING = 96  # a side is so many times as long as the deviation
PIXELS_PER_PASS = 200_000  # of pictures whose gradients are in memory: 80 MB for one of 224 × 224


class NoConvolution(ValueError):
    """The network has no convolution, so there is no place to look at."""


def dark(inputs: "Tensor") -> "Tensor":
    """float [n, c, h, w] → the same shape, each picture filled with its own darkest level."""
    return inputs.amin(dim=(1, 2, 3), keepdim=True).expand_as(inputs)


def large(height: int, width: int) -> bool:
    """Whether pictures of this size are asked about as photographs are: seldom, and few at a time."""
    return min(height, width) >= LARGE


def at_once(most: int, height: int, width: int) -> int:
    """How many pictures of this size are asked about at a time where small ones are so many; at least one."""
    return max(1, min(most, PIXELS_PER_PASS // (height * width))) if large(height, width) else most


def smoothed(values: np.ndarray) -> np.ndarray:
    """values: [h, w], a map whose pixels stand alone → the same of a photograph, whose pixels are too small to be seen:
    each the mean, by a Gaussian, of those about a hundredth of a side around it. Small pictures stay as they are."""
    if not large(*values.shape):
        return values
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(values, min(values.shape) / SMOOTHING)


def to_unit(values: np.ndarray, full: float = 1.0) -> np.ndarray:
    """values: [h, w] → float32 [h, w], negatives cut to 0 and the largest made 1; all zero stays all zero.

    full: the quantile that is made 1, what is larger is 1 too.
    """
    positive = np.maximum(values, 0).astype(np.float32)
    top = np.quantile(positive, full) or positive.max()
    return np.minimum(positive / top, 1).astype(np.float32) if top > 0 else positive
