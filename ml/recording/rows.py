"""What each row says of its picture: numbers of all classes, of the likeliest, or a label."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ml.images.file_names import normal
from ml.recording import numbers
from ml.recording.columns import Columns, cell, folded
from ml.recording.files import Table

BY_ORDER = "by order"  # a mark among notes, taken out before anybody reads them
MISSING = "a number is missing or is none"
NO_CLASS = "what it predicts is no class of the data set"
LABEL_NAMES = ("label", "class", "name", "class_name", "category", "predicted", "label_name", "tag")
VALUE_NAMES = ("probability", "score", "confidence", "prob", "p", "conf", "value")


class Said(Protocol):
    """What a person says of classes and numbers."""

    @property
    def names(self) -> Any: ...

    @property
    def suggested(self) -> bool: ...

    @property
    def values(self) -> str: ...


@dataclass
class Answers:
    """Of n rows. said: float [n, C]; whole: bool [n], whether a row says something; known: as ml.artifacts.kinds.known
    has it; why: of the others; features: float [n, d]; strange: what is no class → the one it differs from in form."""

    said: np.ndarray
    whole: np.ndarray
    known: str
    why: str = MISSING
    features: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)

    def problems(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """(reason, name of the row) of those that say nothing."""
        return [(self.why, names[i]) for i in np.flatnonzero(~self.whole).tolist()]

    def settle(self, name: str) -> None:
        """Raise ValueError where names of classes differ in form alone, and where no row says anything."""
        meant = {one: wanted for one, wanted in self.strange.items() if wanted}
        if meant:
            raise ValueError(otherwise(name, meant))
        if not self.whole.any():
            first = f" ({', '.join(map(repr, [*self.strange][:5]))})" if self.strange else ""
            raise ValueError(f"{name}: of every row, {self.why}{first}")


def perhaps(unnamed: Collection[str]) -> str:
    """What to add to a refusal where columns that are not used may be those of classes that have none."""
    first = next(iter(unnamed), None)
    if first is None:
        return ""
    return f". Not used is {', '.join(map(repr, [*unnamed][:5]))}: where that is a class, say --class '{first}=NAME'"


def otherwise(name: str, meant: Mapping[str, str]) -> str:
    """What is said where a file's names differ in form from the classes they probably mean."""
    pairs = " ".join(f"--class '{one}={wanted}'" for one, wanted in [*meant.items()][:20])
    many = "a class" if len(meant) == 1 else f"{len(meant)} classes"
    return f"{name} writes {many} otherwise: {pairs}. Say so, or all at once: --match-names"


def answers(table: Table, found: Columns, classes: Sequence[str], wishes: Said) -> Answers:
    """Raises ValueError, in words."""
    first = first_number(table, found, classes, wishes)
    if found.block:
        made = _numbers(table, table.blocks[found.block], wishes)
    elif found.values:
        given = np.column_stack([table.columns[name] for name in found.values.values()])
        values = np.zeros((table.n, len(classes)), given.dtype)
        values[:, [*found.values]] = given
        made = _numbers(table, values, wishes, only=[*found.values])
    elif found.single:
        made = _single(table, found, classes, wishes)
    elif found.listed:
        made = _lists(table.lists[found.listed], classes, wishes)
    elif found.top:
        texts = [[cell(one) for one in table.columns[name]] for name, _ in found.top]
        nothing = np.full(table.n, np.nan)
        sure = [table.columns[name] if name else nothing for _, name in found.top]
        pairs = [[(texts[k][i], float(sure[k][i])) for k in range(len(texts)) if texts[k][i]] for i in range(table.n)]
        made = _lists(pairs, classes, wishes, first)
    else:
        made = _labels(table, found, classes, wishes, first)
    if found.predicted and made.known != "labels" and not (found.listed or found.top):
        _compare(table, found, classes, wishes, made, first)
    if found.feature_block:
        made.features = table.blocks[found.feature_block]
    elif found.features:
        made.features = np.column_stack([table.columns[name] for name in found.features])
    return made


def _numbers(table: Table, values: np.ndarray, wishes: Said, only: Sequence[int] = ()) -> Answers:
    """only: columns that the file has, of fewer than all classes."""
    whole = np.isfinite(values).all(1)
    shown = values[whole]
    if not len(shown):
        return Answers(np.zeros(values.shape), whole, "probabilities")
    told = numbers.kind_of(shown[:, only] if len(only) else shown, wishes.values)
    said = np.zeros(values.shape, values.dtype if told.kind == "probabilities" else np.float64)
    if len(only) and len(only) < values.shape[1]:
        part = numbers.probabilities(shown[:, only], told.kind)
        said[np.ix_(np.flatnonzero(whole), np.array(only))] = part
    else:
        said[whole] = numbers.probabilities(shown, told.kind)
    return Answers(np.clip(said, 0, 1), whole, "probabilities", notes=list(told.notes))


