"""An explanation as a veil over its picture."""

import numpy as np

from dashboard.theme import palette, ramp, rgb

LEVELS = 256
# one scale for both modes, plum to amber: pictures lie on black in light and dark alike
SCALE = np.array([rgb(ramp(palette("dark").seq, i / (LEVELS - 1))) for i in range(LEVELS)], np.uint8)


def heatmap_overlay(attribution: np.ndarray) -> np.ndarray:
    """attribution: float [h, w] from 0 to 1 → RGBA uint8 [h, w, 4], the clearer the less a pixel counts."""
    strength = np.clip(attribution, 0, 1) ** 1.5  # weak attributions must not hide the picture
    colours = SCALE[np.rint(strength * (LEVELS - 1)).astype(int)]
    opacity = np.rint(np.minimum(1, 1.35 * strength) * 255).astype(np.uint8)
    return np.concatenate([colours, opacity[..., None]], axis=2)
