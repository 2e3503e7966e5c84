"""Files of predictions and a data set in, what was said of which picture out; nothing is written."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml.data.base import Dataset
from ml.images.file_names import clean
from ml.recording import columns, files, matching, numbers, rows
from ml.recording.columns import Columns, Unclear
from ml.recording.doubts import of_parts
from ml.recording.files import Table
from ml.recording.matching import SPLITS, Found, Pictures

TOLD = 20  # names of what does not match, in a manifest and on screen
REPEATED = ("first", "last")
DISAGREE = 0.5  # share of labels that agree, below which rows are thought to be of other pictures
ORDERED = 0.9  # the same where nothing but the order of rows says which picture each is


@dataclass(frozen=True)
class Wishes:
    """What a person says. columns: role → column; names: what the file calls a class → its name here, '' for none;
    suggested: take names that differ in form alone; values: one of numbers.VALUES; split: of rows that name none;
    repeated: which row of a picture counts, first or last; epoch: whose predictions are the run's, the last by itself.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    suggested: bool = False
    values: str = ""
    split: str = ""
    repeated: str = ""
    epoch: int | None = None


@dataclass
class Part:
    """What was said of one split's pictures after an epoch. at: int [n], places in the split, ascending; said: float
    [n, C], of labels one and zeros; features: float [n, d] or None."""

    at: np.ndarray
    said: np.ndarray
    features: np.ndarray | None = None


@dataclass
class Understood:
    """parts: split → predictions of the epoch that counts; epochs: of all, where there are several; known: as
    ml.artifacts.kinds.known has it; matched: rows with a picture; left_out: reason → names of rows; labelled: labels
    that could be held against the data set's, disagreeing: those that differ; notes: sentences; of: pictures a
    split; epoch: the one that counts; partial_epochs: those that lack some of its pictures; split_epochs: of what
    all tell; columns: of the first file; roles: which of them is what, as ml.recording.columns.Columns.roles has it."""

    parts: dict[str, Part]
    epochs: Mapping[int, Mapping[str, Part]]
    known: str
    matched: int
    left_out: dict[str, list[str]]
    labelled: int
    disagreeing: int
    notes: list[str]
    of: dict[str, int]
    epoch: int = 0
    partial_epochs: tuple[int, ...] = ()
    columns: list[str] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    split_epochs: tuple[str, ...] = ("test", "validation")

    @property
    def unmatched(self) -> int:
        return sum(map(len, self.left_out.values()))

    @property
    def described(self) -> bool:
        return any(part.features is not None for part in self.parts.values())

    @property
    def capabilities(self) -> list[str]:
        known = [] if self.known == "labels" else [self.known]
        return [*known, *(["features"] if self.described else [])]

    def lines(self) -> list[str]:
        """What was understood, one sentence each."""
        words = {
            "probabilities": "probabilities of all classes",
            "top-k": "the likeliest classes",
            "labels": "labels alone",
        }
        told = [f"{split} {len(part.at):,} of {self.of[split]:,}" for split, part in self.parts.items()]
        lines = [f"predictions: {words[self.known]}{' and feature vectors' if self.described else ''}"]
        lines.append(f"pictures: {', '.join(told)}")
        if len(self.epochs) > 1:
            lines.append(f"epochs: {len(self.epochs)}, {min(self.epochs)} to {max(self.epochs)}; {self.epoch} counts")
        if self.partial_epochs:
            numbers = ", ".join(map(str, self.partial_epochs[:TOLD]))
            lines.append(f"epochs that lack some of the pictures, and are left out: {numbers}")
        if self.labelled:
            same = self.labelled - self.disagreeing
            lines.append(f"labels: {same:,} of {self.labelled:,} are the data set's; its own are counted by")
        for reason, names in self.left_out.items():
            more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
            lines.append(f"left out, {len(names):,}: {reason}: {', '.join(names[:TOLD])}{more}")
        return [*lines, *self.notes]


@dataclass
class _Read:
    """One file, understood row by row."""

    table: Table
    columns: Columns
    answers: rows.Answers
    found: Found
    epochs: np.ndarray
    names: list[str]
    labels: np.ndarray


def read(places: Sequence[Path], dataset: Dataset, folder: Path, wishes: Wishes | None = None) -> Understood:
    """folder: of the data set, where it says where its pictures came from. Raises ValueError, in words, OSError."""
    wishes, pictures = wishes or Wishes(), Pictures(dataset, folder)
    several = len(places) > 1
    parts = [_file(place, dataset, pictures, wishes, several) for place in places]
    try:
        return _joined(parts, dataset, wishes)
    except ValueError as error:
        raise Unclear(str(error), parts[0].table.columns_there(), {}) from error


