"""Gradients (Simonyan et al. 2013, arXiv:1312.6034): how steeply the class score answers each pixel."""

import torch
from torch import Tensor, autograd, nn


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w], 0 and more: the largest absolute slope of any channel, in logits per unit of the input."""
    return slopes(module, inputs, targets).abs().amax(dim=1).float()


def slopes(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """float32 [n, c, h, w]: the gradient of each picture's class score, in logits per unit of the input."""
    inputs = inputs.detach().clone().requires_grad_()
    (gradient,) = autograd.grad(score(module(inputs), targets), inputs)
    return gradient


def slopes_of(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """targets: int64 [k, n] → float32 [k, n, c, h, w]: of k classes each, of one pass."""
    inputs = inputs.detach().clone().requires_grad_()
    logits, last = module(inputs), len(targets) - 1
    found = [
        autograd.grad(score(logits, classes), inputs, retain_graph=place < last)[0]
        for place, classes in enumerate(targets)
    ]
    return torch.stack(found)


def score(logits: Tensor, targets: Tensor) -> Tensor:
    """logits: float [n, classes] → [], the targets' added up, so that each picture has a gradient of its own."""
    return logits.gather(1, targets[:, None]).sum()
