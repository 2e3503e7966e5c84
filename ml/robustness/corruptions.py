"""Pictures made worse, as cameras, files and hands do it: eight corruptions in five severities.

Sources. Fashion-MNIST-C (Weiss and Tonella 2022, arXiv:2205.00664) takes its functions from MNIST-C (Mu and Gilmer
2019, arXiv:1906.02337), and that rewrites those of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261) for
28 × 28. Definitions and severities are MNIST-C's, with two exceptions: its Gaussian blur keeps the widths of photos of
224 pixels, under which 28 × 28 show nothing any more, so that of CIFAR-10-C is used, ImageNet-C's own version for
32 × 32; and nothing there covers a part of the picture, which Cutout does. Lengths grow with the picture.

Photographs, from PHOTO_SIDE pixels a side on, are made worse as ImageNet-C does it: with its widths of the blur, and
pixelated by its filter. Its noise, contrast and JPEG are the same as MNIST-C's; nothing in it covers, shifts or turns.

Chance is drawn for each picture from the seed, the corruption's name and the picture's id: any part of a split, a
single picture too, comes out as it does in the whole, and a higher severity is more of the same.
"""

import io
import zlib
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from ml.robustness.catalogue import CORRUPTIONS, PHOTO_SIDE, SEVERITIES

Chances = list[np.random.Generator]  # one a picture


def corrupt(images: np.ndarray, name: str, severity: int, *, ids: np.ndarray, seed: int = 0) -> np.ndarray:
    """images: uint8 [n, h, w, c]; name: of CORRUPTIONS; severity: 1 to 5; ids: int [n] → uint8 [n, h, w, c].

    Raises KeyError for an unknown name, ValueError for another severity.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"severity goes from 1 to 5, not {severity}")
    level = CORRUPTIONS[name].at(side(images)).levels[severity - 1]
    salt = zlib.crc32(name.encode())  # so that a new corruption changes no other
    chances = [np.random.default_rng([seed, salt, int(example)]) for example in ids]
    worse = APPLY[name](images.astype(np.float32) / 255, level, chances)
    return np.rint(np.clip(worse, 0, 1) * 255).astype(np.uint8)


def noise(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """Gaussian noise of standard deviation `level` on every number (ImageNet-C and MNIST-C, gaussian_noise)."""
    return images + level * np.stack([one.standard_normal(images.shape[1:], np.float32) for one in chances])


def blur(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """A Gaussian of `level` pixels on 32 (CIFAR-10-C), of photographs on 224 (ImageNet-C, gaussian_blur), edges
    repeated."""
    from scipy.ndimage import gaussian_filter

    sigma = level * side(images) / (224 if side(images) >= PHOTO_SIDE else 32)
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")


def contrast(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """The distance from each channel's mean, times `level` (ImageNet-C and MNIST-C, contrast)."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return (images - means) * level + means


