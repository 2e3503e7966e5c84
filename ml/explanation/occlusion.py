"""Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901): cover a patch, see how far the class's probability falls."""

import torch
from torch import Tensor, nn

from ml.explanation.covering import patches
from ml.explanation.scale import at_once, dark, large

OCCLUSIONS_PER_PASS = 64


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w]: mean fall of the probability over the patches that cover a pixel, below zero where it rose.

    A patch is a seventh of the picture, of a photograph a quarter, moved by half of itself. It is filled with the
    picture's darkest level, the ground of pictures that show light things on dark; of a photograph, which has no such
    ground, with its mean colour. The last one of a row ends at the picture's edge, so that all are whole.
    """
    return several(module, inputs, targets[None])[0]


def several(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """targets: int64 [k, n] → float32 [k, n, h, w], of k classes each: each patch is covered once for all of them."""
    n, _, height, width = inputs.shape
    tall, wide, covers = patches(height, width)
    per_pass = max(1, at_once(OCCLUSIONS_PER_PASS, height, width) // n)
    total, times = torch.zeros(len(targets), n, height, width), torch.zeros(height, width)
    with torch.inference_mode():
        whole = large(height, width)
        ground = inputs.mean(dim=(2, 3), keepdim=True) if whole else dark(inputs)[..., :1, :1]
        likely = module(inputs).softmax(dim=1).gather(1, targets.T).T  # [k, n]
        for first in range(0, len(covers), per_pass):
            some = covers[first : first + per_pass]
            covered = inputs.repeat(len(some), 1, 1, 1)
            for i, (top, left) in enumerate(some):
                covered[i * n : (i + 1) * n, :, top : top + tall, left : left + wide] = ground
            left_over = module(covered).softmax(dim=1).view(len(some), n, -1)
            falls = likely - left_over.gather(2, targets.T.expand(len(some), -1, -1)).transpose(1, 2)
            for (top, left), fall in zip(some, falls, strict=True):
                total[:, :, top : top + tall, left : left + wide] += fall[:, :, None, None]
                times[top : top + tall, left : left + wide] += 1
    return total / times
