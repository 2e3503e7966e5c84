"""Labels of pictures in MATLAB's files: by the number that a picture is called by, as Flowers-102 is published, or in
structures that name files and classes, as Stanford Cars."""

import math
import re
from collections.abc import Sequence

import numpy as np

from ml.data.importing.class_folders import SPLIT_WORDS
from ml.data.importing.finder import Finder
from ml.data.importing.records import Found, LeftOut, some
from ml.data.importing.rows import Row, found, split_in, text
from ml.data.importing.sources import Entry, Source, looks_like_a_picture
from ml.images.file_names import by_the_way, clean

NUMBER = re.compile(r"(\d+)\.\w+")
MOST = 10_000_000  # numbers of one array
SPLITS = SPLIT_WORDS | {"trn": "train", "tst": "test", "trnid": "train", "valid": "validation", "tstid": "test"}


def look(source: Source, shown: str, order: Sequence[str] = ()) -> Found | None:
    """None where there is no array of as many whole numbers as there are pictures that are numbered from 1 on."""
    pictures: dict[int, Entry] = {}
    for one in source.entries:
        match = NUMBER.search(one.parts[-1]) if looks_like_a_picture(one.name) and not by_the_way(one.name) else None
        if match:
            pictures.setdefault(int(match[1]), one)
    files = [one for one in source.entries if one.name.casefold().endswith(".mat") and not by_the_way(one.name)]
    if files and (structured := _structured(source, files, shown, order)):
        return structured
    if not pictures or not files:
        return None
    arrays = {name: values for one in files for name, values in _arrays(one).items()}
    most = max(pictures)
    fit = [name for name, values in arrays.items() if len(values) == most and 1 < len({*values.tolist()}) < most]
    labels = next((name for name in sorted(fit, key=lambda one: "label" not in one.casefold())), None)
    if labels is None:
        return None
    splits = {name: split for name, values in arrays.items() if name != labels and (split := _split(name))
              and {*values.tolist()} <= {*range(1, most + 1)}}  # fmt: skip
    where = {number: split for name, split in splits.items() for number in arrays[name].tolist()}
    left_out, rows = LeftOut(), []
    for number, one in sorted(pictures.items()):
        if one.problem or (where and number not in where):
            left_out.add(one.name, one.problem or "no split names it")
        else:
            rows.append(
                Row(one.name, str(arrays[labels][number - 1]), where.get(number, ""), read=one.content, path=one.name)
            )
    notes = [f"labels stand in MATLAB's file {clean(labels)}, by the number of each picture"]
    notes += [f"splits are those of {some([clean(one) for one in splits])}"] if splits else []
    return found(shown, "pictures with labels in MATLAB's files", rows, left_out, notes, order=order)


def _structured(source: Source, files: Sequence[Entry], shown: str, order: Sequence[str]) -> Found | None:
    """Of arrays of structures with the name of a file and, by number from 1 on or by name, a class; where they say
    whether it is test, that is the split, else the file's name is."""
    from scipy.io import loadmat, whosmat

    rows, names = list[tuple[Entry, str, str, str]](), list[str]()  # file, path, class, split
    for entry in files:
        try:
            small = [name for name, form, kind in whosmat(entry.place())
                     if kind in ("struct", "cell") and math.prod(form) <= MOST]  # fmt: skip
            read = loadmat(entry.place(), variable_names=small, squeeze_me=True) if small else {}
        except Exception:  # scipy answers bytes that it cannot read with nearly any
            continue
        for name in small:
            values = np.atleast_1d(read[name])
            if values.dtype.names is None:
                words = [text(one) if isinstance(one, str) else "" for one in values.reshape(-1).tolist()]
                names = words if "class" in name.casefold() and all(words) else names
            else:
                rows += _of_structures(entry, values.reshape(-1))
    if not any(label for _, _, label, _ in rows):
        return None
    numbered = bool(names) and all(label.isdigit() and 0 < int(label) <= len(names) for *_, label, _ in rows if label)
    finder, left_out, found_rows = Finder(source), LeftOut(), []
    for entry, path, label, split in rows:
        picture = finder.find(path, entry.name.rpartition("/")[0], split)
        if isinstance(picture, str):
            left_out.add(path, picture)
        else:
            named = names[int(label) - 1] if numbered and label else label
            found_rows.append(Row(picture.name, named, split, read=picture.content, path=picture.name))
    for name in finder.unused():
        left_out.add(name, "no structure names it")
    used = {row.label for row in found_rows}
    known = [one for one in names if one in used] if numbered else []
    notes = [f"labels stand in structures of {some([clean(one.name) for one in files])}"]
    kind = "pictures with labels in MATLAB's files"
    return found(shown, kind, found_rows, left_out, notes, known=known, order=order)


def _of_structures(entry: Entry, values: np.ndarray) -> list[tuple[Entry, str, str, str]]:
    """Path, class and split of each that names a file."""
    fields = values.dtype.names or ()
    label = next((one for one in ("class", "label", "class_id") if one in fields), "")
    path = next((one for one in fields if len(values) and looks_like_a_picture(str(values[0][one]))), "")
    if not path:
        return []
    of_file = split_in(entry.parts[-1].rpartition(".")[0])
    rows = []
    for value in values:
        split = ("test" if value["test"] else "train") if "test" in fields else of_file
        rows.append((entry, text(str(value[path])), text(str(value[label])) if label else "", split))
    return rows


def _split(name: str) -> str:
    word = name.rpartition(", ")[2].casefold()
    return SPLITS.get(word, SPLITS.get(word.removesuffix("id").rstrip("_"), ""))


def _arrays(entry: Entry) -> dict[str, np.ndarray]:
    """'file, array' → whole numbers [n]; nothing of a file that cannot be read."""
    from scipy.io import loadmat, whosmat

    try:
        names = [name for name, shape, _ in whosmat(entry.place()) if math.prod(shape) <= MOST]
        read = loadmat(entry.place(), variable_names=names)
    except Exception:  # scipy answers bytes that it cannot read with nearly any
        return {}
    arrays = {f"{entry.name}, {name}": np.asarray(read[name]) for name in names if name in read}
    rows = {
        name: one.reshape(-1)
        for name, one in arrays.items()
        if one.dtype.kind in "iuf" and one.size == max(one.shape, default=0)
    }
    return {name: one.astype(np.int64) for name, one in rows.items() if np.array_equal(one, np.round(one))}
