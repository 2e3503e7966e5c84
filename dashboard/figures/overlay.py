"""An explanation as a veil over its picture."""

import numpy as np
from PIL import Image

from dashboard.theme import palette, ramp, rgb

LEVELS = 256
# one scale for both modes, plum to amber: pictures lie on black in light and dark alike
UNSEEN = 150  # of 255, how dark a part is that no network saw
SCALE = np.array([rgb(ramp(palette("dark").seq, i / (LEVELS - 1))) for i in range(LEVELS)], np.uint8)


def heatmap_overlay(attribution: np.ndarray) -> np.ndarray:
    """attribution: float [h, w] from 0 to 1 → RGBA uint8 [h, w, 4], the clearer the less a pixel counts."""
    strength = np.clip(attribution, 0, 1) ** 1.5  # weak attributions must not hide the picture
    colours = SCALE[np.rint(strength * (LEVELS - 1)).astype(int)]
    opacity = np.rint(np.minimum(1, 1.35 * strength) * 255).astype(np.uint8)
    return np.concatenate([colours, opacity[..., None]], axis=2)


def laid(veil: np.ndarray, place: np.ndarray, height: int, width: int, side: int = 448) -> np.ndarray:
    """A veil over the picture that its own was made from: what was cut away is dimmed, what was turned turned back.

    veil: uint8 [h, w, 4]; place: float [2, 3], see ml.images.form.Prepared; height, width: of that picture → uint8
    [H, W, 4] of the same proportions, at most `side` pixels a side. Raises ValueError for a place that leads nowhere.
    """
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    there = np.vstack([place, [0.0, 0.0, 1.0]])
    if not abs(np.linalg.det(there)) > 1e-9:
        raise ValueError("a veil must lie somewhere")
    back = np.linalg.inv(there) @ np.diag([width / size[0], height / size[1], 1.0])  # from a point here to the veil's

    def moved(levels: np.ndarray, how: Image.Resampling) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(levels))
        corners: tuple[float, ...] = tuple(back[:2].ravel())
        return np.asarray(picture.transform(size, Image.Transform.AFFINE, corners, how))

    # colours weighed by their opacity, so that clear pixels tint none of their neighbours
    weighed = veil.astype(np.float32)
    weighed[..., :3] *= weighed[..., 3:] / 255
    parts = [moved(np.rint(weighed[..., i]).astype(np.uint8), Image.Resampling.BILINEAR) for i in range(4)]
    made = np.stack(parts, axis=-1).astype(np.float32)
    made[..., :3] = np.where(made[..., 3:] > 0, made[..., :3] * 255 / np.maximum(made[..., 3:], 1), 0)
    seen = moved(np.full(veil.shape[:2], 255, np.uint8), Image.Resampling.NEAREST) > 0
    made[~seen] = (0, 0, 0, UNSEEN)
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)
