"""One run, as pages read it: its artifacts, and what is counted of the examples that a selection means."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.data.arrays import NoLabels, WithoutLabels
from dashboard.data.filtering import RunFilters
from dashboard.data.index import merged
from dashboard.state.selection import FILTERS, Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.artifacts.scores import scores
from ml.data.images import total
from ml.stats.metrics import split_metrics

POINTS = 10_000  # that a browser draws without trouble
MATRIX_CHIPS = ("true", "pred", "outcome")  # what the confusion matrix is itself about


class RunData(RunFilters):
    """What `store.open(run)` gives. Everything here raises Missing or Broken as the artifacts that it reads do."""

    @property
    def has_unlabelled(self) -> bool:
        """Whether its data set has images without a label that can be shown, or are still to be asked about."""
        if UNLABELLED in self.manifest["nouns"]:
            return True
        can = not kinds.lacking(self.manifest, [kinds.NOUN_NEEDS[UNLABELLED]])
        empty = UNLABELLED in self.manifest.get("empty", ())
        return can and not empty and bool(self.dataset["counts"].get(UNLABELLED, 0))

    def without_labels(self) -> WithoutLabels:
        """What it says of them. Raises Missing, Broken."""
        predictions = self.predictions(UNLABELLED)
        assert isinstance(predictions, WithoutLabels)
        return predictions

    def scores(self, split: str) -> pd.DataFrame:
        """Rows class (empty = all), metric, value, low, high, n. Raises Missing or Broken."""
        if split == UNLABELLED:
            raise NoLabels
        then = None if split == "reference" else self.epoch
        if self.current_labels is not None or then is not None:
            version = self.current_labels.version if self.current_labels else None
            return self._noun("scores", lambda: self._counted(split), "counted", version, then, split)
        frame = self._noun(
            "scores", lambda: scores(self._run), self.manifest["nouns"].get("calibration", {}).get("sha256")
        )
        return frame[frame["split"] == split]

    def preparation(self) -> pd.DataFrame:
        """Rows given (files or photographs), steps, n, correct, agreeing."""
        return self._noun("preparation", lambda: self._run.table("preparation"))

    def _counted(self, split: str) -> pd.DataFrame:
        """The scores of this epoch, by the labels that people decided on, as an evaluation counts them."""
        predictions = self.predictions(split)
        kept = predictions.kept
        return split_metrics(
            split, predictions.labels[kept], predictions.probabilities[kept], self.seed, kinds.known(self.manifest)
        )

    def confusion(self, selection: Selection) -> np.ndarray:
        """int64 [C, C] under every chip but the matrix's own: true, pred and outcome. Kept: do not write to it.

        Of a whole split at the end of training, by the labels that came with it, it is the artifact; else counted.
        """
        if selection.split == UNLABELLED:
            raise NoLabels
        narrowed = any(name in FILTERS and name not in MATRIX_CHIPS for name, _ in selection.items())
        then = None if selection.split == "reference" else self.epoch
        if "confusion" in self.manifest["nouns"] and not narrowed and then is None and self.current_labels is None:
            return self._noun("confusion", lambda: self._whole_confusion(selection.split), selection.split)

        def count() -> np.ndarray:
            rows, classes = self.rows(selection, without=MATRIX_CHIPS), len(self.classes)
            counts = np.bincount(self._cells(selection.split)[rows], minlength=classes**2).reshape(classes, classes)
            counts.flags.writeable = False
            return counts

        return self._from(selection, MATRIX_CHIPS, "confusion", count)

    def _whole_confusion(self, split: str) -> np.ndarray:
        frame, classes = self._run.table("confusion"), len(self.classes)
        frame = frame[frame["split"] == split]
        if not len(frame):
            raise Missing(f"This run has no predictions for {split}.")
        cells = (frame[column].to_numpy(np.int64) for column in ("label", "predicted"))
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, tuple(cells), frame["count"].to_numpy())
        counts.flags.writeable = False
        return counts

    def distribution(self, selection: Selection, *, whole: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Guesses and truths, int64 [C] each, counted under every chip but predicted, or over the whole split.

        Without labels, in place of truths: as many as there would be if classes were as frequent as in train.
        """
        if selection.split == UNLABELLED:
            rows = self.rows(Selection(split=UNLABELLED) if whole else selection, without=("pred",))
            guesses = np.bincount(self.predictions(UNLABELLED).predicted[rows], minlength=len(self.classes))
            return guesses, shared_out(guesses.sum(), self.class_shares())
        counts = self.confusion(Selection(split=selection.split) if whole else selection)
        if not whole:  # what is let through by label and outcome, the matrix holds cell by cell
            counts = counts.copy()
            if selection.true:
                counts[np.setdiff1d(np.arange(len(counts)), self.class_ids(selection.true))] = 0
            if len(selection.outcomes) == 1:
                right = np.eye(len(counts), dtype=bool)
                counts[right if selection.outcomes[0] == "wrong" else ~right] = 0
        return counts.sum(0), counts.sum(1)

    def class_shares(self) -> np.ndarray:
        """float64 [C]: how frequent each class is in train. Raises Missing, Broken."""
        labels = self.predictions("reference").labels
        return np.bincount(labels, minlength=len(self.classes)) / max(len(labels), 1)

    def ordered(self, selection: Selection) -> np.ndarray:
        """Positions in predictions(selection.split) of the selected examples, in the order the gallery shows them."""

        def order() -> np.ndarray:
            predictions = self.predictions(selection.split)
            if selection.sort == "confident" and self._sorted_out(selection, ()):
                groups = [merged(self._pieces(selection, (), right)) for right in (False, True)]
                return self.cell_index(selection.split).by_rank[np.concatenate(groups)]
            rows = self.rows(selection)
            if selection.sort == "id":
                return rows
            if selection.sort == "given":
                place = {example: at for at, example in enumerate(selection.ids)}
                return np.array(sorted(rows.tolist(), key=lambda row: place.get(int(predictions.ids[row]), 0)), np.intp)
            if isinstance(predictions, WithoutLabels):
                return rows[np.argsort(ranked(predictions, selection.sort)[rows], kind="stable")]
            confidence = predictions.confidence[rows]
            if selection.sort == "unsure":
                return rows[np.argsort(confidence, kind="stable")]
            # most confident first, and among those the mistakes before what is right
            return rows[np.lexsort((-confidence, predictions.right[rows]))]

        return self._from(selection, (), ("order", selection.sort), order)

    def sketched(self, split: str, most: int = POINTS) -> np.ndarray:
        """int [≤ most]: places in predictions(split) that charts of single points draw, ascending; all where they fit.

        Of more, a fixed sample with the same share of each label, of each predicted class where there are no labels.
        """
        predictions = self.predictions(split)
        if len(predictions.ids) <= most:
            return np.arange(len(predictions.ids))

        def draw() -> np.ndarray:
            rng = np.random.default_rng(0)
            classes = predictions.labels if predictions.labelled else predictions.predicted
            turn = np.empty(len(classes))
            for label in np.unique(classes):
                rows = np.flatnonzero(classes == label)
                turn[rows] = (rng.permutation(len(rows)) + rng.random()) / len(rows)
            return np.sort(np.argpartition(turn, most)[:most])

        return self._noun("predictions" if predictions.labelled else UNLABELLED, draw, "sketched", split, most)

    def mean_picture(self, selection: Selection) -> np.ndarray:
        """float64 [h, w, c], 0..255: the mean of the selected pictures. Raises Missing where there are none, Broken."""
        pictures = self.pictures(selection.split)
        ids = self.predictions(selection.split).ids[self.rows(selection)]
        rows = np.flatnonzero(np.isin(pictures.ids, ids))
        if not len(rows):
            raise Missing("No picture to take the mean of.")
        return total(pictures.images, rows) / len(rows)

    def suspected(self, ids: Sequence[int]) -> np.ndarray:
        """uint8 [n, h, w, c] of some of the suspects, by example id. Raises Missing or Broken."""
        kept = self.suspects()
        place = {int(example): row for row, example in enumerate(kept["example_id"])}
        if not all(one in place for one in ids):
            raise Missing("There is no such image among the suspected ones.")
        if "images" in kept:
            return kept["images"][[place[one] for one in ids]]
        pictures = self.pictures("train")
        return pictures.images[[pictures.row(one) for one in ids]]

    def without(self, split: str) -> Missing | None:
        """Why the pictures of a split are not here, and what brings them; None where they are."""
        try:
            self.pictures(split)
        except Missing as problem:
            return problem
        except Broken as problem:
            return Missing(str(problem))
        return None

    def shelf_of(self, split: str, example_id: int) -> str:
        """Under which name a picture can be asked for: of train, only its reference part and the twins may be here."""
        if split != "train":
            return split
        for name in ("reference", "twins"):
            try:
                self.pictures(name).row(example_id)
            except (Missing, Broken):
                continue
            return name
        return split

    def label_of(self, split: str, example_id: int) -> int | None:
        """The label of any picture of the data set, None where it has none or is not on this machine."""
        try:
            pictures = self.pictures(self.shelf_of(split, example_id))
            label = int(pictures.labels[pictures.row(example_id)])
            return label if label >= 0 else None
        except (Missing, Broken):
            return None


def ranked(predictions: WithoutLabels, sort: str) -> np.ndarray:
    """float [n]: what comes first is smallest. sort: one of SORTS, that of images without a label."""
    if sort == "unlike":
        return -predictions.unlike.astype(np.float64)
    if sort == "diverse":
        return predictions.diverse
    confidence = predictions.confidence.astype(np.float64)
    return confidence if sort == "unsure" else -confidence


def shared_out(total: int, shares: np.ndarray) -> np.ndarray:
    """int64 [C] that sum to total, by largest remainder. shares: float [C] that sum to 1, or are all 0."""
    quota = total * shares
    counts = np.floor(quota).astype(np.int64)
    rest = int(total - counts.sum()) if shares.sum() else 0
    counts[np.argsort(counts - quota, kind="stable")[:rest]] += 1
    return counts
