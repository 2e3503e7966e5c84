"""Import a folder with one sub-folder of pictures per class, and open what was imported."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ml.data.base import Dataset, Split, class_names, hold_out, natural
from ml.images.decoding import FILE_BYTES, Refusal, decode
from ml.images.fitting import NATIVE, known
from ml.images.form import Form
from ml.images.preparation import prepare
from ml.images.upload_archives import by_the_way

FILES = "validation_files.zip"
FILES_KEPT, FILES_BYTES = 200, 32_000_000  # validation pictures that are also kept as they came, and their bytes


def read(
    folder: Path,
    name: str,
    *,
    height: int,
    width: int,
    channels: int,
    seed: int = 0,
    order: Sequence[str] = (),
    fitting: str = "pad",
) -> tuple[Dataset, list[str]]:
    """A Dataset from FOLDER/<class>/<picture>, split 80/10/10 by class and seed; and a line for each file left out.

    Classes stand in natural order, 2 before 10; where `order` names exactly the same ones, in that: a data set that is
    imported again keeps its class ids. Its title is its name.

    A file is read by ml.images.decoding, whatever its name ends in, and made to fit by ml.images.preparation, as any
    later question is; fitting: how, one of ml.images.fitting.FITTINGS. Some validation files are kept as they came.
    Raises ValueError when a class has fewer than ten readable pictures or there are fewer than two classes.
    """
    form = Form(height, width, channels, fitting=fitting)
    images: list[np.ndarray] = []
    files: list[Path] = []
    labels: list[int] = []
    refused: list[str] = []
    names = class_names(
        natural(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    )
    if sorted(order) == sorted(names):
        names = tuple(order)
    if len(names) < 2:
        raise ValueError(f"{folder} needs at least two folders of pictures, one per class; it has {len(names)}")
    for label, path in enumerate(folder / one for one in names):
        before = len(images)
        for file in sorted(path.iterdir()):
            if not file.is_file() or by_the_way(file.name):
                continue
            try:
                fitted = as_learned(_content(file), form)
            except (OSError, Refusal) as error:
                refused.append(f"{path.name}/{file.name}: {error}")
                continue
            images.append(fitted)
            files.append(file)
            labels.append(label)
        if len(images) - before < 10:
            raise ValueError(f"class {path.name!r} has {len(images) - before} readable pictures; ten are the least")
    everything = Split(np.stack(images), np.array(labels, np.int64), np.arange(len(labels), dtype=np.int32))
    tenth = max(len(names), len(labels) // 10)
    rest, test = hold_out(everything.labels, tenth, seed)
    kept, held = hold_out(everything.labels[rest], tenth, seed + 1)
    splits = {"train": everything.take(rest[kept]), "validation": everything.take(rest[held])}
    splits["test"] = everything.take(test)
    whole = hashlib.sha256(json.dumps([names, everything.images.shape]).encode())
    whole.update(everything.labels.tobytes() + everything.images.tobytes())
    kept_files = _some(splits["validation"], files, seed)
    hashes = {"pictures": whole.hexdigest()}
    return Dataset(name, name, names, splits, seed, hashes=hashes, fitting=fitting, files=lambda: kept_files), refused


def as_learned(content: bytes, form: Form) -> np.ndarray:
    """uint8 [h, w, c] of the form: a file as its data set takes it in. Raises Refusal."""
    picture = decode(content)
    return prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image


def _content(file: Path) -> bytes:
    """At most one byte more than may be read, so that what is too large says so. Raises OSError."""
    with file.open("rb") as opened:
        return opened.read(FILE_BYTES + 1)


def _some(split: Split, files: Sequence[Path], seed: int) -> dict[int, bytes]:
    """Example id → bytes of some pictures of a split, at most FILES_KEPT and FILES_BYTES."""
    kept: dict[int, bytes] = {}
    room = FILES_BYTES
    for row in np.random.default_rng(seed).permutation(len(split))[:FILES_KEPT]:
        example_id = int(split.ids[row])
        size = files[example_id].stat().st_size
        if size <= room:
            kept[example_id] = files[example_id].read_bytes()
            room -= size
    return kept


def write_files(folder: Path, files: Mapping[int, bytes]) -> None:
    """Into a data set's own folder, stored as they are."""
    with zipfile.ZipFile(folder / FILES, "w") as archive:
        for example_id in sorted(files):
            archive.writestr(zipfile.ZipInfo(str(example_id)), files[example_id])


def read_files(folder: Path) -> dict[int, bytes]:
    """What `write_files` wrote. Raises OSError, zipfile.BadZipFile or ValueError for another file."""
    kept: dict[int, bytes] = {}
    room = FILES_BYTES
    with zipfile.ZipFile(folder / FILES) as archive:
        for entry in archive.infolist()[:FILES_KEPT]:
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > room:
                raise ValueError(f"{FILES} is not what an import writes")
            room -= entry.file_size
            kept[int(entry.filename)] = archive.read(entry)
    return kept


def stored_classes(folder: Path) -> tuple[str, ...]:
    """Class names of an imported data set by class id; empty where there is none."""
    description = folder / "dataset.json"
    return class_names(json.loads(description.read_text())["classes"]) if description.is_file() else ()


def load(folder: Path) -> Dataset:
    """A data set as `ml.artifacts.writer.write_pictures` left it; `complete` tells whether train is whole.

    Without train.npz the shipped reference pictures stand in for it.
    """
    description = json.loads((folder / "dataset.json").read_text())
    complete = (folder / "train.npz").is_file()
    files = {"train": "train" if complete else "reference", "validation": "validation", "test": "test"}
    splits = {}
    for split, file in files.items():
        with np.load(folder / f"{file}.npz", allow_pickle=False) as archive:
            splits[split] = Split(archive["images"], archive["labels"].astype(np.int64), archive["ids"])
    return Dataset(
        description["name"],
        description["title"],
        class_names(description["classes"]),
        splits,
        description["seed"],
        complete=complete,
        hashes=description["hashes"],
        fitting=NATIVE if description.get("fitting") == NATIVE else known(description.get("fitting")),
        files=(lambda: read_files(folder)) if (folder / FILES).is_file() else None,
        recorded=(description["mean"], description["std"]) if complete else None,
    )
