"""Finds and opens runs and pictures; everything is checked against its manifest and schema before it is handed out."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.artifacts import checking, identity, inspection, kinds
from ml.artifacts.checking import INDEX_BYTES, UNREADABLE
from ml.artifacts.folders import RunEntry, is_folder, name_problem, run_folders, shown
from ml.artifacts.inspection import MANIFEST, Bounds
from ml.artifacts.kinds import IMPORTED_NETWORK, WEIGHTS
from ml.artifacts.judging import Judge
from ml.artifacts.manifest import absent, check
from ml.artifacts.opening import Broken, Incapable, Missing, first_line, table
from ml.artifacts.picture_sets import SHIPPED, Pictures, PictureSets
from ml.artifacts.schema import NOUNS, RUN_ID, TOLD, Arrays, Graph, Mismatch, Table
from ml.artifacts.writer import sha256
from ml.system import trash

__all__ = ["SHIPPED", "Broken", "Incapable", "Library", "Missing", "Pictures", "Run", "RunEntry"]


class Run:
    """A published run. folders: where its files are looked for, overlay first."""

    def __init__(self, entry: RunEntry, overlay: Path | None = None) -> None:
        self.run_id, self.manifest, self.shipped = entry.run_id, entry.manifest, entry.shipped
        self._folders = [folder for folder in (overlay, entry.folder) if folder is not None]
        self._most = Bounds.of(entry.manifest)

    @property
    def nouns(self) -> list[str]:
        return list(self.manifest["nouns"])

    def table(self, noun: str) -> pd.DataFrame:
        """One parquet noun, checked. Raises Missing (with the command that makes it) or Broken."""
        declared = NOUNS[noun]
        if noun in TOLD and kinds.kind_of(self.manifest) != kinds.TRAINED:
            declared = TOLD[noun]
        assert isinstance(declared, Table)
        return table(self._locate(noun), declared, f"run {self.run_id}", self._most)

    def arrays(self, noun: str) -> dict[str, np.ndarray]:
        """One npz noun, checked. Raises Missing or Broken."""
        declared = NOUNS[noun]
        assert isinstance(declared, Arrays)
        path = self._locate(noun)
        try:
            inspection.arrays(path, noun, self._most)
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            declared.check(arrays)
        except UNREADABLE as error:
            raise Broken(f"{path.name} of run {self.run_id} cannot be read: {first_line(error)}") from error
        return arrays

    def graph(self, noun: str) -> bytes:
        """One ONNX noun, checked. Raises Missing (with the command that makes it) or Broken."""
        declared = NOUNS[noun]
        assert isinstance(declared, Graph)
        path = self._locate(noun)
        try:
            data = inspection.content(path)
            declared.check(data)
        except (OSError, Mismatch) as error:
            raise Broken(f"{path.name} of run {self.run_id} cannot be read: {first_line(error)}") from error
        return data

    def weights(self) -> dict[str, np.ndarray]:
        """The network's arrays by name. Raises Broken when the file is not the one the manifest names, Incapable."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        self.need(kinds.NETWORK)
        if kinds.weights_file(self.manifest) != WEIGHTS:
            raise Incapable("layers", kinds.IMPORTED)
        path = self._verified(WEIGHTS, self.manifest["weights"]["sha256"])
        try:
            weights = load_file(path)
        except (SafetensorError, *UNREADABLE) as error:
            raise Broken(f"weights.safetensors of run {self.run_id} cannot be read") from error
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise Broken(f"weights.safetensors of run {self.run_id} has values that are not finite")
        return weights

    def network(self) -> bytes:
        """The ONNX file of an imported run. Raises Incapable where it has none, Broken when it is not the one that the
        manifest names."""
        if kinds.weights_file(self.manifest) != IMPORTED_NETWORK:
            raise Incapable(kinds.NETWORK)
        path = self._verified(IMPORTED_NETWORK, self.manifest["weights"]["sha256"])
        try:
            return inspection.content(path)
        except (OSError, Mismatch) as error:
            raise Broken(f"{path.name} of run {self.run_id} cannot be read: {first_line(error)}") from error

    def files(self, nouns: Collection[str] = NOUNS) -> dict[str, Path]:
        """The weights and the files of these nouns, where the run has them, each as its checksum says. Raises Broken."""
        weights = self.manifest.get("weights")
        name = kinds.weights_file(self.manifest)
        paths = {name: self._verified(name, weights["sha256"])} if weights else {}
        return paths | {NOUNS[noun].file: self._locate(noun) for noun in self.nouns if noun in nouns and noun in NOUNS}

    def need(self, *needs: str) -> None:
        """Raise Incapable unless it can do what these name, of ml.artifacts.kinds.NEEDS."""
        if lacking := kinds.lacking(self.manifest, needs):
            raise Incapable(lacking, kinds.kind_of(self.manifest))

    def absent(self, noun: str) -> Missing:
        """What to say of a noun that is not there."""
        need = kinds.lacking_for(self.manifest, noun)
        return Incapable(need, kinds.kind_of(self.manifest)) if need else Missing(*absent(self.manifest, noun))

    def _locate(self, noun: str) -> Path:
        entry = self.manifest["nouns"].get(noun)
        if entry is None:
            raise self.absent(noun)
        return self._verified(NOUNS[noun].file, entry["sha256"])

    def _verified(self, name: str, digest: str) -> Path:
        wrong = ""
        candidates = []
        for folder in self._folders:
            try:
                inspection.regular(folder / name)
                candidates.append(folder / name)
            except FileNotFoundError:
                continue
            except (OSError, Mismatch) as error:
                wrong = first_line(error)
        for path in candidates:
            if sha256(path) == digest:
                return path
        if wrong:
            raise Broken(f"{wrong} (run {self.run_id})")
        if candidates:
            raise Broken(f"{name} of run {self.run_id} does not match its checksum")
        raise Broken(f"{name} of run {self.run_id} is gone")


