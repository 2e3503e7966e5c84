"""Which column of a table holds the pictures, which the labels, splits and groups: told by name and by content."""

import ast
import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml.data.importing.finder import SEVERAL, Finder, looks_like_a_picture
from ml.data.importing.records import FLAGS
from ml.data.importing.rows import as_split, text
from ml.data.importing.sources import MAGIC
from ml.images.decoding import FILE_BYTES
from ml.images.file_names import clean

ROLES = ("image", "label", "split", "group")
# names of columns without what stands between their words, the likelier first
IMAGES = (
    *("image", "imageencoded"),  # the latter as TensorFlow's Slim has it, beside the name that a file had
    *("img", "picture", "photo", "imagepath", "imgpath", "filepath", "path", "imagefile", "filename", "file"),
    *("imagefilename", "imagename", "imgname", "imagebytes", "imagebase64", "base64", "bytes", "jpg", "png"),
    *("imageid", "imgid", "name", "id"),
)  # fmt: skip
LABELS = (
    *("label", "labels", "class", "classes", "classname", "labelname", "category", "categoryname", "target", "y"),
    *("choice", "cls", "classid", "labelid", "categoryid", "classlabel", "finelabel", "species", "breed", "diagnosis"),
    *("dx", "tag", "type", "truth", "groundtruth", "annotation"),
    *("findinglabels", "accept"),  # ChestX-ray14, Prodigy
    *("givenlabel", "truelabel", "labeltext", "imageclasstext", "imageclasslabel"),  # TensorFlow's Slim
)
SPLITS = ("split", "set", "subset", "partition", "fold", "phase", "usage", "stage")
GROUPS = ("group", "groups", "groupid", "patient", "patientid", "subject", "subjectid", "person", "personid",
          "participantid", "sessionid", "videoid", "sceneid", "lesionid", "caseid", "studyid", "trackid", "sequenceid",
          "clipid", "individualid", "donorid", "animalid", "plantid")  # fmt: skip
NOTATION = re.compile(r"\{'(?:bytes': (?:b['\"]|None)|path': )")
MOST_OF_A_PATH = 2_000  # letters
WAYS = {
    "file": "structures with a file",
    "path": "paths",
    "bytes": "files as bytes",
    "base64": "files in base64",
    "notation": "files in Python's notation, as to_csv of Hugging Face's datasets writes them",
    "pixels": "levels of pixels",
    "flat": "levels of pixels, one after the other",
    "text": "levels of pixels as text",
    "levels": "a column for each pixel",
}
LEVEL = re.compile(r"(?:pixel|px)[ _]?\d+(?:[_x]\d+)?|\d+x\d+", re.IGNORECASE)
ONE, NONE = ("1", "1.0", "True", "true"), ("0", "0.0", "False", "false")  # the latter as pandas' get_dummies has them
DENIED = (*NONE, "reject", "ignore")
EXAMPLE = re.compile(r"sample_?submission")  # in the name of a table: answers that Kaggle made up, to show their form
TEXT = re.compile(r"\s*[\[(]?\s*(?:\d{1,3}(?:\.\d*)?[\s,;]+){15}")  # levels one after the other, as in FER2013
LEAST_FLAT = 64  # numbers in a list that make a picture
LEAST_LEVELS = 16  # columns called like pixels that make a picture


