"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): a layer's maps, weighted by how the class score rises with them.

Unless a layer is named, the deepest convolution or block of convolutions answers; where its map is empty, the one
before it does, and so on. Networks that flatten their last maps into a dense layer need that: averaging a gradient that
differs from place to place often leaves nothing positive. Of the first 400 test pictures, the last convolution of
`fashion_cnn` leaves 90 % without an answer, the one before it 7 %. Blocks of attention hand on words in a row, one a
patch; these are laid back into the picture's rows and columns first.
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
        heatmaps[waiting] = _enlarged(module, coarse, tuple(inputs.shape[2:])).detach().float()
        waiting = waiting[coarse.amax(dim=(1, 2, 3)) <= 0]
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
    return [stem + name for name, part in parts if any(isinstance(one, kinds) for one in part.modules())]


def _coarse(module: nn.Module, inputs: Tensor, targets: Tensor, name: str) -> Tensor | None:
    """float [n, 1, rows, columns] in the layer's own size; None for a layer that makes no maps."""
    part = module.get_submodule(name)
    if any(isinstance(one, nn.MultiheadAttention) for one in part.modules()):
        module = Laid(module, name)
        part = module.maps
    made: list[Tensor] = []
    hook = part.register_forward_hook(lambda _module, _inputs, output: made.append(output))
    try:
        logits = module(inputs.detach().clone().requires_grad_())
    finally:
        hook.remove()
    if not isinstance(made[0], Tensor) or made[0].ndim != 4:  # it hands on words or features
        return None
    # several where a network takes one picture at a time
    slopes, maps = torch.cat(autograd.grad(score(logits, targets), made)), torch.cat(made)
    return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).relu()


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
        value, size = images, tuple(images.shape[2:])
        for name, part in body.named_children():
            value = part(value)
            if value.ndim == 4:
                size = tuple(value.shape[2:])
            if f"body.{name}" == self.name:
                first, words = value[:, :1], value[:, 1:]
                maps = self.maps(grid(words, size))
                value = torch.cat([first, maps.flatten(2).transpose(1, 2)], dim=1)
        return head(value)


def grid(words: Tensor, size: tuple[int, ...]) -> Tensor:
    """float [n, rows × columns, width] → [n, width, rows, columns]."""
    return words.transpose(1, 2).reshape(len(words), words.shape[2], *size)
