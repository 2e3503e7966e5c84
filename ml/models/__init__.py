"""Every network the app can train, by name; importing this loads no torch.

A model is a plain nn.Module in two parts: `body` (pictures → penultimate features) and `head` (features → logits).
Its builder takes the picture's shape and the number of classes from the data set.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

MODELS = {"fashion_cnn": "FashionCNN", "compact_cnn": "CompactCNN"}  # module in this package → class in it


def build(name: str, *, channels: int, height: int, width: int, classes: int) -> "nn.Module":
    """A freshly initialised network; raises KeyError naming the known ones."""
    if name not in MODELS:
        raise KeyError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    kind = getattr(import_module(f"ml.models.{name}"), MODELS[name])
    return kind(channels=channels, height=height, width=width, classes=classes)


def parameter_count(model: "nn.Module") -> int:
    """Trainable numbers in the network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