def _joined(parts: list[_Read], dataset: Dataset, wishes: Wishes) -> Understood:
    kinds = {one.answers.known for one in parts}
    if len(kinds) > 1:
        raise ValueError(f"these files say different things of a picture ({', '.join(sorted(kinds))}): add them apart")
    left_out: dict[str, list[str]] = {}
    for one in parts:
        for reason, name in one.answers.problems(one.names):
            left_out.setdefault(reason, []).append(name)
        for i in np.flatnonzero(one.found.split < 0).tolist():
            left_out.setdefault(str(one.found.why[i]), []).append(one.names[i])
    notes = list(
        dict.fromkeys(note for one in parts for note in (*one.table.notes, *one.columns.notes, *one.answers.notes))
    )
    unused = list(dict.fromkeys(name for one in parts for name in one.columns.unused if name))
    if unused:
        notes.append(f"columns that are not used: {', '.join(unused[:12])}{' …' if len(unused) > 12 else ''}")
    epochs, matched, agree = _gathered(parts, dataset, wishes, notes)
    if not epochs:
        first = "; ".join(f"{reason}: {', '.join(names[:3])}" for reason, names in left_out.items())
        raise ValueError(f"no row of the predictions is of a picture of {dataset.name}. {first}")
    last = max(epochs) if wishes.epoch is None else wishes.epoch
    if last not in epochs:
        raise ValueError(f"there is no epoch {last}; there are {min(epochs)} to {max(epochs)}")
    of = {"test": len(dataset["test"]), "validation": len(dataset["validation"]), "reference": len(dataset.reference())}
    kept = of_splits(epochs[last], dataset, notes)
    if not {"test", "validation"} & kept.keys():
        raise ValueError(f"all predictions are of training pictures of {dataset.name}, and none of test or validation")
    numbered = any(one.columns.by_number for one in parts)
    notes += of_parts(
        {one: (kept[one].said, dataset[one].labels[kept[one].at]) for one in ("test", "validation") if one in kept},
        dataset.classes, numbered=numbered,
    )  # fmt: skip
    all_epochs = epochs if len(epochs) > 1 else {}
    judged = [split for split in ("test", "validation") if split in kept]
    lacking = tuple(
        number
        for number, said in all_epochs.items()
        if not all(split in said and np.array_equal(said[split].at, kept[split].at) for split in judged)
    )
    known = kinds.pop()
    return Understood(
        kept, all_epochs, known, matched, left_out, agree[1], agree[1] - agree[0], notes, of, last, lacking,
        parts[0].table.columns_there(), parts[0].columns.roles(),
    )  # fmt: skip


def _file(place: Path, dataset: Dataset, pictures: Pictures, wishes: Wishes, several: bool) -> _Read:
    table = files.read(place)
    there, strange = table.columns_there(), dict[str, str]()
    try:
        return _understood(table, place, dataset, pictures, wishes, several, strange)
    except ValueError as error:
        raise Unclear(str(error), there, strange) from error


def _understood(
    table: Table, place: Path, dataset: Dataset, pictures: Pictures, wishes: Wishes, several: bool,
    strange: dict[str, str],
) -> _Read:  # fmt: skip
    """strange: filled with what Unclear calls classes."""
    found = columns.understood(
        table, dataset.classes, wishes.columns, wishes.names, suggestions=wishes.suggested
    )  # fmt: skip
    unnamed = found.unnamed(table, dataset.classes)
    strange.update({**unnamed, **dict.fromkeys(found.unknown, ""), **found.suggested})
    _refuse_names(table, found, dataset)
    try:
        answers = rows.answers(table, found, dataset.classes, wishes)
    except ValueError as error:
        raise ValueError(f"{error}{rows.perhaps(unnamed)}") from None
    strange.update(answers.strange)
    answers.settle(table.name)
    default = wishes.split or _split_of(place) if not found.split else wishes.split
    splits = [matching.place_of(one) for one in _texts(table, found.split)] if found.split else [-1] * table.n
    if default:
        splits = [SPLITS.index(default) if one == -1 else one for one in splits]
    matched, names = _matched(table, found, pictures, splits, dataset)
    epochs = _epochs(table, found, place, several)
    first = rows.first_number(table, found, dataset.classes, wishes)
    labels = np.full(table.n, -1)
    if found.label:
        labels = rows.class_ids(table, found.label, dataset.classes, wishes, first)
    return _Read(table, found, answers, matched, epochs, names, labels)


