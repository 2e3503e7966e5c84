"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): a convolution's maps, weighted by how the class score rises
with them.

The last convolution answers; where its map is empty, the one before it does, and so on. Networks that flatten their
last maps into a dense layer need that: averaging a gradient that differs from place to place often leaves nothing
positive. Of the first 400 test pictures, the last convolution of `fashion_cnn` leaves 90 % without an answer, the one
before it 7 %.
"""

import numpy as np
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from ml.explanation.scale import NoConvolution, to_unit


def map(module: nn.Module, inputs: Tensor, target: int) -> np.ndarray:
    """float32 [h, w] from 0 to 1, smoothly enlarged from the layer's own size; all zero when no layer has an answer.

    Raises NoConvolution.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    if not layers:
        raise NoConvolution("this network has no convolution for Grad-CAM to look at")
    for layer in reversed(layers):
        coarse = LayerGradCam(module, layer).attribute(inputs, target=target, relu_attributions=True)
        if coarse.max() > 0 and coarse.numel() > 1:  # a map of one place, as in squeeze-and-excitation, says not where
            break
    height, width = inputs.shape[2:]
    return to_unit(LayerAttribution.interpolate(coarse, (height, width), interpolate_mode="bilinear")[0, 0])
