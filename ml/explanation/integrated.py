"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365): how the class score grows, pixel by pixel, while
the picture fades in from dark. All pixels together make up the whole growth."""

import numpy as np
import torch
from torch import Tensor, nn

from ml.explanation.gradients import slopes_of
from ml.explanation.scale import at_once, dark, large

# by Gauss-Legendre; docs/explanations.md says what fewer miss
INTEGRATION_STEPS, PHOTO_STEPS = 64, 10
INTERPOLATIONS_PER_PASS = 64


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w] in logits, of either sign, summed over channels."""
    return several(module, inputs, targets[None])[0]


def several(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """targets: int64 [k, n] → float32 [k, n, h, w], of k classes each: the picture fades in once for all of them."""
    height, width = inputs.shape[2:]
    count = PHOTO_STEPS if large(height, width) else INTEGRATION_STEPS
    nodes, weights = np.polynomial.legendre.leggauss(count)  # of -1 to 1
    fades, shares = (torch.from_numpy(values).float() for values in ((nodes + 1) / 2, weights / 2))
    ground = dark(inputs)
    way = inputs - ground
    mean = torch.zeros(len(targets), *inputs.shape)
    per_pass = max(1, at_once(INTERPOLATIONS_PER_PASS, height, width) // len(inputs))
    for fade, share in zip(fades.split(per_pass), shares.split(per_pass), strict=True):
        steps = ground + fade[:, None, None, None, None] * way  # [steps, n, c, h, w]
        gradients = slopes_of(module, steps.flatten(0, 1), targets.repeat(1, len(fade)))
        parts = gradients.unflatten(1, (len(fade), -1))  # [k, steps, n, c, h, w]
        mean += (share[:, None, None, None, None] * parts).sum(dim=1)
    return (mean * way).sum(dim=2).float()
