"""EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6), behind a lens.

For transfer learning: ImageNet weights of each size come in a package, so they need no download. The layers are in the
order of the published ones, which is how their weights find them.
"""

import math

from torch import Tensor, nn
from torch.nn.functional import pad

from ml.models.input_adapter import MEAN, MIN_INPUT_SIDE, STD, InputAdapter

# blocks, kernel, stride of the first, times wider inside, channels
STAGES = [
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]  # fmt: skip
FEATURES = 1280


class EfficientNetLite(nn.Module):
    """images: float [n, 1 or 3, height, width], normalised → logits [n, classes].

    pretrained: accepted for symmetry; its shape is always that of the published weights. side: see InputAdapter. A
    subclass says how many times the channels and blocks of Lite0 it has, and what it drops of the features.
    """

    WIDER, DEEPER, DROP = 1.0, 1.0, 0.2
    SEEN = MEAN, STD  # of the pixels that the published weights learned from

    def __init__(
        self,
        *,
        channels: int = 1,
        height: int = 28,
        width: int = 28,
        classes: int = 10,
        pretrained: bool = False,
        side: int = MIN_INPUT_SIDE,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential()
        self.body.add_module("lens", InputAdapter(channels, height, width, side, *self.SEEN))
        for name, layer in zip(("conv", "norm", "relu"), (*_layer(3, 32, 3, stride=2), nn.ReLU6()), strict=True):
            self.body.add_module(name, layer)
        inputs, number = 32, 0
        for stage, (blocks, kernel, stride, times, plain) in enumerate(STAGES):
            outputs = rounded(plain * self.WIDER)
            ends = stage in (0, len(STAGES) - 1)  # which are as deep in every size
            for place in range(blocks if ends else math.ceil(blocks * self.DEEPER)):
                block = InvertedResidual(inputs, outputs, kernel, stride if place == 0 else 1, times)
                self.body.add_module(f"block_{number}", block)
                inputs, number = outputs, number + 1
        last = (*_layer(inputs, FEATURES, 1), nn.ReLU6())
        for name, layer in zip(("last_conv", "last_norm", "last_relu"), last, strict=True):
            self.body.add_module(name, layer)
        self.body.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
        self.body.add_module("flatten", nn.Flatten())
        self.body.add_module("drop", nn.Dropout(self.DROP))
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


class InvertedResidual(nn.Module):
    """Widen, look around in each channel alone, narrow; added to what came in where the shape is the same.

    float [n, inputs, h, w] → [n, outputs, ⌈h / stride⌉, ⌈w / stride⌉].
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, times: int) -> None:
        super().__init__()
        inside = inputs * times
        widen = (*_layer(inputs, inside, 1), nn.ReLU6()) if times > 1 else ()
        self.path = nn.Sequential(
            *widen,
            *_layer(inside, inside, kernel, stride=stride, groups=inside), nn.ReLU6(),
            *_layer(inside, outputs, 1),
        )  # fmt: skip
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.path(x) if self.adds else self.path(x)


class Conv2dSame(nn.Conv2d):
    """A convolution that pads as TensorFlow does: what is left over of an odd number goes to the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        missing = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, stride, kernel in zip(map(int, x.shape[2:]), self.stride, self.kernel_size, strict=True)
        ]
        (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in missing)
        return self._conv_forward(pad(x, [left, right, top, bottom]), self.weight, self.bias)


def _layer(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    """A convolution and its normalisation."""
    if stride > 1:
        conv: nn.Conv2d = Conv2dSame(inputs, outputs, kernel, stride, groups=groups, bias=False)
    else:
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(conv.weight, std=(2 / (outputs // groups * kernel**2)) ** 0.5)
    return conv, nn.BatchNorm2d(outputs, eps=1e-3)


def rounded(channels: float, by: int = 8) -> int:
    """The nearest multiple of `by`, at least nine tenths of what was asked for."""
    found = max(by, int(channels + by / 2) // by * by)
    return found if found >= 0.9 * channels else found + by
