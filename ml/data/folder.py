"""Import a folder or zip with one folder of pictures per class, and open what was imported."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml.data import kept_files, labelled_files, sources
from ml.data.base import SPLITS, Dataset, Split, class_names, hold_out
from ml.data.labelled_files import LabelledFile, LabelledFolder, LeftOut
from ml.images.decoding import Refusal, decode
from ml.images.file_names import clean
from ml.images.fitting import NATIVE, known
from ml.images.form import Form
from ml.images.preparation import prepare

LEAST = 10  # readable pictures of a class


@dataclass(frozen=True)
class Imported:
    """What became of a folder. copied: the same pixels under the same label, (a name, the name of the first of them);
    in_conflict: the same under different labels; across: splits that are not train → names of pictures of which train
    holds a copy; dim: names of files that are all but black (ml.images.decoding.Picture); notes: sentences on names."""

    dataset: Dataset
    left_out: LeftOut
    copied: list[tuple[str, str]]
    in_conflict: list[tuple[str, str]]
    across: dict[str, list[str]]
    dim: list[str]
    notes: list[str]


def read(
    place: Path,
    name: str,
    *,
    height: int,
    width: int,
    channels: int,
    seed: int = 0,
    order: Sequence[str] = (),
    fitting: str = "pad",
    code_page: str | None = None,
) -> Imported:
    """A Dataset from <class>/<picture> in a folder or zip, split 80/10/10 by class and seed, or as its folders say.

    A folder above the classes, or one in each of them, that is called train, test or validation is a split; one that is
    missing is drawn from train. code_page: of names in a zip that do not say theirs. Copies of one picture stay
    in one split where there are enough others.

    Classes stand in natural order, 2 before 10; where `order` names exactly the same ones, in that: a data set that is
    imported again keeps its class ids. Its title is its name.

    A file is read by ml.images.decoding, whatever its name ends in, and made to fit by ml.images.preparation, as any
    later question is; fitting: how, one of ml.images.fitting.FITTINGS. Some validation files are kept as they came.
    Raises ValueError when a class has fewer than ten readable pictures or there are fewer than two classes.
    """
    form = Form(height, width, channels, fitting=fitting)
    with sources.opened(place, code_page) as source:
        found = labelled_files.look(source.entries, str(place), order)
        made = _made(found, form)
        _refuse_small(found, made.files)
        return _imported(name, found, made, list(source.notes), seed, fitting)


@dataclass
class _Made:
    """Files that could be read, in order, and uint8 [h, w, c] of each."""

    files: list[LabelledFile] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    dim: list[str] = field(default_factory=list)


def _made(found: LabelledFolder, form: Form) -> _Made:
    made = _Made()
    for file in found.files:
        try:
            picture = decode(file.entry.content())
            made.images.append(prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image)
            made.files.append(file)
            made.dim += [clean(file.name)] * picture.dim
        except Refusal as refusal:
            found.left_out.add(file.name, str(refusal))
        except OSError as error:
            found.left_out.add(file.name, f"It cannot be read: {error.strerror or error}.")
    return made


def _imported(name: str, found: LabelledFolder, made: _Made, notes: list[str], seed: int, fitting: str) -> Imported:
    kept = made.files
    labels = np.array([file.label for file in kept], np.int64)
    everything = Split(np.stack(made.images), labels, np.arange(len(labels), dtype=np.int32))
    groups = _copies(everything)
    rows = _split(everything, [file.split for file in kept], groups, len(found.classes), seed)
    names = [clean(file.name) for file in kept]
    first = [(names[i], names[g]) for i, g in enumerate(groups[:, 0].tolist()) if i != g]
    conflict = [(names[i], names[g]) for i, g in enumerate(groups[:, 1].tolist()) if labels[i] != labels[g]]
    learned = set(groups[rows["train"], 1].tolist())
    across = {
        split: [names[i] for i in rows[split].tolist() if int(groups[i, 1]) in learned]
        for split in ("validation", "test")
    }
    whole = hashlib.sha256(json.dumps([found.classes, everything.images.shape]).encode())
    whole.update(everything.labels.tobytes() + everything.images.tobytes())
    hashes = {"pictures": whole.hexdigest()}
    if found.given or first:  # what the seed alone does not say
        drawn = b"".join(split.encode() + rows[split].astype("<i8").tobytes() for split in SPLITS)
        hashes["splits"] = hashlib.sha256(drawn).hexdigest()
    splits = {split: everything.take(rows[split]) for split in SPLITS}
    files = kept_files.some(splits["validation"], [file.entry.content for file in kept], seed)
    dataset = Dataset(name, name, found.classes, splits, seed, hashes=hashes, fitting=fitting, files=lambda: files)
    notes += [
        f"the classes {one!r} and {other!r} differ in the case or form of letters alone" for one, other in found.alike
    ]
    return Imported(dataset, found.left_out, first, conflict, across, made.dim, notes)


def as_learned(content: bytes, form: Form) -> np.ndarray:
    """uint8 [h, w, c] of the form: a file as its data set takes it in. Raises Refusal."""
    picture = decode(content)
    return prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image


def _refuse_small(found: LabelledFolder, kept: Sequence[LabelledFile]) -> None:
    """Raises ValueError, with what was left out, for a class with too few pictures, and for one that train has not."""
    counts = np.bincount([file.label for file in kept], minlength=len(found.classes))
    for label, name in enumerate(found.classes):
        if counts[label] < LEAST:
            lost = found.left_out.of_class(name)
            told = "; ".join(f"{file}: {reason}" for file, reason in lost[: labelled_files.TOLD])
            more = f" and {len(lost) - labelled_files.TOLD:,} more" if len(lost) > labelled_files.TOLD else ""
            aside = f". Left out of it: {told}{more}" if lost else ""
            raise ValueError(f"class {name!r} has {counts[label]} readable pictures; ten are the least{aside}")
        if found.given and not any(file.label == label and file.split == "train" for file in kept):
            raise ValueError(f"class {name!r} has no picture in the folder of train, so that nothing can learn it")


def _copies(everything: Split) -> np.ndarray:
    """int [n, 2]: the first row with the same pixels and label as this one, and the first with the same pixels."""
    first: dict[tuple[bytes, int | None], int] = {}
    rows = np.empty((len(everything), 2), np.int64)
    for i, (image, label) in enumerate(zip(everything.images, everything.labels.tolist(), strict=True)):
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        rows[i] = first.setdefault((key, label), i), first.setdefault((key, None), i)
    return rows


def _split(
    everything: Split, given: Sequence[str], groups: np.ndarray, classes: int, seed: int
) -> dict[str, np.ndarray]:
    """split → positions, ascending: as the folders say, and drawn from train where they say nothing of a split.

    A tenth is drawn of each, copies together with the first of them.
    """
    where = np.array([split or "train" for split in given])
    rows = {split: np.flatnonzero(where == split) for split in SPLITS}
    members = groups[:, 0]
    heads = np.unique(members[rows["train"]])
    if np.bincount(everything.labels[heads], minlength=classes).min() < LEAST:  # too few that differ to keep together
        members = np.arange(len(everything))
        heads = rows["train"]
    tenth = max(classes, len(heads) // 10)
    for split, chance in (("test", seed), ("validation", seed + 1)):
        if not len(rows[split]):
            pool = rows["train"]
            heads = np.unique(members[pool])
            _, held = hold_out(everything.labels[heads], tenth, chance)
            out = np.isin(members[pool], heads[held])
            rows[split], rows["train"] = pool[out], pool[~out]
    left = np.bincount(everything.labels[rows["train"]], minlength=classes)
    if not left.all():
        raise ValueError("a class has too few pictures in the folder of train: none is left to learn from")
    return rows


def stored_classes(folder: Path) -> tuple[str, ...]:
    """Class names of an imported data set by class id; empty where there is none."""
    description = folder / "dataset.json"
    return class_names(json.loads(description.read_text(encoding="utf-8"))["classes"]) if description.is_file() else ()


def load(folder: Path) -> Dataset:
    """A data set as `ml.artifacts.writer.write_pictures` left it; `complete` tells whether train is whole.

    Without train.npz the shipped reference pictures stand in for it.
    """
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
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
        files=(lambda: kept_files.read(folder)) if (folder / kept_files.FILES).is_file() else None,
        recorded=(description["mean"], description["std"]) if complete else None,
    )
