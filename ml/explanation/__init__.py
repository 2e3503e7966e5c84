"""What in a picture spoke for a class? One picture in, one map out, computed live.

Every explanation is a function `map(module, inputs, target)` → float32 [h, w] from 0 (nothing) to 1 (most), where
module is a network in evaluation mode, inputs a float32 tensor [1, c, h, w] as it reads it, and target a class id.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from ml.explanation import grad_cam, gradients, occlusion
from ml.explanation.scale import NoConvolution

__all__ = ["EXPLANATIONS", "Explanation", "NoConvolution"]


@dataclass(frozen=True)
class Explanation:
    """title: what people call it; sentence: how to read it."""

    title: str
    sentence: str
    map: Callable[[nn.Module, Tensor, int], np.ndarray]


EXPLANATIONS: dict[str, Explanation] = {
    "grad-cam": Explanation(
        "Grad-CAM", "Where the last convolution saw something that speaks for this class.", grad_cam.map
    ),
    "gradients": Explanation("Gradients", "Pixels whose change would change this class's score most.", gradients.map),
    "occlusion": Explanation(
        "Occlusion", "Patches whose covering lowers this class's probability most.", occlusion.map
    ),
}
