"""Our own residual network, the default: a strided start, then two stages of residual blocks.

Narrow where pictures are large and wide where they are small, so that one picture costs one core about three times
what it costs with fashion_cnn. Residual blocks as in He et al. 2016 (arXiv:1512.03385).
"""

import torch
from torch import Tensor, nn


class SmallResNet(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_layer(channels, 32), *_layer(32, 64, stride=2), Residual(64),
            *_layer(64, 128, stride=2), Residual(128),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


class Residual(nn.Module):
    """Two convolutions whose answer is added to what came in: float [n, channels, h, w] → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.path = nn.Sequential(*_layer(channels, channels), *_layer(channels, channels)[:2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.path(x))


def _layer(inputs: int, outputs: int, *, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )  # fmt: skip
