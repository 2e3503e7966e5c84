"""What a network that learned on ImageNet wants to see: three channels, more pixels, ImageNet's brightness."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

MIN_INPUT_SIDE = 112  # pixels of the shorter side; half of what such networks were made for, at a quarter of the work
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0..1


class InputAdapter(nn.Module):
    """images: float [n, 1 or 3, height, width], normalised by their own data → float [n, 3, ≥ side, ≥ side].

    side: what the shorter side becomes; mean, std: of the pixels in 0..1 that the weights behind learned from. Pictures
    that are smaller than height × width, as a training may begin with, come out smaller by as much.
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        side: int = MIN_INPUT_SIDE,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"networks that learned on ImageNet read grey or RGB pictures, not {channels} channels")
        times = side / min(height, width)
        self.shape = (height, width)
        self.size = (round(height * times), round(width * times))
        self.seen = (tuple(mean), tuple(std))
        # saved with the weights: who loads the run need not know that its data were normalised otherwise
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("offset", torch.zeros(3))

    def focus(self, mean: list[float], std: list[float]) -> None:
        """Turn pictures normalised with these, one number a channel, into pictures normalised as ImageNet's were."""
        own_mean, own_std = (torch.tensor(values).expand(3) for values in (mean, std))
        their_mean, their_std = map(torch.tensor, self.seen)
        self.scale.copy_(own_std / their_std)
        self.offset.copy_((own_mean - their_mean) / their_std)

    def forward(self, images: Tensor) -> Tensor:
        here, size = tuple(map(int, images.shape[2:])), self.size
        if here != self.shape:
            size = tuple(round(a * b / c) for a, b, c in zip(size, here, self.shape, strict=True))  # type: ignore[assignment]
        if here != size:
            images = interpolate(images, size, mode="bilinear", align_corners=False, antialias=False)
        return images * self.scale.view(1, 3, 1, 1) + self.offset.view(1, 3, 1, 1)

    def extra_repr(self) -> str:
        return f"size={self.size}"
