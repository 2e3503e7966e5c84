"""Every network the app can train, by name.

A model is a plain nn.Module in two parts: `body` (pictures → penultimate features) and `head` (features → logits).
Its builder takes the picture's shape and the number of classes from the data set.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from ml.models.compact_cnn import CompactCNN
from ml.models.fashion_cnn import FashionCNN


class Model(Protocol):
    """What the rest of ml relies on."""

    body: nn.Module
    head: nn.Module

    def __call__(self, images: Tensor) -> Tensor: ...


MODELS: dict[str, Callable[..., nn.Module]] = {"fashion_cnn": FashionCNN, "compact_cnn": CompactCNN}


def build(name: str, *, channels: int, height: int, width: int, classes: int) -> nn.Module:
    """A freshly initialised network; raises KeyError naming the known ones."""
    if name not in MODELS:
        raise KeyError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name](channels=channels, height=height, width=width, classes=classes)


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in the network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
