"""Finds and opens runs and pictures; everything is checked against its manifest and schema before it is handed out."""

import hashlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml.artifacts.manifest import absent, check
from ml.artifacts.schema import CORE, NOUNS, PICTURE_NOUNS, RUN_ID, SPLITS, Arrays, Graph, Mismatch, Table
from ml.artifacts.writer import sha256

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # how pickles and torch.save begin
HEADER_BYTES = 8  # of a safetensors file: the length of the description that follows


class Missing(LookupError):
    """A noun, run or split that is not there; `command` makes it."""

    def __init__(self, sentence: str, command: str = "") -> None:
        super().__init__(sentence)
        self.command = command


class Broken(ValueError):
    """A file or folder that is there and does not check out."""


@dataclass(frozen=True)
class RunEntry:
    """One line of the listing. A broken run has a reason and no manifest."""

    run_id: str
    folder: Path
    shipped: bool
    reason: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Pictures:
    """images: uint8 [n, h, w, c]; labels: int64 [n]; ids: int32 [n], ascending."""

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray

    def row(self, example_id: int) -> int:
        """Position of an example; raises Missing."""
        row = int(np.searchsorted(self.ids, example_id))
        if row >= len(self.ids) or self.ids[row] != example_id:
            raise Missing(f"There is no picture {example_id} in this split.")
        return row


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a data set that are on this machine. digest: 16 digits, others when they are, '' for none.

    hashes: file name → sha256 of what it was made from, where its dataset.json says so.
    """

    digest: str = ""
    hashes: dict[str, str] = field(default_factory=dict)


class Run:
    """A published run. folders: where its files are looked for, overlay first."""

    def __init__(self, entry: RunEntry, overlay: Path | None = None) -> None:
        self.run_id, self.manifest, self.shipped = entry.run_id, entry.manifest, entry.shipped
        self._folders = [folder for folder in (overlay, entry.folder) if folder is not None]

    @property
    def nouns(self) -> list[str]:
        return list(self.manifest["nouns"])

    def table(self, noun: str) -> pd.DataFrame:
        """One parquet noun, checked. Raises Missing (with the command that makes it) or Broken."""
        declared = NOUNS[noun]
        assert isinstance(declared, Table)
        return _table(self._locate(noun), declared, f"run {self.run_id}")

    def arrays(self, noun: str) -> dict[str, np.ndarray]:
        """One npz noun, checked. Raises Missing or Broken."""
        declared = NOUNS[noun]
        assert isinstance(declared, Arrays)
        path = self._locate(noun)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            declared.check(arrays)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise Broken(f"{path.name} of run {self.run_id} cannot be read: {_first_line(error)}") from error
        return arrays

    def graph(self, noun: str) -> bytes:
        """One ONNX noun, checked. Raises Missing (with the command that makes it) or Broken."""
        declared = NOUNS[noun]
        assert isinstance(declared, Graph)
        path = self._locate(noun)
        try:
            data = path.read_bytes()
            declared.check(data)
        except (OSError, Mismatch) as error:
            raise Broken(f"{path.name} of run {self.run_id} cannot be read: {_first_line(error)}") from error
        return data

    def weights(self) -> dict[str, np.ndarray]:
        """The network's arrays by name. Raises Broken when the file is not the one the manifest names."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self._verified("weights.safetensors", self.manifest["weights"]["sha256"])
        try:
            weights = load_file(path)
        except SafetensorError as error:
            raise Broken(f"weights.safetensors of run {self.run_id} cannot be read") from error
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise Broken(f"weights.safetensors of run {self.run_id} has values that are not finite")
        return weights

    def files(self, nouns: Collection[str] = NOUNS) -> dict[str, Path]:
        """The weights and the files of these nouns, where the run has them, each as its checksum says. Raises Broken."""
        paths = {"weights.safetensors": self._verified("weights.safetensors", self.manifest["weights"]["sha256"])}
        return paths | {NOUNS[noun].file: self._locate(noun) for noun in self.nouns if noun in nouns and noun in NOUNS}

    def absent(self, noun: str) -> Missing:
        """What to say of a noun that is not there."""
        return Missing(*absent(self.manifest, noun))

    def _locate(self, noun: str) -> Path:
        entry = self.manifest["nouns"].get(noun)
        if entry is None:
            raise self.absent(noun)
        return self._verified(NOUNS[noun].file, entry["sha256"])

    def _verified(self, name: str, digest: str) -> Path:
        candidates = [folder / name for folder in self._folders if (folder / name).is_file()]
        for path in candidates:
            if sha256(path) == digest:
                return path
        if candidates:
            raise Broken(f"{name} of run {self.run_id} does not match its checksum")
        raise Broken(f"{name} of run {self.run_id} is gone")


