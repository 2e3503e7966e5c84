"""Training pictures on the device, all at once where they are few, else batch by batch from their file."""

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from ml.data.images import AnyImages, Images, batches, in_memory
from ml.models.inputs import pixels

HELD_BYTES = 128 << 20  # of a mapped split that is read at once; Fashion-MNIST's train has 47


class Mapped:
    """Pictures of a mapped file as `pixels` makes a tensor of them, read when they are asked for."""

    def __init__(self, images: Images, device: torch.device) -> None:
        self._images, self.device = images, device

    def __getitem__(self, rows: Tensor) -> Tensor:
        """rows: int64 [k] → uint8 [k, c, h, w]"""
        return pixels(self._images[rows.cpu().numpy()]).to(self.device)

    def split(self, size: int) -> Iterator[Tensor]:
        """One batch of at most `size` after another."""
        for batch in batches(self._images, size):
            yield pixels(batch).to(self.device)


Held: TypeAlias = "Tensor | Mapped"


def held(images: AnyImages, device: torch.device) -> Held:
    """uint8 [n, c, h, w] on the device, where they are in memory already or at most HELD_BYTES; else mapped.

    On a processor those that are in memory already are not copied, and nobody may write into what comes back.
    """
    there = in_memory(images, HELD_BYTES)
    if isinstance(there, Images):
        return Mapped(there, device)
    if device.type == "cpu" and there.flags.writeable and there.flags.c_contiguous:
        return torch.from_numpy(there).permute(0, 3, 1, 2)
    return pixels(there).to(device)
