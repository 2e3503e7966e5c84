"""What the explanations share: their range, their ground and their refusal."""

import numpy as np
from torch import Tensor


class NoConvolution(ValueError):
    """The network has no convolution, so there is no place to look at."""


def dark(inputs: Tensor) -> Tensor:
    """float [n, c, h, w] → the same shape, each picture filled with its own darkest level."""
    return inputs.amin(dim=(1, 2, 3), keepdim=True).expand_as(inputs)


def to_unit(values: np.ndarray) -> np.ndarray:
    """values: [h, w] → float32 [h, w], negatives cut to 0 and the largest made 1; all zero stays all zero."""
    positive = np.maximum(values, 0).astype(np.float32)
    top = positive.max()
    return positive / top if top > 0 else positive
