"""What can be said of a picture without a network: how bright, how contrasted, how full, how busy, how even, where."""

import numpy as np
import pandas as pd

from ml.data.images import AnyImages, batches

NAMES = ("brightness", "contrast", "ink", "edges", "symmetry", "x", "y")
DIFFERENT = 0.1  # of the range of a pixel: what is further from the background is ink
BLOCK = 2**20  # pixels at a time: each takes some dozen bytes on the way


def measure(images: AnyImages) -> pd.DataFrame:
    """images: uint8 [n, h, w, c] → one float32 column for each of NAMES, n rows; channels are averaged, pixels 0..1.

    brightness: the mean; contrast: the standard deviation; ink: share of pixels that differ from the background (the
    median of the border) by more than DIFFERENT; edges: mean length of the gradient (differences of neighbours two
    pixels apart, halved; whole ones at the border); symmetry: correlation of the picture with its mirror image, 1 where
    there is no contrast; x, y: centre of what differs from the background, -1 at the left or top edge, 1 at the right
    or bottom one, 0 where nothing differs.
    """
    parts = [_block(batch) for batch in batches(images, max(1, BLOCK // max(1, int(np.prod(images.shape[1:])))))]
    values = np.concatenate(parts) if parts else np.empty((0, len(NAMES)))
    return pd.DataFrame(values.round(4).astype(np.float32), columns=list(NAMES))


def _block(images: np.ndarray) -> np.ndarray:
    grey = images.mean(3, dtype=np.float64) / 255
    n, height, width = grey.shape
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], axis=1)
    away = np.abs(grey - np.median(border, axis=1)[:, None, None])
    down, across = np.gradient(grey, axis=(1, 2))
    centred = grey - grey.mean((1, 2), keepdims=True)
    spread = (centred**2).sum((1, 2))
    even = (centred * centred[:, :, ::-1]).sum((1, 2))
    flat = spread < 1e-9
    weight = away.sum((1, 2))
    places = (np.linspace(-1, 1, width)[None, None, :], np.linspace(-1, 1, height)[None, :, None])
    some = weight > 1e-9
    x, y = (np.divide((away * place).sum((1, 2)), weight, out=np.zeros(n), where=some) for place in places)
    return np.column_stack(
        [
            grey.mean((1, 2)),
            grey.std((1, 2)),
            (away > DIFFERENT).mean((1, 2)),
            np.hypot(down, across).mean((1, 2)),
            np.where(flat, 1.0, np.divide(even, spread, out=np.zeros(n), where=~flat)),
            x,
            y,
        ]
    )
