"""Lists as text beside pictures, a line each: its path and its class, or its path alone, as many published sets have
them (Food-101, CUB-200, Oxford-IIIT Pet, FGVC Aircraft, DTD, tiny-imagenet, Caffe's train.txt)."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ml.data.base import UNLABELLED, natural
from ml.data.importing.class_folders import SPLIT_WORDS, split_of
from ml.data.importing.finder import SEVERAL, Finder, looks_like_a_picture
from ml.data.importing.records import Found, LeftOut, some
from ml.data.importing.rows import Row, found, text
from ml.data.importing.sources import Entry, Source
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean

LISTS = (".txt", ".lst")
MANY = 100  # files of text, each of which then belongs to a picture
SAMPLE = 50  # lines that tell whether a file is a list
NAMES = (
    "classes.txt",
    "class_names.txt",
    "classnames.txt",
    "labels.txt",
    "synsets.txt",
)  # of classes by number, a line each
CLASS_OF, SPLIT_OF = "image_class_labels.txt", "train_test_split.txt"  # by number of a picture, as in CUB-200
SPLITS = SPLIT_WORDS | {"trainval": "train"}
NUMBER = re.compile(r"-?\d+(\.0+)?")
NOT_LISTED = "no list names it"


@dataclass
class _List:
    """What lists of one kind say, those of each split together. files: their names; labels: picture → class, '' where
    they have none; splits: of those with one."""

    files: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)

    def rank(self) -> tuple[int, bool, int]:
        return len(self.labels), len({*self.splits.values()}) > 1, len(self.classes)

    def by_folders(self) -> "_List":
        """Paths alone tell of splits, and folders of the class."""
        if not any(self.labels.values()):
            several = len({*self.splits.values()}) > 1
            self.labels = {name: name.split("/")[-2] for name in self.labels if several and "/" in name}
            self.labels = {} if all(map(split_of, self.classes)) else self.labels
        return self

    def fits(self) -> bool:
        """Whether words are no remarks on pictures (who took them): those of a class lie in folders of their own, or
        all of them in one or in those of splits."""
        pairs = {(name.rpartition("/")[0], label) for name, label in self.labels.items()}
        folders = {folder for folder, _ in pairs if not split_of(folder.rpartition("/")[2])}
        numbers = all(NUMBER.fullmatch(label) for label in self.classes)
        return numbers or len(folders) < 2 or len(pairs) == len({folder for folder, _ in pairs})

    @property
    def classes(self) -> set[str]:
        return {*self.labels.values()}


def look(source: Source, shown: str, order: Sequence[str] = ()) -> Found | None:
    """What lists say of pictures, None where there are none of them. Raises ValueError for fewer than two classes."""
    entries = [one for one in source.entries if one.name.casefold().endswith(LISTS) and not by_the_way(one.name)]
    if not 0 < len(entries) <= MANY:
        return None
    finder = Finder(source)
    texts = {one.name: [*_lines(one)] for one in entries}
    pictures = {one.name: one for one in source.entries if looks_like_a_picture(one.name) and not by_the_way(one.name)}
    kinds: dict[str, _List] = {}
    for name, lines in texts.items():
        if name.rpartition("/")[2].casefold() not in (*NAMES, CLASS_OF, SPLIT_OF):
            _add(kinds, name, _numbered(name, lines, texts, finder) or _listed(name, lines, finder))
    usable = [one for key in natural(kinds) if len((one := kinds[key].by_folders()).classes) > 1 and one.fits()]
    best = max(usable, key=_List.rank, default=None)
    if best is None:
        return None
    notes = [f"lists of pictures and their classes: {some([clean(one) for one in best.files])}"]
    others = [one.files[0] for one in usable if one is not best]
    notes += [f"other lists are not followed: {some([clean(one) for one in others])}"] if others else []
    folders = {part for name in pictures for part in name.split("/")[:-1]}
    among = best.classes <= folders
    if len(best.labels) * 2 < len(pictures) and not among:
        return None
    known = _called(best, texts, notes)
    left_out, rows = LeftOut(), []
    rank = {name: i for i, name in enumerate(best.labels)}
    for name in sorted(pictures, key=lambda one: rank.get(one, len(rank))):
        label, split = best.labels.get(name), best.splits.get(name, "")
        parts = name.split("/")[:-1]
        if label is None and among:
            label = next((part for part in reversed(parts) if part in best.classes), None)
            split = next((word for part in parts if (word := split_of(part))), "")
            label, split = ("", UNLABELLED) if label is None and split else (label, split)
        if label is None or pictures[name].problem:
            left_out.add(name, pictures[name].problem or NOT_LISTED)
        else:
            rows.append(Row(name, label, split, read=pictures[name].content, path=name))
    return found(shown, "lists that name pictures", rows, left_out, notes, known=known, order=order)


def _lines(entry: Entry) -> Iterator[str]:
    try:
        content = entry.content().decode("utf-8-sig", "replace")
    except (OSError, Refusal):
        return
    for line in content.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def _add(kinds: dict[str, _List], name: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """rows: picture, class, split. Lists of one kind are called alike, but for the word that names their split."""
    if not rows:
        return
    folder, _, called = name.rpartition("/")
    words = [one for one in re.split(r"[\W_]+|(?<=[a-z])(?=\d)", called.casefold().rpartition(".")[0]) if one]
    key = " ".join([folder, *(word for word in words if word not in SPLITS)])
    key += " with classes" if rows[0][1] else ""
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    kind = kinds.setdefault(key, _List())
    kind.files.append(name)
    for picture, label, own in rows:
        if (own or split) and kind.splits.get(picture) in (None, "train"):  # trainval is less sure than val
            kind.splits[picture] = own or split
        kind.labels.setdefault(picture, label)


def _listed(name: str, lines: Sequence[str], finder: Finder) -> list[tuple[str, str, str]]:
    """path, path and class, or number, class and path in each line; nothing where most of it names no picture."""
    head = [_parts(line) for line in lines[:SAMPLE]]
    most = max((len(parts) for parts in head), default=0)
    beside = name.rpartition("/")[0]
    for at in sorted({0, most - 1}, reverse=name.endswith(".lst")):
        hits = sum(len(parts) > at and _picture(parts[at], beside, finder) is not None for parts in head)
        if hits * 5 < len(head) * 4 or not head:
            continue
        rows = []
        for line in lines:
            parts = _parts(line)
            picture = _picture(parts[at], beside, finder) if len(parts) > at else None
            if picture is not None:
                rows.append((picture, _class(parts[1:] if at == 0 else parts[at - 1 : at], "\t" in line), ""))
        labels = {label for _, label, _ in rows}
        if "-1" in labels and labels <= {"-1", "0", "1"}:  # of one class, yes or no
            continue
        if len(labels) == len(rows) and all(map(str.isdigit, labels)):  # lines are counted
            rows = [(picture, "", "") for picture, _, _ in rows]
        return rows
    return []


def _parts(line: str) -> list[str]:
    return [one.strip() for one in line.split("\t")] if "\t" in line else line.split()


def _class(rest: Sequence[str], tabs: bool) -> str:
    """Behind a path: the cell beside it, the first of numbers, or all words."""
    if not rest:
        return ""
    label = rest[0] if tabs or all(map(NUMBER.fullmatch, rest)) else " ".join(rest)
    return label.partition(".")[0] if NUMBER.fullmatch(label) else text(label)


def _picture(path: str, beside: str, finder: Finder) -> str | None:
    picture = finder.find(path, beside)
    if picture == SEVERAL:
        picture = finder.find(f"images/{path}", beside)
    return None if isinstance(picture, str) or not looks_like_a_picture(picture.name) else picture.name


def _numbered(
    name: str, lines: Sequence[str], texts: dict[str, list[str]], finder: Finder
) -> list[tuple[str, str, str]]:
    """images.txt of CUB-200: pictures by number, whose classes and splits stand in files beside it."""
    folder = name.rpartition("/")[0]
    place = f"{folder}/" if folder else ""
    classes = dict(_two(texts.get(place + CLASS_OF, ())))
    if not classes:
        return []
    train = dict(_two(texts.get(place + SPLIT_OF, ())))
    rows = []
    for number, path in _two(lines):
        picture = _picture(f"images/{path}", folder, finder) or _picture(path, folder, finder)
        if picture is not None and number in classes:
            rows.append((picture, classes[number], {"1": "train", "0": "test"}.get(train.get(number, ""), "")))
    return rows


def _two(lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(first, rest.strip()) for first, gap, rest in (line.partition(" ") for line in lines) if gap]


def _called(best: _List, texts: dict[str, list[str]], notes: list[str]) -> list[str]:
    """Names of classes by number, which stand for numbers from here on; none where classes are no numbers."""
    if not all(map(str.isdigit, best.classes)):
        return []
    names: dict[str, str] = {}
    numbers = sorted(map(int, best.classes))
    for name, lines in texts.items():
        if name.rpartition("/")[2].casefold() not in NAMES:
            continue
        pairs = dict(_two(lines))
        if {*map(str, numbers)} <= pairs.keys():
            names = pairs
        elif numbers[-1] < len(lines) + (numbers[0] > 0):
            names = {str(i): line for i, line in enumerate(lines, int(numbers[0] > 0 and numbers[-1] == len(lines)))}
    names = names or _by_files(best, notes)
    if not names or len({*names.values()}) < len(names):
        return []
    best.labels = {picture: names[label] for picture, label in best.labels.items()}
    return [names[one] for one in sorted(names, key=int)]


def _by_files(best: _List, notes: list[str]) -> dict[str, str]:
    """Numbers of which all pictures are called after one thing, and those of no other are (Bengal_17.jpg)."""
    called: dict[str, Counter[str]] = {}
    for picture, label in best.labels.items():
        stem = picture.rpartition("/")[2].rpartition(".")[0]
        called.setdefault(label, Counter())[re.sub(r"[\W_]*\d+$", "", stem)] += 1
    names = {label: next(iter(words)) for label, words in called.items() if len(words) == 1}
    if len(names) < len(called) or not all(names.values()) or len({*names.values()}) < len(names):
        return {}
    notes.append("classes are numbers there; they are called as their files are")
    return names
