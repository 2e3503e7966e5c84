"""A run as one zip: packed the same byte for byte every time, and taken in only when everything in it checks out.

Nothing in an archive is ever unpickled: weights are safetensors, tables parquet, arrays npz without objects. An ONNX
file, as an imported run has it, is tried in a process of its own and must be what the manifest says. Each file
must be one that a run has, no larger than its kind can be, and match the checksum in the manifest.
"""

import io
import json
import lzma
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml.artifacts import inspection, kinds, writer
from ml.artifacts.inspection import FILE_BYTES as RUN_FILE_BYTES
from ml.artifacts.inspection import GRAPH_BYTES, MANIFEST, MB, NOUN_BYTES, Bounds
from ml.artifacts.kinds import IMPORTED_NETWORK, WEIGHTS
from ml.artifacts.manifest import check
from ml.artifacts.reader import Broken, Library, Missing, Run, RunEntry
from ml.artifacts.schema import NOUNS, RUN_ID, Arrays, Graph, Mismatch, Table
from ml.system import atomic
from ml.system.damage import DAMAGED

# ONNX files stay behind: nothing here could say whether they hold these weights, and evaluate makes them again
TRAVELLING = {noun: declared for noun, declared in NOUNS.items() if not isinstance(declared, Graph)}
CARD = "MODEL_CARD.md"
UPLOAD_BYTES = 30 * 10**6  # of a zip that arrives over the network
FILE_BYTES = 512 * MB  # of a zip that lies on this machine
MAX_UNPACKED_BYTES = {
    **RUN_FILE_BYTES,
    IMPORTED_NETWORK: GRAPH_BYTES,
    CARD: MB,
}  # unpacked; every other file: NOUN_BYTES
FIRST = (MANIFEST, CARD, WEIGHTS, IMPORTED_NETWORK)  # of a packed run's files, in this order
RATIO = 100  # unpacked to packed, of a file above RATIO_FROM: tables and weights hardly shrink
RATIO_FROM = MB
ENTRIES = 100  # of the zip that are looked at
PICKLES = re.compile(r"\.(pkl|pickle|pt|pth|bin|ckpt|joblib|npy|dill|h5|hdf5|keras|onnx)$", re.IGNORECASE)
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in a packed run, so that equal runs are equal bytes
STALE_SECONDS = 86_400.0


class Unfit(ValueError):
    """An archive that is not taken in; the message says why, for people. taken: the name that another run has."""

    def __init__(self, words: str, taken: str = "") -> None:
        super().__init__(words)
        self.taken = taken


@dataclass(frozen=True)
class Taken:
    """A run that was taken in. was: its name in the archive; needs: the data set whose pictures are not here, or ''."""

    run_id: str
    was: str
    folder: Path
    needs: str = ""


def pack(run: Run, card: str) -> bytes:
    """The zip of a run: manifest, weights or network, tables, arrays, model card. Raises Missing or Broken."""
    manifest = {**run.manifest, "nouns": {n: e for n, e in run.manifest["nouns"].items() if n in TRAVELLING}}
    files: dict[str, bytes | Path] = {
        MANIFEST: json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n",
        CARD: card.encode(),
        **run.files(TRAVELLING),
    }
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        for name in [*(one for one in FIRST if one in files), *sorted(set(files) - {*FIRST})]:
            content = files[name]
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix, whose file modes follow, whatever this machine is
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED if name in (MANIFEST, CARD) else zipfile.ZIP_STORED
            archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())
    return parcel.getvalue()


def unpack(
    file: IO[bytes], library: Library, *, name: str | None = None, taken: Collection[str] = (), limit: int = FILE_BYTES
) -> Taken:
    """Check an archive through and publish it under library.home/runs. Loads torch.

    name: what the run shall be called here, its own name when None; taken: further names that cannot be used; limit:
    bytes of the archive. Raises Unfit (with `taken` where only another name is needed), OSError.
    """
    size = file.seek(0, os.SEEK_END)
    if size > limit:
        raise Unfit(f"This file has {size / 1e6:.1f} MB; a run may have up to {limit / 1e6:.0f} MB here.")
    file.seek(0)
    _sniff(file.read(8))
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            manifest = _manifest(archive, members)
            run_id = _name(manifest, name, taken, library)
            return _take(archive, members, manifest, run_id, library)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError):
        raise Unfit("This file is not a whole zip archive.") from None
    except (zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, Unfit):
            raise
        raise Unfit(f"This zip archive cannot be read ({type(error).__name__}).") from None


