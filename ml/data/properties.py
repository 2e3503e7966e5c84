"""What can be said of a picture without a network: how bright, how contrasted, how full, how busy, how even, where."""

import numpy as np
import pandas as pd

from ml.data.images import AnyImages, batches

NAMES = ("brightness", "contrast", "ink", "edges", "symmetry", "x", "y")
DIFFERENT = 0.1  # of the range of a pixel: what is further from the background is ink
BLOCK = 2**18  # levels at a time: what is made of them on the way stays near the processor


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
    n, height, width, channels = images.shape
    levels = images[..., 0].astype(np.uint32)
    for channel in range(1, channels):
        levels += images[..., channel]
    grey = (np.arange(255 * channels + 1) / channels / 255)[levels]
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], axis=1)
    away = np.abs(grey - np.median(border, axis=1)[:, None, None])
    down, across = np.gradient(grey, axis=(1, 2))
    steep = np.sqrt(down * down + across * across)  # a fifth of what numpy.hypot takes, which minds the hugest numbers
    mean = grey.mean((1, 2))
    centred = grey - mean[:, None, None]
    spread = np.einsum("nij,nij->n", centred, centred)
    even = np.einsum("nij,nij->n", centred, centred[:, :, ::-1])
    flat = spread < 1e-9
    columns, rows = away.sum(1), away.sum(2)
    weight = rows.sum(1)
    some = weight > 1e-9
    x, y = (
        np.divide(lines @ np.linspace(-1, 1, lines.shape[1]), weight, out=np.zeros(n), where=some)
        for lines in (columns, rows)
    )
    return np.column_stack(
        [
            mean,
            np.sqrt(spread / (height * width)),
            (away > DIFFERENT).mean((1, 2)),
            steep.mean((1, 2)),
            np.where(flat, 1.0, np.divide(even, spread, out=np.zeros(n), where=~flat)),
            x,
            y,
        ]
    )
