"""Random changes to a whole batch at once, as tensor operations on uint8 pictures, wherever those are.

Chance comes from a generator on the processor, so that a seed means the same on every machine.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

SHIFT = 1  # pixels, each way: things that fill the frame are cut by larger moves
PART, TALLER = 0.5, 4 / 3  # the least of a picture's area that is cut out, and how far its proportions change
COLOUR = 0.3  # share by which brightness, contrast and saturation change
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601
ERASE = 0.35  # longest side of an erased rectangle, as a share of the picture's side


def augment(images: Tensor, names: tuple[str, ...], generator: Generator) -> Tensor:
    """images: uint8 [n, c, h, w] → same shape and type. Names are those of AUGMENTATIONS, applied in that order."""
    if "flip" in names:
        images = flip(images, generator)
    if "crop" in names:
        images = crop(images, generator)
    if "colour" in names:
        images = colour(images, generator)
    if "shift" in names:
        images = shift(images, generator)
    if "erase" in names:
        images = erase(images, generator)
    return images


def flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror half of the pictures left to right."""
    chosen = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def crop(images: Tensor, generator: Generator, part: float = PART) -> Tensor:
    """Cut a random part out of each picture, of at least `part` of its area, and scale it up to the whole (Szegedy et
    al. 2015, arXiv:1409.4842), bilinearly."""
    n, _, height, width = images.shape
    u = torch.rand(4, n, generator=generator).to(images.device)
    area, ratio = part + (1 - part) * u[0], torch.exp((2 * u[1] - 1) * math.log(TALLER))
    wide, tall = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    nothing = torch.zeros_like(wide)
    x, y = (2 * u[2] - 1) * (1 - wide), (2 * u[3] - 1) * (1 - tall)
    rows = torch.stack([torch.stack([wide, nothing, x], 1), torch.stack([nothing, tall, y], 1)], 1)
    grid = affine_grid(rows, [n, 1, height, width], align_corners=False)
    return grid_sample(images.float(), grid, padding_mode="border", align_corners=False).round().to(images.dtype)


def colour(images: Tensor, generator: Generator, most: float = COLOUR) -> Tensor:
    """Change each picture's brightness, contrast and, where it has three channels, saturation by up to `most`, and the
    balance of its channels by a third of that."""
    n, channels = images.shape[:2]
    u = (2 * torch.rand(6, n, generator=generator) - 1).to(images.device).view(6, n, 1, 1, 1)
    found = images.float() * (1 + most * u[0])
    middle = found.mean((1, 2, 3), keepdim=True)
    found = middle + (found - middle) * (1 + most * u[1])
    if channels == 3:
        luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
        grey = (found * luma).sum(1, keepdim=True)
        found = grey + (found - grey) * (1 + most * u[2])
        found = found * (1 + most / 3 * u[3:].transpose(0, 2)[0])
    return found.round().clamp(0, 255).to(images.dtype)


def smaller(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 [n, c, h, w] → [n, c, *size], averaged where it shrinks; itself where it has the size."""
    if tuple(images.shape[2:]) == size:
        return images
    found = interpolate(images.float(), size, mode="bilinear", align_corners=False, antialias=True)
    return found.round().clamp(0, 255).to(images.dtype)


def shift(images: Tensor, generator: Generator, pixels: int = SHIFT) -> Tensor:
    """Move each picture by up to `pixels` in both directions; what comes in is black."""
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, [pixels] * 4)
    dy, dx = torch.randint(0, 2 * pixels + 1, (2, n), generator=generator).to(images.device)
    every, y, x = (torch.arange(size, device=images.device) for size in (n, height, width))
    rows, columns = dy[:, None] + y, dx[:, None] + x
    return padded.permute(0, 2, 3, 1)[every[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def erase(images: Tensor, generator: Generator, share: float = ERASE) -> Tensor:
    """Black out one random rectangle in half of the pictures (Zhong et al. 2020, arXiv:1708.04896)."""
    n, _, height, width = images.shape
    u = torch.rand(5, n, 1, generator=generator).to(images.device)
    tall, wide = u[0] * share * height, u[1] * share * width
    top, left = u[2] * (height - tall), u[3] * (width - wide)
    y, x = (torch.arange(size, device=images.device) for size in (height, width))
    rows = (y >= top) & (y < top + tall)
    columns = (x >= left) & (x < left + wide)
    hole = rows[:, :, None] & columns[:, None, :] & (u[4, :, :, None] < 0.5)
    return images.masked_fill(hole[:, None], 0)