@dataclass(frozen=True)
class Columns:
    """What columns are for, '' where none is. way: how pictures stand there, one of WAYS; ids: of labels by number
    beside their names; sure: whether the label's column is told by its name; levels: columns of the way of this name,
    row by row of the picture; hot: columns called like classes, of which a row has 1 in its own and 0 in others;
    denied: a column of 1 and 0, or of Prodigy's answers, of which 0 or reject says that the picture does not show the
    label's class."""

    image: str
    way: str
    label: str = ""
    split: str = ""
    group: str = ""
    ids: str = ""
    sure: bool = False
    levels: tuple[str, ...] = ()
    hot: tuple[str, ...] = ()
    denied: str = ""

    def words(self, table: str) -> str:
        told = [f"pictures stand in the column {self.image!r} ({WAYS[self.way]})"]
        told += [f"labels in {self.label!r}"] if self.label else []
        told += [f"a column for each of {len(self.hot)} classes, from {self.hot[0]!r} on"] if self.hot else []
        told += [] if self.label or self.hot else ["there are no labels"]
        told += [f"splits in {self.split!r}"] if self.split else []
        told += [f"groups in {self.group!r}"] if self.group else []
        no = "reject or ignore" if _plain(self.denied) == "answer" else "0"
        told += [f"rows with {no} in {self.denied!r} name what is not in a picture"] if self.denied else []
        return f"{clean(table)}: {', '.join(told)}{FLAGS}column image=NAME, label=, split= or group="


def chosen(given: Sequence[str]) -> dict[str, str]:
    """--column ROLE=NAME, as role → name. Raises ValueError, in words."""
    found = {}
    for one in given:
        role, sign, name = one.partition("=")
        if role not in ROLES or not sign:
            raise ValueError(f"--column is {'=NAME, '.join(ROLES)}=NAME, with no name for none; it is {one!r}")
        found[role] = name
    return found


def understood(
    table: str, sample: Mapping[str, Sequence[Any]], finder: Finder, given: Mapping[str, str], known: Sequence[str] = ()
) -> Columns | None:
    """What the columns of a table are for; None where none of them holds pictures. sample: column → first cells; known:
    columns of which the names of classes are known. Raises ValueError for a column that is not there."""
    for role, name in given.items():
        if name and name not in sample:
            raise ValueError(f"{table} has no column {name!r} for --column {role}; it has {', '.join(sample)}")
    levels = tuple(column for column in sample if LEVEL.fullmatch(column)) if "image" not in given else ()
    if len(levels) >= LEAST_LEVELS:
        first = levels[0]
        others = {first: ["1.png"], **{column: cells for column, cells in sample.items() if column not in levels}}
        found = understood(table, others, finder, {"image": first, **given}, known)
        return replace(found, way="levels", levels=levels) if found else None
    beside = table.rpartition("/")[0]
    ways = {column: _way(cells) for column, cells in sample.items()}
    if not any(ways.values()):  # names of files without their suffixes, of which a label may be one by chance
        named = {column for column, cells in sample.items() if _files(cells, finder, beside)}
        ways = {column: "path" if column in named else "" for column in sample}
    if given.get("image"):
        image = given["image"]
        ways[image] = ways[image] or "path"
    else:
        pictures = [column for column in sample if ways[column]]
        if not pictures:
            if several := [column for column in sample if _several(sample[column])]:
                raise ValueError(
                    f"its column {several[0]!r} holds lists of pictures, and a row is one picture here: write a row "
                    f"for each, as pandas' explode({several[0]!r}) does, or the one that the label is of"
                )
            return None
        image = min(pictures, key=lambda column: (_rank(column, IMAGES), ways[column] == "path"))
    found = Columns(image, ways[image])
    candidates = [column for column in sample if column != image and (not ways[column] or _plain(column) in LABELS)]
    split = _named(candidates, SPLITS, lambda column: _splits(sample[column], some=True)) or next(
        (column for column in candidates if _splits(sample[column])), ""
    )
    split = given.get("split", split)
    group = given.get("group", _named([one for one in candidates if one != split], GROUPS))
    rest = [column for column in candidates if column not in (split, group) and not _structured(sample[column])]
    if EXAMPLE.search(table.rpartition("/")[2].casefold()) and "label" not in given:
        return replace(found, split=split, group=group)
    if "label" in given:
        return replace(found, label=given["label"], split=split, group=group, sure=True)
    label, ids = _label([one for one in rest if _short(sample[one])], sample, known)
    sure = bool(label)
    if not label and (hot := _hot(rest, sample)):
        return replace(found, split=split, group=group, sure=True, hot=hot)
    if not label and len(alone := [column for column in rest if _repeats(sample[column])]) == 1:
        label = alone[0]
    denied = next((one for one in rest if label and one != label and _denies(one, sample[one])), "")
    return replace(found, label=label, split=split, group=group, ids=ids, sure=sure, denied=denied)