class Library(PictureSets):
    """All runs: shipped ones in `artifacts`, user-made ones in `home`, nouns computed later laid over shipped runs."""

    def __init__(self, artifacts: Path, home: Path) -> None:
        super().__init__(artifacts, home)
        self._judge = Judge()
        self._manifests: dict[
            Path, tuple[tuple, dict[str, Any]]
        ] = {}  # folder → what the file looked like, what it says

    def default(self, entries: Iterable[RunEntry] | None = None) -> str | None:
        """The run index.json names, else the newest usable one, else None. entries: the listing, where it is known.

        Runs fine-tuned from feedback and twins come after all others: they are candidates, and nothing promotes itself.
        Predictions alone come last: they answer nobody who brings a picture.
        """
        runs = {entry.run_id: entry for entry in (self.runs() if entries is None else entries) if entry.ok}
        named = self._index().get("default")
        if named in runs:
            return named

        def rank(run_id: str) -> tuple[bool, bool, str]:
            manifest = runs[run_id].manifest
            candidate = (manifest.get("config") or {}).get("feedback") or manifest.get("twin")
            return kinds.has(manifest, kinds.NETWORK), not candidate, manifest["created"]

        return max(runs, key=rank, default=None)

    def runs(self, patience: float | None = None) -> list[RunEntry]:
        """Shipped runs in index order, then user-made ones newest first; broken ones with their reason.

        patience: seconds to wait for what has not been looked at before, which is pending after that; None: as long as
        it takes.
        """
        if patience is not None and any(entry.pending for entry in self._listed(True)):
            self._judge.wait(patience)
        return self._listed(patience is not None)

    def _listed(self, soon: bool) -> list[RunEntry]:
        shipped = {folder.name: self._entry(folder, True, soon) for folder in run_folders(self.artifacts / "runs")}
        order = [run_id for run_id in self._index().get("runs", []) if run_id in shipped]
        order += [run_id for run_id in shipped if run_id not in order]
        folders = [folder for folder in run_folders(self.home / "runs") if folder.name not in shipped]
        mine = [self._entry(folder, False, soon) for folder in folders]
        mine.sort(key=lambda entry: entry.manifest.get("created", ""), reverse=True)
        return [shipped[run_id] for run_id in order] + mine

    def purge_datasets(self, now: float | None = None) -> None:
        """Throw away for good what has been in the trash for long enough, and earlier versions: of data sets that no
        run uses."""
        if not trash.listing(self.home, trash.DATASETS) and not self.versions():
            return  # else the runs need not be looked at
        learned = [entry.manifest["dataset"] for entry in self.runs() if entry.ok]
        trash.purge(self.home, of=trash.DATASETS, keep=frozenset(one["name"] for one in learned))
        self.purge_versions({f"{one['name']}-{identity.digest(one)}" for one in learned}, now)

    def names(self) -> list[str]:
        """What the folders of all runs are called, whether or not they can be used."""
        return [folder.name for root in (self.artifacts, self.home) for folder in run_folders(root / "runs")]

    def entry(self, run_id: str) -> RunEntry | None:
        """One run of the listing; no other folder is looked through."""
        for root in (self.artifacts, self.home) if RUN_ID.fullmatch(run_id) else ():
            if is_folder(root / "runs" / run_id):
                return self._entry(root / "runs" / run_id, root == self.artifacts)
        return None

    def open(self, run_id: str) -> Run:
        """A usable run, looked up in the listing. Raises Missing or Broken."""
        entry = self.entry(run_id)
        if entry is None:
            raise Missing(f"There is no run {run_id!r}.")
        if not entry.ok:
            raise Broken(entry.reason)
        overlay = self.home / "runs" / run_id if entry.shipped else None
        return Run(entry, overlay)

    def stamp(self) -> tuple:
        """Changes whenever the listing, a manifest or weights do; cheap enough for every request."""
        stamps = []
        for root in map(os.fspath, (self.artifacts, self.home)):  # paths as text: three times as fast as Path
            paths = [os.path.join(root, "index.json")]
            try:
                with os.scandir(os.path.join(root, "runs")) as inside:
                    folders = sorted(one.path for one in inside if RUN_ID.fullmatch(one.name) and one.is_dir())
            except OSError:
                folders = []
            paths += [os.path.join(f, name) for f in folders for name in (MANIFEST, WEIGHTS)]
            for path in paths:
                try:
                    status = os.stat(path)
                    stamps.append((path, status.st_mtime_ns, status.st_size))
                except OSError:
                    stamps.append((path, 0, 0))
        return (self._judge.told, *stamps)

    def learned_pictures(self, run: Run, split: str) -> Pictures:
        """One split of the pictures that a run learned from or was judged on, never of others under their name.

        Raises Missing or Broken; Missing, too, where some of what was fetched was left out, as nothing can be counted over
        all of them then.
        """
        description = run.manifest["dataset"]
        self.check_whole(description)
        return self.pictures(description["name"], split, self.version_of(description))

    def _index(self) -> dict[str, Any]:
        try:
            index = inspection.document(self.artifacts / "index.json", INDEX_BYTES)
        except (OSError, ValueError, RecursionError):
            return {}
        return index if isinstance(index, dict) else {}

    def _entry(self, folder: Path, shipped: bool, soon: bool = False) -> RunEntry:
        try:
            if not RUN_ID.fullmatch(folder.name):
                raise Broken(name_problem(folder.name))
            if folder.is_symlink():
                raise Broken("it is a link to another place")
            manifest = self._manifest(folder)
            self._check_core(folder, manifest, soon)
            overlay = self.home / "runs" / folder.name
            if shipped and (overlay / MANIFEST).is_file():
                later = self._manifest(overlay)
                if later.get("weights") == manifest.get("weights"):
                    extra = {n: e for n, e in later["nouns"].items() if n not in kinds.core(manifest)}
                    manifest = {**later, "nouns": {**manifest["nouns"], **extra}}
        except Broken as error:
            return RunEntry(shown(folder.name), folder, shipped, reason=str(error))
        return RunEntry(folder.name, folder, shipped, manifest=manifest)

    def _manifest(self, folder: Path) -> dict[str, Any]:
        """Read and checked once and again whenever the file changed. Raises Broken."""
        state = identity.stamp(folder / MANIFEST)
        known = self._manifests.get(folder)
        if state is None or known is None or known[0] != state:
            known = self._manifests[folder] = (state or (), _manifest(folder))
        return known[1]

    def _check_core(self, folder: Path, manifest: dict[str, Any], soon: bool) -> None:
        """Read the core files once and again whenever one of them changed. Raises Broken."""
        core, weights = kinds.core(manifest), manifest.get("weights")
        names = (*([kinds.weights_file(manifest)] if weights else []), *(NOUNS[noun].file for noun in core))
        try:
            inspection.folder(folder)
            stats = [(folder / name).lstat() for name in names]
        except Mismatch as mismatch:
            raise Broken(f"its {mismatch}") from None
        except FileNotFoundError as error:
            raise Broken(f"it has no {Path(error.filename).name}") from None
        except OSError as error:
            raise Broken(f"its files cannot be looked at ({error.strerror})") from None
        stamp = (*((s.st_mtime_ns, s.st_size) for s in stats), *(manifest["nouns"][n]["sha256"] for n in core))
        stamp = (*stamp, weights["sha256"] if weights else "", kinds.has(manifest, "top-k"))
        ask = self._judge.soon if soon else self._judge.now
        if reason := ask(folder, stamp, lambda: checking.core_problem(folder, manifest)):
            raise Broken(reason)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = inspection.document(folder / MANIFEST)
    except FileNotFoundError:
        raise Broken(f"it has no {MANIFEST}") from None
    except PermissionError:
        raise Broken(f"its {MANIFEST} may not be read by this program") from None
    except Mismatch as mismatch:
        raise Broken(f"its {mismatch}") from None
    except (OSError, ValueError, RecursionError):
        raise Broken(f"its {MANIFEST} cannot be read") from None
    try:
        check(manifest)
    except Mismatch as mismatch:
        raise Broken(str(mismatch)) from None
    if manifest["run_id"] != folder.name:
        raise Broken(f"its manifest names another run, {manifest['run_id']!r}")
    return manifest
