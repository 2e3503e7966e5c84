"""One picture on its way through a network: what every layer was given, what it made of it, and how one number of it
came about.

The layers are met by hooks in the order in which they answer, those inside residual and inverted-residual blocks too.
Blocks of attention hand on words in a row, one a patch; these are laid back into rows and columns.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.explanation.grad_cam import grid

SILENT = (nn.Dropout, nn.Dropout2d, nn.Identity)  # hand on what they were given


@dataclass(frozen=True)
class Stop:
    """A layer that makes maps. name: in the network, block: the part of the body it stands in, its own name for one.

    kind: its class; settings: as torch writes them; inside: whether it is a part of that block. before, maps: float32
    [c, h, w], what it was given (None where that is no picture) and what it made of it.
    """

    name: str
    block: str
    kind: str
    settings: str
    inside: bool
    before: np.ndarray | None
    maps: np.ndarray


@dataclass(frozen=True)
class Products:
    """A convolution at one place. value = bias + parts.sum().

    channels: int [c], the maps it looks at; parts: float64 [c], what each adds; inputs, weights: float32 [c, k, k],
    zero where the window hangs over the edge. window: its top, left, height and width in the picture it was given.
    """

    value: float
    bias: float
    channels: np.ndarray
    parts: np.ndarray
    inputs: np.ndarray
    weights: np.ndarray
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class Largest:
    """Max pooling at one place: the largest of inputs, float32 [k, k], NaN beyond the edge."""

    value: float
    channel: int
    inputs: np.ndarray
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scaled:
    """Batch normalisation at one place: value = (given − mean) / spread × gain + offset."""

    value: float
    given: float
    mean: float
    spread: float
    gain: float
    offset: float


@dataclass(frozen=True)
class Added:
    """A residual block at one place: value = first + second, cut to zero from below where bent.

    names: of the layers that made the two, '' for what came into the block.
    """

    value: float
    first: float
    second: float
    bent: bool
    names: tuple[str, str]


@dataclass(frozen=True)
class Bent:
    """A function of one number: given becomes value."""

    value: float
    given: float


@dataclass(frozen=True)
class Mixed:
    """Nothing that a line could say: attention looks everywhere, other blocks do several things."""

    value: float


Arithmetic = Products | Largest | Scaled | Added | Bent | Mixed


@torch.no_grad()
def stops(module: nn.Module, inputs: Tensor) -> list[Stop]:
    """inputs: float32 [1, c, h, w] → every layer of the body that makes maps of more than one place, in order."""
    body = module.get_submodule("body")
    layers: list[Stop] = []
    kept: dict[tuple[int, int], tuple[Tensor, np.ndarray]] = {}  # what one layer makes is what the next is given
    size: list[int] = list(inputs.shape[2:])

    def array(value: object) -> np.ndarray | None:
        if not isinstance(value, Tensor) or value.ndim not in (3, 4):
            return None
        key = (id(value), value._version)
        if key not in kept:
            laid = value if value.ndim == 4 else _laid(value, size)
            if laid is None:
                return None
            kept[key] = (value, laid[0].clone().numpy())  # blocks may add to it in place
        return kept[key][1]

    def hear(name: str, block: str, part: nn.Module):
        def heard(_: nn.Module, given: tuple, made: object) -> None:
            before, maps = array(given[0]) if given else None, array(made)
            if isinstance(made, Tensor) and made.ndim == 4 and made.shape[2] * made.shape[3] > 1:
                size[:] = made.shape[2:]
            if maps is None or maps[0].size == 1 or isinstance(part, SILENT):
                return
            if isinstance(made, Tensor) and made.ndim == 3 and name != block:  # words inside a block of attention
                return
            layers.append(
                Stop(name, block, type(part).__name__, part.extra_repr(), name != block, before, maps),
            )

        return heard

    hooks = []
    try:
        for child, part in body.named_children():
            for inner, one in part.named_modules():
                if inner and any(True for _ in one.children()):
                    continue  # a box in a box: its parts speak for it
                name = f"body.{child}" + (f".{inner}" if inner else "")
                hooks.append(one.register_forward_hook(hear(name, f"body.{child}", one)))
        body(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return layers


def _laid(words: Tensor, size: list[int]) -> Tensor | None:
    """float [1, 1 + rows × columns, width] → [1, width, rows, columns]; None for anything else."""
    rows, columns = size
    return grid(words[:, 1:], (rows, columns)) if words.shape[1] == rows * columns + 1 else None


@torch.no_grad()
def arithmetic(module: nn.Module, walked: list[Stop], place: int, channel: int, row: int, column: int) -> Arithmetic:
    """How the number at (row, column) of a channel of walked[place] came about. Raises IndexError beyond the maps."""
    stop = walked[place]
    if not (0 <= channel < stop.maps.shape[0] and 0 <= row < stop.maps.shape[1] and 0 <= column < stop.maps.shape[2]):
        raise IndexError(f"there is no place {channel}, {row}, {column} in {stop.name}")
    value = float(stop.maps[channel, row, column])
    part, given = module.get_submodule(stop.name), stop.before
    if given is None:
        return Mixed(value)
    if isinstance(part, nn.Conv2d):
        return _products(part, given, value, stop.maps.shape, channel, row, column)
    if isinstance(part, nn.MaxPool2d):
        return _largest(part, given, value, channel, row, column)
    if isinstance(part, nn.BatchNorm2d):
        return _scaled(part, float(given[channel, row, column]), value, channel)
    if any(True for _ in part.children()):
        inside = [one for one in walked[:place] if one.block == stop.block and one.inside]
        return _added(stop, inside, channel, row, column)
    if given.shape == stop.maps.shape and not list(part.parameters()):
        return Bent(value, float(given[channel, row, column]))
    return Mixed(value)


def _pair(value: Any) -> tuple[int, int]:
    """Of an option that torch takes as one number or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _products(
    part: nn.Conv2d, given: np.ndarray, value: float, shape: tuple[int, ...], channel: int, row: int, column: int
) -> Products:
    weights = part.weight[channel].detach().numpy()
    per = weights.shape[0]  # channels of its group
    first = channel // (part.out_channels // part.groups) * per
    inputs = np.zeros_like(weights)
    corners, sides, strides, gaps = [], [], _pair(part.stride), _pair(part.dilation)
    for axis in (0, 1):
        reach = gaps[axis] * (weights.shape[1 + axis] - 1) + 1
        edge = _pair(part.padding)[axis] if not isinstance(part.padding, str) else 0
        made, size = shape[1 + axis], given.shape[1 + axis]
        if (size + 2 * edge - reach) // strides[axis] + 1 != made:  # pads by itself so that nothing is left over
            edge = max((made - 1) * strides[axis] + reach - size, 0) // 2
        corners.append((row, column)[axis] * strides[axis] - edge)
        sides.append(reach)
    for i in range(weights.shape[1]):
        for j in range(weights.shape[2]):
            y, x = corners[0] + i * gaps[0], corners[1] + j * gaps[1]
            if 0 <= y < given.shape[1] and 0 <= x < given.shape[2]:
                inputs[:, i, j] = given[first : first + per, y, x]
    parts = (inputs.astype(np.float64) * weights).sum(axis=(1, 2))
    bias = float(part.bias[channel]) if part.bias is not None else 0.0
    window = (corners[0], corners[1], sides[0], sides[1])
    return Products(value, bias, np.arange(first, first + per), parts, inputs, weights, window)


