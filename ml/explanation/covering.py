"""Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901) of whatever answers: cover a patch, see how far each class's
probability falls. It needs no gradient and no torch; of one picture it tells of all classes at once."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ml.explanation.scale import large

PARTS, PHOTO_PARTS = 7, 4  # of a side, a patch is one: 169 answers, of a photograph 49
PER_PASS = 16  # pictures asked about before others may ask


def patches(height: int, width: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Height and width of a patch, and where each begins: half a patch apart, the last of a row or column at the edge,
    so that all are whole."""
    parts = PHOTO_PARTS if large(height, width) else PARTS
    tall, wide = max(1, round(height / parts)), max(1, round(width / parts))
    return tall, wide, list(product(_places(height, tall), _places(width, wide)))


def _places(length: int, patch: int) -> list[int]:
    return [*range(0, length - patch, max(1, patch // 2)), length - patch]


@dataclass(frozen=True)
class Covered:
    """What a network says of one picture. whole: float32 [classes], as it is; parts: float32 [patches, classes], with
    each patch of its size covered, in their order."""

    height: int
    width: int
    whole: np.ndarray
    parts: np.ndarray

    def map(self, target: int) -> np.ndarray:
        """float32 [h, w]: mean fall of a class's probability over the patches that cover a pixel, below zero where it
        rose; divided by how many do, so that no place counts for being covered more often."""
        tall, wide, places = patches(self.height, self.width)
        total, times = np.zeros((self.height, self.width)), np.zeros((self.height, self.width))
        falls = self.whole[target].astype(np.float64) - self.parts[:, target]
        for (top, left), fall in zip(places, falls, strict=True):
            total[top : top + tall, left : left + wide] += fall
            times[top : top + tall, left : left + wide] += 1
        return (total / times).astype(np.float32)


def covered(ask: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> Covered:
    """image: uint8 [h, w, c], covered with its darkest level, a photograph with its mean colour; ask: uint8
    [n, h, w, c], PER_PASS at most → float32 [n, classes]."""
    height, width, _ = image.shape
    tall, wide, places = patches(height, width)
    ground = np.rint(image.mean(axis=(0, 1))) if large(height, width) else image.min()
    parts = []
    for first in range(0, len(places), PER_PASS):
        some = places[first : first + PER_PASS]
        images = np.repeat(image[None], len(some), axis=0)
        for one, (top, left) in zip(images, some, strict=True):
            one[top : top + tall, left : left + wide] = ground
        parts.append(ask(images))
    return Covered(height, width, ask(image[None])[0], np.concatenate(parts))
