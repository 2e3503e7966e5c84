"""What a script says of pictures, understood call by call: which pictures they are, and what the numbers mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.base import Dataset
from ml.recording import matching
from ml.recording.matching import SPLITS, Pictures
from ml.recording.reading import DISAGREE, ORDERED
from ml.telling.border import Wrong, array
from ml.telling.meaning import Numbers

MOST = 10_000  # names of what is left out, of each reason


@dataclass
class Told:
    """Of one call, by split: places in it, what was said (float [n, C], or int [n] class ids), feature vectors."""

    parts: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray | None]]


class Understanding:
    """Of one run. dataset, folder: whose pictures, and where it says where they came from. Raises Wrong."""

    def __init__(self, dataset: Dataset, folder: Path, numbers: Numbers) -> None:
        self.dataset, self.numbers, self._pictures = dataset, numbers, Pictures(dataset, folder)
        self.left_out: dict[str, list[str]] = {}  # reason → what was said to be the picture, each once
        self.labelled = self.agreeing = 0
        self._order_of: dict[str, np.ndarray] = {}
        self._counted: dict[tuple[str, int], int] = {}  # rows without an id so far, by split and epoch

    # ---- which pictures

    def told(
        self, split: str | None, ids: Any, said: Any, *, epoch: int, features: Any = None, labels: Any = None
    ) -> Told:
        """One call. Raises Wrong."""
        values = self.numbers.of(said)
        n = len(values)
        vectors = None if features is None else self._features(features, n)
        place, row = self._places(self._split(split), ids, n, epoch)
        if labels is not None:
            self._compare(labels, place, row, DISAGREE if ids is not None else ORDERED)
        whole = np.isfinite(values).all(1) if values.dtype.kind == "f" else np.ones(n, bool)
        if not whole.all():
            names = [f"row {i}" for i in range(n)] if ids is None else [str(one) for one in array(ids, "ids").tolist()]
            self._leave("a number is missing or is none", [names[i] for i in np.flatnonzero(~whole)])
        keep = whole & (place >= 0)
        parts = {}
        for at in np.unique(place[keep]).tolist():
            mine = keep & (place == at)
            parts[SPLITS[at]] = (row[mine], values[mine], None if vectors is None else vectors[mine])
        return Told(parts)

    def counted(self) -> list[tuple[str, int]]:
        """Splits and epochs of which rows came without ids."""
        return [*self._counted]

    def whole(self, split: str, epoch: int) -> None:
        """Raise Wrong where rows came without an id, and are not as many as the split has pictures."""
        count = self._counted.get((split, epoch))
        if count is not None and count != len(self.dataset[split]):
            raise Wrong(
                f"{split} of {self.dataset.name} has {len(self.dataset[split]):,} pictures, and {count:,} rows came "
                "without ids, which must be all of them in the order of their ids: give ids, or all rows"
            )

    def _split(self, split: str | None) -> int:
        place = -1 if split is None else matching.place_of(str(split))
        if place == -2 or (place == -1 and split is not None):
            raise Wrong(f"{split!r} is no split: say train, validation or test, or None where the ids tell")
        return place

    def _places(self, split: int, ids: Any, n: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """int [n]: place in SPLITS, -1 for none, and place in the split."""
        if ids is None:
            return self._in_order(split, n, epoch)
        given = array(ids, "ids")
        if given.ndim != 1 or len(given) != n:
            raise Wrong(
                f"there are {len(given) if given.ndim else 1:,} ids for {n:,} rows of answers: one each is needed"
            )
        if given.dtype.kind in "iu" and split >= 0:
            own = self.dataset[SPLITS[split]].ids
            order = self._ordered(SPLITS[split])
            at = np.searchsorted(own, given, sorter=order)
            row = order[np.minimum(at, len(own) - 1)] if len(own) else np.zeros(n, int)
            there = own[row] == given if len(own) else np.zeros(n, bool)
            place, why = np.where(there, split, -1), np.where(there, "", matching.OTHER_SPLIT).astype(object)
        else:
            texts = [str(one) for one in given.tolist()]
            roles = ("digest", "path", "id") if all(map(matching.HEX.fullmatch, texts[:20])) else ("path", "id")
            found = max((self._pictures.by(role, texts, [split] * n) for role in roles), key=lambda one: one.share)
            place, row, why = found.split, found.row, found.why
        lost = np.flatnonzero(place < 0)
        for reason in dict.fromkeys(why[lost].tolist()):
            self._leave(str(reason), [str(given[i]) for i in lost if why[i] == reason])
        if len(lost) == n and n:
            raise Wrong(self._nothing(split, given))
        return place, row

    def _in_order(self, split: int, n: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if split < 0:
            raise Wrong("without ids the split must be named, whose pictures are then taken in the order of their ids")
        name = SPLITS[split]
        start = self._counted.get((name, epoch), 0)
        order = self._ordered(name)
        if start + n > len(order):
            raise Wrong(
                f"{name} of {self.dataset.name} has {len(order):,} pictures, and {start + n:,} rows came without ids: "
                "say with ids which picture each is of"
            )
        self._counted[name, epoch] = start + n
        return np.full(n, split), order[start : start + n]

    def _ordered(self, split: str) -> np.ndarray:
        if split not in self._order_of:
            self._order_of[split] = np.argsort(self.dataset[split].ids, kind="stable")
        return self._order_of[split]

    def _nothing(self, split: int, given: np.ndarray) -> str:
        """What is said where no id is known."""
        name = self.dataset.name
        where = SPLITS[split] if split >= 0 else "test"
        known = ", ".join(str(one) for one in self.dataset[where].ids[:3])
        known_paths = self._pictures.originals.get("path", [])
        paths = [known_paths[one] for one in self.dataset[where].ids[:2] if one < len(known_paths) and known_paths[one]]
        more = f", or paths such as {', '.join(paths)}" if paths else ""
        within = f" in {SPLITS[split]}" if split >= 0 else ""
        return (
            f"none of the {len(given):,} ids is of a picture of {name}{within}: {', '.join(map(str, given[:3]))}. Its "
            f"ids are numbers such as {known} (of {where}){more}"
        )

    def _leave(self, reason: str, names: Sequence[str]) -> None:
        kept = self.left_out.setdefault(reason, [])
        there = {*kept}  # every epoch says the same of the same pictures
        kept += [name for name in dict.fromkeys(names) if name not in there][: max(MOST - len(kept), 0)]

    def _compare(self, labels: Any, place: np.ndarray, row: np.ndarray, least: float) -> None:
        """Hold labels against the data set's: most that differ are of other pictures."""
        given = array(labels, "labels")
        if given.shape != place.shape:
            raise Wrong(f"labels have the shape {given.shape} and not {place.shape}: one a picture is needed")
        own = (
            given.astype(int) if given.dtype.kind in "iufb" else np.array([*map(self.numbers.class_id, given.tolist())])
        )
        there = np.flatnonzero(place >= 0)
        truth = np.array([self.dataset[SPLITS[place[i]]].labels[row[i]] for i in there], int)
        agree = int((own[there] == truth).sum())
        self.labelled, self.agreeing = self.labelled + len(there), self.agreeing + agree
        if agree < least * len(there):
            hint = "" if least != ORDERED else ": a loader that shuffles has another order than the data set"
            raise Wrong(
                f"only {agree:,} of {len(there):,} labels are those of the pictures that were found, so the rows are "
                f"of others{hint}. Give ids that tell them, or no labels where they are numbered otherwise"
            )

    def _features(self, features: Any, n: int) -> np.ndarray:
        vectors = array(features, "features")
        if vectors.dtype.kind not in "fiu" or vectors.ndim < 2 or len(vectors) != n:
            raise Wrong(f"features have the shape {vectors.shape}; needed are ({n}, numbers of a picture)")
        vectors = vectors.reshape(n, -1).astype(np.float32)
        if not np.isfinite(vectors).all():
            raise Wrong("features hold numbers that are none: leave them out, or give whole vectors")
        return vectors
