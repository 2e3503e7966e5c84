"""Which picture of a data set a row is about: by its number, the path or name of its file, or a digest of that."""

import functools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.data.base import UNLABELLED, Dataset
from ml.data.importing.rows import as_split
from ml.data.originals import FILE
from ml.images.file_names import normal

SPLITS = ("train", "validation", "test")
IN_SPLIT = re.compile(r"(train|training|reference|validation|valid|val|test)[/\\:_\- ]+0*(\d+)(\.\w+)?", re.IGNORECASE)
NUMBER = re.compile(r"0*(\d+)(\.0+)?")
HEX = re.compile(r"(sha256:)?([0-9a-f]{32}|[0-9a-f]{64})", re.IGNORECASE)
NOT_FOUND, AMBIGUOUS = "no picture of the data set is called so", "several pictures of the data set are called so"
OTHER_SPLIT = "the split has no picture of this number"
STRANGE_SPLIT = "its split is none of train, validation and test"
IN_SEVERAL = "this number is in several splits: say which with a column 'split' or --split"
WITHOUT_LABEL = "the picture has no label, and nothing is counted of it"


@dataclass(frozen=True)
class Found:
    """Of n rows. split: int [n], its place in SPLITS, -1 for none; row: int [n], the picture's place in it; why: text
    [n], of rows without a picture."""

    split: np.ndarray
    row: np.ndarray
    why: np.ndarray

    @property
    def share(self) -> float:
        return float((self.split >= 0).mean())


class Pictures:
    """The pictures of a data set, to be found."""

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        """folder: of a data set of one's own, where it says where its pictures came from."""
        self.ids = {name: {int(one): row for row, one in enumerate(dataset[name].ids)} for name in SPLITS}
        self.unlabelled = {int(one) for one in dataset[UNLABELLED].ids} if UNLABELLED in dataset.splits else set()
        self._folder = folder
        self._originals: dict[str, list[str]] | None = None
        self._by_end: dict[str, list[int]] = {}
        self._by_stem: dict[str, list[int]] = {}

    def by(self, role: str, cells: Sequence[str], splits: Sequence[int]) -> Found:
        """role: id, path or digest; splits: place in SPLITS of each row, -1 for none, -2 for a word that is none."""
        ask = {"id": self._by_id, "path": self._by_path, "digest": self._by_digest}[role]
        answers = {}
        split, row, why = (np.full(len(cells), -1) for _ in range(3))
        reasons: list[str] = [""]
        for i, (text, given) in enumerate(zip(cells, splits, strict=True)):
            if given == -2:
                found: tuple[int, int] | str = STRANGE_SPLIT
            else:
                if (text, given) not in answers:
                    answers[text, given] = ask(text, given)
                found = answers[text, given]
            if isinstance(found, str):
                if found not in reasons:
                    reasons.append(found)
                why[i] = reasons.index(found)
            else:
                split[i], row[i] = found
        return Found(split, row, np.array(reasons, object)[np.maximum(why, 0)])

    def _numbered(self, number: int, given: int) -> tuple[int, int] | str:
        places = [place for place, name in enumerate(SPLITS) if number in self.ids[name] and given in (-1, place)]
        if len(places) == 1:
            return places[0], self.ids[SPLITS[places[0]]][number]
        if number in self.unlabelled and not places:
            return WITHOUT_LABEL
        return IN_SEVERAL if places else OTHER_SPLIT if given >= 0 else NOT_FOUND

    def _by_id(self, text: str, given: int) -> tuple[int, int] | str:
        if match := NUMBER.fullmatch(text):
            return self._numbered(int(match[1]), given)
        if match := IN_SPLIT.fullmatch(text):
            return self._numbered(int(match[2]), place_of(match[1]))
        return NOT_FOUND

    def _by_path(self, text: str, given: int) -> tuple[int, int] | str:
        parts = normal(text.replace("\\", "/")).split("/")
        if not self.originals:  # pictures that came in one file have numbers alone
            return self._by_id("/".join(parts[-2:]) if len(parts) > 1 else parts[-1].partition(".")[0], given)
        for ends, end in ((self._by_end, parts[-1].casefold()), (self._by_stem, _stem(parts[-1]).casefold())):
            candidates = ends.get(end, [])
            if candidates:
                return self._best(candidates, parts, given)
        return NOT_FOUND

    def _best(self, candidates: Sequence[int], parts: Sequence[str], given: int) -> tuple[int, int] | str:
        """The one of these whose path ends most like `parts`; letters as they are go before their case."""
        own = self.originals
        scores = []
        for one in candidates:
            exact = max(_ending(parts, own[name][one].split("/")) for name in ("path", "name"))
            loose = max(
                _ending([part.casefold() for part in parts], own[name][one].casefold().split("/"))
                for name in ("path", "name")
            )
            scores.append((loose, exact))
        best = [one for one, score in zip(candidates, scores, strict=True) if score == max(scores)]
        within = [one for one in best if not isinstance(self._numbered(one, given), str)]
        if len(within) > 1:
            return AMBIGUOUS
        return self._numbered(within[0] if within else best[0], given)

    def _by_digest(self, text: str, given: int) -> tuple[int, int] | str:
        match = HEX.fullmatch(text.strip())
        found = self._digests.get(match[2].casefold()[:32], []) if match else []
        return self._numbered(found[0], given) if len(found) == 1 else AMBIGUOUS if found else NOT_FOUND

    @functools.cached_property
    def _digests(self) -> dict[str, list[int]]:
        by: dict[str, list[int]] = defaultdict(list)
        for number, digest in enumerate(self.originals.get("digest", ())):
            by[digest].append(number)
        return by

    @property
    def originals(self) -> dict[str, list[str]]:
        """path, name and digest (in hex) by example id, empty where nobody knows."""
        if self._originals is None:
            self._originals = {}
            try:
                table = pq.read_table(self._folder / FILE, columns=["path", "name", "digest"])
            except (OSError, pa.ArrowException):
                return self._originals
            self._originals = {
                name: [normal(one or "") for one in table[name].to_pylist()] for name in ("path", "name")
            }
            self._originals["digest"] = [(one or b"").hex() for one in table["digest"].to_pylist()]
            self._index()
        return self._originals

    def _index(self) -> None:
        own = self._originals or {}
        by_end: dict[str, set[int]] = defaultdict(set)
        by_stem: dict[str, set[int]] = defaultdict(set)
        for name in ("path", "name"):
            for number, path in enumerate(own[name]):
                last = path.rpartition("/")[2].casefold()
                if last:
                    by_end[last].add(number)
                    by_stem[_stem(last)].add(number)
        self._by_end = {end: sorted(numbers) for end, numbers in by_end.items()}
        self._by_stem = {end: sorted(numbers) for end, numbers in by_stem.items()}


def place_of(word: str) -> int:
    """The place in SPLITS that a cell names, -1 for none, -2 for a word that names another."""
    if word.strip().casefold() == "reference":
        return 0
    split = as_split(word)
    return -1 if split == "" else SPLITS.index(split) if split in SPLITS else -2


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _ending(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts are the same, from the end; the last one without its suffix."""
    n = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other and not (n == 0 and _stem(one) == _stem(other)):
            break
        n += 1
    return n
