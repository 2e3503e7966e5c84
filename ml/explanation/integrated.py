"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365): how the class score grows, pixel by pixel, while
the picture fades in from dark. All pixels together make up the whole growth."""

import numpy as np
import torch
from torch import Tensor, nn

from ml.explanation.gradients import slopes
from ml.explanation.scale import dark

INTEGRATION_STEPS = 64  # by Gauss-Legendre; docs/explanations.md says what fewer miss
INTERPOLATIONS_PER_PASS = 64


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w] in logits, of either sign, summed over channels."""
    nodes, weights = np.polynomial.legendre.leggauss(INTEGRATION_STEPS)  # of -1 to 1
    fades, shares = (torch.from_numpy(values).float() for values in ((nodes + 1) / 2, weights / 2))
    ground = dark(inputs)
    way = inputs - ground
    mean = torch.zeros_like(inputs)
    per_pass = max(1, INTERPOLATIONS_PER_PASS // len(inputs))
    for fade, share in zip(fades.split(per_pass), shares.split(per_pass), strict=True):
        steps = ground + fade[:, None, None, None, None] * way  # [steps, n, c, h, w]
        gradients = slopes(module, steps.flatten(0, 1), targets.repeat(len(fade))).unflatten(0, (len(fade), -1))
        mean += (share[:, None, None, None, None] * gradients).sum(dim=0)
    return (mean * way).sum(dim=1).float()
