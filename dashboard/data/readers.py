"""A run's artifacts as typed tables and arrays: one reader each."""

import logging
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from dashboard.data import unlabelled
from dashboard.data.abilities import Abilities
from dashboard.data.arrays import Alignment, NoLabels, Predictions, Recording
from dashboard.records.decisions import CurrentLabels
from dashboard.records.rows import DataVersion
from dashboard.records.runs import RunMetadata
from dashboard.records.slices import Slices
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts import kinds
from ml.artifacts.checking import UNREADABLE
from ml.artifacts.reader import Broken, Missing, Pictures, Run
from ml.artifacts.schema import HISTORY
from ml.stats.ood import LIMIT
from ml.training.config import trainable

log = logging.getLogger(__name__)

LAST_ALONE = {
    kinds.IMPORTED: "What this network said after each epoch of its training is not known, only what it says now.",
    kinds.RECORDED: "The predictions of this run came for one epoch alone: add those of several to see this.",
}  # why a run that was not trained here has no epochs to go through


class Source(Protocol):
    """What a run asks of the store that opened it: values kept once for all, the data set's files, people's words."""

    slices: Slices

    def marks(self) -> RunMetadata: ...

    def current_labels(self, dataset: DataVersion) -> CurrentLabels: ...

    def data_version(self, learned: Mapping[str, Any]) -> DataVersion: ...

    def compare(self, selection: Selection) -> Alignment: ...

    def keep(self, key: Hashable, make: Callable[[], Any]) -> Any: ...

    def keep_mask(self, key: Hashable, make: Callable[[], Any]) -> Any: ...

    def picture_set(self, dataset: str, learned: Mapping[str, Any] | None = ...) -> tuple[str, str]: ...

    def digest_of(self, learned: Mapping[str, Any]) -> str: ...

    def pictures(self, dataset: str, split: str, learned: Mapping[str, Any] | None = ...) -> Pictures: ...

    def about(self, dataset: str, noun: str, learned: Mapping[str, Any] | None = ...) -> pd.DataFrame: ...


