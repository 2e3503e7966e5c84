"""Door READ: runs as typed frames and arrays, checked once and cached; the only place that opens artifacts."""

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from dashboard.data.cache import Cache
from dashboard.records.decisions import CurrentLabels, Decisions
from dashboard.records.runs import Records, RunMetadata
from dashboard.records.slices import PREFIX, Slices
from dashboard.state.selection import BUCKETS, FILTERS, Selection, exact
from ml.artifacts.reader import Broken, Library, Missing, Pictures, Run, RunEntry
from ml.stats.calibration import brier, calibration_error, losses, temper
from ml.stats.conformal import sets
from ml.stats.failure_modes import MADE, OFTEN
from ml.stats.metrics import of_split
from ml.stats.ood import LIMIT
from ml.stats.paired import Answers
from ml.system.paths import ARTIFACTS, home_dir

OWN_TAGS = (*MADE, "often-forgotten", "never-learned", "suspected-label")  # that follow from the run's own files
HEADLINES = 2_000  # a dozen numbers each
DRAWN = 10_000  # points a browser draws without trouble
KEPT = 48  # tables and arrays in memory, of all runs together
ASKED = 16  # masks and orders in memory; of a million examples, 1 MB a mask and 8 MB an order of them all
AT_ONCE = 65_536  # examples whose probabilities are scaled at a time


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


@dataclass(frozen=True)
class Under:
    """n test pictures as they are and made worse: ids int32, labels int64, clean and worse int16, what is said then."""

    ids: np.ndarray
    labels: np.ndarray
    clean: np.ndarray
    worse: np.ndarray

    @property
    def flipped(self) -> np.ndarray:
        """bool [n]: right as they are, wrong then."""
        return (self.clean == self.labels) & (self.worse != self.labels)


