"""Gradients (Simonyan et al. 2013): how steeply the class score answers each pixel."""

import numpy as np
from captum.attr import Saliency
from torch import Tensor, nn

from ml.explanation.scale import to_unit


def map(module: nn.Module, inputs: Tensor, target: int) -> np.ndarray:
    """float32 [h, w] from 0 to 1: the largest absolute slope of any channel."""
    slopes = Saliency(module).attribute(inputs.clone().requires_grad_(), target=target, abs=True)
    return to_unit(slopes[0].amax(dim=0))
