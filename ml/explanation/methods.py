"""Every way to ask a network that torch computes.

Every explanation is a function `raw(module, inputs, targets, layer)` → float32 [n, h, w] in its own unit, where module
is a network in evaluation mode, inputs a float32 tensor [n, c, h, w] as it reads them, targets int64 [n] class ids and
layer the name of a layer, '' for the explanation's own choice; only Grad-CAM looks at one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ml.explanation import grad_cam, gradients, integrated, occlusion
from ml.explanation.scale import to_unit


@dataclass(frozen=True)
class Explanation:
    """full: the quantile of pixels that is shown as 1."""

    raw: Callable[[nn.Module, Tensor, Tensor, str], Tensor]
    full: float = 1.0

    def map(self, module: nn.Module, inputs: Tensor, target: int, layer: str = "") -> np.ndarray:
        """inputs: float32 [1, c, h, w] → float32 [h, w] from 0 (nothing) to 1 (most)."""
        return to_unit(self.raw(module, inputs, torch.tensor([target]), layer)[0].numpy(), self.full)


EXPLANATIONS: dict[str, Explanation] = {
    "grad-cam": Explanation(grad_cam.raw),
    "integrated": Explanation(integrated.raw, full=0.98),  # a few pixels outweigh all others
    "gradients": Explanation(gradients.raw),
    "occlusion": Explanation(occlusion.raw),
}
