"""Which pictures are nearly the same? A test picture that is also in train says nothing about what was learned.

Two pictures are compared as vectors, each centred on its own mean and scaled to length one: the distance is
sqrt(2 - 2r), where r is their correlation over pixels. So a copy that is a little brighter or flatter is still a copy.
"""

import math
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from ml.data import near_pairs
from ml.data.base import Split
from ml.data.images import AnyImages

LIMIT = 0.12  # the largest distance of a near-duplicate: a correlation of 0.993
MAX_PAIRS_PER_IMAGE = 5  # the nearest are kept
MAX_COMPARED_SIDE = 32  # larger pictures are averaged down to at most this many pixels a side before they are compared
BLOCK = 1_000
PRODUCTS = 2 * 10**12  # of two numbers, up to which each is compared with each; Fashion-MNIST takes 1.8
LOOKED_AT = 200  # products, that take as long as looking whether one of them makes a pair
COMPARED = 2**26  # pairs at a time: of all of a large data set at once they would fill the memory
PIXELS = 2**22  # that are made smaller, or compared, at a time
PRODUCTS_PER_BLOCK = 100_000  # ten times as many wake threads that fight: 76 ms instead of 2
ROOM_BYTES = 300 << 20  # of vectors, up to which they are in memory; those of Fashion-MNIST take 239
MOST_ROWS = 256  # of the brightest pixels, whose sum fits into 16 bits
CROWD = 64  # neighbours, of which only the nearest are measured where there are more
SLACK = 1e-4  # what single precision takes from a product of two vectors, and more
BLANK = 1e-3  # the length of a centred picture under which it has no contrast


def table(
    splits: Mapping[str, Split], *, limit: float = LIMIT, most: int = MAX_PAIRS_PER_IMAGE, among: Collection[str] = ()
) -> pd.DataFrame:
    """Rows split, example_id, other_split, other_id, distance, by example and then nearest first.

    splits: test, validation, train, and reference, which is a part of train: those of all but train are looked for in
    test, validation and train. among: whose pictures are looked for, all but train's when empty. A picture is not its
    own duplicate. Pictures without any contrast are
    duplicates of each other, at distance 0.
    """
    given = {name: split for name, split in splits.items() if len(split)}
    pools = {name: split for name, split in given.items() if name != "reference"}
    queries = {name: split for name, split in given.items() if (name in among if among else name != "train")}
    asked = sum(map(len, queries.values()))
    width = math.prod(_averaged(next(iter(given.values())).images)) if given else 0
    room = 4 * width * sum(map(len, given.values()))
    if room > ROOM_BYTES or asked * sum(map(len, pools.values())) * (width + LOOKED_AT) > PRODUCTS:
        frames = _among_many(given, pools, queries, limit, most)
    else:
        vectors = {name: units(split.images) for name, split in given.items()}
        frames = [
            pairs for name, query in queries.items() for pairs in _search(name, query, vectors, pools, limit, most)
        ]
    columns = ["split", "example_id", "other_split", "other_id", "distance"]
    pairs = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    pairs = pairs.sort_values(["split", "example_id", "distance", "other_split", "other_id"], kind="stable")
    pairs = pairs.groupby(["split", "example_id"], sort=False).head(most).reset_index(drop=True)
    types = {"example_id": np.int32, "other_id": np.int32, "distance": np.float32}
    return pairs[columns].astype(types)