class Store:
    """Every run that can be looked at. Thread-safe; files are read once and kept, newest use last.

    records: what people say of runs, the promoted default among it; slices: what they saved; decisions: what they
    decided of labels.
    """

    def __init__(
        self,
        artifacts: Path | None = None,
        home: Path | None = None,
        records: Records | None = None,
        slices: Slices | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        self.library = Library(artifacts or ARTIFACTS, home or home_dir())
        self._records = records or Records()
        self.slices = slices or Slices()
        self._decisions = decisions or Decisions()
        self._kept, self._masks = Cache(KEPT), Cache(ASKED)
        self._headlines: dict[Hashable, dict[str, tuple[float, float, float]]] = {}
        self._lock = threading.RLock()

    def runs(self) -> list[RunEntry]:
        """The listing, broken runs with their reason; reread when a folder or manifest changed."""
        return self._listing()[0]

    def default_run(self) -> str | None:
        """The run shown when the URL names none: the promoted one, else what ships as default, else the newest
        that is no candidate from feedback."""
        listed, shipped = self._listing()
        promoted = self.marks().default
        return promoted if any(entry.ok and entry.run_id == promoted for entry in listed) else shipped

    def marks(self) -> RunMetadata:
        """What people say of runs."""
        return self._records.marks()

    def current_labels(self, dataset: str) -> CurrentLabels:
        """What people decided of the labels of a data set."""
        return self._decisions.current_labels(dataset)

    def used(self, run_id: str | None) -> str | None:
        """The run a page shows for the one in its address: that one, or the default when it is not here (any more)."""
        return run_id if any(entry.run_id == run_id for entry in self.runs()) else self.default_run()

    def shown(self, run_id: str | None) -> "RunData":
        """That run, opened. Raises Missing where there is no run at all, Broken."""
        return self.open(self.used(run_id))

    def headline(self, entry: RunEntry) -> dict[str, tuple[float, float, float]]:
        """metric → value, low, high over the whole test split, the ends NaN where there are none; empty without scores.

        Kept for every run there is: the table of runs asks for all of them at once.
        """
        key = (entry.run_id, entry.manifest.get("nouns", {}).get("scores", {}).get("sha256"))
        with self._lock:
            known = self._headlines.get(key)
        if known is None:
            try:
                table = self.open(entry.run_id).scores("test")
                rows = table[table["class"].isna()].itertuples()
                known = {row.metric: (float(row.value), float(row.low), float(row.high)) for row in rows}
            except (Missing, Broken):
                known = {}
            with self._lock:
                if len(self._headlines) > HEADLINES:
                    self._headlines.clear()
                self._headlines[key] = known
        return known

    def open(self, run_id: str | None) -> "RunData":
        """Exactly that run, the default when None. Raises Missing or Broken."""
        name = run_id or self.default_run()
        if name is None:
            raise Missing("There is no run yet.", "python -m ml train --model fashion_cnn --epochs 10")
        entry = next((entry for entry in self.runs() if entry.run_id == name), None)
        if entry is None:
            raise Missing(f"There is no run {name!r} here.")
        if not entry.ok:
            raise Broken(f"Run {name} cannot be opened: {entry.reason}.")
        overlay = self.library.home / "runs" / name if entry.shipped else None
        return RunData(self, Run(entry, overlay))

    def rivals(self, run: "RunData") -> list[tuple[RunEntry, str]]:
        """Every other run, and why it cannot be compared with this one, '' where it can."""
        others = [entry for entry in self.runs() if entry.run_id != run.run_id]
        return [(e, e.reason or _apart(run.dataset, e.manifest["dataset"])) for e in others]

    def other(self, run: "RunData", against: str | None) -> "RunData":
        """The run to compare with: `against` where it is here and another one, else the best on the same images.

        Best on validation, archived ones left out. Raises Missing where there is none, Broken.
        """
        rivals, marks = self.rivals(run), self.marks()
        if any(entry.run_id == against for entry, _ in rivals):
            return self.open(against)
        found = [entry for entry, why in rivals if not why and not marks.of(entry.run_id).archived]
        if not found:
            raise Missing(
                f"No other run learned from {run.dataset['title']}, and a comparison needs two.",
                f"python -m ml train --dataset {run.dataset['name']} --model compact_cnn --epochs 10",
            )
        return self.open(max(found, key=_validated).run_id)

    def compare(self, selection: Selection) -> "RunPair":
        """The run of the selection and the one it is against, on the images of the split that both know.

        Raises Missing where there is no other run or the two cannot be compared, Broken.
        """
        a = self.shown(selection.run).reviewed(selection.labels)
        b, split = self.other(a, selection.against).reviewed(selection.labels), selection.split
        if why := _apart(a.dataset, b.dataset):
            raise Missing(f"{a.title} and {b.title} cannot be compared: {why}.")

        def align() -> tuple[np.ndarray, np.ndarray, Answers, int]:
            first, second = a.predictions(split), b.predictions(split)
            _, left, right = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
            alike = first.labels[left] == second.labels[right]
            inside = alike if first.excluded is None else alike & ~first.excluded[left]
            left, right = left[inside], right[inside]
            said = Answers(first.labels[left], first.predicted[left], second.predicted[right])
            return left, right, said, int((~alike).sum())

        digests = [run.manifest["nouns"]["predictions"]["sha256"] for run in (a, b)]
        version = a.current_labels.version if a.current_labels else None
        found = self.keep(("pair", a.run_id, b.run_id, *digests, version, split), align)
        if not len(found[0]):
            raise Missing(f"{a.title} and {b.title} cannot be compared: no {split} image is known to both.")
        return RunPair(a, b, split, *found)

    def keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """make() once per key; the least recently used goes first."""
        return self._kept.get(key, make)

    def keep_mask(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The same for what follows from a selection: there are many, and none may cost a table its place."""
        return self._masks.get(key, make)

    def has_pictures(self, dataset: str) -> bool:
        """Whether the test pictures of a data set named in a checked manifest are on this machine."""
        roots = (self.library.artifacts, self.library.home)
        return any((root / "datasets" / dataset / "test.npz").is_file() for root in roots)

    def pictures(self, dataset: str, split: str) -> Pictures:
        """One split's pictures. Raises Missing or Broken."""
        return self.keep(("pictures", dataset, split), lambda: self.library.pictures(dataset, split))

    def about(self, dataset: str, noun: str) -> pd.DataFrame:
        """properties or duplicates of a data set's pictures. Raises Missing or Broken."""
        return self.keep(("about", dataset, noun), lambda: self.library.about(dataset, noun))

    def _listing(self) -> tuple[list[RunEntry], str | None]:
        stamp = self.library.stamp()
        return self.keep(("runs", stamp), lambda: (self.library.runs(), self.library.default()))


class RunData:
    """One run, as pages read it. Readers have the nouns' names and raise Missing (with its command) or Broken."""

    def __init__(
        self, store: Store, run: Run, epoch: int | None = None, current_labels: CurrentLabels | None = None
    ) -> None:
        self._store, self._run, self.epoch, self.current_labels = store, run, epoch, current_labels
        self.run_id: str = run.run_id
        self.manifest: dict[str, Any] = run.manifest
        self.dataset: dict[str, Any] = run.manifest["dataset"]
        self.classes: list[str] = run.manifest["dataset"]["classes"]

    @property
    def run(self) -> Run:
        """What the predictor opens."""
        return self._run

    @property
    def title(self) -> str:
        """What people call this run; its id where they call it nothing."""
        return self._store.marks().title(self.run_id)

    def _noun(self, noun: str, make: Callable[[], Any], *more: Hashable) -> Any:
        digest = self.manifest["nouns"].get(noun, {}).get("sha256")
        return self._store.keep((self.run_id, noun, digest, *more), make)

    def during(self, epoch: int | None) -> "RunData":
        """The run as it answered after the kept epoch nearest to this one; itself for None or without a recording."""
        if epoch is None:
            return self
        try:
            return RunData(self._store, self._run, self.epochs("test").nearest(epoch), self.current_labels)
        except (Missing, Broken):
            return self

    def reviewed(self, labels: str | None) -> "RunData":
        """The run judged by what people decided of the labels; itself for None. labels: of the address."""
        if labels is None:
            return self
        return RunData(self._store, self._run, self.epoch, self._store.current_labels(self.dataset["name"]))

    def asked(self, selection: Selection) -> "RunData":
        """The run after the epoch of the address and by the labels it asks for."""
        return self.during(selection.epoch).reviewed(selection.labels)

    def epochs(self, split: str) -> Recording:
        """What was recorded during training. Raises Missing or Broken."""
        noun = "epochs"
        if noun not in self.manifest["nouns"]:
            command = f"python -m ml train --dataset {self.dataset['name']} --model {self.manifest['model']}"
            raise Missing("The training of this run was not recorded, and cannot be afterwards.", command)

        def read() -> Recording:
            found, predictions = self._run.arrays(noun), RunData(self._store, self._run).predictions(split)
            if f"{split}_id" not in found:
                raise Missing(f"What the run said of {split} while it learned was not recorded: choose test.")
            order = np.argsort(found[f"{split}_id"], kind="stable")
            if not np.array_equal(found[f"{split}_id"][order], predictions.ids):
                raise Broken(f"epochs.npz of run {self.run_id} is of other images")
            right = np.unpackbits(found[f"{split}_right"], axis=1, count=len(order)).astype(bool)
            return Recording(
                found["epoch"],
                found[f"{split}_probabilities"][:, order],
                found["right_epoch"],
                right[:, order],
                found[f"{split}_mean"][order],
                found[f"{split}_spread"][order],
            )

        return self._noun(noun, read, split)

    def predictions(self, split: str) -> Predictions:
        """split: test, validation or reference."""
        if self.current_labels is not None:
            current_labels, bare = self.current_labels, RunData(self._store, self._run, self.epoch)
            key = ("reviewed", current_labels.version, split, self.epoch)
            return bare._noun("predictions", lambda: bare._corrected(split, current_labels), *key)
        if self.epoch is not None and split != "reference":
            return self._noun("epochs", lambda: self._said(split), "predictions", split, self.epoch)

        def read() -> Predictions:
            frame = self._run.table("predictions")
            rows = np.flatnonzero(frame["split"] == split)
            if not len(rows):
                raise Missing(f"This run has no predictions for {split}.")
            rows = rows[np.argsort(frame["example_id"].to_numpy()[rows], kind="stable")]
            probabilities = np.empty((len(rows), len(self.classes)), np.float32, order="F")
            for i in range(len(self.classes)):  # a column at a time: a copy of all of them is as large as the table
                probabilities[:, i] = frame[f"p_{i}"].to_numpy()[rows]
            return Predictions(
                frame["example_id"].to_numpy(np.int32)[rows],
                frame["label"].to_numpy(np.int64)[rows],
                frame["predicted"].to_numpy(np.int64)[rows],
                probabilities,
            )

        return self._noun("predictions", read, split)

    def _corrected(self, split: str, current_labels: CurrentLabels) -> Predictions:
        """By the labels that people decided on. A class that this run has not changes nothing."""
        found = self.predictions(split)
        labels, excluded = found.labels.copy(), np.zeros(len(found.ids), bool)
        for example, decision in current_labels.within("train" if split == "reference" else split).items():
            row = int(np.searchsorted(found.ids, example))
            if row == len(labels) or found.ids[row] != example:
                continue
            if decision.action == "exclude":
                excluded[row] = True
            elif decision.after in self.classes:
                labels[row] = self.classes.index(decision.after)
        return Predictions(found.ids, labels, found.predicted, found.probabilities, excluded)

    def _said(self, split: str) -> Predictions:
        """As predicted after the epoch this is a view of."""
        last, recording = RunData(self._store, self._run).predictions(split), self.epochs(split)
        steps = recording.probabilities[np.flatnonzero(recording.epochs == self.epoch)[0]]
        shares = steps.astype(np.float32) / steps.sum(1, keepdims=True, dtype=np.float32)
        return Predictions(last.ids, last.labels, steps.argmax(1), shares)

    def history(self) -> pd.DataFrame:
        """One row an epoch; see the schema."""
        return self._noun("history", lambda: self._run.table("history"))

    def scores(self, split: str) -> pd.DataFrame:
        """Rows class (empty = all), metric, value, low, high, n. Raises Missing or Broken."""
        then = None if split == "reference" else self.epoch
        if self.current_labels is not None or then is not None:
            version = self.current_labels.version if self.current_labels else None
            return self._noun("scores", lambda: self._counted(split), "counted", version, then, split)
        frame = self._noun("scores", self._evaluated, self.manifest["nouns"].get("calibration", {}).get("sha256"))
        return frame[frame["split"] == split]

    def _evaluated(self) -> pd.DataFrame:
        """The noun; runs of before the two were drawn alike have the calibration error's interval from its own noun."""
        frame = self._run.table("scores")
        try:
            known = self.calibration()
        except (Missing, Broken):
            return frame
        known = known[(known["scaling"] == "none") & (known["metric"] == "calibration_error")].set_index("split")
        rows = frame["class"].isna() & (frame["metric"] == "calibration_error") & frame["split"].isin(known.index)
        for end in ("low", "high"):
            frame.loc[rows, end] = frame.loc[rows, "split"].map(known[end])
        return frame

    def _counted(self, split: str) -> pd.DataFrame:
        """The scores of this epoch, by the labels that people decided on, as an evaluation counts them."""
        found = self.predictions(split)
        kept = found.kept
        return of_split(split, found.labels[kept], found.probabilities[kept], self.manifest["config"]["seed"])

    def confusion(self, selection: Selection) -> np.ndarray:
        """int64 [C, C] counted under every chip but the matrix's own: true, pred and outcome. Kept: do not write to it.

        Raises Missing or Broken.
        """
        own = ("true", "pred", "outcome")

        def count() -> np.ndarray:
            rows, classes = self.mask(selection, without=own), len(self.classes)
            counts = np.bincount(self._cells(selection.split)[rows], minlength=classes**2).reshape(classes, classes)
            counts.flags.writeable = False
            return counts

        return self._from(selection, own, "confusion", count)

    def _cells(self, split: str) -> np.ndarray:
        """int [n]: of each example, label · C + predicted."""
        predictions, classes = self.predictions(split), len(self.classes)

        def count() -> np.ndarray:
            small = np.min_scalar_type(classes**2)
            return predictions.labels.astype(small) * small.type(classes) + predictions.predicted.astype(small)

        version = self.current_labels.version if self.current_labels else None
        return self._noun("predictions", count, "cells", split, self.epoch, version)

    def distribution(self, selection: Selection, *, whole: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Guesses and truths, int64 [C] each, counted under every chip but predicted, or over the whole split."""
        counts = self.confusion(Selection(split=selection.split) if whole else selection)
        if not whole:  # what is let through by label and outcome, the matrix holds cell by cell
            counts = counts.copy()
            if selection.true:
                counts[np.setdiff1d(np.arange(len(counts)), self.class_ids(selection.true))] = 0
            if len(selection.outcomes) == 1:
                right = np.eye(len(counts), dtype=bool)
                counts[right if selection.outcomes[0] == "wrong" else ~right] = 0
        return counts.sum(0), counts.sum(1)

    def projection(self, split: str) -> pd.DataFrame:
        """pca_x, pca_y, pca_z, map_x, map_y by ascending example_id, in the order of predictions(split)."""

        def read() -> pd.DataFrame:
            frame = self._run.table("projection")
            return frame[frame["split"] == split].sort_values("example_id").reset_index(drop=True)

        return self._noun("projection", read, split)

    def neighbours(self, split: str, example_id: int) -> pd.DataFrame:
        """Up to ten rows rank, neighbour_id (reference), distance, nearest first."""

        def read() -> pd.DataFrame:
            frame = self._run.table("neighbours")
            return frame[frame["split"] == split].sort_values(["example_id", "rank"]).reset_index(drop=True)

        frame = self._noun("neighbours", read, split)
        ids = frame["example_id"].to_numpy()
        first, last = np.searchsorted(ids, [example_id, example_id + 1])
        return frame.iloc[first:last]

    def label_issues(self, split: str) -> pd.DataFrame:
        """example_id, label, suggested, quality, issue and rank, most suspect first. split: test, validation, train."""

        def read() -> pd.DataFrame:
            frame = self._run.table("label_issues")
            frame = frame[frame["split"] == split].sort_values("rank").reset_index(drop=True)
            if frame.empty:
                raise Missing(f"This run has no {split} labels that were looked at.", self._command("label_issues"))
            return frame

        return self._noun("label_issues", read, split)

    def suspects(self) -> dict[str, np.ndarray]:
        """The most suspect of train, most suspect first: example_id int32 [n], images uint8 [n, h, w, c].

        probabilities: float32 [n, C], out of sample; neighbour_id: int32 [n, ≤ 10] of reference.
        """
        if "suspects" not in self.manifest["nouns"]:
            raise Missing("This run has no suspects of its training images yet.", self._command("label_issues"))
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
            raise Missing("This run has not been attacked yet.", self._command("robustness"))
        return self._noun("attacks", lambda: self._run.table("attacks"))

    def robustness_answers(self) -> dict[str, np.ndarray]:
        """What is said of example_id in each row of robustness (`predicted`), of attacked_id in each of attacks.

        Raises Missing or Broken.
        """
        if "robustness_answers" not in self.manifest["nouns"]:
            raise Missing("This run has not been asked about corrupted pictures yet.", self._command("robustness"))
        return self._noun("robustness_answers", lambda: self._run.arrays("robustness_answers"))

    def under(self, name: str, degree: float) -> "Under":
        """Test pictures as they are and under a corruption of this severity, or an attack within `degree` of 255.

        Raises Missing, also for what was not tried.
        """
        said = self.robustness_answers()
        if name in ("fgsm", "pgd"):
            frame, part = self.attacks(), ("attacked_id", "attacked")
            mine = frame["attack"] == name
            clean, rows = frame.index[mine & (frame["epsilon"] == 0)], 255 * frame["epsilon"]
            worse = frame.index[mine & np.isclose(rows, degree, atol=1e-6)]
        else:
            frame, part = self.robustness(), ("example_id", "predicted")
            clean = frame.index[frame["severity"] == 0]
            worse = frame.index[(frame["corruption"] == name) & (frame["severity"] == degree)]
        if not len(clean) or not len(worse) or len(frame) != len(said[part[1]]):
            raise Missing("This was not tried on this run.", self._command("robustness"))
        ids, whole = said[part[0]], self.predictions("test")
        places = np.searchsorted(whole.ids, ids)
        if not np.array_equal(whole.ids[places.clip(max=len(whole.ids) - 1)], ids):
            raise Broken(f"robustness_answers.npz of run {self.run_id} is of other images")
        return Under(ids, whole.labels[places], said[part[1]][clean[0]], said[part[1]][worse[0]])

    def _command(self, noun: str) -> str:
        return f"python -m ml evaluate {self.run_id} --only {noun}"

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
        """The pictures of this run's data set. split: test, validation or reference."""
        return self._store.pictures(self.dataset["name"], split)

    def picture(self, split: str, example_id: int) -> np.ndarray:
        """uint8 [h, w, c]. Raises Missing."""
        pictures = self.pictures(split)
        return pictures.images[pictures.row(example_id)]

    def class_ids(self, names: tuple[str, ...]) -> list[int]:
        """Ids of the names this run has."""
        return [self.classes.index(name) for name in names if name in self.classes]

    def _among(self, names: tuple[str, ...]) -> np.ndarray:
        """bool [C]: whether a class is among these names."""
        return np.isin(np.arange(len(self.classes)), self.class_ids(names))

    def mask(self, selection: Selection, *, without: tuple[str, ...] = ()) -> np.ndarray:
        """bool [n], over predictions(selection.split): what every chip but those named lets through.

        Kept for the panels that ask for the same: do not write to it. Raises Missing or Broken.
        """

        def draw() -> np.ndarray:
            keep = self._masked(selection, without)
            keep.flags.writeable = False
            return keep

        return self._from(selection, without, "mask", draw)

    def _from(self, selection: Selection, without: tuple[str, ...], what: Hashable, make: Callable[[], Any]) -> Any:
        """make(), kept for as long as the same chips let the same examples through."""
        values = ((name, getattr(selection, name)) for name in FILTERS if name not in (*without, "outcome"))
        chips = [(name, tuple(value) if isinstance(value, list) else value) for name, value in values]
        outcomes = () if "outcome" in without else selection.outcomes
        held = dict(chips)
        if held.get("bucket") or any(t not in OWN_TAGS for t in held.get("tag", ())):
            return make()  # depends on another run, or on files of the data set
        if any(key.startswith(PREFIX) for key in held.get("slice", ())):
            return make()  # people can delete it
        nouns = tuple(sorted((noun, entry["sha256"]) for noun, entry in self.manifest["nouns"].items()))
        version = self.current_labels.version if self.current_labels else None
        key = (self.run_id, what, nouns, self.epoch, version, selection.split, tuple(chips), outcomes)
        return self._store.keep_mask(key, make)

    def _masked(self, selection: Selection, without: tuple[str, ...]) -> np.ndarray:
        predictions = self.predictions(selection.split)
        keep = predictions.kept
        if selection.true and "true" not in without:
            keep &= self._among(selection.true)[predictions.labels]
        if selection.pred and "pred" not in without:
            keep &= self._among(selection.pred)[predictions.predicted]
        if len(selection.outcomes) == 1 and "outcome" not in without:
            keep &= predictions.right == (selection.outcomes[0] == "right")
        if selection.buckets and "bucket" not in without:
            pair = self._store.compare(selection.with_(run=self.run_id))
            inside = np.zeros(len(keep), bool)
            inside[pair.rows_a] = pair.within(selection.buckets)
            keep &= inside
        if selection.conf and "conf" not in without:
            keep &= between(predictions.confidence, selection.conf)
        if selection.tempered and "tempered" not in without:
            keep &= between(self.tempered(selection.split), selection.tempered)
        if selection.reject and "reject" not in without:
            keep &= predictions.confidence.astype(np.float64) >= selection.reject
        split = selection.split
        if selection.tag and "tag" not in without:
            tagged = self._any(self.tagged(split, tag, selection.against) for tag in selection.tag)
            keep &= np.isin(predictions.ids, tagged)
        if selection.slice and "slice" not in without:
            keep &= np.isin(predictions.ids, self._any(self.sliced(split, key) for key in selection.slice))
        if selection.ids and "ids" not in without:
            keep &= np.isin(predictions.ids, selection.ids)
        if selection.lasso and "lasso" not in without:
            points = self.plane(selection.split, selection.lasso.plot)
            outline = shapely.make_valid(shapely.Polygon(selection.lasso.vertices))
            shapely.prepare(outline)
            keep &= shapely.contains_xy(outline, points[:, 0], points[:, 1])
        return keep

    def sketched(self, split: str, most: int = DRAWN) -> np.ndarray:
        """int [≤ most]: places in predictions(split) that charts of single points draw, ascending; all where they fit.

        Of more, a fixed sample with the same share of each label.
        """
        predictions = self.predictions(split)
        if len(predictions.ids) <= most:
            return np.arange(len(predictions.ids))

        def draw() -> np.ndarray:
            rng = np.random.default_rng(0)
            turn = np.empty(len(predictions.labels))
            for label in np.unique(predictions.labels):
                rows = np.flatnonzero(predictions.labels == label)
                turn[rows] = (rng.permutation(len(rows)) + rng.random()) / len(rows)
            return np.sort(np.argpartition(turn, most)[:most])

        return self._noun("predictions", draw, "sketched", split, most)

    def plane(self, split: str, plot: str) -> np.ndarray:
        """float [n, 2]: where each example lies on a chart that can be drawn on. Raises Missing or Broken."""
        if plot == "data-map":
            recording = self.epochs(split)
            return 100 * np.column_stack([recording.spread, recording.mean]).astype(np.float64)
        return self.projection(split)[["map_x", "map_y"]].to_numpy()

    def tagged(self, split: str, tag: str, against: str | None = None) -> np.ndarray:
        """int32: ids of the examples with a tag, ascending; none for an unknown one. Raises Missing or Broken."""
        if tag in MADE:
            return self.groups("tags", split).get(tag, np.zeros(0, np.int32))
        if tag == "runs-disagree":
            pair = self._store.compare(Selection(run=self.run_id, against=against, split=split))
            return pair.ids[pair.answers.a != pair.answers.b]
        if tag in ("often-forgotten", "never-learned"):
            recording, ids = self.epochs(split), self.predictions(split).ids
            return ids[recording.forgotten >= OFTEN if tag == "often-forgotten" else recording.never]
        if tag == "suspected-label":
            return self._noun("label_issues", lambda: self._suspected(split), "tag", split)
        if tag == "near-duplicate":
            frame = self._store.about(self.dataset["name"], "duplicates")
            return np.unique(frame.loc[frame["split"] == split, "example_id"].to_numpy(np.int32))
        return np.zeros(0, np.int32)

    def _suspected(self, split: str) -> np.ndarray:
        frame = self._run.table("label_issues")
        where = "train" if split == "reference" else split
        return np.sort(frame.loc[(frame["split"] == where) & (frame["issue"] == 1), "example_id"].to_numpy(np.int32))

    def duplicates(self, split: str) -> pd.DataFrame:
        """Near-duplicates of a split's pictures: rows example_id, other_split, other_id, distance. Raises Missing."""
        frame = self._store.about(self.dataset["name"], "duplicates")
        return frame[frame["split"] == split]

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
        """The label of any picture of the data set, None where it is not on this machine."""
        try:
            pictures = self.pictures(self.shelf_of(split, example_id))
            return int(pictures.labels[pictures.row(example_id)])
        except (Missing, Broken):
            return None

    def slices(self, split: str) -> pd.DataFrame:
        """Weak slices of a split; see the schema. Raises Missing or Broken."""
        frame = self._noun("slices", lambda: self._run.table("slices"))
        return frame[frame["split"] == split]

    def sliced(self, split: str, key: str) -> np.ndarray:
        """int32: ids of a slice's examples, saved or found, ascending; none for an unknown one. Raises as slices."""
        if key.startswith(PREFIX):
            saved = self._store.slices.get(key)
            mine = saved is not None and saved.dataset == self.dataset["name"]
            return np.array(saved.members.get(split, ()) if saved and mine else (), np.int32)
        return self.groups("slice_members", split).get(key, np.zeros(0, np.int32))

    def slice_name(self, key: str) -> str:
        """What people call a slice; its key where it is not known."""
        if key.startswith(PREFIX):
            saved = self._store.slices.get(key)
            return saved.name if saved else key
        try:
            names = self._noun("slices", lambda: self._run.table("slices"))
        except (Missing, Broken):
            return key
        found = names.loc[names["slice"] == key, "name"]
        return str(found.iloc[0]) if len(found) else key

    def _any(self, found: Iterable[np.ndarray]) -> np.ndarray:
        """int32, ascending: the ids of any of these."""
        return np.unique(np.concatenate([*found, np.zeros(0, np.int32)]))

    def groups(self, noun: str, split: str) -> dict[str, np.ndarray]:
        """tag or slice → ids of its examples, int32, ascending. noun: tags or slice_members. Raises Missing, Broken."""
        if noun not in self.manifest["nouns"]:
            made = "tags" if noun == "tags" else "slices"
            raise Missing(f"This run has no {made} yet.", f"python -m ml evaluate {self.run_id} --only {made}")

        def read() -> dict[str, np.ndarray]:
            frame = self._run.table(noun)
            frame = frame[frame["split"] == split]
            by = frame.groupby("tag" if noun == "tags" else "slice", sort=True)["example_id"]
            return {str(name): np.sort(ids.to_numpy(np.int32)) for name, ids in by}

        return self._noun(noun, read, split)

    def calibration(self) -> pd.DataFrame:
        """Rows split, scaling (none or temperature), metric, value, low, high, n."""
        return self._noun("calibration", lambda: self._run.table("calibration"))

    def temperature(self) -> float:
        """Fitted on validation. Raises Missing or Broken."""
        frame = self.calibration()
        return float(frame.loc[frame["metric"] == "temperature", "value"].iloc[0])

    def scaled(self, probabilities: np.ndarray) -> np.ndarray:
        """float64 [n, C]: probabilities [n, C] of this run after temperature scaling. Raises Missing or Broken."""
        return temper(probabilities, self.temperature())

    def conformal(self) -> pd.DataFrame:
        """Rows split, level, most, temperature, n, covered, coverage, low, high, size, size_k."""
        return self._noun("conformal", lambda: self._run.table("conformal"))

    def sets(self, probabilities: np.ndarray, level: float) -> np.ndarray:
        """bool [n, C]: which classes belong to the conformal sets of probabilities [n, C] as trained.

        level: 0..1, one of those in the table. Raises Missing, also where the table has no such level, or Broken.
        """
        frame = self.conformal()
        rows = frame[np.isclose(frame["level"], level)] if len(frame) else frame
        if not len(rows):
            raise Missing(f"{self.title} has no sets at {100 * level:g} %.", self._command("conformal"))
        return sets(temper(probabilities, float(rows["temperature"].iloc[0])), float(rows["most"].iloc[0]))

    def tempered(self, split: str) -> np.ndarray:
        """float64 [n]: the confidence after temperature scaling, in the order of predictions(split)."""

        def scale() -> np.ndarray:
            temperature = self.temperature()
            return np.concatenate(
                [temper(p, temperature).max(1) for p in in_parts(self.predictions(split).probabilities)]
            )

        return self._noun(
            "calibration", scale, "confidence", self.manifest["nouns"]["predictions"]["sha256"], split, self.epoch
        )

    def miscalibration(self, split: str, rows: np.ndarray) -> dict[str, dict[str, float]]:
        """scaling (none, temperature) → calibration_error, brier, loss of these places of predictions(split), n ≥ 1.

        Without `temperature` where the run has none.
        """
        predictions = self.predictions(split)
        labels, said, right = predictions.labels[rows], predictions.probabilities[rows], predictions.right[rows]
        temperatures: dict[str, float | None] = {"none": None}
        if "calibration" in self.manifest["nouns"]:
            temperatures["temperature"] = self.temperature()
        found = {}
        for scaling, temperature in temperatures.items():
            sure, squares, each = [], [], []
            for p, own in zip(in_parts(said), in_parts(labels), strict=True):
                scaled = p if temperature is None else temper(p, temperature)
                sure.append(scaled.max(1))
                squares.append(brier(scaled, own))
                each.append(losses(scaled, own))
            found[scaling] = {
                "calibration_error": calibration_error(np.concatenate(sure), right),
                "brier": float(np.concatenate(squares).mean()),
                "loss": float(np.concatenate(each).mean()),
            }
        return found

    def mean_picture(self, selection: Selection) -> np.ndarray:
        """float64 [h, w, c], 0..255: the mean of the selected pictures. Raises Missing where there are none, Broken."""
        pictures = self.pictures(selection.split)
        ids = self.predictions(selection.split).ids[self.mask(selection)]
        rows = np.flatnonzero(np.isin(pictures.ids, ids))
        if not len(rows):
            raise Missing("No picture to take the mean of.")
        total = np.zeros(pictures.images.shape[1:])
        for start in range(0, len(rows), 4_096):  # a copy of all of them at once may not fit
            total += pictures.images[rows[start : start + 4_096]].sum(0, dtype=np.float64)
        return total / len(rows)

    def ordered(self, selection: Selection) -> np.ndarray:
        """Positions in predictions(selection.split) of the selected examples, in the order the gallery shows them."""

        def order() -> np.ndarray:
            predictions = self.predictions(selection.split)
            rows = np.flatnonzero(self.mask(selection))
            if selection.sort == "id":
                return rows
            confidence = predictions.confidence[rows]
            if selection.sort == "unsure":
                return rows[np.argsort(confidence, kind="stable")]
            # most confident first, and among those the mistakes before what is right
            return rows[np.lexsort((-confidence, predictions.right[rows]))]

        return self._from(selection, (), ("order", selection.sort), order)


@dataclass(frozen=True)
class RunPair:
    """Two runs on the n images of a split that both know, by ascending id.

    rows_a, rows_b: int [n], their places in each run's predictions(split). answers: what both said. relabelled: images
    left out because the two runs know them by different labels.
    """

    a: RunData
    b: RunData
    split: str
    rows_a: np.ndarray
    rows_b: np.ndarray
    answers: Answers
    relabelled: int = 0

    @property
    def n(self) -> int:
        return len(self.rows_a)

    @property
    def ids(self) -> np.ndarray:
        """int32 [n]"""
        return self.a.predictions(self.split).ids[self.rows_a]

    @property
    def recut(self) -> bool:
        """Whether the splits were cut differently, so that one run may have trained on what the other kept aside."""
        first, second = self.a.dataset, self.b.dataset
        return self.split != "test" and any(first.get(key) != second.get(key) for key in ("seed", "counts"))

    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """Of A and of B, float32 [n, C] each."""
        first, second = self.a.predictions(self.split), self.b.predictions(self.split)
        return first.probabilities[self.rows_a], second.probabilities[self.rows_b]

    def within(self, buckets: tuple[str, ...]) -> np.ndarray:
        """bool [n]: in one of these buckets."""
        return np.isin(self.answers.bucket, [BUCKETS.index(name) for name in buckets])

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


def in_parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of an array, AT_ONCE at a time, at least one part: float64 copies of all of them at once may not fit."""
    return (values[start : start + AT_ONCE] for start in range(0, max(len(values), 1), AT_ONCE))


def between(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """bool [n]: low < value ≤ high, as the bins of a histogram hold them; from 0 on where low is 0."""
    low, high = (exact(end) for end in ends)
    wide = values.astype(np.float64)
    return ((wide > low) | (low == 0)) & (wide <= high)


def _apart(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Why runs on these two data sets (of their manifests) cannot be compared, '' where they can."""
    if first["name"] != second["name"]:
        names = [dataset["title" if first["title"] != second["title"] else "name"] for dataset in (first, second)]
        return f"one learned from {names[0]}, the other from {names[1]}"
    if first["classes"] != second["classes"]:
        return f"their classes differ, although both learned from {first['title']}"
    files = [dataset.get("hashes", {}) for dataset in (first, second)]
    if any(files[0][name] != files[1][name] for name in files[0].keys() & files[1].keys()):
        return f"the files of {first['title']} changed between the two"
    return ""


def _validated(entry: RunEntry) -> float:
    """Share of the validation images named right; nothing for a run that came without them."""
    result = entry.manifest["results"].get("validation", {"correct": 0, "n": 0})
    return result["correct"] / max(result["n"], 1)
