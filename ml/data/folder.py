"""Make a data set of what people bring, and open what was imported."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ml.data import drawing, images, importing, joining, kept_files, parts
from ml.data.base import SPLITS, UNLABELLED, Dataset, Split, class_names, statistics_of
from ml.data.importing import looks
from ml.data.importing.choices import Choices
from ml.data.importing.looks import Taken
from ml.data.importing.records import Found, LeftOut, some
from ml.data.reading import Coloured, Hand, Made, Progress, never, nobody, read_all
from ml.images.decoding import decode
from ml.images.file_names import clean
from ml.images.fitting import NATIVE, manner
from ml.images.form import Form
from ml.images.preparation import prepare
from ml.system import small_files
from ml.system.paths import home_dir
from ml.system.shards import Share
from ml.system.wording import quantity

SMALL = "its class is left out"


@dataclass(frozen=True)
class Imported:
    """What became of a source. copied: the same pixels under the same label, (a name, the name of the first of them);
    in_conflict: the same under different labels; across: splits that are not train → names of pictures of which train
    holds a copy; dim: names of files that are all but black (ml.images.decoding.Picture); notes: sentences on names.

    kind: what the source is, in words; taken: the form of the pictures and why; sizes: those that were met, upright;
    originals: of each example id, where it came from (ml.data.originals.COLUMNS). Once it is written, folder: where;
    version: the how many-eth of its name; described: its dataset.json.
    """

    dataset: Dataset
    left_out: LeftOut
    copied: list[tuple[str, str]]
    in_conflict: list[tuple[str, str]]
    across: dict[str, list[str]]
    dim: list[str]
    notes: list[str]
    kind: str
    taken: Taken
    sizes: Counter[tuple[int, int]]
    originals: dict[str, list[Any]] = field(repr=False)
    folder: Path | None = None
    version: int = 1
    described: dict[str, Any] = field(default_factory=dict, repr=False)


def read(
    place: Path,
    name: str,
    choices: Choices | None = None,
    *,
    title: str | None = None,
    home: Path | None = None,
    onto: Dataset | None = None,
    progress: Progress = nobody,
    cancelled: Callable[[], bool] = never,
    share: Share | None = None,
) -> Imported:
    """A Dataset from any source that ml.data.importing reads, as was chosen or is found, split by class and seed where
    the source does not say how.

    Copies of one picture stay in one split where there are enough others, and what is of one group does always. A class
    of few pictures stays in train as a whole; one of which train has none is left out. Classes stand in natural order,
    2 before 10; where the chosen order names exactly the same ones, in that. Pictures without a label are a split of
    their own.

    A file is read by ml.images.decoding, whatever its name ends in, and made to fit by ml.images.preparation, as any
    later question is. Some validation files are kept as they came. home: where pictures lie meanwhile, FASHION_HOME
    when None; onto: its pictures come first (ml.data.joining); share: who reads parts of it too (ml.data.parts). Raises
    ValueError, in words, where fewer than two classes are left, and Cancelled.
    """
    choices, home = choices or Choices(), home or home_dir()
    asked = choices
    home.mkdir(parents=True, exist_ok=True)
    with importing.opened(place, choices, home) as found:
        progress(0, len(found.records), "looking at the pictures")
        if onto is not None:
            found, choices, taken = joining.before(found, onto), joining.choices(choices, onto), joining.taken(onto)
        else:
            taken = looks.taken(looks.look(found, choices.colour is not None), choices)
        every = partial(read_all, found.records)
        if share is not None:
            plan = parts.Plan(place, asked, found.records, onto.name if onto is not None else "")
            every = partial(parts.read, plan, share)
        at_hand = Hand(home, progress, cancelled)
        try:
            made = every(taken.form(choices), at_hand, watch=choices.colour is None and taken.channels == 1)
        except Coloured as one:
            taken = replace(taken, channels=3, why_colour=f"{clean(found.records[one.row].name)} has colour")
            made = every(taken.form(choices), at_hand, watch=False)
        for row, reason in made.left:
            found.left_out.add(found.records[row].name, reason)
        if onto is not None:
            rows, again = joining.new_rows(made.rows, made.pixels, sum(map(len, onto.splits.values())))
            for i in again:
                found.left_out.add(made.files[i].name, joining.THERE)
            made = made.take(rows)
        found.notes += taken.notes()
        classes, made, notes = _learnable(found, made, str(place))
        return _imported(name, title or name, found, classes, made, notes, taken, choices)


def _imported(
    name: str, title: str, found: Found, classes: tuple[str, ...], made: Made, notes: list[str], taken: Taken,
    choices: Choices,
) -> Imported:  # fmt: skip
    kept = made.files
    labels = np.array([-1 if file.label is None else file.label for file in kept], np.int64)
    everything = Split(made.images, labels, np.arange(len(labels), dtype=np.int32))
    same = drawing.copies(made.pixels, labels)
    grouped = any(file.group for file in kept)
    pairs = drawing.near(everything, [file.split for file in kept], notes)
    members = same[:, 0]
    if grouped or len(pairs):
        members = drawing.together(same[:, 0], [file.group for file in kept], pairs)
    shares = {"validation": choices.validation, "test": choices.test}
    given = [file.split for file in kept]
    drawn = drawing.draw(labels, given, members, len(classes), choices.seed, grouped, shares)
    rows = drawn.rows
    notes += drawing.told(pairs, same[:, 1], rows)
    for split in ("validation", "test"):
        if found.given and split not in given and len(rows[split]):
            notes.append(f"{split} is drawn from train: {quantity(len(rows[split]), 'picture')}")
    for label in drawn.whole:
        n = int((labels == label).sum())
        notes.append(f"class {classes[label]!r} has {quantity(n, 'picture')}: too few to draw any from train")
    names = [clean(file.name) for file in kept]
    first = [(names[i], names[g]) for i, g in enumerate(same[:, 0].tolist()) if i != g]
    conflict = [
        (names[i], names[g])
        for i, g in enumerate(same[:, 1].tolist())
        if labels[i] != labels[g] and -1 not in labels[[i, g]]
    ]
    learned = set(same[rows["train"], 1].tolist())
    across = {
        split: [names[i] for i in rows[split].tolist() if int(same[i, 1]) in learned]
        for split in ("validation", "test")
    }
    splits = {split: everything.take(rows[split]) for split in SPLITS}
    unlabelled = np.flatnonzero(labels < 0)
    if len(unlabelled):
        splits[UNLABELLED] = everything.take(unlabelled)
    files = kept_files.some(splits["validation"], [file.content for file in kept], choices.seed)
    hashes = _hashes(classes, everything, made.pixels, rows if found.given or first else {})
    learned_pixels = len(rows["train"]) * taken.height * taken.width
    total = np.sum([made.sums[row] for row in rows["train"].tolist()], axis=0)
    dataset = Dataset(
        name, title, classes, splits, choices.seed, hashes=hashes, fitting=choices.fitting,
        resampling=choices.resampling, background=choices.background, levels=taken.levels,
        files=lambda: files, recorded=statistics_of(total, learned_pixels),
    )  # fmt: skip
    originals: dict[str, list[Any]] = {
        "row": made.rows, "name": names, "path": [file.path for file in kept], "bytes": made.lengths,
        "digest": made.digests, "part": [file.part for file in kept],
    }  # fmt: skip
    dim = [clean(found.records[row].name) for row in made.dim]
    return Imported(
        dataset, found.left_out, first, conflict, across, dim, notes, found.kind, taken, made.sizes, originals
    )


def _hashes(
    classes: tuple[str, ...], everything: Split, pixels: list[bytes], rows: dict[str, np.ndarray]
) -> dict[str, str]:
    """What stands for the pictures with their labels, and for the splits where the seed alone does not say them: rows
    is empty where it does."""
    whole = hashlib.sha256(json.dumps([classes, everything.images.shape]).encode())
    whole.update(everything.labels.tobytes())
    for one in pixels:
        whole.update(one)
    hashes = {"pictures": whole.hexdigest()}
    if rows:
        drawn = b"".join(split.encode() + rows[split].astype("<i8").tobytes() for split in SPLITS)
        hashes["splits"] = hashlib.sha256(drawn).hexdigest()
    return hashes


def as_learned(content: bytes, form: Form) -> np.ndarray:
    """uint8 [h, w, c] of the form: a file as its data set takes it in. Raises Refusal."""
    picture = decode(content, laid_on=form.laid_on, levels=form.levels)
    return prepare(picture.pixels, form, orientation=picture.orientation, mode="none").image


def _learnable(found: Found, made: Made, shown: str) -> tuple[tuple[str, ...], Made, list[str]]:
    """Names of classes, pictures and notes without classes of which train has no picture, each of which is told.

    Raises ValueError where fewer than two classes are left.
    """
    counts = np.bincount([file.label for file in made.files if file.label is not None], minlength=len(found.classes))
    in_train = {file.label for file in made.files if file.split in ("", "train")}
    out = {}
    for label, name in enumerate(found.classes):
        if not counts[label]:
            lost = found.left_out.of_class(name)
            why = some(list(dict.fromkeys(reason for _, reason in lost)))
            told = f" ({some([file for file, _ in lost])}: {why})" if lost else ""
            out[label] = f"class {name!r} has no readable picture{told}"
        elif label not in in_train:
            out[label] = f"class {name!r} has no picture in train, so that nothing can learn it"
    if not out:
        return found.classes, made, found.notes
    kept = [label for label in range(len(found.classes)) if label not in out]
    if len(kept) < 2:
        words = [*out.values()]
        more = f"; {len(words) - 1:,} more have none" if len(words) > 1 else ""
        raise ValueError(f"{shown}: fewer than two classes can be learned: {words[0]}{more}")
    ids: dict[int | None, int | None] = {None: None, **{label: i for i, label in enumerate(kept)}}
    for file in made.files:
        if file.label in out:
            found.left_out.add(file.name, SMALL)
    rows = np.array([i for i, file in enumerate(made.files) if file.label in ids], np.int64)
    made = made.take(rows)
    made.files = [replace(file, label=ids[file.label]) for file in made.files]
    notes = [*found.notes, *(f"left out as a class: {words}" for words in out.values())]
    return tuple(found.classes[label] for label in kept), made, notes


def stored_classes(folder: Path) -> tuple[str, ...]:
    """Class names of an imported data set by class id; empty where there is none."""
    description = folder / "dataset.json"
    return class_names(small_files.document(description)["classes"]) if description.is_file() else ()


def load(folder: Path) -> Dataset:
    """A data set as `ml.artifacts.writer.write_pictures` left it; `complete` tells whether train is whole.

    Without train.npz the shipped reference pictures stand in for it.
    """
    description = small_files.document(folder / "dataset.json")
    complete = (folder / "train.npz").is_file()
    files = {"train": "train" if complete else "reference", "validation": "validation", "test": "test"}
    splits = {}
    if (folder / f"{UNLABELLED}.npz").is_file():
        files[UNLABELLED] = UNLABELLED
    for split, file in files.items():
        splits[split] = Split(*images.read(folder, file))
    chosen = manner(description)
    return Dataset(
        description["name"],
        description["title"],
        class_names(description["classes"]),
        splits,
        description["seed"],
        complete=complete,
        hashes=description["hashes"],
        fitting=NATIVE if description.get("fitting") == NATIVE else chosen["fitting"],
        resampling=chosen["resampling"],
        background=chosen["laid_on"],
        levels=chosen["levels"],
        files=(lambda: kept_files.read(folder)) if (folder / kept_files.FILES).is_file() else None,
        recorded=(description["mean"], description["std"]) if complete else None,
    )