def _search(
    name: str, query: Split, vectors: Mapping[str, np.ndarray], pools: Mapping[str, Split], limit: float, most: int
) -> list[pd.DataFrame]:
    """Of one split's pictures, the `most` nearest within the limit in each pool."""
    frames = []
    for other, pool in pools.items():
        same = {name, other} <= {"train", "reference"} or name == other
        size = max(1, min(BLOCK, COMPARED // len(pool)))
        for start in range(0, len(query), size):
            block = vectors[name][start : start + size]
            products = block @ vectors[other].T
            if same:
                products[query.ids[start : start + len(block), None] == pool.ids] = -2
            # a little further than the limit: single precision decides who is looked at, not who is near
            looked_at = products >= 1 - limit**2 / 2 - SLACK
            crowded = looked_at.sum(1) > CROWD
            if crowded.any():
                last = np.partition(products[crowded], -most, axis=1)[:, -most]
                looked_at[crowded] &= products[crowded] >= last[:, None] - SLACK
            rows, columns = np.nonzero(looked_at)
            distance = _distances(block, vectors[other], rows, columns)
            order = np.lexsort((pool.ids[columns], distance, rows))
            turn = np.arange(len(order)) - np.searchsorted(rows, rows)
            order = order[(turn < most) & (distance[order] <= limit)]
            frames.append(
                pd.DataFrame(
                    {
                        "split": name,
                        "example_id": query.ids[start + rows[order]],
                        "other_split": other,
                        "other_id": pool.ids[columns[order]],
                        "distance": distance[order],
                    }
                )
            )
    return frames


def _distances(first: np.ndarray, second: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """float64 [p], of rows of the one and of the other; however many, few of them are in memory at a time."""
    found, size = np.empty(len(rows)), max(1, PIXELS // max(1, first.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        gap = first[rows[part]].astype(np.float64) - second[columns[part]]
        found[part] = np.sqrt((gap**2).sum(1))
    return found


def _among_many(
    given: Mapping[str, Split], pools: Mapping[str, Split], queries: Mapping[str, Split], limit: float, most: int
) -> list[pd.DataFrame]:
    """The same pairs, without comparing each with each and without keeping vectors."""
    largest, frames = max(pools.values(), key=len), []
    axes = near_pairs.axes_of(_units_of(largest), len(largest))
    shadows = {name: near_pairs.shadows(_units_of(split), len(split), axes) for name, split in given.items()}
    for other, pool in pools.items():
        found = near_pairs.Pool(_units_of(pool), shadows[other], pool.ids)
        for name, query in queries.items():
            same = {name, other} <= {"train", "reference"} or name == other
            own = query.ids if same else None
            rows, places, distance = found.near(_units_of(query), shadows[name], own, limit, most)
            ids = {"example_id": query.ids[rows], "other_id": pool.ids[places]}
            frames.append(pd.DataFrame({"split": name, "other_split": other, **ids, "distance": distance}))
    return frames


def _units_of(split: Split) -> near_pairs.Vectors:
    return lambda rows: units(split.images[rows])


class Index:
    """Pictures in which the nearest to any other is found without making a vector of each again.

    What is kept of pictures up to MAX_COMPARED_SIDE a side are their lengths, 4 bytes each: the product of a picture
    with a centred vector is that of its own centred vector. Of larger ones the averages are kept too, at half
    precision.
    """

    def __init__(self, images: AnyImages) -> None:
        """images: uint8 [n, h, w, c], held, not copied."""
        self._images = images
        n = len(images)
        self._averages: np.ndarray | None = None  # float16 [n, d] of larger ones
        self._lengths = np.empty(n, np.float32)
        parts = []
        size = _at_once(images)
        for start in range(0, n, size):
            flat = _small(images[start : start + size])
            if _step(images) > 1:
                parts.append(flat.astype(np.float16))
            self._lengths[start : start + size] = np.linalg.norm(flat - flat.mean(1, keepdims=True), axis=1)
        if parts:
            self._averages = np.concatenate(parts)

    def _flat(self, start: int, end: int) -> np.ndarray:
        """float32 [k, d]: pictures as they are compared, not centred."""
        if self._averages is not None:
            return self._averages[start:end].astype(np.float32)
        part = self._images[start:end]
        return part.reshape(len(part), -1).astype(np.float32)

    def nearest(self, image: np.ndarray) -> tuple[int, float]:
        """Row and distance of the picture most like this one, uint8 [h, w, c]; the first of equals."""
        if not len(self._images):
            return 0, 2.0
        point = units(image[None])[0]
        if point.sum() > 0.5:  # a picture without contrast
            likeness = np.where(self._lengths < BLANK, np.float32(1), np.float32(0))
        else:
            rows = max(1, PRODUCTS_PER_BLOCK // len(point))
            products = [self._flat(r, r + rows) @ point for r in range(0, len(self._images), rows)]
            likeness = np.concatenate(products) / np.maximum(self._lengths, BLANK)
            likeness[self._lengths < BLANK] = point[0]
        row = int(likeness.argmax())
        return row, float(np.linalg.norm(units(self._images[row : row + 1])[0] - point))


def _step(images: AnyImages) -> int:
    """How many pixels a side are averaged into one."""
    return max(1, min(-(-max(images.shape[1:3]) // MAX_COMPARED_SIDE), *images.shape[1:3]))


def _averaged(images: AnyImages) -> tuple[int, int, int]:
    """Height, width and channels as they are compared."""
    step = _step(images)
    return images.shape[1] // step, images.shape[2] // step, images.shape[3]


def _at_once(images: AnyImages) -> int:
    """How many pictures are made smaller at a time: their pixels take four bytes each on the way."""
    return max(1, min(BLOCK, PIXELS // max(1, math.prod(images.shape[1:]))))


def _small(images: np.ndarray) -> np.ndarray:
    """images: uint8 [n, h, w, c] → float32 [n, d], averaged down to at most MAX_COMPARED_SIDE pixels a side."""
    n, height, width, channels = images.shape
    step = _step(images)
    high, wide = height // step, width // step
    if step == 1:
        return images.reshape(n, -1).astype(np.float32)
    # whole numbers, rows first: a twentieth of what a mean of both axes takes, and the same to the last bit
    part = images[:, : high * step, : wide * step].reshape(n, high, step, -1)
    rows: np.ndarray = part[:, :, 0].astype(np.uint32 if step > MOST_ROWS else np.uint16)
    for k in range(1, step):
        rows += part[:, :, k]
    rows = rows.reshape(n, high, wide, step, channels)
    cells: np.ndarray = rows[:, :, :, 0].astype(np.uint32)
    for k in range(1, step):
        cells += rows[:, :, :, k]
    return (cells.astype(np.float32) / np.float32(step * step)).reshape(n, -1)


def units(images: AnyImages) -> np.ndarray:
    """images: uint8 [n, h, w, c] → float32 [n, d], each of mean 0 and length 1, all without contrast the same."""
    n = len(images)
    vectors = np.empty((n, math.prod(_averaged(images))), np.float32)
    size = _at_once(images)
    for start in range(0, n, size):
        flat = _small(images[start : start + size])
        flat -= flat.mean(1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        blank = length[:, 0] < BLANK
        flat = np.divide(flat, length, out=flat, where=length > 0)
        flat[blank] = 0
        flat[blank, 0] = 1
        vectors[start : start + size] = flat
    return vectors
