"""What a layer makes of a picture: one small picture a channel, on black in both themes as every picture is.

Brightness grows with the square root, or one loud channel would leave the others in the dark.
"""

import numpy as np

from dashboard.theme import DARK, rgb

LIMIT = 64  # maps at a time
GAP = 1

_NEGATIVE, _POSITIVE = np.array(rgb(DARK.div[0]), float), np.array(rgb(DARK.div[-1]), float)


def tint(values: np.ndarray, most: float) -> np.ndarray:
    """float [h, w] → uint8 [h, w, 3]: zero is black, +most the one end of the diverging scale, -most the other."""
    share = np.clip(values / most if most > 0 else np.zeros_like(values), -1, 1)[..., None]
    share = np.sign(share) * np.sqrt(np.abs(share))
    return np.rint(np.where(share < 0, -share * _NEGATIVE, share * _POSITIVE)).astype(np.uint8)


def grey(values: np.ndarray, most: float) -> np.ndarray:
    """float [h, w] of 0 and more → uint8 [h, w, 3]: zero is black, most is white."""
    share = np.clip(values / most if most > 0 else np.zeros_like(values), 0, 1)
    return np.repeat(np.rint(255 * np.sqrt(share)).astype(np.uint8)[..., None], 3, axis=2)


def paint(values: np.ndarray, most: float) -> np.ndarray:
    """float [h, w] → uint8 [h, w, 3]: grey where nothing is below zero, else both sides of zero in their colours."""
    return tint(values, most) if values.min(initial=0) < 0 else grey(values, most)


def sheet(maps: np.ndarray, *, across: int = 8) -> np.ndarray:
    """float [channels, h, w] → uint8 [rows, columns, 3], the first LIMIT channels in their order, one scale for all."""
    shown = maps[:LIMIT]
    n, height, width = shown.shape
    most = float(np.abs(shown).max(initial=0))
    draw = tint if shown.min(initial=0) < 0 else grey
    columns = min(across, n)
    rows = -(-n // columns)
    canvas = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 40, np.uint8)
    for place, one in enumerate(shown):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = draw(one, most)
    return canvas


def excited(maps: np.ndarray) -> np.ndarray:
    """float [channels, h, w] → int [channels], the channel with the largest mean response first."""
    return np.argsort(-np.maximum(maps, 0).mean(axis=(1, 2)), kind="stable")


def liveliest(maps: np.ndarray) -> int:
    """float [channels, h, w] → the channel whose response varies most over the picture: a shape, not a shade."""
    return int(np.maximum(maps, 0).std(axis=(1, 2)).argmax())
