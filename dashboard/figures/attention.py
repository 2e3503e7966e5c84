"""Two groups of images: the mean picture of each under what spoke for its classes, and where the two differ."""

import numpy as np

from dashboard.figures.overlay import heatmap_overlay
from dashboard.theme import palette, ramp, rgb

LEVELS = 256
DOUBTFUL = 0.25  # opacity of a difference that may be chance


def mean_picture(image: np.ndarray) -> np.ndarray:
    """float [h, w, c] of 0 to 255 → uint8 [h, w, c]."""
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def shares(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two attributions, float [h, w] each, as veils on one scale: RGBA uint8 [h, w, 4] each."""
    most = max(float(first.max(initial=0)), float(second.max(initial=0))) or 1.0
    return heatmap_overlay(first / most), heatmap_overlay(second / most)


def difference(values: np.ndarray, sure: np.ndarray, *, mode: str) -> np.ndarray:
    """float [h, w] of either sign → RGBA uint8 [h, w, 4] on the diverging scale: above zero its last colour.

    sure: bool [h, w], where it is more than chance; elsewhere it is pale.
    """
    stops = palette(mode).div
    scale = np.array([rgb(ramp(stops, i / (LEVELS - 1))) for i in range(LEVELS)], np.uint8)
    most = float(np.abs(values).max(initial=0))
    place = 0.5 + 0.5 * values / most if most > 0 else np.full(values.shape, 0.5)
    opacity = np.where(sure, 255, round(255 * DOUBTFUL)).astype(np.uint8)
    return np.concatenate([scale[np.rint(place * (LEVELS - 1)).astype(int)], opacity[..., None]], axis=2)
