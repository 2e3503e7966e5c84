"""What the numbers that a script tells mean: decided by its first call, and held against the others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml.data.base import Dataset
from ml.recording import numbers
from ml.recording.columns import folded
from ml.telling.border import Wrong, array

NAMED = 5  # of anything in a sentence


@dataclass
class Meaning:
    """What the numbers of a run are, decided by its first call and held against the others. kind: one of
    numbers.VALUES, or labels; '' before the first. columns: class id of each column; notes: sentences on it."""

    kind: str = ""
    values: str = ""
    columns: list[int] = field(default_factory=list)
    positive: int = 1
    positive_said: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def known(self) -> str:
        """As ml.artifacts.kinds.known has it."""
        return "labels" if self.kind == "labels" else "probabilities"


class Numbers:
    """Of a run on a data set. classes: names in the order of the columns, '' for one that the data set has not, None
    for its own order; values: what the numbers are, one of numbers.VALUES, '' where they tell; positive: the class
    of a single probability. Raises Wrong."""

    def __init__(
        self, dataset: Dataset, *, classes: Sequence[str] | None = None, values: str = "",
        positive: str | int | None = None,
    ) -> None:  # fmt: skip
        if values and values not in numbers.VALUES:
            raise Wrong(f"values={values!r} is none of {', '.join(numbers.VALUES)}")
        self._names, self._name = dataset.classes, dataset.name
        columns = [*range(len(dataset.classes))] if classes is None else self.order(classes)
        self.meaning = Meaning(values=values, columns=columns)
        if positive is not None:
            self.meaning.positive, self.meaning.positive_said = self.class_id(positive), True

    def resume(self, meaning: dict[str, Any]) -> None:
        """What an earlier process of this run found out holds for this one. Raises Wrong where it says another
        thing."""
        before, now = Meaning(**meaning), self.meaning
        if now.columns != before.columns or (now.values and now.values != before.values):
            raise Wrong("classes and values must be as they were when this run was begun: say anew=True to begin again")
        self.meaning = before

    def of(self, said: Any) -> np.ndarray:
        """float [n, C] with rows that add up to one (nan where a number is missing), or int [n] class ids."""
        classes, meaning = self._names, self.meaning
        columns = [str(one) for one in said.columns] if hasattr(said, "columns") else []
        values = array(said, "probabilities")
        if values.ndim == 1 and values.dtype.kind in "iuU":
            self._settle("labels")
            ids = [self.class_id(one) for one in values.tolist()]
            return np.array(ids, int)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 1 and values.dtype.kind == "f" and len(classes) == 2:
            return self._one_column(values)
        if values.ndim != 2 or values.dtype.kind == "U":
            raise Wrong(
                f"probabilities are of the type {values.dtype.name} and the shape {values.shape}; needed are numbers, "
                f"(pictures, {len(classes)}), a column for each class of {self._name} ({self._classes()}), or "
                "one class name or number a picture"
            )
        order = self.order(columns) if columns and {*columns} & {*classes} else meaning.columns
        if values.shape[1] != len(order):
            raise Wrong(
                f"probabilities have {values.shape[1]} columns, and {self._name} has {len(classes)} classes "
                f"({self._classes()}): one column a class in this order, or say publish(…, classes=[…]) what they are"
            )
        made = self._probabilities(values.astype(np.float64 if values.dtype == np.float64 else np.float32))
        if order == [*range(len(classes))]:
            return made
        whole = np.zeros((len(made), len(classes)), made.dtype)
        for column, place in enumerate(order):
            if place >= 0:
                whole[:, place] = made[:, column]
        return whole

    def _one_column(self, values: np.ndarray) -> np.ndarray:
        """Of two classes the probability, or the logit, of one."""
        classes, meaning = self._names, self.meaning
        finite = values[np.isfinite(values)]
        logits = meaning.values == "logits" or (
            not meaning.values and finite.size and (finite.min() < 0 or finite.max() > 1)
        )
        if self._settle("logits" if logits else "probabilities"):
            how = "as was said" if meaning.positive_said else "assumed: publish(…, positive=NAME) says otherwise"
            numbered = "the one number of a picture is the " + ("logit" if logits else "probability")
            meaning.notes.append(f"{numbered} of {classes[meaning.positive]!r} ({how})")
        wide = values.astype(np.float64)
        with np.errstate(over="ignore"):
            sure = 1 / (1 + np.exp(-wide)) if meaning.kind == "logits" else wide
        if meaning.kind == "probabilities" and finite.size and (finite.min() < -numbers.BEYOND or finite.max() > 1):
            raise Wrong("earlier numbers were probabilities, and these are below 0 or above 1: say values='logits'")
        pair = np.empty((len(sure), 2))
        pair[:, meaning.positive], pair[:, 1 - meaning.positive] = sure, 1 - sure
        return pair

    def _probabilities(self, values: np.ndarray) -> np.ndarray:
        meaning = self.meaning
        whole = np.isfinite(values).all(1)
        shown = values[whole]
        if not len(shown):
            if len(values):
                raise Wrong("of every picture a number is missing or is none")
            return values
        try:
            told = numbers.kind_of(shown, meaning.values or ("" if not meaning.kind else self._again(shown)))
            made = numbers.probabilities(shown, told.kind)
        except ValueError as error:
            raise Wrong(_in_python(str(error))) from None
        if self._settle(told.kind):
            meaning.notes += told.notes
        said = np.full(values.shape, np.nan, made.dtype)
        said[whole] = np.clip(made, 0, 1)
        return said

    def _again(self, shown: np.ndarray) -> str:
        """What the numbers of a later call are: as those of the first, or raises Wrong where they cannot be."""
        kind = self.meaning.kind
        if kind not in ("probabilities", "scores"):
            return kind
        off = float(np.abs(shown.astype(np.float64).sum(1) - 1).max())
        if shown.min() < -numbers.BEYOND or off > numbers.ROUNDED:
            raise Wrong(
                "earlier numbers were probabilities, and these do not add up to 1: say publish(…, values='logits') "
                "where a network's last layer gives them"
            )
        return "probabilities" if off <= numbers.EVEN else "scores"

    def _settle(self, kind: str) -> bool:
        """Whether this is the first call. Raises Wrong where it says another thing than the first."""
        before, self.meaning.kind = self.meaning.kind, self.meaning.kind or kind
        if before and (before == "labels") != (kind == "labels"):
            raise Wrong(
                "some answers of this run are numbers of all classes and some are labels alone: tell one of them"
            )
        return not before

    def class_id(self, one: str | int | float) -> int:
        classes = self._names
        if not isinstance(one, str) and 0 <= one < len(classes) and int(one) == one:
            return int(one)
        if str(one) in classes:
            return classes.index(str(one))
        alike = [name for name in classes if folded(name) == folded(str(one))]
        meant = f": is {alike[0]!r} meant?" if len(alike) == 1 else ""
        raise Wrong(f"{one!r} is no class of {self._name} ({self._classes()}){meant}")

    def order(self, names: Sequence[str]) -> list[int]:
        found = [self.class_id(str(name)) if name else -1 for name in names]
        twice = {one for one in found if one >= 0 and found.count(one) > 1}
        if twice:
            raise Wrong(f"{self._names[min(twice)]!r} is named twice among the columns")
        return found

    def _classes(self) -> str:
        names = self._names
        return ", ".join(map(repr, names[:NAMED])) + (", …" if len(names) > NAMED else "")


def _in_python(words: str) -> str:
    """A refusal that names flags of the command line, with what stands for them in a script."""
    return re.sub(r"--values (\w+(?:-\w+)*)", r"publish(…, values='\1')", words)