def _plain(column: str) -> str:
    return re.sub(r"[\W_]+", "", column.casefold())


def _rank(column: str, names: Sequence[str]) -> int:
    return names.index(_plain(column)) if _plain(column) in names else len(names)


def _named(columns: Sequence[str], names: Sequence[str], fits: Any = lambda column: True) -> str:
    kept = [column for column in columns if _plain(column) in names and fits(column)]
    return min(kept, key=lambda column: _rank(column, names)) if kept else ""


def _label(columns: Sequence[str], sample: Mapping[str, Sequence[Any]], known: Sequence[str]) -> tuple[str, str]:
    """The column of labels, and one of their numbers beside it. Names go before numbers, and numbers with known names
    before both."""
    kept = sorted((one for one in columns if _plain(one) in LABELS), key=lambda one: _rank(one, LABELS))
    kept = [one for one in kept if len({*map(text, sample[one])}) > 1] or kept  # y] of [x, y], the same everywhere
    if with_names := [one for one in kept or columns if one in known]:
        return with_names[0], ""
    numbers = [one for one in kept if _numbers(sample[one])]
    words = [one for one in kept if one not in numbers and any(text(cell) for cell in sample[one])]
    if not words:
        return (kept[0], "") if kept else ("", "")
    return words[0], next((one for one in numbers if _one_to_one(sample[one], sample[words[0]])), "")


def _numbers(cells: Sequence[Any]) -> bool:
    filled = [one for cell in cells if (one := text(cell))]
    return bool(filled) and all(re.fullmatch(r"-?\d+(\.0)?", one) for one in filled)


def _one_to_one(ids: Sequence[Any], names: Sequence[Any]) -> bool:
    pairs = {(text(one), text(other)) for one, other in zip(ids, names, strict=True) if text(one) and text(other)}
    return len({one for one, _ in pairs}) == len(pairs) == len({other for _, other in pairs})


def _repeats(cells: Sequence[Any]) -> bool:
    filled = [one for cell in cells if (one := text(cell))]
    return len(filled) >= 4 and 1 <= len({*filled}) <= len(filled) / 2 and _short(cells)