def _refuse_names(table: Table, found: Columns, dataset: Dataset) -> None:
    """Raise ValueError where the classes of file and data set do not go together, with what could be said."""
    if found.suggested:
        raise ValueError(rows.otherwise(table.name, found.suggested))
    if found.unknown:
        first = found.unknown[0]
        raise ValueError(
            f"{table.name} has numbers for {', '.join(map(repr, found.unknown[:5]))}: no class of {dataset.name} is "
            f"called so ({', '.join(map(repr, dataset.classes[:8]))}{', …' if len(dataset.classes) > 8 else ''}): say "
            f"--class '{first}=NAME', or --class '{first}=' to leave it out"
        )
    lost = [dataset.classes[i] for i in range(len(dataset.classes)) if found.values and i not in found.values]
    if lost:
        found.notes.append(f"no column for {', '.join(map(repr, lost[:8]))}: never predicted")


def _split_of(place: Path) -> str:
    """The split that a file's name speaks of: predictions-test.csv, val.npz."""
    parts = [matching.place_of(word) for word in re.split(r"[\W_]+", place.stem) if word]
    named = {part for part in parts if part >= 0}
    return SPLITS[named.pop()] if len(named) == 1 else ""


def _texts(table: Table, name: str) -> list[str]:
    return [columns.cell(one) for one in table.columns[name]]


def _matched(
    table: Table, found: Columns, pictures: Pictures, splits: list[int], dataset: Dataset
) -> tuple[Found, list[str]]:
    """By the first column that finds most rows; by order where no column says which picture is meant."""
    best: tuple[Found, str, str] | None = None
    tried = [*found.keys, *((role, name) for _, name in found.keys for role in ("path", "digest", "id"))]
    for role, name in dict.fromkeys(tried):  # what is called id may hold names of files
        matches = pictures.by(role, _texts(table, name), splits)
        if best is None or matches.share > best[0].share:
            best = (matches, role, name)
        if matches.share >= 0.5:
            break
    if best is not None:
        found.keys = [(best[1], best[2]), *(one for one in found.keys if one != (best[1], best[2]))]
        found.notes.insert(0, f"{table.name}: pictures are found by {best[2]!r} ({best[1]})")
        return best[0], [clean(one) or f"row {i}" for i, one in enumerate(_texts(table, best[2]), 1)]
    counts = Counter(splits)
    places = [place for place, name in enumerate(SPLITS) if len(dataset[name]) == table.n]
    named = next(iter(counts)) if len(counts) == 1 else -1
    if found.epoch or (named < 0 and len(places) != 1) or (named >= 0 and named not in places):
        sizes = ", ".join(f"{name} {len(dataset[name]):,}" for name in SPLITS)
        raise ValueError(
            f"{table.name} has no column that says which picture a row is of, and no split has as many pictures as "
            f"it has rows, {table.n:,} ({sizes}): add a column id, path or digest, or say --column path=NAME"
        )
    place = named if named >= 0 else places[0]
    order = np.argsort(dataset[SPLITS[place]].ids, kind="stable")
    found.notes.insert(
        0, f"{table.name}: nothing says which picture a row is of: they are taken in the order of {SPLITS[place]}"
    )
    found.notes.append(rows.BY_ORDER)
    nothing = np.full(table.n, "", object)
    return Found(np.full(table.n, place), order, nothing), [f"row {i}" for i in range(1, table.n + 1)]


def _epochs(table: Table, found: Columns, place: Path, several: bool) -> np.ndarray:
    """int [n]: the epoch of each row, by its column or the file's name, 0 where neither says."""
    if found.epoch:
        values = table.columns[found.epoch]
        if values.dtype == object:
            values = numbers.parsed(rows.series(values), comma=True)
        if not np.isfinite(values).all() or (values != np.rint(values)).any() or (np.abs(values) > 30_000).any():
            raise ValueError(f"{table.name}: not every {found.epoch!r} is a whole number up to 30,000")
        return values.astype(int)
    match = re.findall(r"(?:epoch|ep|step)[\s_.\-]*(\d{1,5})", place.stem, re.IGNORECASE)
    return np.full(table.n, int(match[-1]) if match and several else 0)


