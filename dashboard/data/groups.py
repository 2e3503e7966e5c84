"""Examples that are named one by one: those of a failure mode, of a weak slice, of one that people saved."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dashboard.data.arrays import NoLabels
from dashboard.data.readers import RunReaders
from dashboard.records.slices import PREFIX
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import MADE, OFTEN

OWN_TAGS = (*MADE, "often-forgotten", "never-learned", "suspected-label")  # that follow from the run's own files


class RunGroups(RunReaders):
    """A run with the groups that its examples are in."""

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
