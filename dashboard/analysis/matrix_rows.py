"""The rows of a confusion matrix as it is drawn: a class each, of many classes some and the others together."""

from dataclasses import dataclass

import numpy as np

from dashboard.data.run import RunData
from dashboard.figures import confusion as figure
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import OUTCOMES


@dataclass(frozen=True)
class Shown:
    """The matrix as it is drawn: a row for each class or group of classes.

    counts: int [G, G]; right: int [G], named right in each row; members: the classes behind the names of groups; each:
    int [C, C], the counts of single classes in their own order.
    """

    names: list[str]
    rows: list[list[int]]
    counts: np.ndarray
    right: np.ndarray
    members: dict[str, tuple[str, ...]]
    each: np.ndarray

    @classmethod
    def of(cls, run: RunData, selection: Selection) -> "Shown":
        """Counted under every chip but true, predicted and outcome; order and groups are those of the whole split."""
        counts, rows = run.confusion(selection), arranged(run, selection)
        classes = named(run, rows)
        members = {name: values for name, values in classes.items() if len(values) > 1}
        right = np.array([int(counts.diagonal()[row].sum()) for row in rows])
        return cls(list(classes), rows, figure.grouped(counts, rows), right, members, counts)

    def place(self, pair: tuple[str, str] | None) -> tuple[int, int] | None:
        """Row and column of a cell, None where it has none of its own."""
        if pair is None or pair[0] not in self.names or pair[1] not in self.names:
            return None
        return self.names.index(pair[0]), self.names.index(pair[1])


def arranged(run: RunData, selection: Selection) -> list[list[int]]:
    """The classes of each row, in the order shown."""
    view, classes = selection.matrix, len(run.classes)
    shown = view.shown(classes)
    if not view.cluster and shown == classes:
        return [[i] for i in range(classes)]
    whole = run.confusion(selection.clear().with_(outcome=OUTCOMES))
    order = figure.cluster_order(whole) if view.cluster else np.arange(classes)
    return figure.groups(whole, order, shown)


def named(run: RunData, rows: list[list[int]]) -> dict[str, tuple[str, ...]]:
    """What each row is called → its classes."""
    each = [tuple(run.classes[i] for i in row) for row in rows]
    return {one[0] if len(one) == 1 else f"{len(one)} others": one for one in each}