def _single(table: Table, found: Columns, classes: Sequence[str], wishes: Said) -> Answers:
    """Of two classes, where one number a row says how sure it is of one of them: a probability, or its logit."""
    values = table.columns[found.single].astype(np.float64)
    whole = np.isfinite(values)
    low, high = (float(values[whole].min()), float(values[whole].max())) if whole.any() else (0.0, 0.0)
    kind = wishes.values or ("logits" if low < -numbers.BEYOND else "percent" if table.percent else "probabilities")
    if kind == "logits":
        values = 1 / (1 + np.exp(-np.clip(values, -700, 700)))
    elif kind == "percent":
        values = values / 100
    if whole.any() and (values[whole].min() < -numbers.BEYOND or values[whole].max() > 1 + numbers.BEYOND):
        raise ValueError(
            f"{table.name}: {found.single!r} is the one number of a row, from {low:.3g} to {high:.3g}, which is no "
            "probability of one of two classes. Say --values logits or --values percent"
        )
    said = np.zeros((table.n, 2))
    said[whole, found.positive] = np.clip(values[whole], 0, 1)
    said[whole, 1 - found.positive] = 1 - said[whole, found.positive]
    how = f" (assumed: call the column p_{classes[0]} where it is of that)" if found.assumed else ""
    what = "logit" if kind == "logits" else "probability"
    notes = [f"{found.single!r} is the {what} of {classes[found.positive]!r}{how}"]
    return Answers(said, whole, "probabilities", notes=notes)


class _Names:
    """Class ids of what a file writes: names first, then numbers; what differs in form alone is remembered."""

    def __init__(self, classes: Sequence[str], wishes: Said, first: int = 0) -> None:
        """first: the number of the first class."""
        self._classes, self._wishes, self._first = classes, wishes, first
        self._ids = {normal(name): place for place, name in enumerate(classes)}
        alike: dict[str, list[int]] = {}
        for place, name in enumerate(classes):
            alike.setdefault(folded(name), []).append(place)
        self._alike = {form: places[0] for form, places in alike.items() if len(places) == 1}
        self.strange: dict[str, str] = {}
        self.numbers = 0

    def __getitem__(self, text: str) -> int:
        text = self._wishes.names.get(text, text)
        if text in self._ids:
            return self._ids[text]
        if text.isdigit() and 0 <= int(text) - self._first < len(self._classes):
            self.numbers += 1
            return int(text) - self._first
        place = self._alike.get(folded(text)) if text else None
        if place is not None and self._wishes.suggested:
            return place
        if text:
            self.strange[text] = self._classes[place] if place is not None else ""
        return -1

    def notes(self) -> list[str]:
        last, first = len(self._classes) - 1, self._first
        what = "class ids" if not first else "counted from 1"
        words = f"predicted numbers are {what}: {first} is {self._classes[0]!r}, {last + first} {self._classes[last]!r}"
        return [words] if self.numbers else []


def first_number(table: Table, found: Columns, classes: Sequence[str], wishes: Said) -> int:
    """1 where a file counts its classes from 1: all that it says are numbers, up to as many as there are classes, and
    none is 0. Else 0."""
    named = [name for name in (found.predicted, found.label, *(one for one, _ in found.top)) if name]
    said = {cell(one) for name in named for one in table.columns[name]} - {""}
    if not said or not all(one.isdigit() for one in said) or {*said} & ({*map(normal, classes)} | {*wishes.names}):
        return 0
    ids = {int(one) for one in said}
    return int(0 not in ids and max(ids) == len(classes))


def class_ids(table: Table, name: str, classes: Sequence[str], wishes: Said, first: int = 0) -> np.ndarray:
    """int [n], -1 for what is no class."""
    names = _Names(classes, wishes, first)
    return np.array([names[cell(one)] for one in table.columns[name]], int)