def sweep(home: Path, now: float | None = None) -> None:
    """Remove what imports that were killed left behind, a day later."""
    for folder in (home / "runs").glob("import-*.partial"):
        if (now or time.time()) - folder.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _sniff(start: bytes) -> None:
    if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise Unfit("Unsafe format: this is a pickle, which could run anything. Only a run's own zip is taken.")
    if start[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise Unfit("This file is not a zip archive. Only a run's own zip, as Export makes it, is taken.")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """name → entry of an archive in which every entry is a file that a run has. Raises Unfit."""
    known = {MANIFEST, WEIGHTS, IMPORTED_NETWORK, CARD, *(noun.file for noun in TRAVELLING.values())}
    entries = archive.infolist()
    if len(entries) > ENTRIES:
        raise Unfit(f"This archive has {len(entries):,} files; a run has at most {len(known)}.")
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        shown = ascii(entry.orig_filename)[1:-1][:60]
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise Unfit(f"{shown} is a link, a folder or a device, not a file.")
        if re.search(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)", entry.orig_filename):
            raise Unfit(f"{shown} leads out of the archive.")
        if entry.orig_filename not in known:
            unsafe = " It may hold a pickle, which could run anything." if PICKLES.search(entry.orig_filename) else ""
            raise Unfit(f"Unsafe format: {shown} is no file of a run.{unsafe} Weights are taken as safetensors alone.")
        if entry.filename in members:
            raise Unfit(f"{shown} is in the archive twice.")
        if entry.flag_bits & 0x1:
            raise Unfit(f"{shown} is encrypted.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unfit(f"{shown} is compressed in a way that is not taken here.")
        if entry.file_size > MAX_UNPACKED_BYTES.get(entry.filename, NOUN_BYTES):
            most = MAX_UNPACKED_BYTES.get(entry.filename, NOUN_BYTES) // MB
            raise Unfit(f"{shown} would be {entry.file_size / MB:,.0f} MiB; at most {most} are taken.")
        if entry.file_size > max(RATIO * entry.compress_size, RATIO_FROM):
            raise Unfit(f"{shown} would grow {entry.file_size // max(entry.compress_size, 1):,}-fold when unpacked.")
        members[entry.filename] = entry
    if missing := [name for name in (MANIFEST, WEIGHTS) if name not in members and not _alone(members)]:
        raise Unfit(f"This archive is no run: it lacks {' and '.join(missing)}.")
    return members


def _alone(members: Collection[str]) -> bool:
    """Whether these may be the files of a run that is its predictions alone; its manifest must say so."""
    return MANIFEST in members and NOUNS["predictions"].file in members


def _manifest(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """The manifest, checked key by key and against the files that are there. Raises Unfit."""

    def constant(name: str) -> None:
        raise ValueError(name)

    try:
        manifest = json.loads(archive.read(members[MANIFEST]).decode(), parse_constant=constant)
        json.dumps(manifest, ensure_ascii=False).encode()
        check(manifest)
    except Mismatch as mismatch:
        raise Unfit(f"The manifest does not check out: {mismatch}.") from None
    except (ValueError, RecursionError):
        raise Unfit("manifest.json cannot be read as JSON.") from None
    unknown = [noun for noun in manifest["nouns"] if noun not in TRAVELLING]
    absent = [noun for noun in manifest["nouns"] if noun in TRAVELLING and NOUNS[noun].file not in members]
    weighed = [kinds.weights_file(manifest)] if manifest.get("weights") else []
    if missing := [name for name in weighed if name not in members]:
        raise Unfit(f"This archive is no run: it lacks {' and '.join(missing)}.")
    named = {MANIFEST, CARD, *weighed, *(NOUNS[noun].file for noun in manifest["nouns"] if noun in TRAVELLING)}
    stray = sorted(set(members) - named)
    for names, words in ((unknown, "The manifest names {}, which this version does not know"),
                         (absent, "The manifest names {}, which the archive does not hold"),
                         (stray, "The archive holds {}, which the manifest does not name")):  # fmt: skip
        if names:
            raise Unfit(words.format(", ".join(name[:40] for name in names[:5])) + ".")
    if kinds.kind_of(manifest) != kinds.TRAINED:
        return manifest
    data, network = manifest["dataset"], manifest.get("model_config") or {}
    expected = {key: data[key] for key in ("height", "width", "channels")} | {"classes": len(data["classes"])}
    if any(network.get(key) != value for key, value in expected.items()):
        raise Unfit("The manifest's network takes other pictures or classes than its data set has.")
    return manifest


def _name(manifest: dict[str, Any], name: str | None, taken: Collection[str], library: Library) -> str:
    """What the run will be called. Raises Unfit."""
    run_id = name or manifest["run_id"]
    if not RUN_ID.fullmatch(run_id):
        raise Unfit("A run's name has 1 to 64 small letters, digits, - and _, beginning with a letter or digit.")
    names = {*library.names(), *taken}
    if run_id in names or (library.home / "runs" / f"{run_id}.partial").exists():
        raise Unfit(f"The name {run_id} is taken: give the run another one.", run_id)
    return run_id


def _take(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    manifest: dict[str, Any],
    run_id: str,
    library: Library,
) -> Taken:
    runs = library.home / "runs"
    folder = runs / f"import-{secrets.token_hex(8)}.partial"
    folder.mkdir(parents=True)
    try:
        for name, digest in _digests(manifest).items():
            _copy(archive, members[name], folder / name)
            if writer.sha256(folder / name) != digest:
                raise Unfit(f"{name} does not match its checksum in the manifest.")
        run = Run(RunEntry(manifest["run_id"], folder, False, manifest=manifest))
        _check_tables(run, folder)
        if kinds.kind_of(manifest) == kinds.IMPORTED:
            _check_network(folder / IMPORTED_NETWORK, manifest)
        elif kinds.has(manifest, kinds.NETWORK):
            _check_weights(run)
        imported = {"run_id": manifest["run_id"], "made": writer.now()}
        writer.write_manifest(folder, {**manifest, "run_id": run_id, "imported": imported})
        try:
            if (runs / run_id).exists():
                raise FileExistsError
            atomic.rename(folder, runs / run_id)
        except (FileExistsError, NotADirectoryError):
            raise Unfit(f"The name {run_id} is taken: give the run another one.", run_id) from None
        except OSError as error:
            if (runs / run_id).exists():  # another import was quicker
                raise Unfit(f"The name {run_id} is taken: give the run another one.", run_id) from error
            raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Taken(run_id, manifest["run_id"], runs / run_id, _needs(library, manifest["dataset"]["name"]))


def _digests(manifest: dict[str, Any]) -> dict[str, str]:
    """file → sha256, as the manifest says."""
    nouns = {NOUNS[noun].file: entry["sha256"] for noun, entry in manifest["nouns"].items()}
    return ({kinds.weights_file(manifest): manifest["weights"]["sha256"]} if manifest.get("weights") else {}) | nouns


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(member) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, MB)
    atomic.sync(target)


def _check_tables(run: Run, folder: Path) -> None:
    """Every noun as its declaration says, and the results as the predictions say. Raises Unfit."""
    for noun in run.nouns:
        declared = NOUNS[noun]
        try:
            assert isinstance(declared, Table | Arrays)
            inspection.noun(folder / declared.file, declared, Bounds.of(run.manifest))
            _ = run.table(noun) if isinstance(declared, Table) else run.arrays(noun)  # checked as they are read
        except (Broken, *DAMAGED, pa.ArrowException, MemoryError) as error:
            words = str(error).splitlines()[0][:120] if isinstance(error, Mismatch | Broken) else "unreadable"
            if words.startswith("unsafe"):
                raise Unfit(f"{words.capitalize()}.") from None
            raise Unfit(f"{declared.file} does not check out: {words}.") from None
    _check_predictions(run)


def _check_predictions(run: Run) -> None:
    frame, manifest = run.table("predictions"), run.manifest
    classes = len(manifest["dataset"]["classes"])
    columns = [f"p_{i}" for i in range(classes)] if kinds.has(manifest, "top-k") else []
    if [name for name in frame.columns if name.startswith("p_")] != columns:
        raise Unfit("predictions.parquet does not have one probability a class.")
    ids = frame[["label", "predicted"]].to_numpy()
    if len(frame) and not (
        ((ids >= 0) & (ids < classes)).all()
        and (not columns or _can_be(frame, columns, whole=kinds.has(manifest, "probabilities")))
        and (frame["example_id"] >= 0).all()
        and not frame.duplicated(["split", "example_id"]).any()
    ):
        raise Unfit("predictions.parquet holds labels, guesses or probabilities that cannot be.")
    right = frame["label"] == frame["predicted"]
    counted = right.groupby(frame["split"]).agg(["sum", "size"])
    for split, result in manifest["results"].items():
        counts: Any = counted.loc[split] if split in counted.index else pd.Series({"sum": 0, "size": 0})
        if (result["correct"], result["n"]) != (int(counts["sum"]), int(counts["size"])):
            raise Unfit(
                f"The manifest says {result['correct']:,} of {result['n']:,} right on {split[:20]}, its predictions "
                f"say {int(counts['sum']):,} of {int(counts['size']):,}."
            )
    for noun in ("confusion", "scores"):
        if noun in run.nouns:
            table = run.table(noun)
            for column in {"label", "predicted", "class"} & set(table.columns):
                if not table[column].dropna().between(0, classes - 1).all():
                    raise Unfit(f"{noun}.parquet names a class that there is not.")


def _can_be(frame: pd.DataFrame, columns: list[str], *, whole: bool) -> bool:
    """Whether predictions are probabilities with the guess on top. whole: of all classes, so that they add up."""
    shares = frame[columns].to_numpy(np.float64)
    total = shares.sum(1)
    return bool(
        (shares >= 0).all()
        and (np.abs(total - 1) < 1e-3 if whole else total < 1 + 1e-3).all()
        and (shares[np.arange(len(frame)), frame["predicted"]] >= shares.max(1) - 1e-6).all()
        and (np.abs(frame["confidence"] - shares.max(1)) < 1e-3).all()
    )


def _check_network(path: Path, manifest: Mapping[str, Any]) -> None:
    """An ONNX file, in a process of its own. Raises Unfit."""
    from ml.importing import retrial
    from ml.importing.graph import Unusable

    with tempfile.TemporaryDirectory() as scratch:
        try:
            retrial.checked(path, manifest, Path(scratch))
        except (Unusable, Missing) as wrong:
            command = f" Try: {wrong.command}" if isinstance(wrong, Missing) else ""
            raise Unfit(f"Its network does not check out: {str(wrong).rstrip('.')}.{command}") from None


def _check_weights(run: Run) -> None:
    """Finite, and of the shapes that the manifest's network has. Raises Unfit."""
    import torch

    from ml import models

    try:
        weights = run.weights()
    except (Broken, ValueError, KeyError, TypeError, OSError, MemoryError) as error:
        words = str(error) if isinstance(error, Broken) else "weights.safetensors cannot be read"
        raise Unfit(f"{words}.".replace(f" of run {run.run_id}", "")) from None
    name = run.manifest["model"]
    if name not in models.MODELS and not name.startswith(models.TIMM):
        raise Unfit(f"Its network is a {name}, which this version does not know ({', '.join(models.MODELS)}).")
    try:
        with torch.device("meta"):  # shapes without memory, whatever sizes the manifest claims
            module = models.build(name, **run.manifest["model_config"])
        # a single number, such as a count of batches, is written as an array of one
        expected = {key: tuple(value.shape) or (1,) for key, value in module.state_dict().items()}
        count = models.parameter_count(module)
    except models.NotInstalled as missing:
        raise Unfit(str(missing)) from None
    except (KeyError, RuntimeError, TypeError, ValueError, ArithmeticError, MemoryError):
        raise Unfit(f"The manifest describes a {name} that cannot be built.") from None
    if {key: value.shape or (1,) for key, value in weights.items()} != expected or count != run.manifest["parameters"]:
        raise Unfit(f"The weights do not fit a {name} as the manifest describes it.")


def _needs(library: Library, dataset: str) -> str:
    try:
        library.pictures(dataset, "test")
    except (Missing, Broken):
        return dataset
    return ""
