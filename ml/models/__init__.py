"""Every network the app can train, by name.

A model is a plain nn.Module in two parts: `body` (pictures → penultimate features) and `head` (features → logits).
Its builder takes the picture's shape and the number of classes from the data set. The names cost no import of torch:
the web server lists them; a model's module is loaded when it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model(Protocol):
    """What the rest of ml relies on."""

    body: nn.Module
    head: nn.Module

    def __call__(self, images: Tensor) -> Tensor: ...


def _make(module: str, kind: str, **shape: int) -> nn.Module:
    return getattr(import_module(f"ml.models.{module}"), kind)(**shape)


MODELS: dict[str, Callable[..., nn.Module]] = {
    "fashion_cnn": partial(_make, "fashion_cnn", "FashionCNN"),
    "compact_cnn": partial(_make, "compact_cnn", "CompactCNN"),
}


def build(name: str, *, channels: int, height: int, width: int, classes: int) -> nn.Module:
    """A freshly initialised network; raises KeyError naming the known ones."""
    if name not in MODELS:
        raise KeyError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name](channels=channels, height=height, width=width, classes=classes)


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in the network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