def _labels(table: Table, found: Columns, classes: Sequence[str], wishes: Said, first: int) -> Answers:
    names = _Names(classes, wishes, first)
    ids = np.array([names[cell(one)] for one in table.columns[found.predicted]], int)
    whole, said = ids >= 0, np.zeros((table.n, len(classes)))
    sure = np.ones(table.n)
    if found.confidence:
        sure = table.columns[found.confidence].astype(np.float64)
        if table.percent or np.nanmax(sure, initial=0) > 1 + numbers.BEYOND:
            if np.nanmax(sure, initial=0) > 100:
                raise ValueError(f"{table.name}: {found.confidence!r} is above 100: no confidence of an answer is")
            sure = sure / 100
        whole &= np.isfinite(sure) & (sure > 0)
    said[np.flatnonzero(whole), ids[whole]] = sure[whole]
    known = "top-k" if found.confidence else "labels"
    return Answers(said, whole, known, NO_CLASS, notes=names.notes(), strange=names.strange)


def _lists(lists: Sequence[Any], classes: Sequence[str], wishes: Said, first: int = 0) -> Answers:
    """Of lists of the likeliest classes, with or without a number each."""
    names = _Names(classes, wishes, first)
    said, whole = np.zeros((len(lists), len(classes))), np.zeros(len(lists), bool)
    bare, most = False, 0.0
    for i, given in enumerate(lists):
        pairs = [(names[text], value) for text, value in _pairs(given)]
        known = [(place, value) for place, value in pairs if place >= 0]
        if not pairs or pairs[0][0] < 0:
            continue
        whole[i] = True
        if any(value is None or not np.isfinite(value) for _, value in known):
            bare = True
            said[i, known[0][0]] = 1
            continue
        for place, value in known:
            said[i, place] = value
            most = max(most, float(value or 0))
    notes = names.notes()
    if bare:
        ahead = said.argmax(1)
        said = np.where(whole[:, None], np.eye(len(classes))[ahead], 0.0)
        notes.append("the lists have no numbers: of each, its first class is the prediction")
        return Answers(said, whole, "labels", NO_CLASS, notes=notes, strange=names.strange)
    if most > 1 + numbers.BEYOND:
        if most > 100 * (1 + numbers.BEYOND) or said.min() < 0:
            raise ValueError(
                "the numbers of the lists are neither probabilities nor per cent: give those of all classes"
            )
        said /= 100
        notes.append("the probabilities are per cent")
    if whole.any() and said[whole].sum(1).max() > 1 + numbers.EVEN:
        raise ValueError("the numbers of a list add up to more than 1: they are no probabilities of one class each")
    all_there = whole.any() and np.abs(said[whole].sum(1) - 1).max() <= numbers.EVEN
    return Answers(said, whole, "probabilities" if all_there else "top-k", NO_CLASS, notes=notes, strange=names.strange)


def _pairs(given: Any) -> list[tuple[str, float | None]]:
    """(class, number or None) of a list in any of the shapes in which they are written, the likeliest first."""
    if isinstance(given, dict):
        numbered = [(cell(name), float(value)) for name, value in given.items() if isinstance(value, int | float)]
        return [*sorted(numbered, key=lambda one: -one[1])]
    pairs: list[tuple[str, float | None]] = []
    for one in given if isinstance(given, list | tuple) else []:
        if isinstance(one, dict):
            name = next((one[key] for key in LABEL_NAMES if key in one), None)
            value = next((one[key] for key in VALUE_NAMES if isinstance(one.get(key), int | float)), None)
        elif isinstance(one, list | tuple) and len(one) == 2:
            name, value = one if not isinstance(one[1], str) else (one[1], one[0])
        else:
            name, value = one, None
        if name is not None:
            pairs.append((cell(name), None if value is None else float(value)))
    if pairs and all(value is not None for _, value in pairs):
        pairs.sort(key=lambda one: -(one[1] or 0))
    return pairs


def _compare(table: Table, found: Columns, classes: Sequence[str], wishes: Said, made: Answers, first: int) -> None:
    """Say where the predicted label is not the likeliest class, and where several are."""
    ids = class_ids(table, found.predicted, classes, wishes, first)
    there = np.flatnonzero((ids >= 0) & made.whole)
    top = made.said[there].max(1)
    own = made.said[there, ids[there]]
    other = there[own < top - numbers.BEYOND]
    tied = there[(own >= top - numbers.BEYOND) & (made.said[there].argmax(1) != ids[there])]
    if len(other):
        words = "rows predict another class than their likeliest: the likeliest is counted"
        made.notes.append(f"{len(other):,} {words}")
    if len(tied):
        made.notes.append(f"{len(tied):,} rows have several likeliest classes: the lowest by number is counted")


def series(values: np.ndarray) -> pd.Series:
    """As pandas has it."""
    return pd.Series(values)