def _hot(columns: Sequence[str], sample: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """Columns of 0 and 1 of which a row has one 1, as most rows do; () where there are not several."""
    hot = [column for column in columns if _yes_or_no(sample[column])]
    ones = [sum(text(cell) in ONE for cell in row) for row in zip(*(sample[one] for one in hot), strict=True)]
    return tuple(hot) if len(hot) > 1 and ones.count(1) * 2 > len(ones) else ()


def _yes_or_no(cells: Sequence[Any]) -> bool:
    return bool(cells) and {*map(text, cells)} <= {*ONE, *NONE}


def _denies(column: str, cells: Sequence[Any]) -> bool:
    """Open Images' Confidence, and Prodigy's answer, of which reject says that the label is wrong."""
    if _plain(column) == "answer":
        return bool(cells) and {*map(text, cells)} <= {"accept", "reject", "ignore"}
    return _plain(column) == "confidence" and _yes_or_no(cells)


def _structured(cells: Sequence[Any]) -> bool:
    """Whether there are objects in a column, or lists of them, as tools for labelling write them: they are no names."""
    return any(isinstance(one, dict) for cell in cells for one in (cell if isinstance(cell, list) else [cell]))


def _short(cells: Sequence[Any]) -> bool:
    return all(len(text(cell)) <= 300 for cell in cells if not isinstance(cell, dict | bytes))


def _splits(cells: Sequence[Any], some: bool = False) -> bool:
    """Whether cells are words for splits: all of them, or some."""
    words = [as_split(cell) for cell in cells if text(cell)]
    named = [word for word in words if word]
    return bool(named) and (some or None not in words)  # UNASSIGNED is to be drawn


def _files(cells: Sequence[Any], finder: Finder, beside: str) -> bool:
    """Whether most cells are names of files of the source."""
    filled = [one for cell in cells if not isinstance(cell, dict | list | bytes) and (one := text(cell))]
    met = [finder.find(one, beside) if len(one) < MOST_OF_A_PATH else "" for one in filled]
    found = [one for one in met if one == SEVERAL or not isinstance(one, str)]  # which of them, the table's split says
    return bool(filled) and len(found) * 2 >= len(filled)


def _way(cells: Sequence[Any]) -> str:
    """How pictures stand in a column, '' where none do."""
    filled = [cell for cell in cells if cell is not None and cell != ""]
    ways = [_way_of(cell) for cell in filled]
    best = max(WAYS, key=ways.count)
    return best if filled and ways.count(best) * 2 >= len(filled) else ""


def _several(cells: Sequence[Any]) -> bool:
    """Whether most cells are lists of pictures, as Hugging Face's List(Image()) is."""
    filled = [cell for cell in cells if cell is not None and cell != ""]
    lists = [cell for cell in filled if isinstance(cell, list) and (not cell or _way_of(cell[0]) in ("file", "bytes"))]
    return any(lists) and len(lists) * 2 >= len(filled)


def _way_of(cell: Any) -> str:
    if isinstance(cell, dict):
        return "file" if {"bytes", "path"} & cell.keys() else ""
    if isinstance(cell, bytes):
        return "bytes" if MAGIC.match(cell) else ""
    if isinstance(cell, list):
        if cell and isinstance(cell[0], list):
            return "pixels" if len(cell) > 1 else ""
        return "flat" if _square(cell) else ""
    if not isinstance(cell, str):
        return ""
    if looks_like_a_picture(cell) and len(cell) < MOST_OF_A_PATH:
        return "path"
    if NOTATION.match(cell):
        return "notation"
    if TEXT.match(cell):
        return "text"
    return "base64" if is_base64(cell) else ""


def _square(cell: Sequence[Any]) -> bool:
    """Whether numbers are as many as a square picture has, and none is below zero, as in a vector of features."""
    sides = [(math.isqrt(len(cell) // n), n) for n in (1, 3)]
    square = len(cell) >= LEAST_FLAT and any(side * side * n == len(cell) for side, n in sides)
    return square and all(isinstance(one, int | float) and one >= 0 for one in cell)


def is_base64(cell: str) -> bool:
    """Whether a cell begins like a picture's file in base64."""
    start = cell.strip()[:200].partition("base64,")[2] or cell.strip()[:200]
    try:
        return bool(MAGIC.match(base64.b64decode(start[: len(start) // 4 * 4], altchars=None, validate=True)))
    except (binascii.Error, ValueError):
        return False


def from_notation(cell: str) -> dict[str, Any]:
    """bytes and path, each None where it is not there; a literal is read, nothing is run. Raises ValueError."""
    if len(cell) > 4 * FILE_BYTES + MOST_OF_A_PATH:
        return {"bytes": bytes(FILE_BYTES + 1)}
    try:
        value = ast.literal_eval(cell.strip())
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError("no literal") from error
    if not isinstance(value, dict) or not isinstance(value.get("bytes"), bytes | None):
        raise ValueError("no file")
    path = value.get("path")
    return {"bytes": value.get("bytes"), "path": path if isinstance(path, str) else None}


def from_base64(cell: str) -> bytes:
    """Raises ValueError."""
    data = cell.strip()
    data = data.partition("base64,")[2] if data.startswith("data:") else data
    data = re.sub(r"\s+", "", data).replace("-", "+").replace("_", "/")
    if len(data) > FILE_BYTES * 4 // 3 + 4:
        return bytes(FILE_BYTES + 1)
    return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
