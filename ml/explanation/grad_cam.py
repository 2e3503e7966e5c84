"""Grad-CAM (Selvaraju et al. 2017): the last convolution's maps, weighted by how the class score rises with them."""

import numpy as np
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from ml.explanation.scale import NoConvolution, to_unit


def map(module: nn.Module, inputs: Tensor, target: int) -> np.ndarray:
    """float32 [h, w] from 0 to 1, smoothly enlarged from the layer's own size. Raises NoConvolution."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    if not layers:
        raise NoConvolution("this network has no convolution for Grad-CAM to look at")
    coarse = LayerGradCam(module, layers[-1]).attribute(inputs, target=target, relu_attributions=True)
    height, width = inputs.shape[2:]
    return to_unit(LayerAttribution.interpolate(coarse, (height, width), interpolate_mode="bilinear")[0, 0])
