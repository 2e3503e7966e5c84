"""A network that looks at a picture and at its mirror image before it answers: test-time augmentation by the flip.

A last layer that is linear makes of the mean of two features the mean of two rows of logits, so that the two looks are
joined behind the body. Weights have the same names and values as without.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class Mirrored(nn.Sequential):
    """A body's layers: float [n, c, h, w] → [n, …]. In training one look, in evaluation the mean of two, in one pass.

    Its layers, asked one by one, know of one look only: what begins with `looks` and ends with `joined` knows of both.
    """

    @property
    def twice(self) -> bool:
        """Whether it looks twice now."""
        return not self.training

    def forward(self, images: Tensor) -> Tensor:
        return self.joined(super().forward(self.looks(images)))

    def looks(self, images: Tensor) -> Tensor:
        """float [n, c, h, w] → what the first layer is given, [2n, c, h, w] where it looks twice."""
        return torch.cat([images, images.flip(-1)]) if self.twice else images

    def joined(self, value: Tensor) -> Tensor:
        """What layers make of `looks` → float [n, …], the mean of the two where it looks twice."""
        return value.reshape(2, -1, *value.shape[1:]).mean(0) if self.twice else value


def mirror(model: nn.Module) -> None:
    """Let a built network look twice, in place. Raises ValueError where its body is not a row of layers."""
    body = model.get_submodule("body")
    if type(body) is not nn.Sequential:
        raise ValueError(f"{type(model).__name__} has no row of layers that could look twice")
    model.body = Mirrored(OrderedDict(body.named_children()))


def looks(body: nn.Module, images: Tensor) -> Tensor:
    """As of a Mirrored body, of any."""
    return body.looks(images) if isinstance(body, Mirrored) else images


def joined(body: nn.Module, value: Tensor) -> Tensor:
    """As of a Mirrored body, of any."""
    return body.joined(value) if isinstance(body, Mirrored) else value
