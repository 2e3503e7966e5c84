"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365): how the class score grows, pixel by pixel, while
the picture fades in from dark. All pixels together make up the whole growth."""

from captum.attr import IntegratedGradients
from torch import Tensor, nn

from ml.explanation.scale import dark

STEPS = 64  # by Gauss-Legendre; docs/explanations.md says what fewer miss
AT_ONCE = 64  # pictures in memory


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w] in logits, of either sign, summed over channels; n ≤ AT_ONCE."""
    found = IntegratedGradients(module).attribute(
        inputs,
        baselines=dark(inputs),
        target=targets,
        n_steps=STEPS,
        internal_batch_size=AT_ONCE,
    )
    return found.sum(dim=1).detach().float()
