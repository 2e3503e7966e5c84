"""Pictures of two, whose target is their classes by their shares, as tensor operations on whole batches.

Chance comes from a generator on the processor, as in ml.training.augment.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from ml.training.augment import augment

OFTEN = 0.5  # share of pictures that are mixed
ALPHA = 0.2  # of the Beta distribution from which mixup's shares come, which makes most of them nearly whole


def changed(
    images: Tensor, labels: Tensor, names: tuple[str, ...], classes: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A batch as it is learned from: each picture changed by itself (ml.training.augment), then mixed; as mix's."""
    return mix(augment(images, names, generator), labels, names, classes, generator)


def mix(
    images: Tensor, labels: Tensor, names: tuple[str, ...], classes: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """images: uint8 [n, c, h, w], labels: int64 [n] → the same; or, where one of names mixes, images of two and targets
    float32 [n, classes] that add up to 1. Where both of them do, each batch is mixed by one."""
    ways = [way for way in (mixup, cutmix) if way.__name__ in names]
    if not ways:
        return images, labels
    way = ways[int(torch.randint(len(ways), (1,), generator=generator))]
    other = torch.randperm(len(images), generator=generator).to(images.device)
    chosen = (torch.rand(len(images), generator=generator) < OFTEN).to(images.device)
    found, share = way(images, images[other], chosen, generator)
    whole = one_hot(labels, classes).float()
    return found, torch.lerp(whole[other], whole, share[:, None])


def mixup(images: Tensor, others: Tensor, chosen: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The weighted mean of two pictures (Zhang et al. 2018, arXiv:1710.09412).

    chosen: bool [n], which to mix. Returns images, and float32 [n], the share that each has of its own picture.
    """
    share = _beta(len(images), generator).to(images.device).where(chosen, 1.0)
    found = torch.lerp(others.float(), images.float(), share.view(-1, 1, 1, 1))
    return found.round().to(images.dtype), share


def cutmix(images: Tensor, others: Tensor, chosen: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """A rectangle of the other picture, at the same place (Yun et al. 2019, arXiv:1905.04899); as mixup's.

    Any area of the rectangle is as likely as another; what lies outside of the picture does not count.
    """
    height, width = images.shape[2:]
    u = torch.rand(3, len(images), 1, generator=generator).to(images.device)
    y, x = (torch.arange(size, device=images.device) + 0.5 for size in (height, width))
    rows = ((y - u[1] * height).abs() < u[0].sqrt() * height / 2) & chosen[:, None]
    columns = (x - u[2] * width).abs() < u[0].sqrt() * width / 2
    hole = rows[:, :, None] & columns[:, None, :]
    return torch.where(hole[:, None], others, images), 1 - hole.float().mean((1, 2))


def _beta(n: int, generator: Generator) -> Tensor:
    """Jöhnk's method, from uniform numbers: torch's own Beta takes no generator."""
    found, missing = torch.ones(n), torch.ones(n, dtype=torch.bool)
    while missing.any():
        u, v = torch.rand(2, n, generator=generator) ** (1 / ALPHA)
        fits = missing & (u + v <= 1) & (u + v > 0)
        found[fits] = (u / (u + v))[fits]
        missing &= ~fits
    return found
