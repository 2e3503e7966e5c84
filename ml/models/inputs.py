"""From stored pictures to what a network reads."""

import numpy as np
import torch
from torch import Tensor


def pixels(images: np.ndarray) -> Tensor:
    """images: uint8 [n, h, w, c] → uint8 [n, c, h, w] in channels-last memory, sharing nothing with its source."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def normalise(images: Tensor, mean: list[float], std: list[float]) -> Tensor:
    """uint8 [n, c, h, w] → float32, each channel centred and scaled; mean and std of pixels in 0..1."""
    centre = torch.tensor(mean, device=images.device).view(1, -1, 1, 1)
    scale = torch.tensor(std, device=images.device).view(1, -1, 1, 1)
    return ((images.float() / 255 - centre) / scale).contiguous(memory_format=torch.channels_last)