def _gathered(
    parts: list[_Read], dataset: Dataset, wishes: Wishes, notes: list[str]
) -> tuple[dict[int, dict[str, Part]], int, tuple[int, int]]:
    """epoch → split → predictions; rows with a picture; how many labels are as the data set's, of how many."""
    split = np.concatenate([np.where(one.answers.whole, one.found.split, -1) for one in parts])
    row = np.concatenate([one.found.row for one in parts])
    epoch = np.concatenate([one.epochs for one in parts])
    said = np.concatenate([one.answers.said for one in parts])
    labels = np.concatenate([one.labels for one in parts])
    widths = {one.answers.features.shape[1] for one in parts if one.answers.features is not None}
    if len(widths) > 1:
        raise ValueError(f"feature vectors have different lengths: {', '.join(map(str, sorted(widths)))}")
    features = None
    if widths:
        width = widths.pop()
        nothing = (np.full((one.table.n, width), np.nan) for one in parts)
        given = [
            more if one.answers.features is None else one.answers.features
            for one, more in zip(parts, nothing, strict=True)
        ]
        features = np.concatenate(given)
    truth = np.full(len(split), -1)
    for place, name in enumerate(SPLITS):
        mine = split == place
        truth[mine] = dataset[name].labels[row[mine]]
    compared = (labels >= 0) & (split >= 0)
    agree, n = int((labels[compared] == truth[compared]).sum()), int(compared.sum())
    least = ORDERED if rows.BY_ORDER in notes else DISAGREE
    if n and agree < least * n:
        raise ValueError(
            f"only {agree:,} of {n:,} labels in the file are those of the pictures that were found, so the rows are "
            "thought to be of others. Say which column tells them with --column id=NAME or path=NAME, or "
            "--column label= where that column is none of labels"
        )
    if rows.BY_ORDER in notes:
        notes.remove(rows.BY_ORDER)
    epochs: dict[int, dict[str, Part]] = {}
    for number in np.unique(epoch[split >= 0]).tolist():
        for place, name in enumerate(SPLITS):
            mine = np.flatnonzero((split == place) & (epoch == number))
            if len(mine):
                mine = _once(mine, row, said, wishes, name, notes)
                epochs.setdefault(number, {})[name] = Part(
                    row[mine], said[mine], _whole(features, mine, name, notes) if features is not None else None
                )
    return epochs, int((split >= 0).sum()), (agree, n)


def _once(
    mine: np.ndarray, row: np.ndarray, said: np.ndarray, wishes: Wishes, split: str, notes: list[str]
) -> np.ndarray:
    """One row a picture, in the order of the split. Raises ValueError where rows of one picture differ."""
    order = mine[np.lexsort((mine, row[mine]))]
    again = np.flatnonzero(row[order][1:] == row[order][:-1]) + 1
    if not len(again):
        return order
    differ = [i for i in again.tolist() if not np.array_equal(said[order[i]], said[order[i - 1]], equal_nan=True)]
    if differ and wishes.repeated not in REPEATED:
        raise ValueError(
            f"{len(differ):,} pictures of {split} have several rows that say different things: which one counts? Say "
            "--repeated last or --repeated first"
        )
    notes.append(
        f"{len(again):,} rows of {split} are of a picture that has one already: the {wishes.repeated or 'first'} counts"
    )
    keep = np.ones(len(order), bool)
    keep[again - 1 if wishes.repeated == "last" else again] = False
    return order[keep]


def _whole(features: np.ndarray, mine: np.ndarray, split: str, notes: list[str]) -> np.ndarray | None:
    found = features[mine]
    lost = int((~np.isfinite(found).all(1)).sum())
    if lost:
        if lost < len(mine):
            notes.append(
                f"{lost:,} of {len(mine):,} pictures of {split} have no whole feature vector: none of {split} is taken"
            )
        return None
    return found


def of_splits(parts: dict[str, Part], dataset: Dataset, notes: list[str]) -> dict[str, Part]:
    """test, validation and reference, which is a part of train."""
    kept: dict[str, Part] = {name: parts[name] for name in ("test", "validation") if name in parts}
    if "train" in parts:
        part, ids = parts["train"], dataset["train"].ids
        reference = dataset.reference().ids
        inside = np.isin(ids[part.at], reference)
        if not inside.all():
            notes.append(
                f"{int((~inside).sum()):,} training pictures are none of the {len(reference):,} kept as reference"
            )
        if inside.any():
            order = np.argsort(reference, kind="stable")
            at = order[np.searchsorted(reference, ids[part.at[inside]], sorter=order)]
            turn = np.argsort(at, kind="stable")
            features = None if part.features is None else part.features[inside][turn]
            kept["reference"] = Part(at[turn], part.said[inside][turn], features)
    for name in kept:
        n = len(dataset.reference() if name == "reference" else dataset[name])
        if len(kept[name].at) < n:
            notes.append(f"{name} is predicted in part, {len(kept[name].at):,} of {n:,}: numbers are of what is there")
    return kept
