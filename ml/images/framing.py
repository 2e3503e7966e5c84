"""Pictures of one size made those of a network from elsewhere, as other people's code does it: by Pillow, whole
pictures first and numbers of their pixels after."""

from functools import lru_cache

import numpy as np
from PIL import Image

FRAMES = ("stretch", "letterbox", "crop")
LEAST_SHARE = 0.25
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}
LEAST, MOST = 64, 1 << 15  # pixels of pictures that are resized together
ALONE = 16  # pictures that are not
PROBES = 4


def framed(
    images: np.ndarray,
    height: int,
    width: int,
    frame: str = "stretch",
    share: float = 1.0,
    resampling: str = "bilinear",
) -> np.ndarray:
    """uint8 [n, h, w, c] → uint8 [n, height, width, c].

    stretch gives the proportions up; letterbox keeps them, on black; crop keeps them too and cuts the middle out of a
    picture that was made larger: share is how much of its shorter side stays, 224 of 256 as 0.875. resampling: of
    RESAMPLING. A picture that has the size already is left as it is, but for crops of a share.
    """
    if images.shape[1:3] == (height, width) and (frame != "crop" or share == 1):
        return images
    n, high, wide, channels = images.shape
    if frame == "stretch":
        return resized(images, height, width, resampling)
    if frame == "letterbox":
        scale = min(height / high, width / wide)
        inner = resized(images, max(1, round(scale * high)), max(1, round(scale * wide)), resampling)
        whole = np.zeros((n, height, width, channels), np.uint8)
        tall, broad = inner.shape[1:3]
        top, left = (height - tall) // 2, (width - broad) // 2
        whole[:, top : top + tall, left : left + broad] = inner
        return whole
    scale = max(height / high, width / wide) / share
    tall, broad = max(height, int(scale * high + 1e-6)), max(width, int(scale * wide + 1e-6))
    larger = resized(images, tall, broad, resampling)
    top, left = round((tall - height) / 2), round((broad - width) / 2)
    return larger[:, top : top + height, left : left + width]


def resized(images: np.ndarray, height: int, width: int, resampling: str = "bilinear") -> np.ndarray:
    """uint8 [n, h, w, c] → uint8 [n, height, width, c], the sides not kept in proportion."""
    channels = images.shape[3]
    if channels != 3:  # three are the same as plane by plane, and quicker; a fourth would be multiplied in
        planes = [_planes(images[..., i], height, width, resampling) for i in range(channels)]
        return np.stack(planes, axis=-1)
    return _planes(images, height, width, resampling)


def _planes(images: np.ndarray, height: int, width: int, resampling: str) -> np.ndarray:
    """uint8 [n, h, w] or [n, h, w, 3]: many small ones by few calls, of which each costs more than the pixels."""
    n, high, wide = images.shape[:3]
    small = min(high * wide, height * width) >= LEAST and max(high, height) * max(wide, width) <= MOST
    first = _first(high, wide, height, width, resampling) if n > ALONE and small else None
    if first is None:
        return np.stack([_by_pillow(image, height, width, resampling) for image in images])
    for side in (first, "high" if first == "wide" else "wide"):
        images = (_made_wide if side == "wide" else _made_high)(images, height if side == "high" else width, resampling)
    return images


def _made_wide(images: np.ndarray, width: int, resampling: str) -> np.ndarray:
    """The pictures one beneath another, which Pillow resizes row by row."""
    n, high, wide, *rest = images.shape
    whole = _by_pillow(images.reshape(n * high, wide, *rest), n * high, width, resampling)
    return whole.reshape(n, high, width, *rest)


def _made_high(images: np.ndarray, height: int, resampling: str) -> np.ndarray:
    """The pictures beside each other, which Pillow resizes column by column."""
    n, high, wide, *rest = images.shape
    whole = _by_pillow(images.swapaxes(0, 1).reshape(high, n * wide, *rest), height, n * wide, resampling)
    return whole.reshape(height, n, wide, *rest).swapaxes(0, 1)


@lru_cache(256)
def _first(high: int, wide: int, height: int, width: int, resampling: str) -> str | None:
    """Which side Pillow changes first, "wide" or "high", in whole levels as the other after it: which one that is hangs
    on its version and the sizes, so that noise is asked. None where it is neither."""
    noise = np.random.default_rng(0).integers(0, 256, (PROBES, high, wide), np.uint8)
    expected = np.stack([_by_pillow(one, height, width, resampling) for one in noise])
    if np.array_equal(_made_high(_made_wide(noise, width, resampling), height, resampling), expected):
        return "wide"
    if np.array_equal(_made_wide(_made_high(noise, height, resampling), width, resampling), expected):
        return "high"
    return None


def _by_pillow(image: np.ndarray, height: int, width: int, resampling: str) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), RESAMPLING[resampling]))
