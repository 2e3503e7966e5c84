"""Two runs on the images that both know: what each alone gets right, under the chips of a selection."""

from dataclasses import dataclass

import numpy as np

from dashboard.data.arrays import Alignment
from dashboard.data.run import RunData
from dashboard.state.selection import Selection


@dataclass(frozen=True, kw_only=True)
class RunPair(Alignment):
    """A is the run of the selection, B the one it is against."""

    a: RunData
    b: RunData

    @property
    def recut(self) -> bool:
        """Whether the splits were cut differently, so that one run may have trained on what the other kept aside."""
        first, second = self.a.dataset, self.b.dataset
        return self.split != "test" and any(first.get(key) != second.get(key) for key in ("seed", "counts"))

    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """Of A and of B, float32 [n, C] each."""
        first, second = self.a.predictions(self.split), self.b.predictions(self.split)
        return first.probabilities[self.rows_a], second.probabilities[self.rows_b]

    def mask(self, selection: Selection, *, without: tuple[str, ...] = ()) -> np.ndarray:
        """bool [n]: what every chip but those named lets through.

        A predicted class stands for the images that one of the two alone said to be of it; confidence, outcome and
        outline are A's.
        """
        skip = ("pred", "bucket", *without, *(() if selection.narrowed else ("outcome",)))
        keep = self.a.mask(selection, without=skip)[self.rows_a]
        if selection.pred and "pred" not in without:
            keep &= self.answers.moved(self.a.class_ids(selection.pred))
        if selection.buckets and "bucket" not in without:
            keep &= self.within(selection.buckets)
        return keep

    def buckets(self, selection: Selection | None = None) -> np.ndarray:
        """int64 [4] in the order of BUCKETS: over everything, or under every chip of a selection but the bucket."""
        rows = np.ones(self.n, bool) if selection is None else self.mask(selection, without=("bucket",))
        return self.answers.buckets(rows)

    def by_class(self, selection: Selection) -> np.ndarray:
        """int64 [C, 4], the buckets of each label under every chip but true, predicted, outcome and bucket."""
        rows = self.mask(selection, without=("true", "pred", "outcome", "bucket"))
        return self.answers.by_class(len(self.a.classes), rows)

    def confusions(self, selection: Selection) -> tuple[np.ndarray, np.ndarray]:
        """int64 [C, C] of A and of B where they say different things, under every chip but true and predicted."""
        return self.answers.confusions(len(self.a.classes), self.mask(selection, without=("true", "pred")))

    def ordered(self, selection: Selection) -> np.ndarray:
        """int [k], places of the selected images in the order the gallery shows them."""
        rows = np.flatnonzero(self.mask(selection.differing()))
        if selection.sort == "id":
            return rows
        first, second = (p[rows] for p in self.probabilities())
        if selection.sort == "unsure":
            return rows[np.argsort(np.minimum(first.max(1), second.max(1)), kind="stable")]
        labels = self.answers.labels[rows, None]
        apart = np.take_along_axis(first, labels, 1) - np.take_along_axis(second, labels, 1)
        return rows[np.argsort(-np.abs(apart[:, 0].astype(np.float64)), kind="stable")]
