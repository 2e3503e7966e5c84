"""Occlusion (Zeiler and Fergus 2014): cover a patch, see how far the class's probability falls."""

import numpy as np
from captum.attr import Occlusion
from torch import Tensor, nn

from ml.explanation.scale import to_unit


def map(module: nn.Module, inputs: Tensor, target: int) -> np.ndarray:
    """float32 [h, w] from 0 to 1: mean fall of the probability over the patches that cover a pixel.

    A patch is a seventh of the picture, moved by half of itself and filled with the picture's darkest level, the ground
    of pictures that show light things on dark.
    """
    channels, height, width = inputs.shape[1:]
    patch = (channels, max(1, round(height / 7)), max(1, round(width / 7)))
    stride = (channels, max(1, patch[1] // 2), max(1, patch[2] // 2))
    falls = Occlusion(lambda pictures: module(pictures).softmax(dim=1)).attribute(
        inputs,
        sliding_window_shapes=patch,
        strides=stride,
        baselines=inputs.amin().item(),
        target=target,
        perturbations_per_eval=16,
    )
    return to_unit(falls[0].mean(dim=0))
