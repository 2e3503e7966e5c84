"""What can be said of a picture without a network: how bright, how contrasted, how full, how busy, how even, where."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from ml.data.images import AnyImages
from ml.system.processor import cores

NAMES = ("brightness", "contrast", "ink", "edges", "symmetry", "x", "y")
DIFFERENT = 0.1  # of the range of a pixel: what is further from the background is ink
TURN = 100  # blocks that a thread takes at a time
MOST_CHANNELS = 256  # whose levels add up to what fits into 16 bits
BLOCK = 2**18  # levels at a time: what is made of them on the way stays near the processor


def measure(images: AnyImages) -> pd.DataFrame:
    """images: uint8 [n, h, w, c] → one float32 column for each of NAMES, n rows; channels are averaged, pixels 0..1.

    brightness: the mean; contrast: the standard deviation; ink: share of pixels that differ from the background (the
    median of the border) by more than DIFFERENT, in whole levels; edges: mean length of the gradient (differences of
    neighbours two pixels apart, halved; whole ones at the border); symmetry: correlation of the picture with its mirror
    image, 1 where there is no contrast; x, y: centre of what differs from the background, -1 at the left or top edge, 1
    at the right or bottom one, 0 where nothing differs.
    """
    n, height, width, channels = images.shape
    size = max(1, BLOCK // max(1, height * width * channels))

    def part(begin: int) -> np.ndarray:
        """float64 [k, 7] of some pictures: by any thread."""
        room = np.empty((3, min(size, n), height, width), np.float32)
        return np.concatenate([_block(images[k : k + size], room) for k in range(begin, min(n, begin + share), size)])

    threads = cores()
    share = size * max(1, min(TURN, -(-n // (size * threads))))
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(part, range(0, n, share)))
    values = np.concatenate(parts) if parts else np.empty((0, len(NAMES)))
    return pd.DataFrame(values.round(4).astype(np.float32), columns=list(NAMES))


def _block(images: np.ndarray, room: np.ndarray) -> np.ndarray:
    """float64 [n, 7]. room: float32 [3, ≥ n, h, w], written over: fresh memory for every step takes as long as they.

    Levels are whole numbers, and so are their sums along a row or column, which single precision holds to the last
    digit for up to three channels; of products those of a row are added in it, and what rows give in double.
    """
    n, height, width, channels = images.shape
    grey, other, more = room[:, :n]
    top = 255 * channels
    levels: np.ndarray = images[..., 0].astype(np.uint16 if channels <= MOST_CHANNELS else np.uint32)
    for channel in range(1, channels):
        levels += images[..., channel]
    np.copyto(grey, levels)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], axis=1)
    steep = _steepness(grey, other, more).sum(2).sum(1, dtype=np.float64) / (height * width * top)
    away = np.abs(np.subtract(grey, np.median(border, axis=1)[:, None, None], out=other), out=other)
    columns, rows = away.sum(1).astype(np.float64), away.sum(2).astype(np.float64)
    ink = np.array([np.count_nonzero(one) for one in away > DIFFERENT * top]) / (height * width)
    mean = grey.sum(2).sum(1, dtype=np.float64) / (height * width)
    whole = np.rint(mean)  # so that what is left of levels are whole numbers still
    centred = np.subtract(grey, whole[:, None, None].astype(np.float32), out=other)
    np.copyto(more, centred[:, :, ::-1])
    rest = (mean - whole) ** 2 * (height * width)
    spread = np.einsum("nij,nij->ni", centred, centred).sum(1, dtype=np.float64) - rest
    even = np.einsum("nij,nij->ni", centred, more).sum(1, dtype=np.float64) - rest
    flat = spread < 1e-9 * top**2
    weight = rows.sum(1)
    some = weight > 1e-9
    x, y = (
        np.divide(lines @ np.linspace(-1, 1, lines.shape[1]), weight, out=np.zeros(n), where=some)
        for lines in (columns, rows)
    )
    contrast = np.sqrt(np.maximum(spread, 0) / (height * width)) / top
    symmetry = np.where(flat, 1.0, np.divide(even, spread, out=np.zeros(n), where=~flat))
    return np.column_stack([mean / top, contrast, ink, steep, symmetry, x, y])


def _steepness(grey: np.ndarray, squares: np.ndarray, more: np.ndarray) -> np.ndarray:
    """float32 [n, h, w], in `squares`: the length of the gradient, of differences as numpy.gradient makes them."""
    _differences(grey, squares, 1)
    np.multiply(squares, squares, out=squares)
    _differences(grey, more, 2)
    np.multiply(more, more, out=more)
    squares += more
    return np.sqrt(squares, out=squares)  # a fifth of what numpy.hypot takes, which minds the hugest numbers


def _differences(grey: np.ndarray, found: np.ndarray, axis: int) -> None:
    """What numpy.gradient says along one axis, in a fifth of its time."""
    grey, found = (np.moveaxis(whole, axis, 0) for whole in (grey, found))
    np.subtract(grey[2:], grey[:-2], out=found[1:-1])
    found[1:-1] *= 0.5
    found[0], found[-1] = grey[1] - grey[0], grey[-1] - grey[-2]
