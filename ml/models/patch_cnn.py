"""A convolution that is computed from patches of the training pictures, one that learns, a dense layer: 317,162
parameters, made to train fast."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

PATCHES = 200_000  # that are looked at
FLAT = 0.01  # added to each direction's variance, that of the pictures being one: what hardly varies stays small


class PatchCNN(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]. Sides of 8 pixels or more.

    learned: whether `learn` has made the first layer's kernels, which are random before; it is saved with them.
    """

    learned: Tensor

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        side = [size // 2 // 2 for size in (height, width)]
        if min(side) < 2:
            raise ValueError(f"patch_cnn needs pictures of at least 8 × 8 pixels, got {height} × {width}")
        self.body = nn.Sequential(
            nn.Conv2d(channels, 32, 4, stride=2, padding=1, bias=False), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            Flatten(), nn.Linear(48 * side[0] * side[1], 128), nn.BatchNorm1d(128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)
        self.register_buffer("learned", torch.tensor(0))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))

    @property
    def computed(self) -> nn.Conv2d:
        """The layer that `learn` makes and training leaves as it is."""
        first = self.body[0]
        assert isinstance(first, nn.Conv2d)
        return first

    @torch.no_grad()
    def learn(self, count: int, pictures: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Make the first layer's kernels of patches of a few pictures; nothing where that was done before.

        count: how many pictures there are, one or more; pictures(rows): those rows, float [n, c, h, w], normalised.
        """
        if self.learned:
            return
        size, step = self.computed.kernel_size[0], self.computed.stride[0]
        places = [(side - size) // step + 1 for side in pictures(torch.tensor([0])).shape[2:]]
        some = min(max(PATCHES // (places[0] * places[1]), 32), count)
        rows = torch.randperm(count, generator=generator)[:some]
        patches = unfold(pictures(rows).contiguous(), size, stride=step).transpose(1, 2).flatten(0, 1)
        weight = self.computed.weight
        weight.copy_(whitening(patches, len(weight)).view_as(weight))
        self.learned.fill_(1)


def whitening(patches: Tensor, outputs: int) -> Tensor:
    """patches: float [n, d] → float32 [outputs, d]: their main directions, at most d, each with both signs, scaled so
    that what they say varies alike (as in Coates, Ng and Lee 2011)."""
    values, directions = torch.linalg.eigh(patches.T.cov(correction=0).double().cpu())
    half = outputs // 2
    chosen = (directions.flip(1)[:, :half] / (values.flip(0)[:half].clamp(min=0) + FLAT).sqrt()).T.float()
    return torch.cat([chosen, -chosen])


class Flatten(nn.Flatten):
    """Place by place instead of channel by channel, as convolutions leave them in memory, so that nothing moves."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).flatten(1)
