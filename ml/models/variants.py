"""A built network with other dropout, without batch normalisation, or with nothing written in place."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def with_dropout(model: nn.Module, share: float) -> None:
    """Set every dropout layer, in place; 0 switches them off."""
    for layer in model.modules():
        if isinstance(layer, nn.Dropout | nn.Dropout1d | nn.Dropout2d):
            layer.p = share


def without_batch_norm(model: nn.Module) -> None:
    """Replace batch normalisation by nothing, in place; convolutions get the offset that it held."""
    for layer in list(model.modules()):
        for name, inside in layer.named_children():
            if isinstance(inside, _BatchNorm):
                setattr(layer, name, nn.Identity())
            elif isinstance(inside, nn.Conv2d) and inside.bias is None:
                inside.bias = nn.Parameter(torch.zeros(inside.out_channels))


def out_of_place(model: nn.Module) -> None:
    """Let no layer overwrite what it was given: Insights shows what each of them said."""
    for layer in model.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]
