"""What is read of a run, as arrays with names: one split's predictions, its recording, two runs side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from dashboard.records.decisions import Decision
from dashboard.state.vocabulary import BUCKETS
from ml.artifacts.reader import Broken, Missing
from ml.stats.paired import Answers

NOT_SCORED = (
    "No labels: not scored. Nobody has said what these images are, so there is nothing to hold an answer against."
)


@dataclass(frozen=True)
class Predictions:
    """One split of a run, by ascending id: ids int32, labels and predicted int64 [n], probabilities float32 [n, C].

    excluded: bool [n], what people left out, where labels are as reviewed; None as labelled.
    """

    ids: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    excluded: np.ndarray | None = None
    labelled: ClassVar[bool] = True

    @cached_property
    def confidence(self) -> np.ndarray:
        """float32 [n], the largest probability."""
        return self.probabilities.max(1)

    @cached_property
    def right(self) -> np.ndarray:
        """bool [n]"""
        return self.labels == self.predicted

    @property
    def kept(self) -> np.ndarray:
        """bool [n]: what counts, which is everything but what people left out."""
        return np.ones(len(self.ids), bool) if self.excluded is None else ~self.excluded

    def row(self, example_id: int) -> int:
        """Position of an example; raises Missing."""
        row = int(np.searchsorted(self.ids, example_id))
        if row >= len(self.ids) or self.ids[row] != example_id:
            raise Missing(f"There is no image {example_id} in this split.")
        return row

    def label(self, row: int) -> int | None:
        """The class id of one of them; None for images without labels."""
        return int(self.labels[row]) if self.labelled else None

    def corrected(self, decisions: Mapping[int, Decision], classes: Sequence[str]) -> "Predictions":
        """By the labels that people decided on.

        decisions: by example id; one for a class that is none of these changes nothing.
        """
        labels, excluded = self.labels.copy(), np.zeros(len(self.ids), bool)
        for example, decision in decisions.items():
            row = int(np.searchsorted(self.ids, example))
            if row == len(labels) or self.ids[row] != example:
                continue
            if decision.action == "exclude":
                excluded[row] = True
            elif decision.after in classes:
                labels[row] = classes.index(decision.after)
        return Predictions(self.ids, labels, self.predicted, self.probabilities, excluded)


class NoLabels(Missing):
    """What is asked for has to do with labels, and these images have none."""

    def __init__(self) -> None:
        super().__init__(NOT_SCORED)


class WithoutLabels(Predictions):
    """Those of images that nobody has labelled. Whatever asks for a label, or for right and wrong, raises NoLabels, so
    that nothing can count them.

    places: float64 [n, 5], pca_x … map_y; unlike: float32 [n], mean distance to the nearest training pictures;
    percentile: float32 [n], how many of validation are nearer, nan where nobody knows; diverse: int [n], turn in a
    diverse sample.
    """

    labelled: ClassVar[bool] = False

    def __init__(
        self, ids: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, more: Mapping[str, np.ndarray]
    ) -> None:
        known = {"ids": ids, "predicted": predicted, "probabilities": probabilities, "excluded": None}
        for name, value in (known | dict(more)).items():
            object.__setattr__(self, name, value)

    unlike: np.ndarray
    percentile: np.ndarray
    diverse: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        raise NoLabels


@dataclass(frozen=True)
class Recording:
    """What a run said of one split while it learned, by ascending id, n examples.

    epochs: int [k], those whose probabilities are kept, as uint8 [k, n, C] in steps of 1/255; right_epochs: int [e];
    right: bool [e, n] after each of them. mean, spread: float32 [n] of the true class's probability over all of those
    (Dataset Cartography: Swayamdipta et al. 2020, arXiv:2009.10795).
    """

    epochs: np.ndarray
    probabilities: np.ndarray
    right_epochs: np.ndarray
    right: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], split: str, ids: np.ndarray, run_id: str) -> "Recording":
        """From the noun epochs. ids: of the split's predictions, ascending. Raises Missing, Broken."""
        if f"{split}_id" not in arrays:
            raise Missing(f"What the run said of {split} while it learned was not recorded: choose test.")
        order = np.argsort(arrays[f"{split}_id"], kind="stable")
        if not np.array_equal(arrays[f"{split}_id"][order], ids):
            raise Broken(f"epochs.npz of run {run_id} is of other images")
        right = np.unpackbits(arrays[f"{split}_right"], axis=1, count=len(order)).astype(bool)
        return cls(
            arrays["epoch"],
            arrays[f"{split}_probabilities"][:, order],
            arrays["right_epoch"],
            right[:, order],
            arrays[f"{split}_mean"][order],
            arrays[f"{split}_spread"][order],
        )

    @cached_property
    def forgotten(self) -> np.ndarray:
        """int [n]: how often right after one epoch and wrong after the next (Toneva et al. 2019, arXiv:1812.05159)."""
        return (self.right[:-1] & ~self.right[1:]).sum(0)

    @cached_property
    def never(self) -> np.ndarray:
        """bool [n]: wrong after every epoch."""
        return np.logical_not(self.right.any(axis=0))

    def nearest(self, epoch: int) -> int:
        """The kept epoch nearest to this one, the earlier of two."""
        return int(self.epochs[np.abs(self.epochs.astype(int) - epoch).argmin()])

    def predictions(self, epoch: int, last: Predictions) -> Predictions:
        """As answered after a kept epoch. last: those of the same examples at the end."""
        steps = self.probabilities[np.flatnonzero(self.epochs == epoch)[0]]
        probabilities = steps.astype(np.float32) / steps.sum(1, keepdims=True, dtype=np.float32)
        return Predictions(last.ids, last.labels, steps.argmax(1), probabilities)


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Two runs, A and B, on the n images of a split that both know, by ascending id.

    ids: int32 [n]; rows_a, rows_b: int [n], their places in each run's predictions(split).
    answers: what both predicted. relabelled: images left out because the two runs know them by different labels.
    """

    split: str
    ids: np.ndarray
    rows_a: np.ndarray
    rows_b: np.ndarray
    answers: Answers
    relabelled: int = 0

    @classmethod
    def of(cls, split: str, first: Predictions, second: Predictions) -> "Alignment":
        """By the labels of both, without what people left out."""
        _, left, right = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
        alike = first.labels[left] == second.labels[right]
        inside = alike if first.excluded is None else alike & ~first.excluded[left]
        left, right = left[inside], right[inside]
        answers = Answers(first.labels[left], first.predicted[left], second.predicted[right])
        return cls(
            split=split,
            ids=first.ids[left],
            rows_a=left,
            rows_b=right,
            answers=answers,
            relabelled=int((~alike).sum()),
        )

    @property
    def n(self) -> int:
        return len(self.rows_a)

    def within(self, buckets: tuple[str, ...]) -> np.ndarray:
        """bool [n]: in one of these buckets."""
        return np.isin(self.answers.bucket, [BUCKETS.index(name) for name in buckets])
