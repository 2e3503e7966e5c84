"""Gradients (Simonyan et al. 2013, arXiv:1312.6034): how steeply the class score answers each pixel."""

from captum.attr import Saliency
from torch import Tensor, nn


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w], 0 and more: the largest absolute slope of any channel, in logits per unit of the input."""
    slopes = Saliency(module).attribute(inputs.clone().requires_grad_(), target=targets, abs=True)
    return slopes.amax(dim=1).detach().float()