class RunReaders(Abilities):
    """What a run's files hold, after one epoch and by one state of the labels where that is asked for.

    Readers have the artifacts' names, read a file once, and raise Missing (with the command that makes it) or Broken.
    """

    def __init__(
        self, store: Source, run: Run, epoch: int | None = None, current_labels: CurrentLabels | None = None
    ) -> None:
        super().__init__(run)
        self.store, self.epoch, self.current_labels = store, epoch, current_labels
        self.dataset: dict[str, Any] = run.manifest["dataset"]
        self.classes: list[str] = run.manifest["dataset"]["classes"]

    @property
    def title(self) -> str:
        """What people call this run; its id where they call it nothing."""
        return self.store.marks().title(self.run_id)

    @property
    def data_version(self) -> DataVersion:
        """Which pictures it is about, for what people say of them."""
        return self.store.data_version(self.dataset)

    def _view(self, epoch: int | None = None, current_labels: CurrentLabels | None = None) -> Self:
        return type(self)(self.store, self._run, epoch, current_labels)

    def _noun(self, noun: str, make: Callable[[], Any], *more: Hashable) -> Any:
        digest = self.manifest["nouns"].get(noun, {}).get("sha256")
        return self.store.keep((self.run_id, noun, digest, *more), lambda: _made(self.run_id, noun, make))

    def during(self, epoch: int | None) -> Self:
        """The run as it answered after the kept epoch nearest to this one; itself for None or without a recording."""
        if epoch is None:
            return self
        for split in ("test", "validation"):  # a script may have told of one of them alone
            try:
                return self._view(self.epochs(split).nearest(epoch), self.current_labels)
            except (Missing, Broken):
                continue
        return self

    def reviewed(self, labels: str | None) -> Self:
        """The run judged by what people decided of the labels; itself for None. labels: of the address."""
        if labels is None:
            return self
        return self._view(self.epoch, self.store.current_labels(self.data_version))

    def for_selection(self, selection: Selection) -> Self:
        """The run after the epoch of the address and by the labels it asks for; both are of images with labels."""
        if selection.split == UNLABELLED:
            return self
        return self.during(selection.epoch).reviewed(selection.labels)

    def epochs(self, split: str) -> Recording:
        """What was recorded during training. Raises Missing or Broken."""
        if split == UNLABELLED:
            raise NoLabels
        noun = "epochs"
        if noun not in self.manifest["nouns"]:
            if not self.can(kinds.TRAINING):
                raise Missing(LAST_ALONE[kinds.kind_of(self.manifest)])
            model = self.manifest["model"]
            again = f"python -m ml train --dataset {self.dataset['name']} --model {model}" if trainable(model) else ""
            raise Missing("The training of this run was not recorded, and cannot be afterwards.", again)

        def read() -> Recording:
            return Recording.of(self._run.arrays(noun), split, self._view().predictions(split).ids, self.run_id)

        return self._noun(noun, read, split)

    def predictions(self, split: str) -> Predictions:
        """split: one of SPLITS; of unlabelled as they are at the end, whatever epoch and labels are asked for."""
        if split == UNLABELLED:
            return self._noun(UNLABELLED, lambda: unlabelled.predictions(self._run))
        if self.current_labels is not None:
            return self._relabelled(split, self.current_labels)
        if self.epoch is not None and split != "reference":
            return self._after(split, self.epoch)

        def read() -> Predictions:
            frame = self._run.table("predictions")
            rows = np.flatnonzero(frame["split"] == split)
            if not len(rows):
                raise Missing(f"This run has no predictions for {split}.")
            rows = rows[np.argsort(frame["example_id"].to_numpy()[rows], kind="stable")]
            probabilities = np.zeros((len(rows), len(self.classes)), np.float32, order="F")
            if not self.can("top-k"):  # labels alone: the guess is all there is
                probabilities[np.arange(len(rows)), frame["predicted"].to_numpy()[rows]] = 1
            for i in range(
                len(self.classes) if self.can("top-k") else 0
            ):  # a column at a time: a copy of all of them is as large as the table
                probabilities[:, i] = frame[f"p_{i}"].to_numpy()[rows]
            return Predictions(
                frame["example_id"].to_numpy(np.int32)[rows],
                frame["label"].to_numpy(np.int64)[rows],
                frame["predicted"].to_numpy(np.int64)[rows],
                probabilities,
            )

        return self._noun("predictions", read, split)

    def _after(self, split: str, epoch: int) -> Predictions:
        def read() -> Predictions:
            return self.epochs(split).predictions(epoch, self._view().predictions(split))

        return self._noun("epochs", read, "predictions", split, epoch)

    def _relabelled(self, split: str, current_labels: CurrentLabels) -> Predictions:
        def read() -> Predictions:
            decisions = current_labels.within("train" if split == "reference" else split)
            return self._view(self.epoch).predictions(split).corrected(decisions, self.classes)

        return self._noun("predictions", read, "reviewed", current_labels.version, split, self.epoch)

    def history(self) -> pd.DataFrame:
        """One row an epoch; see the schema. Of a run from elsewhere, nan is what nobody told."""
        return self._noun("history", lambda: _all_measures(self._run.table("history")))

    def projection(self, split: str) -> pd.DataFrame:
        """pca_x, pca_y, pca_z, map_x, map_y by ascending example_id, in the order of predictions(split)."""
        if split == UNLABELLED:
            return self._noun(UNLABELLED, lambda: unlabelled.places(self._run), "places")

        def read() -> pd.DataFrame:
            frame = self._run.table("projection")
            return frame[frame["split"] == split].sort_values("example_id").reset_index(drop=True)

        return self._noun("projection", read, split)

    def neighbours(self, split: str, example_id: int) -> pd.DataFrame:
        """Up to ten rows rank, neighbour_id (reference), distance, nearest first."""

        def read() -> pd.DataFrame:
            frame = self._run.table(noun)
            mine = frame if noun != "neighbours" else frame[frame["split"] == split]
            return mine.sort_values(["example_id", "rank"]).reset_index(drop=True)

        noun = unlabelled.NEIGHBOURS if split == UNLABELLED else "neighbours"
        frame = self._noun(noun, read, split)
        ids = frame["example_id"].to_numpy()
        first, last = np.searchsorted(ids, [example_id, example_id + 1])
        return frame.iloc[first:last]

    def label_issues(self, split: str) -> pd.DataFrame:
        """example_id, label, suggested, quality, issue and rank, most suspect first. split: test, validation, train."""
        if split == UNLABELLED:
            raise NoLabels

        def read() -> pd.DataFrame:
            frame = self._run.table("label_issues")
            frame = frame[frame["split"] == split].sort_values("rank").reset_index(drop=True)
            if frame.empty:
                raise Missing(f"This run has no {split} labels that were looked at.", self.command("label_issues"))
            return frame

        return self._noun("label_issues", read, split)

    def suspects(self) -> dict[str, np.ndarray]:
        """The most suspect of train, most suspect first: example_id int32 [n].

        probabilities: float32 [n, C], out of sample; neighbour_id: int32 [n, ≤ 10] of reference; perhaps images.
        """
        if "suspects" not in self.manifest["nouns"]:
            raise Missing("This run has no suspects of its training images yet.", self.command("label_issues"))
        return self._noun("suspects", lambda: self._run.arrays("suspects"))

    def unusual(self) -> tuple[int, int]:
        """How many test pictures are called unlike the training data, and of how many."""

        def read() -> tuple[int, int]:
            arrays = self._run.arrays("familiarity")
            usual, test = np.sort(arrays.get("validation", [])), arrays.get("test", np.zeros(0, np.float32))
            past = 100 * np.searchsorted(usual, test, side="left") / max(len(usual), 1) > LIMIT
            return int(past.sum()), len(test)

        return self._noun("familiarity", read, "unusual")

    def robustness(self) -> pd.DataFrame:
        """Of test, rows corruption (`none`: as they are), severity (then 0), level, n and correct."""
        return self._noun("robustness", lambda: self._run.table("robustness"))

    def attacks(self) -> pd.DataFrame:
        """Of a part of test, rows attack, epsilon (of 0..1), n and correct."""
        if "attacks" not in self.manifest["nouns"]:
            self.need("gradients")
            raise Missing("This run has not been attacked yet.", self.command("robustness"))
        return self._noun("attacks", lambda: self._run.table("attacks"))

    def robustness_answers(self) -> dict[str, np.ndarray]:
        """What is said of example_id in each row of robustness (`predicted`), of attacked_id in each of attacks.

        Raises Missing or Broken.
        """
        if "robustness_answers" not in self.manifest["nouns"]:
            self.need(kinds.NETWORK)
            raise Missing("This run has not been asked about corrupted pictures yet.", self.command("robustness"))
        return self._noun("robustness_answers", lambda: self._run.arrays("robustness_answers"))

    def engines(self) -> pd.DataFrame:
        """What torch, onnx and int8 cost and get wrong, one row each, see the schema. Raises Missing."""
        return self._noun("engines", lambda: self._run.table("engines"))

    def filters(self) -> dict[str, np.ndarray]:
        """layer name → float16 [out, in, k, k]"""
        return self._noun("filters", lambda: self._run.arrays("filters"))

    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Reference ids int32 [n] and features float32 [n, d]."""

        def read() -> tuple[np.ndarray, np.ndarray]:
            arrays = self._run.arrays("features")
            return arrays["reference_id"], arrays["reference"].astype(np.float32)

        return self._noun("features", read)

    def pictures(self, split: str) -> Pictures:
        """The pictures of this run's data set. split: one of SPLITS; the labels of unlabelled are -1."""
        return self.store.pictures(self.dataset["name"], split, self.dataset)

    @property
    def picture_set(self) -> tuple[str, str]:
        """Name and digest of the pictures, for their addresses."""
        return self.store.picture_set(self.dataset["name"], self.dataset)

    def picture(self, split: str, example_id: int) -> np.ndarray:
        """uint8 [h, w, c]. Raises Missing."""
        pictures = self.pictures(split)
        return pictures.images[pictures.row(example_id)]

    def duplicates(self, split: str) -> pd.DataFrame:
        """Near-duplicates of a split's pictures: rows example_id, other_split, other_id, distance. Raises Missing."""
        if split == UNLABELLED:  # a data set from before these were looked for has none in its table
            properties = self.store.about(self.dataset["name"], "properties", self.dataset)
            unlabelled.check_measured(properties, self.dataset["name"])
        frame = self.store.about(self.dataset["name"], "duplicates", self.dataset)
        return frame[frame["split"] == split]

    def calibration(self) -> pd.DataFrame:
        """Rows split, scaling (none or temperature), metric, value, low, high, n."""
        return self._noun("calibration", lambda: self._run.table("calibration"))

    def temperature(self) -> float:
        """Fitted on validation. Raises Missing or Broken."""
        return self._noun("calibration", lambda: _temperature(self.calibration()), "temperature")

    def conformal(self) -> pd.DataFrame:
        """Rows split, level, most, temperature, n, covered, coverage, low, high, size, size_k."""
        return self._noun("conformal", lambda: self._run.table("conformal"))


def _all_measures(history: pd.DataFrame) -> pd.DataFrame:
    """With every measure of the schema, before what else was told."""
    missing = {name: np.nan for name in HISTORY if name not in history}
    return history.assign(**missing)[[*HISTORY, *(name for name in history if name not in HISTORY)]]


def _made(run_id: str, noun: str, make: Callable[[], Any]) -> Any:
    """What is read of a file whose columns are right may still not be what they say, as a table without some rows.

    Raises Broken then: of this run alone, or a list of all runs would fail by it.
    """
    try:
        return make()
    except (Missing, Broken):
        raise
    except UNREADABLE as error:
        log.exception("%s of %s cannot be used", noun, run_id)
        words = "its columns are right, and what stands in them is not that of a run"
        raise Broken(f"The {noun.replace('_', ' ')} of {run_id} cannot be used: {words}.") from error


def _temperature(calibration: pd.DataFrame) -> float:
    return float(calibration.loc[calibration["metric"] == "temperature", "value"].iloc[0])
