"""Pairs of vectors that are near each other, among millions, without comparing each with each.

However vectors are projected onto a few axes at right angles, their distance does not grow. So what is near has near
shadows on AXES of them, the directions in which a sample differs most, and a k-d tree of shadows finds those. Each pair
it finds is measured in full: nothing is approximate, and nothing is kept but the shadows, 4 bytes an axis.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

AXES = 24
SAMPLE = 2_000  # vectors that the axes are drawn from
NEIGHBOURS = 64  # shadows that are looked at; where there are more, all vectors may have to be
SLACK = 1e-3  # what single precision takes from a distance, and more
BLOCK = 1_000  # vectors in memory at a time, twice

Pairs: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # first, second: int [p]; distance: float64 [p]
Vectors: TypeAlias = Callable[[np.ndarray], np.ndarray]  # positions → float32 [k, d], of length one


def axes_of(vectors: Vectors, n: int, seed: int = 0) -> np.ndarray:
    """float32 [d, ≤ AXES]: directions at right angles in which n vectors differ most, as a sample tells."""
    rows = np.sort(np.random.default_rng(seed).choice(n, min(n, SAMPLE), replace=False))
    sample = vectors(rows)
    sample = sample - sample.mean(0)
    weights, mixed = np.linalg.eigh((sample @ sample.T).astype(np.float64))
    some = np.argsort(-weights)[:AXES]
    some = some[weights[some] > 1e-6]
    return np.linalg.qr((sample.T @ mixed[:, some]).astype(np.float64))[0].astype(np.float32)


def shadows(vectors: Vectors, n: int, axes: np.ndarray) -> np.ndarray:
    """float32 [n, a]: n vectors on the axes."""
    made = np.empty((n, axes.shape[1]), np.float32)
    for rows in _blocks(np.arange(n)):
        made[rows] = vectors(rows) @ axes
    return made


class Pool:
    """Vectors in which those near to others are found. shadows: float32 [n, a], theirs on the axes."""

    def __init__(self, vectors: Vectors, shadows: np.ndarray, ids: np.ndarray) -> None:
        """ids: int [n]; of two that are equally near the smaller comes first."""
        from scipy.spatial import KDTree  # late: whoever only reads a data set waits for no scipy

        self._vectors, self._ids, self._n = vectors, ids, len(shadows)
        self._tree = KDTree(shadows) if shadows.shape[1] else None

    def near(self, vectors: Vectors, shadows: np.ndarray, own: np.ndarray | None, limit: float, most: int) -> Pairs:
        """Positions of the asked, positions in the pool, distances float64: `most` of each asked, nearest first.

        own: int [m], ids of the asked that are in the pool too, which are not their own neighbours. Of more than
        NEIGHBOURS equally near ones it is not said which are found.
        """
        found = []
        for rows in _blocks(np.arange(len(shadows))):
            ids = own[rows] if own is not None else None
            found.append(self._block(vectors, shadows[rows], rows, ids, limit, most))
        parts = [np.concatenate(part) for part in zip(*found, strict=True)] if found else []
        return (parts[0], parts[1], parts[2]) if parts else (np.zeros(0, int), np.zeros(0, int), np.zeros(0))

    def _block(
        self, vectors: Vectors, places: np.ndarray, rows: np.ndarray, own: np.ndarray | None, limit: float, most: int
    ) -> Pairs:
        k = min(NEIGHBOURS, self._n)
        if self._tree is None or k < 2:  # nothing differs, or there is nothing to choose from
            which, where = np.divmod(np.arange(len(rows) * k), k)
            apart, crowded = np.zeros(len(rows)), np.full(len(rows), k < self._n)
        else:
            distances, nearest = self._tree.query(places, k=k, distance_upper_bound=limit + SLACK, workers=-1)
            which, column = np.nonzero(np.isfinite(distances))
            where, apart = nearest[which, column], distances[:, -1]
            crowded = np.isfinite(apart) & (k < self._n)
        if own is not None:
            other = own[which] != self._ids[where]
            which, where = which[other], where[other]
        used, place = np.unique(which, return_inverse=True)
        first, second, distance = self._measured(vectors(rows[used]), place, where, limit, most)
        first = used[first]
        # whatever was not looked at is at least as far as the last shadow that was
        sure = np.bincount(first[distance <= apart[first] + SLACK**2], minlength=len(rows)) >= most
        rest = np.flatnonzero(crowded & ~sure)
        if len(rest):
            kept = ~np.isin(first, rest)
            again = self._all(vectors(rows[rest]), own[rest] if own is not None else None, limit, most)
            first = np.concatenate([first[kept], rest[again[0]]])
            second, distance = np.concatenate([second[kept], again[1]]), np.concatenate([distance[kept], again[2]])
        return rows[first], second, distance

    def _measured(self, asked: np.ndarray, which: np.ndarray, where: np.ndarray, limit: float, most: int) -> Pairs:
        """Those of some pairs that are within the limit."""
        order = np.argsort(where, kind="stable")  # a file is read in its order
        which, where, distance = which[order], where[order], np.empty(len(order))
        for part in _blocks(np.arange(len(where))):
            gap = asked[which[part]].astype(np.float64) - self._vectors(where[part])
            distance[part] = np.sqrt((gap**2).sum(1))
        near = distance <= limit
        return self._nearest(which[near], where[near], distance[near], most)

    def _all(self, asked: np.ndarray, own: np.ndarray | None, limit: float, most: int) -> Pairs:
        """The same of every pair, by a product of all."""
        found: Pairs = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
        for rows in _blocks(np.arange(self._n)):
            which, column = np.nonzero(asked @ self._vectors(rows).T >= 1 - limit**2 / 2 - 1e-4)
            where = rows[column]
            if own is not None:
                other = own[which] != self._ids[where]
                which, where = which[other], where[other]
            new = self._measured(asked, which, where, limit, most)
            which, where, distance = (np.concatenate(pair) for pair in zip(found, new, strict=True))
            found = self._nearest(which, where, distance, most)
        return found

    def _nearest(self, which: np.ndarray, where: np.ndarray, distance: np.ndarray, most: int) -> Pairs:
        """The first `most` of each asked, by distance and id."""
        order = np.lexsort((self._ids[where], distance, which))
        which, where, distance = which[order], where[order], distance[order]
        turn = np.arange(len(which)) - np.searchsorted(which, which)
        kept = turn < most
        return which[kept], where[kept], distance[kept]


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
