"""Which examples of a run a selection means: the mask of its chips, tags, slices and outlines."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from dashboard.data.arrays import NoLabels
from dashboard.data.readers import RunReaders
from dashboard.records.slices import PREFIX
from dashboard.state.selection import FILTERS, Selection
from dashboard.state.values import exact
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.stats.calibration import tempered_confidence
from ml.stats.failure_modes import MADE, OFTEN

OWN_TAGS = (*MADE, "often-forgotten", "never-learned", "suspected-label")  # that follow from the run's own files


class RunFilters(RunReaders):
    """A run whose examples can be narrowed; what is made for a selection is kept for all panels that ask for it."""

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
        return self.store.keep_mask(key, make)

    def _masked(self, selection: Selection, without: tuple[str, ...]) -> np.ndarray:
        predictions = self.predictions(selection.split)
        keep = predictions.kept
        if selection.true and "true" not in without:
            keep &= self._among(selection.true)[predictions.labels] if predictions.labelled else False
        if selection.pred and "pred" not in without:
            keep &= self._among(selection.pred)[predictions.predicted]
        if len(selection.outcomes) == 1 and "outcome" not in without:
            keep &= predictions.right == (selection.outcomes[0] == "right") if predictions.labelled else False
        if selection.buckets and "bucket" not in without and not predictions.labelled:
            keep &= False
        elif selection.buckets and "bucket" not in without:
            pair = self.store.compare(selection.with_(run=self.run_id))
            inside = np.zeros(len(keep), bool)
            inside[pair.rows_a] = pair.within(selection.buckets)
            keep &= inside
        if selection.conf and "conf" not in without and self.can("top-k"):
            keep &= between(predictions.confidence, selection.conf)
        if selection.tempered and "tempered" not in without and self.can("probabilities"):
            keep &= between(self.tempered(selection.split), selection.tempered)
        if selection.reject and "reject" not in without and self.can("top-k"):
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
            import shapely  # 3 MB that only a lasso needs

            points = self.plane(selection.split, selection.lasso.plot)
            outline = shapely.make_valid(shapely.Polygon(selection.lasso.vertices))
            shapely.prepare(outline)
            keep &= shapely.contains_xy(outline, points[:, 0], points[:, 1])
        return keep

    def class_ids(self, names: tuple[str, ...]) -> list[int]:
        """Ids of the names this run has."""
        return [self.classes.index(name) for name in names if name in self.classes]

    def _among(self, names: tuple[str, ...]) -> np.ndarray:
        """bool [C]: whether a class is among these names."""
        return np.isin(np.arange(len(self.classes)), self.class_ids(names))

    def plane(self, split: str, plot: str) -> np.ndarray:
        """float [n, 2]: where each example lies on a chart that can be drawn on. Raises Missing or Broken."""
        if plot == "data-map":
            recording = self.epochs(split)
            return 100 * np.column_stack([recording.spread, recording.mean]).astype(np.float64)
        return self.projection(split)[["map_x", "map_y"]].to_numpy()

    def tagged(self, split: str, tag: str, against: str | None = None) -> np.ndarray:
        """int32: ids of the examples with a tag, ascending; none for an unknown one. Raises Missing or Broken."""
        if split == UNLABELLED and tag != "near-duplicate":
            return np.zeros(0, np.int32)  # every other one is about a label
        return self._predicted(split, self._tagged(split, tag, against))

    def _predicted(self, split: str, ids: np.ndarray) -> np.ndarray:
        """Those of these ids that the run has predictions of: a recorded one may have them of a part of a split."""
        known = self.predictions(split).ids
        return ids if len(known) == self.dataset["counts"].get(split) else ids[np.isin(ids, known)]

    def _tagged(self, split: str, tag: str, against: str | None) -> np.ndarray:
        if tag in MADE:
            self.need(kinds.TAG_NEEDS[tag])
            if tag == "conflicting-neighbours" and "neighbours" not in self.manifest["nouns"]:
                raise self._run.absent("neighbours")
            return self.groups("tags", split).get(tag, np.zeros(0, np.int32))
        if tag == "runs-disagree":
            pair = self.store.compare(Selection(run=self.run_id, against=against, split=split))
            return pair.ids[pair.answers.a != pair.answers.b]
        if tag in ("often-forgotten", "never-learned"):
            recording, ids = self.epochs(split), self.predictions(split).ids
            return ids[recording.forgotten >= OFTEN if tag == "often-forgotten" else recording.never]
        if tag == "suspected-label":
            return self._noun("label_issues", lambda: self._suspected(split), "tag", split)
        if tag == "near-duplicate":
            return np.unique(self.duplicates(split)["example_id"].to_numpy(np.int32))
        return np.zeros(0, np.int32)

    def _suspected(self, split: str) -> np.ndarray:
        frame = self._run.table("label_issues")
        where = "train" if split == "reference" else split
        return np.sort(frame.loc[(frame["split"] == where) & (frame["issue"] == 1), "example_id"].to_numpy(np.int32))

    def sliced(self, split: str, key: str) -> np.ndarray:
        """int32: ids of a slice's examples, saved or found, ascending; none for an unknown one. Raises as slices."""
        if key.startswith(PREFIX):
            saved = self.store.slices.get(key)
            mine = saved is not None and self.data_version.holds(saved.dataset, saved.digest, saved.run)
            return self._predicted(split, np.array(saved.members.get(split, ()) if saved and mine else (), np.int32))
        return self.groups("slice_members", split).get(key, np.zeros(0, np.int32))

    def slice_name(self, key: str) -> str:
        """What people call a slice; its key where it is not known."""
        if key.startswith(PREFIX):
            saved = self.store.slices.get(key)
            return saved.name if saved else key
        try:
            names = self._noun("slices", lambda: self._run.table("slices"))
        except (Missing, Broken):
            return key
        matches = names.loc[names["slice"] == key, "name"]
        return str(matches.iloc[0]) if len(matches) else key

    def _any(self, matches: Iterable[np.ndarray]) -> np.ndarray:
        """int32, ascending: the ids of any of these."""
        return np.unique(np.concatenate([*matches, np.zeros(0, np.int32)]))

    def groups(self, noun: str, split: str) -> dict[str, np.ndarray]:
        """tag or slice → ids of its examples, int32, ascending. noun: tags or slice_members. Raises Missing, Broken."""
        if noun not in self.manifest["nouns"]:
            made = "tags" if noun == "tags" else "slices"
            if made in self.manifest.get("empty", ()):
                return {}
            raise self._run.absent(made)

        def read() -> dict[str, np.ndarray]:
            frame = self._run.table(noun)
            frame = frame[frame["split"] == split]
            by = frame.groupby("tag" if noun == "tags" else "slice", sort=True)["example_id"]
            return {str(name): np.sort(ids.to_numpy(np.int32)) for name, ids in by}

        return self._noun(noun, read, split)

    def slices(self, split: str) -> pd.DataFrame:
        """Weak slices of a split; see the schema. Raises Missing or Broken."""
        if split == UNLABELLED:
            raise NoLabels
        frame = self._noun("slices", lambda: self._run.table("slices"))
        return frame[frame["split"] == split]

    def tempered(self, split: str) -> np.ndarray:
        """float64 [n]: the confidence after temperature scaling, in the order of predictions(split)."""

        def scale() -> np.ndarray:
            return tempered_confidence(self.predictions(split).probabilities, self.temperature())

        noun = UNLABELLED if split == UNLABELLED else "predictions"
        return self._noun("calibration", scale, "confidence", self.manifest["nouns"][noun]["sha256"], split, self.epoch)


def between(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """bool [n]: low < value ≤ high, as the bins of a histogram hold them; from 0 on where low is 0."""
    low, high = (exact(end) for end in ends)
    wide = values.astype(np.float64)
    return ((wide > low) | (low == 0)) & (wide <= high)
