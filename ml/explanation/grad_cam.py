"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): a layer's maps, weighted by how the class score rises with them.

Unless a layer is named, the deepest convolution or block of convolutions answers; where its map is empty, the one
before it does, and so on. Networks that flatten their last maps into a dense layer need that: averaging a gradient that
differs from place to place often leaves nothing positive. Of the first 400 test pictures, the last convolution of
`fashion_cnn` leaves 90 % without an answer, the one before it 7 %. Blocks of attention hand on words in a row, one a
patch; these are laid back into the picture's rows and columns first. Of a network from elsewhere the last block whose
words the answer depends on counts: one that reads its first word alone leaves nothing of the last block's others.
"""

from typing import Any

import torch
from torch import Tensor, autograd, nn
from torch.nn import functional

from ml.explanation.gradients import score
from ml.explanation.scale import NoConvolution


def raw(module: nn.Module, inputs: Tensor, targets: Tensor, layer: str = "") -> Tensor:
    """float32 [n, h, w], 0 and more, smoothly enlarged from the layer's own size; zero where no layer has an answer.

    layer: the name of one that makes maps; '' for the deepest with an answer, picture by picture. Raises NoConvolution,
    and ValueError for a layer without maps.
    """
    names = [layer] if layer else candidates(module)[::-1]
    if not names:
        raise NoConvolution("this network has no convolution for Grad-CAM to look at")
    heatmaps = torch.zeros(len(inputs), *inputs.shape[2:])
    waiting = torch.arange(len(inputs))
    for name in names:
        coarse = _coarse(module, inputs[waiting], targets[waiting], name)
        if coarse is None or coarse[0].numel() == 1:  # one place, as in squeeze-and-excitation, says not where
            if layer:
                raise ValueError(f"the layer {layer} makes no maps")
            continue
        enlarged = _enlarged(module, coarse, tuple(inputs.shape[2:])).detach().float()
        largest = coarse.amax(dim=(1, 2, 3))
        if getattr(getattr(module, "body", None), "twice", False):  # of each look, the second turned back
            enlarged = (enlarged[: len(waiting)] + enlarged[len(waiting) :].flip(-1)) / 2
            largest = largest.view(2, -1).amax(0)
        heatmaps[waiting] = enlarged
        waiting = waiting[largest <= 0]
        if not len(waiting):
            break
    return heatmaps


def candidates(module: nn.Module) -> list[str]:
    """Layers that may answer, in the network's order: the parts of its body that hold a convolution or attention."""
    rebuilt: Any = getattr(module, "convolutions", None)
    if rebuilt is not None:  # of a network that came in another format
        return list(rebuilt)
    stem = "body." if hasattr(module, "body") else ""
    kinds = (nn.Conv2d, nn.MultiheadAttention)
    parts = getattr(module, "body", module).named_children()
    return [
        *(stem + name for name, part in parts if any(isinstance(one, kinds) for one in part.modules())),
        *attending(module),
    ]


def attending(module: nn.Module) -> list[str]:
    """Blocks of attention that lie deeper than its body's own parts, in order: of what was not taken apart."""
    rows = [
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, nn.ModuleList | nn.Sequential) and name not in ("", "body")
    ]
    return [
        f"{name}.{place}"
        for name, part in rows
        for place, block in part.named_children()
        if any(type(one).__name__.endswith("Attention") for one in block.modules())
    ]


def _coarse(module: nn.Module, inputs: Tensor, targets: Tensor, name: str) -> Tensor | None:
    """float [n, 1, rows, columns] in the layer's own size, [2n, …] of a network that looks twice; None for a layer that
    makes no maps."""
    part = module.get_submodule(name)
    if any(isinstance(one, nn.MultiheadAttention) for one in part.modules()) and not attending(module):
        module = Laid(module, name)
        part = module.maps
    made: list[Tensor] = []
    hook = part.register_forward_hook(lambda _module, _inputs, output: made.append(output))
    try:
        logits = module(inputs.detach().clone().requires_grad_())
    finally:
        hook.remove()
    if not isinstance(made[0], Tensor) or made[0].ndim not in (3, 4):  # it hands on features
        return None
    # several where a network takes one picture at a time
    found = autograd.grad(score(logits, targets), made, allow_unused=True)
    slopes = torch.cat([torch.zeros_like(one) if by is None else by for by, one in zip(found, made, strict=True)])
    maps = torch.cat(made)
    if maps.ndim == 3:
        laid = rows_of(maps.shape[1], seen(module, inputs))
        if laid is None:
            return None
        first = maps.shape[1] - laid[0] * laid[1]
        slopes, maps = (grid(one[:, first:], laid) for one in (slopes, maps))
    elif maps.shape[3] == getattr(getattr(module, "head", None), "in_features", 0) != maps.shape[1]:
        slopes, maps = slopes.permute(0, 3, 1, 2), maps.permute(0, 3, 1, 2)  # channels last, as Swin's
    return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).relu()


def seen(module: nn.Module, inputs: Tensor) -> tuple[int, int]:
    """Height and width of the pictures that the network itself sees."""
    how: Any = next((one.how for one in module.modules() if hasattr(one, "how")), None)
    return (int(inputs.shape[2]), int(inputs.shape[3])) if how is None else (how.height, how.width)


FIRST = 8  # words before those of patches, at most: of the class, of distillation, registers


def rows_of(words: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of patches of a picture [height, width] that so many words are of, some first ones left aside;
    None where they can be of none."""
    height, width = size
    for first in range(min(FIRST, words - 1) + 1):
        rows = round(((words - first) * height / width) ** 0.5)
        if rows and (words - first) % rows == 0:
            columns = (words - first) // rows
            if rows * columns > 1 and abs(rows * width - columns * height) < max(height, width):
                return rows, columns
    return None


def _enlarged(module: nn.Module, coarse: Tensor, size: tuple[int, ...]) -> Tensor:
    """float [n, 1, rows, columns] → [n, h, w], without what a network pads its pictures with."""
    back: Any = getattr(module, "laid_back", None)
    if back is not None:
        enlarged: Tensor = back(coarse)
        return enlarged
    pads = [part.padding for part in module.modules() if isinstance(part, nn.ZeroPad2d)]
    left, right, top, bottom = pads[0] if pads else (0, 0, 0, 0)
    whole = (size[0] + top + bottom, size[1] + left + right)
    large = functional.interpolate(coarse, whole, mode="bilinear")
    return large[:, 0, top : top + size[0], left : left + size[1]]


class Laid(nn.Module):
    """The same network; after one of its parts, words behind a first one pass through `maps` as rows and columns."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name, self.maps = module, name, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        body, head = self.network.get_submodule("body"), self.network.get_submodule("head")
        mirrored: Any = body if getattr(body, "twice", False) else None
        value, size = mirrored.looks(images) if mirrored else images, tuple(images.shape[2:])
        for name, part in body.named_children():
            value = part(value)
            if value.ndim == 4:
                size = tuple(value.shape[2:])
            if f"body.{name}" == self.name:
                first, words = value[:, :1], value[:, 1:]
                maps = self.maps(grid(words, size))
                value = torch.cat([first, maps.flatten(2).transpose(1, 2)], dim=1)
        return head(mirrored.joined(value) if mirrored else value)


def grid(words: Tensor, size: tuple[int, ...]) -> Tensor:
    """float [n, rows × columns, width] → [n, width, rows, columns]."""
    return words.transpose(1, 2).reshape(len(words), words.shape[2], *size)
