"""What the explanations share: their range and their refusal."""

import numpy as np
from torch import Tensor


class NoConvolution(ValueError):
    """The network has no convolution, so there is no place to look at."""


def to_unit(values: Tensor) -> np.ndarray:
    """values: [h, w] → float32 [h, w], negatives cut to 0 and the largest made 1; all zero stays all zero."""
    positive = values.detach().clamp(min=0)
    top = positive.max()
    return (positive / top if top > 0 else positive).float().numpy()
