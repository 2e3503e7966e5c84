"""Pictures of one size made those of a network from elsewhere, as other people's code does it: by Pillow, whole
pictures first and numbers of their pixels after."""

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
    return np.stack([_framed(image, height, width, frame, share, resampling) for image in images])


def _framed(image: np.ndarray, height: int, width: int, frame: str, share: float, resampling: str) -> np.ndarray:
    high, wide = image.shape[:2]
    if frame == "stretch":
        return resized(image, height, width, resampling)
    if frame == "letterbox":
        scale = min(height / high, width / wide)
        inner = resized(image, max(1, round(scale * high)), max(1, round(scale * wide)), resampling)
        whole = np.zeros((height, width, image.shape[2]), np.uint8)
        top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return whole
    scale = max(height / high, width / wide) / share
    tall, broad = max(height, int(scale * high + 1e-6)), max(width, int(scale * wide + 1e-6))
    larger = resized(image, tall, broad, resampling)
    top, left = round((tall - height) / 2), round((broad - width) / 2)
    return larger[top : top + height, left : left + width]


def resized(image: np.ndarray, height: int, width: int, resampling: str = "bilinear") -> np.ndarray:
    """uint8 [h, w, c] → uint8 [height, width, c], the sides not kept in proportion."""
    how = RESAMPLING[resampling]
    if image.shape[2] == 3:  # the same as plane by plane, and quicker; a fourth would be multiplied in
        return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), how))
    planes = [Image.fromarray(np.ascontiguousarray(image[..., i])) for i in range(image.shape[2])]
    return np.stack([np.asarray(plane.resize((width, height), how)) for plane in planes], axis=-1)
