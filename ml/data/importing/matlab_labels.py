"""Labels of pictures in MATLAB's files, by the number that a picture is called by, as Flowers-102 is published."""

import math
import re
from collections.abc import Sequence

import numpy as np

from ml.data.importing.class_folders import SPLIT_WORDS
from ml.data.importing.records import Found, LeftOut, some
from ml.data.importing.rows import Row, found
from ml.data.importing.sources import Entry, Source, looks_like_a_picture
from ml.images.decoding import Refusal
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


def _split(name: str) -> str:
    word = name.rpartition(", ")[2].casefold()
    return SPLITS.get(word, SPLITS.get(word.removesuffix("id").rstrip("_"), ""))


def _arrays(entry: Entry) -> dict[str, np.ndarray]:
    """'file, array' → whole numbers [n]; nothing of a file that cannot be read."""
    from scipy.io import loadmat, matlab, whosmat

    try:
        names = [name for name, shape, _ in whosmat(entry.place()) if math.prod(shape) <= MOST]
        read = loadmat(entry.place(), variable_names=names)
    except (OSError, Refusal, NotImplementedError, matlab.MatReadError, TypeError, ValueError):
        return {}
    arrays = {f"{entry.name}, {name}": np.asarray(read[name]) for name in names if name in read}
    rows = {
        name: one.reshape(-1)
        for name, one in arrays.items()
        if one.dtype.kind in "iuf" and one.size == max(one.shape, default=0)
    }
    return {name: one.astype(np.int64) for name, one in rows.items() if np.array_equal(one, np.round(one))}