class Library:
    """All runs: shipped ones in `artifacts`, user-made ones in `home`, nouns computed later laid over shipped runs."""

    def __init__(self, artifacts: Path, home: Path) -> None:
        self.artifacts, self.home = artifacts, home
        self._checked: dict[Path, tuple[tuple, str]] = {}  # folder → what its core looked like, and what is wrong
        self._picture_sets: dict[Path, tuple[tuple, PictureSet]] = {}  # folder → what its files looked like, and what

    def default(self) -> str | None:
        """The run index.json names, else the newest usable one, else None.

        Runs fine-tuned from feedback and twins come after all others: they are candidates, and nothing promotes itself.
        """
        runs = {entry.run_id: entry for entry in self.runs() if entry.ok}
        named = self._index().get("default")
        if named in runs:
            return named

        def rank(run_id: str) -> tuple[bool, str]:
            manifest = runs[run_id].manifest
            return not manifest["config"].get("feedback") and not manifest.get("twin"), manifest["created"]

        return max(runs, key=rank, default=None)

    def runs(self) -> list[RunEntry]:
        """Shipped runs in index order, then user-made ones newest first; broken ones with their reason."""
        shipped = {folder.name: self._entry(folder, True) for folder in _folders(self.artifacts / "runs")}
        order = [run_id for run_id in self._index().get("runs", []) if run_id in shipped]
        order += [run_id for run_id in shipped if run_id not in order]
        mine = [self._entry(folder, False) for folder in _folders(self.home / "runs") if folder.name not in shipped]
        mine.sort(key=lambda entry: entry.manifest.get("created", ""), reverse=True)
        return [shipped[run_id] for run_id in order] + mine

    def open(self, run_id: str) -> Run:
        """A usable run, looked up in the listing. Raises Missing or Broken."""
        entry = next((entry for entry in self.runs() if entry.run_id == run_id), None)
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
            paths += [os.path.join(f, name) for f in folders for name in ("manifest.json", "weights.safetensors")]
            for path in paths:
                try:
                    status = os.stat(path)
                    stamps.append((path, status.st_mtime_ns, status.st_size))
                except OSError:
                    stamps.append((path, 0, 0))
        return tuple(stamps)

    def picture_set(self, dataset: str) -> PictureSet:
        """What stands for the pictures of a data set as they are now; cheap enough for every picture."""
        for root in (self.artifacts, self.home) if RUN_ID.fullmatch(dataset) else ():
            folder = root / "datasets" / dataset
            stamp = tuple(_stamp(folder / name) for name in ("dataset.json", *(f"{split}.npz" for split in SPLITS)))
            if stamp[1:] == (None,) * len(SPLITS):
                continue
            if self._picture_sets.get(folder, ((), PictureSet()))[0] != stamp:
                self._picture_sets[folder] = (stamp, _picture_set(folder, stamp))
            return self._picture_sets[folder][1]
        return PictureSet()

    def pictures(self, dataset: str, split: str) -> Pictures:
        """One split of a data set's pictures. Raises Missing or Broken."""
        if not RUN_ID.fullmatch(dataset) or split not in (*SPLITS, "twins"):
            raise Missing(f"There are no pictures of {split!r} here.")
        for root in (self.artifacts, self.home):
            path = root / "datasets" / dataset / f"{split}.npz"
            if path.is_file():
                try:
                    with np.load(path, allow_pickle=False) as archive:
                        return Pictures(archive["images"], archive["labels"].astype(np.int64), archive["ids"])
                except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                    raise Broken(f"the {split} pictures of {dataset} cannot be read: {_first_line(error)}") from error
        raise Missing(
            f"The {split} pictures of {dataset} are not on this machine.", "python -m ml artifacts --pictures"
        )

    def about(self, dataset: str, noun: str) -> pd.DataFrame:
        """properties or duplicates of a data set's pictures, checked. Raises Missing (with its command) or Broken."""
        declared = PICTURE_NOUNS[noun]
        for root in (self.home, self.artifacts) if RUN_ID.fullmatch(dataset) else ():  # one's own is newer
            path = root / "datasets" / dataset / declared.file
            if path.is_file():
                return _table(path, declared, dataset)
        raise Missing(f"The pictures of {dataset} have no {noun} yet.", f"python -m ml data measure {dataset}")

    def _index(self) -> dict[str, Any]:
        try:
            index = json.loads((self.artifacts / "index.json").read_text())
        except (OSError, ValueError):
            return {}
        return index if isinstance(index, dict) else {}

    def _entry(self, folder: Path, shipped: bool) -> RunEntry:
        try:
            if folder.is_symlink():
                raise Broken("it is a link to another place")
            manifest = _manifest(folder)
            self._check_core(folder, manifest)
            overlay = self.home / "runs" / folder.name
            if shipped and (overlay / "manifest.json").is_file():
                later = _manifest(overlay)
                if later["weights"] == manifest["weights"]:
                    extra = {n: e for n, e in later["nouns"].items() if n not in CORE}
                    manifest = {**later, "nouns": {**manifest["nouns"], **extra}}
        except Broken as error:
            return RunEntry(folder.name, folder, shipped, reason=str(error))
        return RunEntry(folder.name, folder, shipped, manifest=manifest)

    def _check_core(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Read the core files once and again whenever one of them changed. Raises Broken."""
        names = ("weights.safetensors", *(NOUNS[noun].file for noun in CORE))
        try:
            stats = [(folder / name).lstat() for name in names]
        except OSError as error:
            raise Broken(f"it has no {Path(error.filename).name}") from None
        if not all(stat.S_ISREG(status.st_mode) for status in stats):
            raise Broken("its files are links to another place")
        stamp = (*((s.st_mtime_ns, s.st_size) for s in stats), *(manifest["nouns"][n]["sha256"] for n in CORE))
        stamp = (*stamp, manifest["weights"]["sha256"])
        if self._checked.get(folder, ((), ""))[0] != stamp:
            self._checked[folder] = (stamp, _core_problem(folder, manifest))
        if self._checked[folder][1]:
            raise Broken(self._checked[folder][1])


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _picture_set(folder: Path, stamp: tuple) -> PictureSet:
    """stamp: of the files, which stands for their content where dataset.json does not say what they were made from."""
    try:
        described = json.loads((folder / "dataset.json").read_text())
        hashes = {str(name): str(digest) for name, digest in described["hashes"].items()}
        made_from: Any = [hashes, described["seed"], described["counts"]] if hashes else stamp
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        hashes, made_from = {}, stamp
    return PictureSet(hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16], hashes)


def _table(path: Path, declared: Table, whose: str) -> pd.DataFrame:
    """A parquet file, checked. Raises Broken."""
    try:
        with pq.ParquetFile(path) as file:  # pandas.read_parquet opens it as a data set of many, which loads 5 MB more
            frame = file.read().to_pandas()
        declared.check(frame)
    except (OSError, ValueError) as error:
        raise Broken(f"{path.name} of {whose} cannot be read: {_first_line(error)}") from error
    return frame


def _core_problem(folder: Path, manifest: dict[str, Any]) -> str:
    """Why weights, history or predictions cannot be used; '' when they can."""
    try:
        with (folder / "weights.safetensors").open("rb") as file:
            start = file.read(HEADER_BYTES + 1)
            if start.startswith(PICKLED) and start[HEADER_BYTES:] != b"{":  # a description of 640 bytes begins like one
                return "unsafe format: its weights.safetensors is a pickle or a zip, and is never opened"
        if sha256(folder / "weights.safetensors") != manifest["weights"]["sha256"]:
            return "its weights.safetensors does not match its checksum"
        shapes = _shapes(folder / "weights.safetensors")
        for layer in manifest.get("layers", []):
            inside = [shape for name, shape in shapes.items() if f"{name}.".startswith(f"{layer['name']}.")]
            if sum(map(math.prod, inside)) < layer["parameters"]:
                return f"its weights have other shapes than its layer {layer['name'][:40]}"
        for noun in CORE:
            declared = NOUNS[noun]
            assert isinstance(declared, Table)
            if sha256(folder / declared.file) != manifest["nouns"][noun]["sha256"]:
                return f"its {declared.file} does not match its checksum"
            columns = pq.read_schema(folder / declared.file).names
            lost = [name for name in declared.columns if not name.endswith("*") and name not in columns]
            if lost:
                return f"its {declared.file} lacks {', '.join(lost)}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        return f"its files cannot be read ({type(error).__name__})"
    return ""


def _shapes(path: Path) -> dict[str, list[int]]:
    """name → shape, from the description at the beginning of a safetensors file. Raises ValueError."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER_BYTES), "little")
        if length > path.stat().st_size - HEADER_BYTES:
            raise ValueError("the file ends within its description")
        described = json.loads(file.read(length))
    return {name: tensor["shape"] for name, tensor in described.items() if name != "__metadata__"}


def _folders(root: Path) -> list[Path]:
    """Run folders by name; unpublished and hidden ones are not runs."""
    try:
        inside = sorted(root.iterdir())
    except OSError:
        return []
    return [f for f in inside if RUN_ID.fullmatch(f.name) and f.is_dir()]


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise Broken("it has no manifest.json") from None
    except (OSError, ValueError, RecursionError):
        raise Broken("its manifest.json cannot be read") from None
    try:
        check(manifest)
    except Mismatch as mismatch:
        raise Broken(str(mismatch)) from None
    if manifest["run_id"] != folder.name:
        raise Broken(f"its manifest names another run, {manifest['run_id']!r}")
    return manifest


def _first_line(error: Exception) -> str:
    """The first line of an error without any path in it."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if isinstance(error, Mismatch) else text.split(":")[0][:120]
