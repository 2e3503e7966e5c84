"""READ: every run that can be looked at, checked once and cached; the only place that opens artifacts."""

import re
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard.data.arrays import Alignment
from dashboard.data.cache import Cache, Moment
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.records.decisions import CurrentLabels, Decisions
from dashboard.records.rows import DataVersion
from dashboard.records.runs import Records, RunMetadata
from dashboard.records.slices import Slices
from dashboard.state.selection import Selection
from ml.artifacts.identity import digest, same_pictures
from ml.artifacts.reader import Broken, Library, Missing, Pictures, Run, RunEntry
from ml.system.paths import ARTIFACTS, home_dir

VERSION = re.compile(r"[0-9a-f]{16}", re.ASCII)
PATIENCE = 0.3  # s for folders that nobody has looked through; a page is to be there within two
HEADLINES = 2_000  # runs whose scores of test are kept, a dozen numbers each
KEPT = 48  # tables and arrays in memory, of all runs together
KEPT_MASKS = 16  # rows, orders and masks in memory; of a million examples 4 MB all rows or their order, 1 MB a mask


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
        self._kept, self._masks = Cache(KEPT), Cache(KEPT_MASKS)
        self._headlines: dict[Hashable, dict[str, tuple[float, float, float]]] = {}
        self._lock = threading.RLock()
        self.moment = Moment()

    def runs(self) -> list[RunEntry]:
        """The listing, broken runs with their reason; reread when a folder or manifest changed.

        One that nobody has looked through before is pending, where that takes longer than a page may.
        """
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

    def data_version(self, learned: Mapping[str, Any]) -> DataVersion:
        """Which pictures a run's manifest means, for what people say of them."""
        name, stamp = learned["name"], self.library.stamp()

        def others() -> frozenset[str]:
            known = [entry for entry in self.runs() if entry.ok and entry.manifest["dataset"]["name"] == name]
            return frozenset(one.run_id for one in known if not same_pictures(learned, one.manifest["dataset"]))

        version = digest(learned)
        return DataVersion(name, version, self.keep(("others", stamp, name, version), others))

    def current_labels(self, dataset: DataVersion) -> CurrentLabels:
        """What people decided of the labels of a data set."""
        return self._decisions.current_labels(dataset)

    def used(self, run_id: str | None) -> str | None:
        """The run a page shows for the one in its address: that one, or the default when it is not here (any more)."""
        return run_id if any(entry.run_id == run_id for entry in self.runs()) else self.default_run()

    def shown(self, run_id: str | None) -> RunData:
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

    def open(self, run_id: str | None) -> RunData:
        """Exactly that run, the default when None. Raises Missing or Broken."""
        name = run_id or self.default_run()
        if name is None and any(entry.pending for entry in self.runs()):
            raise Missing("The runs are still being checked, which takes a moment.")
        if name is None:
            raise Missing("There is no run yet.", "python -m ml train --model fashion_cnn --epochs 10")
        entry = next((entry for entry in self.runs() if entry.run_id == name), None)
        if entry is None:
            raise Missing(f"There is no run {name!r} here.")
        if not entry.ok:
            raise Broken(f"Run {name} cannot be opened: {entry.reason}.")
        overlay = self.library.home / "runs" / name if entry.shipped else None
        return RunData(self, Run(entry, overlay))

    def rivals(self, run: RunData) -> list[tuple[RunEntry, str]]:
        """Every other run, and why it cannot be compared with this one, '' where it can."""
        others = [entry for entry in self.runs() if entry.run_id != run.run_id]
        return [(e, e.reason or _apart(run.dataset, e.manifest["dataset"])) for e in others]

    def other(self, run: RunData, against: str | None) -> RunData:
        """The run to compare with: `against` where it is here and another one, else the best on the same images.

        Best on validation, archived ones left out. Raises Missing where there is none, Broken.
        """
        rivals, marks = self.rivals(run), self.marks()
        if any(entry.run_id == against for entry, _ in rivals):
            return self.open(against)
        here = [entry for entry, why in rivals if not why and not marks.of(entry.run_id).archived]
        # a twin is there to be held against its own run; no other run is held against it by itself
        candidates = [entry for entry in here if not entry.manifest.get("twin")] or here
        if not candidates:
            name, why = run.dataset["name"], f"No other run learned from {run.dataset['title']}"
            if self.library.fetchable(name) and not self.library.picture_set(name).digest:
                raise Missing(
                    f"{why}, and a comparison needs two. To train one, its pictures must be here.",
                    self.library.way_to(name),
                )
            raise Missing(
                f"{why}, and a comparison needs two.",
                f"python -m ml train --dataset {name} --model compact_cnn --epochs 10",
            )
        return self.open(max(candidates, key=_validated).run_id)

    def compare(self, selection: Selection) -> RunPair:
        """The run of the selection and the one it is against, on the images of the split that both know.

        Raises Missing where there is no other run or the two cannot be compared, Broken.
        """
        a = self.shown(selection.run).reviewed(selection.labels)
        b, split = self.other(a, selection.against).reviewed(selection.labels), selection.split
        if why := _apart(a.dataset, b.dataset):
            raise Missing(f"{a.title} and {b.title} cannot be compared: {why}.")

        digests = [run.manifest["nouns"]["predictions"]["sha256"] for run in (a, b)]
        version = a.current_labels.version if a.current_labels else None
        key = ("pair", a.run_id, b.run_id, *digests, version, split)
        alignment = self.keep(key, lambda: Alignment.of(split, a.predictions(split), b.predictions(split)))
        if not alignment.n:
            raise Missing(f"{a.title} and {b.title} cannot be compared: no {split} image is known to both.")
        return RunPair(a=a, b=b, **vars(alignment))

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

    def picture_set(self, dataset: str, learned: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """Name and digest of a data set's pictures as they are now; what follows from them is kept by both.

        learned: what a run's manifest says of its data set. Where others are here by now, the digest is of those that
        it means: of the version that is kept, or, where it is not, one that names nothing.
        """
        now = self.moment.kept(("pictures", dataset), lambda: self.library.picture_set(dataset))
        gone = learned is not None and bool(now.described) and not same_pictures(learned, now.described)
        return dataset, digest(learned) if learned is not None and gone else now.digest

    def version(self, dataset: str, digest: str) -> str | None:
        """What pictures of that digest are to the library: '' those of now, their version where it is kept, else None.

        digest: as an address has it.
        """
        if digest == self.picture_set(dataset)[1]:
            return ""
        return digest if VERSION.fullmatch(digest) and self.library.picture_set(dataset, digest).digest else None

    def digest_of(self, learned: Mapping[str, Any]) -> str:
        """Of the pictures that a run's manifest means, as addresses and tables name them."""
        return self.picture_set(learned["name"], learned)[1] or digest(learned)

    def pictures(self, dataset: str, split: str, learned: Mapping[str, Any] | None = None) -> Pictures:
        """One split's pictures, read anew once the data set is imported anew. Raises Missing or Broken.

        learned: what a run's manifest says of its data set. Where others are here by now, it is the version that was
        kept, and where that is not here they are Missing.
        """
        version = self.library.version_of(learned) if learned is not None else ""
        return self.pictures_of(dataset, split, version)

    def pictures_of(self, dataset: str, split: str, version: str) -> Pictures:
        """One split of a version, as `version` has it. Raises Missing or Broken."""
        key = ("pictures", dataset, version or self.picture_set(dataset)[1], split)
        return self.keep(key, lambda: self.library.pictures(dataset, split, version))

    def about(self, dataset: str, noun: str, learned: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """properties or duplicates of a data set's pictures; learned: as of `pictures`. Raises Missing or Broken."""
        version = self.library.version_of(learned) if learned is not None else ""
        key = ("about", dataset, version or self.picture_set(dataset)[1], noun)
        return self.keep(key, lambda: self.library.about(dataset, noun, version))

    def _listing(self) -> tuple[list[RunEntry], str | None]:
        found: tuple[list[RunEntry], str | None] = self.moment.kept("runs", self._listed)
        return found

    def _listed(self) -> tuple[list[RunEntry], str | None]:
        stamp = self.library.stamp()

        def listed() -> tuple[list[RunEntry], str | None]:
            entries = self.library.runs(PATIENCE)
            return entries, self.library.default(entries)

        return self.keep(("runs", stamp), listed)


def _apart(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Why runs on these two data sets (of their manifests) cannot be compared, '' where they can."""
    if first["name"] != second["name"]:
        names = [dataset["title" if first["title"] != second["title"] else "name"] for dataset in (first, second)]
        return f"one learned from {names[0]}, the other from {names[1]}"
    if first["classes"] != second["classes"]:
        return f"their classes differ, although both learned from {first['title']}"
    if not same_pictures(first, second):
        return f"the images of {first['title']} changed between the two"
    return ""


def _validated(entry: RunEntry) -> float:
    """Accuracy on validation; nothing for a run that came without them."""
    result = entry.manifest["results"].get("validation", {"correct": 0, "n": 0})
    return result["correct"] / max(result["n"], 1)
