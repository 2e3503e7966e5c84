"""What the explanations share: their range, their ground and their refusal."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class NoConvolution(ValueError):
    """The network has no convolution, so there is no place to look at."""


def dark(inputs: "Tensor") -> "Tensor":
    """float [n, c, h, w] → the same shape, each picture filled with its own darkest level."""
    return inputs.amin(dim=(1, 2, 3), keepdim=True).expand_as(inputs)


def to_unit(values: np.ndarray, full: float = 1.0) -> np.ndarray:
    """values: [h, w] → float32 [h, w], negatives cut to 0 and the largest made 1; all zero stays all zero.

    full: the quantile that is made 1, what is larger is 1 too.
    """
    positive = np.maximum(values, 0).astype(np.float32)
    top = np.quantile(positive, full) or positive.max()
    return np.minimum(positive / top, 1).astype(np.float32) if top > 0 else positive
