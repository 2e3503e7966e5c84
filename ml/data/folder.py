"""Make a data set of what people bring, and open what was imported."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np

from ml.data import images, importing, kept_files
from ml.data.base import SPLITS, Dataset, Split, class_names, hold_out
from ml.data.images import Growing, Images
from ml.data.importing.records import Found, LeftOut, Record, some
from ml.images.decoding import Refusal, decode
from ml.images.file_names import clean
from ml.images.fitting import NATIVE, known
from ml.images.form import Form
from ml.images.preparation import prepare
from ml.system.paths import home_dir

AHEAD = 4  # pictures read for each thread that decodes, before the first of them is asked for
LEAST = 10  # readable pictures of a class
UNLABELLED = "it has no label"
SMALL = "its class is left out"


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
    columns: Mapping[str, str] | None = None,
) -> Imported:
    """A Dataset from any source that ml.data.importing reads, split 80/10/10 by class and seed, or as it says.

    A folder above the classes, or one in each of them, that is called train, test or validation is a split; one that is
    missing is drawn from train. code_page: of names in a zip that do not say theirs; columns: what columns of tables
    are for, image, label, split or group → its name. Copies of one picture stay in one split where there are enough
    others, and what is of one group does always.

    Classes stand in natural order, 2 before 10; where `order` names exactly the same ones, in that: a data set that is
    imported again keeps its class ids. Its title is its name.

    A file is read by ml.images.decoding, whatever its name ends in, and made to fit by ml.images.preparation, as any
    later question is; fitting: how, one of ml.images.fitting.FITTINGS. Some validation files are kept as they came.
    A class of which fewer than ten pictures are readable, or none in train, is left out. Raises ValueError where fewer
    than two classes are left.
    """
    form = Form(height, width, channels, fitting=fitting)
    with importing.opened(place, importing.Choices(order, code_page, columns or {})) as source:
        found, made = _large_enough(source, _made(source, form), str(place))
        return _imported(name, found, made, found.notes, seed, fitting)


@dataclass
class _Made:
    """Files that could be read, in order, and uint8 [h, w, c] of each."""

    files: list[Record]
    images: Images
    dim: list[str]


def _made(found: Found, form: Form) -> _Made:
    """One thread reads, the others decode; a few pictures are in memory, all of them in a file (images.Growing)."""
    files, dim = [], []
    home_dir().mkdir(parents=True, exist_ok=True)
    with Growing(home_dir(), (form.height, form.width, form.channels)) as growing:
        for file, given in _prepared(found.records, form):
            try:
                image, is_dim = given()
            except Refusal as refusal:
                found.left_out.add(file.name, str(refusal))
                continue
            except OSError as error:
                found.left_out.add(file.name, f"It cannot be read: {error.strerror or error}.")
                continue
            growing.add(image)
            files.append(file)
            dim += [clean(file.name)] * is_dim
        return _Made(files, growing.images(), dim)


Prepared: TypeAlias = Callable[[], tuple[np.ndarray, bool]]


def _prepared(records: Iterable[Record], form: Form) -> Iterator[tuple[Record, Prepared]]:
    """Each record, in order, with what gives its uint8 [h, w, c] and whether it is all but black; that may raise."""

    def fit(raw: bytes | np.ndarray) -> tuple[np.ndarray, bool]:
        picture = Record.decoded(raw)
        return prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image, picture.dim

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Record, Prepared]] = deque()
        for record in records:
            try:
                if record.label is None:
                    raise Refusal(UNLABELLED)
                waiting.append((record, pool.submit(fit, record.raw()).result))
            except (Refusal, OSError) as problem:
                waiting.append((record, partial(_raise, problem)))
            while len(waiting) > AHEAD * threads:
                yield waiting.popleft()
        yield from waiting


def _raise(problem: Exception) -> NoReturn:
    raise problem


def _imported(name: str, found: Found, made: _Made, notes: list[str], seed: int, fitting: str) -> Imported:
    kept = made.files
    labels = np.array([file.label for file in kept], np.int64)
    everything = Split(made.images, labels, np.arange(len(labels), dtype=np.int32))
    groups = _copies(everything)
    grouped = any(file.group for file in kept)
    members = _together(groups[:, 0], [file.group for file in kept]) if grouped else groups[:, 0]
    rows = _split(everything, [file.split for file in kept], members, len(found.classes), seed, grouped)
    names = [clean(file.name) for file in kept]
    first = [(names[i], names[g]) for i, g in enumerate(groups[:, 0].tolist()) if i != g]
    conflict = [(names[i], names[g]) for i, g in enumerate(groups[:, 1].tolist()) if labels[i] != labels[g]]
    learned = set(groups[rows["train"], 1].tolist())
    across = {
        split: [names[i] for i in rows[split].tolist() if int(groups[i, 1]) in learned]
        for split in ("validation", "test")
    }
    whole = hashlib.sha256(json.dumps([found.classes, everything.images.shape]).encode())
    whole.update(everything.labels.tobytes())
    for batch in images.batches(everything.images):
        whole.update(batch.tobytes())
    hashes = {"pictures": whole.hexdigest()}
    if found.given or first:  # what the seed alone does not say
        drawn = b"".join(split.encode() + rows[split].astype("<i8").tobytes() for split in SPLITS)
        hashes["splits"] = hashlib.sha256(drawn).hexdigest()
    splits = {split: everything.take(rows[split]) for split in SPLITS}
    files = kept_files.some(splits["validation"], [file.content for file in kept], seed)
    dataset = Dataset(name, name, found.classes, splits, seed, hashes=hashes, fitting=fitting, files=lambda: files)
    return Imported(dataset, found.left_out, first, conflict, across, made.dim, notes)


def as_learned(content: bytes, form: Form) -> np.ndarray:
    """uint8 [h, w, c] of the form: a file as its data set takes it in. Raises Refusal."""
    picture = decode(content)
    return prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image


def _large_enough(found: Found, made: _Made, shown: str) -> tuple[Found, _Made]:
    """Without classes that have too few pictures to learn from, each of which is told. Raises ValueError where fewer
    than two classes are left."""
    counts = np.bincount([file.label for file in made.files if file.label is not None], minlength=len(found.classes))
    in_train = {file.label for file in made.files if file.split in ("", "train")}
    small = {}
    for label, name in enumerate(found.classes):
        if counts[label] < LEAST:
            lost = [f"{file}: {reason}" for file, reason in found.left_out.of_class(name)]
            aside = f". Left out of it: {some(lost)}" if lost else ""
            small[label] = f"class {name!r} has {counts[label]} readable pictures; ten are the least{aside}"
        elif label not in in_train:
            small[label] = f"class {name!r} has no picture in train, so that nothing can learn it"
    if not small:
        return found, made
    kept = [label for label in range(len(found.classes)) if label not in small]
    if len(kept) < 2:
        raise ValueError(f"{shown}: fewer than two classes can be learned: {some([*small.values()])}")
    ids = {label: i for i, label in enumerate(kept)}
    for file in made.files:
        if file.label in small:
            found.left_out.add(file.name, SMALL)
    rows = [i for i, file in enumerate(made.files) if file.label in ids]
    files = [replace(made.files[i], label=ids[made.files[i].label or 0]) for i in rows]
    notes = [*found.notes, *(f"left out as a class: {words}" for words in small.values())]
    found = replace(found, classes=tuple(found.classes[label] for label in kept), notes=notes)
    return found, _Made(files, made.images.take(np.array(rows, np.int64)), made.dim)


def _copies(everything: Split) -> np.ndarray:
    """int [n, 2]: the first row with the same pixels and label as this one, and the first with the same pixels."""
    first: dict[tuple[bytes, int | None], int] = {}
    rows = np.empty((len(everything), 2), np.int64)
    for i, (image, label) in enumerate(zip(everything.images, everything.labels.tolist(), strict=True)):
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        rows[i] = first.setdefault((key, label), i), first.setdefault((key, None), i)
    return rows


def _together(copies: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """int [n]: of rows that are copies or of one group, and of those that are so through others, the first."""
    heads = list(range(len(copies)))

    def head(row: int) -> int:
        while heads[row] != row:
            heads[row] = heads[heads[row]]
            row = heads[row]
        return row

    first: dict[str, int] = {}
    for row, (copy, group) in enumerate(zip(copies.tolist(), groups, strict=True)):
        for other in (copy, first.setdefault(group, row) if group else row):
            one, two = sorted((head(row), head(other)))
            heads[two] = one
    return np.array([head(row) for row in range(len(heads))], np.int64)


def _split(
    everything: Split, given: Sequence[str], members: np.ndarray, classes: int, seed: int, grouped: bool
) -> dict[str, np.ndarray]:
    """split → positions, ascending: as the source says, and drawn from train where it says nothing of a split.

    A tenth is drawn of each, rows of one of `members` together; grouped: in any case, else where there are enough.
    """
    where = np.array([split or "train" for split in given])
    rows = {split: np.flatnonzero(where == split) for split in SPLITS}
    heads = np.unique(members[rows["train"]])
    few = np.bincount(everything.labels[heads], minlength=classes).min() < LEAST
    if few and not grouped:  # too few that differ to keep together
        members = np.arange(len(everything))
        heads = rows["train"]
    tenth = max(classes, len(heads) // 10)
    for split, chance in (("test", seed), ("validation", seed + 1)):
        if not len(rows[split]):
            pool = rows["train"]
            heads = np.unique(members[pool])
            _, held = hold_out(everything.labels[heads], tenth, chance)
            out = np.isin(members[pool], heads[held])
            learned = np.bincount(everything.labels[pool[~out]], minlength=classes) > 0
            kept = members[pool][~learned[everything.labels[pool]]]  # of a class that would lose its last ones
            out &= ~np.isin(members[pool], kept)
            if not out.any():
                few = "groups" if grouped else "pictures"
                raise ValueError(f"there are too few {few} in train to draw a split for {split} from them")
            rows[split], rows["train"] = pool[out], pool[~out]
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
        splits[split] = Split(*images.read(folder, file))
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