def _largest(part: nn.MaxPool2d, given: np.ndarray, value: float, channel: int, row: int, column: int) -> Largest:
    high, wide = _pair(part.kernel_size)
    down, across = _pair(part.stride)
    above, left = _pair(part.padding)
    top, start = row * down - above, column * across - left
    inputs = np.full((high, wide), np.nan, np.float32)
    for i in range(high):
        for j in range(wide):
            if 0 <= top + i < given.shape[1] and 0 <= start + j < given.shape[2]:
                inputs[i, j] = given[channel, top + i, start + j]
    return Largest(value, channel, inputs, (top, start, high, wide))


def _scaled(part: nn.BatchNorm2d, given: float, value: float, channel: int) -> Scaled:
    assert part.running_mean is not None
    assert part.running_var is not None
    spread = float((part.running_var[channel] + part.eps).sqrt())
    gain, offset = (float(p[channel]) if p is not None else d for p, d in ((part.weight, 1.0), (part.bias, 0.0)))
    return Scaled(value, given, float(part.running_mean[channel]), spread, gain, offset)


def _added(stop: Stop, inside: list[Stop], channel: int, row: int, column: int) -> Added | Mixed:
    """Which two of the block's maps add up to its answer is seen from the numbers, everywhere in the map at once."""
    value = float(stop.maps[channel, row, column])
    addends = [(one.name, one.maps) for one in inside if one.maps.shape == stop.maps.shape]
    if stop.before is not None and stop.before.shape == stop.maps.shape:
        addends.insert(0, ("", stop.before))
    for (late, second), (early, first) in combinations(addends[::-1], 2):
        total = first + second
        for bent in (False, True):
            if np.allclose(np.maximum(total, 0) if bent else total, stop.maps, atol=1e-5):
                place = (channel, row, column)
                return Added(value, float(first[place]), float(second[place]), bent, (early, late))
    return Mixed(value)
