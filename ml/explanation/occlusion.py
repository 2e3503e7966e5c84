"""Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901): cover a patch, see how far the class's probability falls."""

import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from ml.explanation.scale import dark

AT_ONCE = 64  # covered pictures a pass


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w]: mean fall of the probability over the patches that cover a pixel, below zero where it rose.

    A patch is a seventh of the picture, moved by half of itself and filled with the picture's darkest level, the ground
    of pictures that show light things on dark.
    """
    channels, height, width = inputs.shape[1:]
    patch = (channels, max(1, round(height / 7)), max(1, round(width / 7)))
    stride = (channels, max(1, patch[1] // 2), max(1, patch[2] // 2))
    with torch.inference_mode():
        falls = Occlusion(lambda pictures: module(pictures).softmax(dim=1)).attribute(
            inputs,
            sliding_window_shapes=patch,
            strides=stride,
            baselines=dark(inputs),
            target=targets,
            perturbations_per_eval=max(1, AT_ONCE // len(inputs)),
        )
    return falls.mean(dim=1).float()
