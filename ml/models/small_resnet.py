"""Our own residual network, the default: 262,842 parameters, deep and narrow, one block at full size and three at each
of the smaller two, so that a picture costs one core about three times what it costs with fashion_cnn.

Residual blocks as in He et al. 2016 (arXiv:1512.03385); its 20-layer network with random erasing is the strongest
small one published for Fashion-MNIST (Zhong et al. 2020, arXiv:1708.04896).
"""

import torch
from torch import Tensor, nn


class SmallResNet(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            Residual(16, 16),
            Residual(16, 32), Residual(32, 32), Residual(32, 32),
            Residual(32, 64), Residual(64, 64), Residual(64, 64),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


class Residual(nn.Module):
    """Two convolutions whose answer is added to what came in.

    float [n, inputs, h, w] → [n, outputs, h, w]; where the width changes, h and w are halved.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.path(x))
