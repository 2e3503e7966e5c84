"""Pictures added to a data set: those it has come first and keep their ids, splits and pixels; new ones learn from it.

What a source says of a split holds; where it says nothing, a new picture is one of train, so that what accuracy was
measured on stays what it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ml.data.base import SPLITS, UNLABELLED, Dataset, natural
from ml.data.images import AnyImages
from ml.data.importing.choices import Choices
from ml.data.importing.looks import Taken
from ml.data.importing.records import Found, Record

THERE = "it is in the data set already, pixel for pixel"
LIKE = "as the data set has it"


def before(found: Found, dataset: Dataset) -> Found:
    """A source with the pictures of a data set before its own; classes that it has not come after those it has.

    Raises ValueError for a data set whose pictures are not counted once.
    """
    classes = (*dataset.classes, *natural(set(found.classes) - set(dataset.classes)))
    ids = [classes.index(name) for name in found.classes]
    new = [
        replace(
            one, label=None if one.label is None else ids[one.label],
            split=one.split or ("train" if one.label is not None else UNLABELLED),
        )
        for one in found.records
    ]  # fmt: skip
    return replace(found, classes=classes, records=[*records(dataset), *new], given=SPLITS)


def records(dataset: Dataset) -> list[Record]:
    """Its pictures by their ids, each to be read late. Raises ValueError."""
    placed: list[tuple[int, Record]] = []
    for name, split in dataset.splits.items():
        for row, (example, label) in enumerate(zip(split.ids.tolist(), split.labels.tolist(), strict=True)):
            pixels = partial(_pixels, split.images, row)
            known = None if name == UNLABELLED else label
            placed.append((example, Record(f"{dataset.name} {example}", known, name, pixels=pixels)))
    placed.sort(key=lambda one: one[0])
    if [example for example, _ in placed] != list(range(len(placed))):
        raise ValueError(
            f"nothing can be added to {dataset.name}: its pictures have other numbers than an import gives"
        )
    return [one for _, one in placed]


def _pixels(images: AnyImages, row: int) -> np.ndarray:
    return np.asarray(images[row])


def choices(chosen: Choices, dataset: Dataset) -> Choices:
    """As was chosen, but for what the data set has decided: names and order of classes, and the form of pictures."""
    height, width, channels = dataset.shape
    return replace(
        chosen, order=(), size=(height, width), colour=channels == 3, fitting=dataset.fitting,
        resampling=dataset.resampling, background=dataset.background,
    )  # fmt: skip


def taken(dataset: Dataset) -> Taken:
    """The form of its pictures."""
    return Taken(*dataset.shape, LIKE, LIKE, dataset.levels)


def new_rows(rows: Sequence[int], pixels: Sequence[bytes], n: int) -> tuple[np.ndarray, list[int]]:
    """Places of pictures that stay, and of new ones that the data set has already. rows: of each picture its place
    among the records, of which the first n are the data set's; pixels: what stands for those of each."""
    known = {one for row, one in zip(rows, pixels, strict=True) if row < n}
    again = [i for i, (row, one) in enumerate(zip(rows, pixels, strict=True)) if row >= n and one in known]
    return np.setdiff1d(np.arange(len(rows)), again), again
