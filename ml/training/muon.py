"""Muon (Jordan and others 2024): a kernel's step has all its directions made equally long.

torch.optim.Muon (2.13) takes matrices alone, no kernels of convolutions.
"""

from typing import Any

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.775, 2.0315)  # Jordan's: odd, and brings numbers in 0..1 close to one fast, not exactly
TURNS = 4
OTHERS = 0.1  # rate of what is no such matrix, as a share of the rate of those that are


def matrices(model: nn.Module) -> set[int]:
    """Ids of the weights that Muon is for: of convolutions and dense layers, all but the last."""
    head = getattr(model, "head", None)
    last = {id(part) for part in head.modules()} if isinstance(head, nn.Module) else set()
    kinds = (nn.Conv2d, nn.Linear)
    return {id(part.weight) for part in model.modules() if isinstance(part, kinds) and id(part) not in last}


@torch.no_grad()
def turn(group: dict[str, Any], state: Any) -> None:
    """One step of the weights of a group: Nesterov momentum, then the directions made equal; weight decay decoupled."""
    momentum = group["betas"][0]
    for weight in group["params"]:
        if weight.grad is None:
            continue
        held = state[weight]
        if "momentum_buffer" not in held:
            held["momentum_buffer"] = torch.zeros_like(weight)
        buffer = held["momentum_buffer"].mul_(momentum).add_(weight.grad)
        step = orthogonal(weight.grad.add(buffer, alpha=momentum).flatten(1))
        longer = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(step.view(weight.shape), alpha=-group["lr"] * longer)


def orthogonal(matrix: Tensor) -> Tensor:
    """float32 [a, b] → the same with all singular values near one; zeros stay zeros.

    Newton and Schulz's iteration works on the smaller square of products alone: what it would do to the matrix is
    gathered there, and done at once.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    half = wide.bfloat16()
    square = (half @ half.T).float()
    length = square.trace().clamp(min=1e-14).sqrt()
    square /= length.square()
    one, three, five = QUINTIC
    gathered: Tensor | None = None
    for number in range(TURNS):
        factor = torch.addmm(square, square, square, beta=three, alpha=five)
        factor.diagonal().add_(one)
        gathered = factor if gathered is None else factor @ gathered
        if number < TURNS - 1:
            square = factor @ square @ factor
    assert gathered is not None
    found = ((gathered / length).bfloat16() @ half).float()
    return found if wide is matrix else found.T
