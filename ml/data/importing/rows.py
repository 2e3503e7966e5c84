"""Rows that say of a picture what it shows, whatever they were written in, and the records that become of them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.data.base import SPLITS, UNLABELLED, natural, visible
from ml.data.importing import names as class_names
from ml.data.importing.class_folders import SPLIT_WORDS, split_of
from ml.data.importing.records import Found, LeftOut, Record
from ml.images.file_names import clean, normal

NO_SPLIT = (
    "all",
    "none",
    "full",
    "unsplit",
    "unassigned",
    "data",
    "extra",
)  # words in a column of splits that name none
WHOLE = re.compile(r"-?\d+\.0")


@dataclass(frozen=True, slots=True)
class Row:
    """A picture and what is said of it. label: a class's name, '' for none; the rest as in Record."""

    name: str
    label: str
    split: str = ""
    group: str = ""
    read: Callable[[], bytes] | None = None
    pixels: Callable[[], np.ndarray] | None = None
    part: str = ""
    path: str = ""


def text(value: Any) -> str:
    """What a cell says, on one line; '' for nothing. 3.0 is 3: ids of which one is missing become floats."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(normal(str(value)).split())


def split_in(name: str) -> str:
    """The one split that a name of a file speaks of, wherever in it (train-00000-of-00002, mnist-test, trainLabels), ''
    for none."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    words = [SPLIT_WORDS[word] for word in re.split(r"[\W\d_]+", apart) if word in SPLIT_WORDS]
    return words[0] if len(words) == 1 else split_of(name)


def as_split(value: Any) -> str | None:
    """What a cell says of the split; '' where it is to be drawn, None for a word that is not known."""
    word = text(value)
    return "" if not word or word.casefold() in NO_SPLIT else split_of(word) or split_in(word) or None


def found(
    shown: str, kind: str, rows: Iterable[Row], left_out: LeftOut, notes: Sequence[str], *, known: Sequence[str] = (),
    order: Sequence[str] = (), sorted_by: Sequence[str] = (),
) -> Found:  # fmt: skip
    """The rows as records, in their order. shown: what the source is called; kind: what it is; known: names of classes
    by id, as the source has them; sorted_by: the same as far as it has an order of them; else they stand in natural
    order. Raises ValueError for fewer than two."""
    rows = [replace(row, label="") if row.split == UNLABELLED else row for row in rows]
    notes = list(notes)
    if any(row.label for row in rows) and all(WHOLE.fullmatch(row.label) for row in rows if row.label):
        rows = [replace(row, label=row.label.removesuffix(".0")) for row in rows]
    looks = {row.label: visible(row.label) for row in rows}
    first: dict[str, str] = {}
    for label, look in looks.items():
        if label:
            first.setdefault(look, label)
    named, changed = class_names.shown(dict.fromkeys([*known, *first.values()]))
    given = [named[label] for label in dict.fromkeys([*known, *sorted_by]) if label in named]
    every = {*named.values()}
    names = class_names.ordered(every, order)
    if given and sorted(order) != sorted(names):
        names = (*given, *natural(every.difference(given)))
    several = sum(n for reason, n in left_out.counts().items() if "several labels" in reason)
    if not names and several:
        raise ValueError(
            f"{shown}: each of {several:,} pictures has several labels, and here a picture has one: bring one question "
            "alone, as one column or one label for each picture"
        )
    if len(names) < 2:
        words = f"only the class {names[0]!r}" if names else "no labels"
        raise ValueError(f"{shown}: there have to be at least two classes, and it has {words}{_why(left_out)}")
    ids = {name: i for i, name in enumerate(names)}
    alone = {row.split for row in rows if row.label}
    anew = len(alone) == 1 and not alone & {"", "train"}
    if anew:
        notes.append(f"all of it is said to be {alone.copy().pop()}: train, validation and test are drawn from it")
    records = [
        Record(
            row.name, ids[named[first[looks[row.label]]]] if row.label else None,
            ("" if anew else row.split) if row.label else UNLABELLED,
            row.group, row.read, row.pixels, row.part or row.split, row.path,
        )
        for row in rows
    ]  # fmt: skip
    splits = tuple(split for split in SPLITS if split in alone and not anew)
    return Found(kind, names, records, splits, left_out, [*notes, *changed, *class_names.alike(names)])


def _why(left_out: LeftOut) -> str:
    lines = left_out.lines()
    return f" ({'; '.join(lines[:3])})" if lines else ""


def shown(name: str, number: int) -> str:
    """A row without a file of its own, by the table it stands in and its number, from 1."""
    return clean(f"{name}, row {number:,}")