def occlusion(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """A square, its side `level` of the picture's, anywhere inside, in the picture's mean.

    Cutout (DeVries and Taylor 2017, arXiv:1708.04552), whose square may hang over the edge and has the data set's mean.
    """
    _, height, width, _ = images.shape
    size = max(round(level * side(images)), 1)
    places = np.stack([one.random(2) for one in chances])  # of the free space: a larger square stays where it was
    top, left = np.rint(places * (height - size, width - size)).astype(int).T
    y, x = np.arange(height), np.arange(width)
    rows = (y >= top[:, None]) & (y < top[:, None] + size)
    columns = (x >= left[:, None]) & (x < left[:, None] + size)
    hole = (rows[:, :, None] & columns[:, None, :])[..., None]
    return np.where(hole, images.mean(axis=(1, 2), keepdims=True), images)


def shift(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """`level` pixels on 28 up or down and as many left or right, black coming in (MNIST-C, translate)."""
    pixels = max(round(level * side(images) / 28), 1)
    down, right = np.stack([one.choice((-pixels, pixels), 2) for one in chances]).T
    return moved(images, *affine(images, 0 * down, down, right))


def rotation(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """Turned by `level` radians either way about the middle, black coming in (MNIST-C, rotate)."""
    angles = level * np.array([one.choice((-1, 1)) for one in chances])
    return moved(images, *affine(images, angles, 0 * angles, 0 * angles))


def jpeg(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """Kept as JPEG of quality `level` (ImageNet-C and MNIST-C, jpeg_compression).

    Three channels are kept as colours, any others one by one.
    """
    channels = images.shape[-1]
    pictures = np.rint(images * 255).astype(np.uint8)
    if channels != 3:
        pictures = np.moveaxis(pictures, -1, 1).reshape(-1, *pictures.shape[1:3])
    decoded = []
    for picture in pictures:
        with io.BytesIO() as file:
            Image.fromarray(picture).save(file, "JPEG", quality=int(level))
            decoded.append(np.asarray(Image.open(file)))
    pixels = np.stack(decoded).astype(np.float32) / 255
    return pixels if channels == 3 else np.moveaxis(pixels.reshape(-1, channels, *pixels.shape[1:]), 1, -1)


def pixelate(images: np.ndarray, level: float, chances: Chances) -> np.ndarray:
    """Reduced to `level` of its size, each pixel the mean of what it covers (ImageNet-C and MNIST-C, pixelate)."""
    height, width = images.shape[1:3]
    if side(images) >= PHOTO_SIDE:  # whole pixels alone, as Pillow's box counts them
        return np.stack([_boxed(one, int(height * level), int(width * level)) for one in images])
    whole = torch.from_numpy(images).permute(0, 3, 1, 2)
    small = functional.interpolate(whole, size=(int(height * level), int(width * level)), mode="area")
    large = functional.interpolate(small, size=(height, width), mode="nearest-exact")
    return large.permute(0, 2, 3, 1).numpy()


def _boxed(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 [h, w, c] in 0..1 → the same, made so small and large again; levels of a file in between."""
    channels = []
    for channel in np.moveaxis(np.rint(image * 255).astype(np.uint8), -1, 0):
        small = Image.fromarray(channel).resize((width, height), Image.Resampling.BOX)
        channels.append(np.asarray(small.resize(channel.shape[::-1], Image.Resampling.BOX)))
    return np.stack(channels, axis=-1).astype(np.float32) / 255


def side(images: np.ndarray) -> int:
    """The shorter side, in pixels."""
    return min(images.shape[1:3])


def affine(
    images: np.ndarray, angles: np.ndarray, down: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel comes from when pictures are turned about their middle (radians), then moved (pixels).

    All float [n] → float rows, columns [n, h, w].
    """
    middle = (np.array(images.shape[1:3]) - 1) / 2
    y, x = np.meshgrid(
        *(np.arange(size) - half for size, half in zip(images.shape[1:3], middle, strict=True)), indexing="ij"
    )
    y, x = y[None] - down[:, None, None], x[None] - right[:, None, None]
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    return cosine * y - sine * x + middle[0], sine * y + cosine * x + middle[1]


def moved(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Each pixel from a place between pixels, bilinear; black from outside. rows, columns: float [n, h, w]."""
    height, width = images.shape[1:3]
    grid = np.stack([2 * columns / max(width - 1, 1) - 1, 2 * rows / max(height - 1, 1) - 1], axis=-1)
    whole = torch.from_numpy(images).permute(0, 3, 1, 2)
    sampled = functional.grid_sample(whole, torch.from_numpy(grid.astype(np.float32)), align_corners=True)
    return sampled.permute(0, 2, 3, 1).numpy()


APPLY: dict[str, Callable[[np.ndarray, float, Chances], np.ndarray]] = {
    "noise": noise, "blur": blur, "contrast": contrast, "occlusion": occlusion,
    "shift": shift, "rotation": rotation, "jpeg": jpeg, "pixelate": pixelate,
}  # fmt: skip
"""float32 [n, h, w, c] in 0..1, level, chances → the same shape; what leaves 0..1 is cut off."""
