"""A built network with other dropout, or without batch normalisation: what the ablation table compares."""

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
