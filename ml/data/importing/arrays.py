"""Pictures as arrays: npz and npy, HDF5, idx, MATLAB's files, CIFAR's, STL-10's and LIBSVM's: mapped, never read
whole."""

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.data.base import UNLABELLED
from ml.data.importing import libsvm, sources
from ml.data.importing.array_files import Array, Arrays
from ml.data.importing.class_folders import SPLIT_WORDS
from ml.data.importing.records import FLAGS, Found, LeftOut
from ml.data.importing.rows import Row, found, text
from ml.data.importing.sources import Entry, Scratch, Source
from ml.images.file_names import by_the_way, clean
from ml.images.levels import is_cover

IMAGES = ("images", "image", "imgs", "img", "x", "data", "pixels", "pictures", "fea")
LABELS = ("labels", "label", "y", "target", "targets", "lbls", "ans", "gnd")
NAMES = ("classes", "listclasses", "names", "labelnames", "classnames", "targetnames")
OURS = re.compile(r"\.np[zy]$|idx|ubyte|\.bin$|\.mat$|\.h(?:df)?5$")  # in the name of a file
FEW = 16  # levels of sklearn's digits: floats up to here are no levels from 0 to 255
LEAST_SIDE = 2  # of what is a picture and no row of measurements
SAMPLE = 50  # pictures whose fourth channel is looked at
BLOCK = 2**24  # bytes looked through at a time
SPLITS = SPLIT_WORDS | {"t10k": "test", "tr": "train", "te": "test", "va": "validation"}


@dataclass(frozen=True)
class _Part:
    """Arrays of one split that belong together."""

    split: str
    images: Array
    labels: Array


def look(
    source: Source, lone: bool, shown: str, scratch: Scratch, order: Sequence[str] = (), last: bool = False,
    turned: bool | None = None,
) -> Found | None:  # fmt: skip
    """What arrays a source holds, None where there are no pairs of pictures and labels. last: whether nothing else is
    left that the source could be, so that it is told why these are not read; turned: whether rows and columns are the
    other way round, None where that is to be found out.

    Raises ValueError, in words, for pairs that nobody can tell apart.
    """
    entries = [one for one in source.entries if one.whole is not None and not by_the_way(one.name)]
    lines = libsvm.among(entries)
    if lone and not lines and not OURS.search(entries[0].name.casefold()):
        return None
    left_out, notes, whole = LeftOut(), list[str](), not lone or bool(lines)
    whole = whole or entries[0].name.casefold().endswith((".npz", ".mat", ".h5", ".hdf5"))
    read, parts = _read(entries if whole else (), scratch, left_out)
    if not parts and lone and source.root is not None:  # its pictures or labels lie beside it
        around = (sources.entry(path, source.root) for path in sorted(source.root.iterdir()) if path.is_file())
        family = [one for one in around if _family(one.name) == _family(entries[0].name)]
        left_out = LeftOut()
        read, parts = _read(family, scratch, left_out)
    if not parts and last and read.pickled:
        raise ValueError(
            f"{shown}: {clean(read.pickled[0])} is pickled, and pickles are never opened: they can run anything. Take "
            "the binary version of the data set, or save its arrays with numpy.savez"
        )
    if not parts and last and (read.arrays or left_out.files):
        forms = [f"{clean(one.name)} {one.shape}" for one in read.arrays[:3]]
        why = "; ".join([*forms, *read.notes, *left_out.lines()])
        raise ValueError(f"{shown} holds no pictures with labels beside them: {why}")
    if not parts:
        return None
    alike_emnist = any(part.images.is_emnist for part in parts)
    by_columns = any(part.images.by_columns for part in parts)
    if turned:
        notes.append("the pictures are turned, rows for columns, as was chosen")
    elif turned is None and alike_emnist:
        turned = True
        notes.append("the pictures are turned: EMNIST's idx files have rows and columns the other way round")
    elif turned is None and by_columns:
        turned = True
        notes.append(f"the pictures are turned: MATLAB writes a picture in a row column by column{FLAGS}turned no")
    levels, told = levels_of([part.images.values for part in parts])
    known = read.names or _known(read.arrays)
    rows = [row for part in parts for row in _rows(part, levels, known, bool(turned), left_out, notes)]
    words = sorted({clean(part.images.name) for part in parts})
    notes.insert(0, f"pictures and labels stand in arrays: {', '.join(words[:3])}{' …' if len(words) > 3 else ''}")
    notes += [*read.notes, *told]
    return found(
        shown, "arrays of pictures and labels", rows, left_out, notes, known=[one for one in known if one], order=order
    )


def _read(entries: Sequence[Entry], scratch: Scratch, left_out: LeftOut) -> tuple[Arrays, list[_Part]]:
    """The arrays in some files, and which of them belong together."""
    read, before = Arrays(entries, scratch, left_out), [*left_out.files]
    parts = [_Part(*one) for one in read.cifar() or read.stl() or read.libsvm()] or _parts(read.arrays, left_out)
    if not parts and (parts := _by_form(read.arrays)):
        left_out.files[:] = before  # what their names speak of
    return read, parts or _by_name(read.arrays)


def _by_form(arrays: Sequence[Array]) -> list[_Part]:
    """The one array of pictures of a file and the one of as many labels, where neither is called so: numpy.savez(file,
    pictures, labels)."""
    pictures = [one for one in arrays if len(one.shape) > 2 and form_of(one.shape[1:]) is not None]
    labels = [one for one in arrays if one.values.dtype.kind in "iubUS" and math.prod(one.shape) == len(one.values) > 0]
    if len(arrays) != 2 or len(pictures) != 1 or len(labels) != 1 or len(pictures[0].values) != len(labels[0].values):
        return []
    return [_Part("", pictures[0], labels[0])] if pictures[0].outer == labels[0].outer else []


def _by_name(arrays: Sequence[Array]) -> list[_Part]:
    """A file of pictures for each class, called like it, as Quick, Draw! is published."""
    alone = [one for one in arrays if not one.inner and form_of(one.shape[1:]) is not None]
    if len(alone) < max(2, len(arrays)) or len({form_of(one.shape[1:]) for one in alone}) > 1:
        return []
    names = [one.outer for one in alone]
    start = 0
    while all(name[start : start + 1] == names[0][start : start + 1] != "" for name in names):
        start += 1
    start = max((i + 1 for i in range(start) if names[0][i] in "_- "), default=0)
    labels = [np.broadcast_to(np.array(name[start:]), len(one.values)) for name, one in zip(names, alone, strict=True)]
    return [_Part("", one, Array(one.name, one.outer, "", label)) for one, label in zip(alone, labels, strict=True)]


def _family(name: str) -> str:
    """What files of one data set have in common: emnist-letters of emnist-letters-train-images-idx3-ubyte.gz."""
    words = re.split(r"[\W_]+", name.casefold())
    if "npz" in words and not {*words} & {*IMAGES, *LABELS}:
        return name
    if "bin" in words or "names" in words or "batches" in words:
        return "bin"
    start = itertools.takewhile(lambda word: word not in (*SPLITS, *IMAGES, *LABELS, "mapping", "classmap"), words)
    return "-".join(start)


def _parts(arrays: Sequence[Array], left_out: LeftOut) -> list[_Part]:
    """Pictures and labels that belong together."""
    found: dict[tuple[str, str], Array] = {}
    for array in arrays:
        split, role = _place(array, left_out)
        if not role:
            continue
        other = found.get((split, role))
        if other is not None and other.outer == array.outer and len(other.values) == len(array.values):
            found[split, role] = min(other, array, key=_rank)  # one thing in two forms, as scikit-learn has it
            continue
        if other is not None:
            raise ValueError(
                f"several data sets lie here: {clean(found[split, role].name)} and {clean(array.name)} are both "
                f"{role}{f' of {split}' if split else ''}. Name the file of one of them"
            )
        found[split, role] = array
    pairs = []
    for split in ("", "train", "validation", "test"):
        images, labels = found.get((split, "images")), found.get((split, "labels"))
        if images is not None and labels is not None:
            pairs.append(_Part(split, images, labels))
        elif images is not None and pairs:
            left_out.add(images.name, "there are no labels for these pictures")
    return pairs


def _rank(array: Array) -> int:
    """The surer a name is, the lower."""
    words = re.split(r"[\W_]+", array.inner.casefold())
    return min((names.index(one) for names in (IMAGES, LABELS) for one in words if one in names), default=len(IMAGES))


def _place(array: Array, left_out: LeftOut) -> tuple[str, str]:
    """The split and the role, images or labels, that an array's name and form speak of; '' for none."""
    inner = [one for one in re.split(r"[\W_]+", array.inner.casefold()) if one]
    outer = [one for one in re.split(r"[\W_]+", array.outer.casefold()) if one]
    split = role = ""
    for words in (inner, outer):
        splits = [SPLITS[word] for word in words if word in SPLITS]
        split = split or (splits[0] if len({*splits}) == 1 else "")
        images, labels = (any(word in roles for word in words) for roles in (IMAGES, LABELS))
        role = role or ("labels" if labels else "images" if images else "")
    if array.inner.casefold().endswith("names"):
        role = ""
    n, *form = array.shape or (0,)
    if role == "images" and form_of(form) is None:
        left_out.add(
            array.name, f"arrays of {array.shape} are no pictures: they have two sides, and 1, 3 or 4 channels"
        )
        role = ""
    if role == "labels" and (len(form) > 1 or n == 0):
        role = ""
    return split, role


def form_of(form: Sequence[int]) -> tuple[int, int, int, bool] | None:
    """Height, width and channels of pictures of this form, and whether channels come first; None for no picture."""
    if len(form) == 1:
        side = math.isqrt(form[0])
        return (side, side, 1, False) if side * side == form[0] and side >= LEAST_SIDE else None
    if len(form) == 2:
        return (form[0], form[1], 1, False) if min(form) >= LEAST_SIDE else None
    if len(form) != 3:
        return None
    if form[2] in (1, 3, 4):
        return form[0], form[1], form[2], False
    return (form[1], form[2], form[0], True) if form[0] in (1, 3, 4) else None


def _known(arrays: Sequence[Array]) -> list[str]:
    """Names of classes by id, where an array of text has them."""
    for array in arrays:
        if re.sub(r"[\W_]+", "", array.inner.casefold()) in NAMES and array.values.dtype.kind in "US":
            return [text(one) for one in array.values.reshape(-1).tolist()]
    return []


Levels = Callable[[np.ndarray], np.ndarray]


def levels_of(arrays: Sequence[np.ndarray]) -> tuple[Levels, list[str]]:
    """What makes uint8 of the levels of these, by the range that all of them have, and what is to be said of it."""
    if all(array.dtype == np.uint8 for array in arrays):
        return lambda values: values, []
    if all(array.dtype == bool for array in arrays):
        return lambda values: values.astype(np.uint8) * np.uint8(255), []
    low, high = np.inf, -np.inf
    for array in arrays:
        for block in _blocks(array):
            low, high = min(low, float(np.nanmin(block))), max(high, float(np.nanmax(block)))
    whole = all(array.dtype.kind in "iu" for array in arrays)
    if low >= 0 and (1 if whole else FEW) < high <= 255:
        return lambda values: np.rint(values).clip(0, 255).astype(np.uint8), []
    if -1 <= low < 0 and high <= 1:
        low, high = -1.0, 1.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and 255 < high <= 65_535 and whole:
        low, high = 0.0, 65_535.0
    scale = 255 / (high - low) if high > low else 0.0
    note = f"the levels of the pictures, {low:g} to {high:g}, are scaled to 0 to 255"
    return functools.partial(_scaled, low=low, scale=scale), [note]


def _scaled(values: np.ndarray, low: float, scale: float) -> np.ndarray:
    levels = (np.nan_to_num(values.astype(np.float64)) - low) * scale
    return np.rint(levels).clip(0, 255).astype(np.uint8)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, BLOCK // max(1, values[:1].nbytes))
    return (values[start : start + rows] for start in range(0, len(values), rows))


def _rows(
    part: _Part, levels: Levels, known: Sequence[str], turned: bool, left_out: LeftOut, notes: list[str]
) -> Iterator[Row]:
    images, labels = part.images.values, part.labels.values
    if len(images) != len(labels) and part.images.counted:
        raise ValueError(
            f"{clean(part.images.name)} counts levels where pictures are to be counted and has not the size that it "
            f"says, as Datumaro writes pictures that are not grey and 28 x 28: export them as Datumaro or ImageNet"
        )
    if len(images) != len(labels):
        each = f"{len(images):,} pictures and {len(labels):,} labels"
        notes.append(f"{clean(part.images.name)} has {each}: what has none of the other is left out")
    form = form_of(images.shape[1:])
    assert form is not None
    cover = form[2] != 4 or _covers(images, form, levels)
    if not cover:
        notes.append(f"the fourth channel of {clean(part.images.name)} is no transparency, and is left out")
    if form[3] and not part.images.is_cifar:
        notes.append(f"{clean(part.images.name)} has its channels first")
    if labels.ndim == 2 and labels.shape[1] > 1 and not _is_hot(labels):
        if "qmnist" not in part.labels.outer.casefold():
            columns = f"{labels.shape[1]} columns, which are not one number for each class"
            notes.append(f"{clean(part.labels.name)} has {columns}")
        labels = labels[:, :1] if "qmnist" in part.labels.outer.casefold() else np.full((len(labels), 2), 1)
    said: dict[bytes, str | None] = {}
    for i in range(min(len(images), len(labels))):
        name, value = f"{part.images.name}, picture {i}", labels[i]
        if value.tobytes() not in said:
            said[value.tobytes()] = _label(value, known)
        label = said[value.tobytes()]
        if label is None and part.split != UNLABELLED:
            left_out.add(name, "it has several labels, or one of no class")
            continue
        late = functools.partial(picture_of, images, i, form, levels, turned, cover)
        yield Row(name, label or "", part.split, pixels=late)


def _is_hot(labels: np.ndarray) -> bool:
    """Whether there is one number for each class, of which one alone is set: not several questions side by side."""
    levels = {0, *np.unique(labels[:, 0]).tolist(), *np.unique(labels[:1]).tolist()}
    return len(levels) <= 2 and bool(np.isin(labels, [*levels]).all())


def _covers(images: np.ndarray, form: tuple[int, int, int, bool], levels: Levels) -> bool:
    """Whether the fourth channel of pictures is transparency, as some of them show."""
    some = levels(np.asarray(images[:: max(1, len(images) // SAMPLE)]))
    return is_cover(some[:, 3] if form[3] else some[..., 3])


def _label(value: Any, known: Sequence[str]) -> str | None:
    value = np.asarray(value).reshape(-1)
    if len(value) > 1:  # one number for each class, of which one is set
        if np.count_nonzero(value) != 1:
            return None if np.count_nonzero(value) else ""
        value = np.flatnonzero(value)
    label = text(value.tolist()[0])
    if not known or label in known:
        return label
    if not re.fullmatch(r"-?\d+", label) or int(label) >= len(known):
        return None
    return known[int(label)] if int(label) >= 0 else ""


def picture_of(
    images: np.ndarray, row: int, form: tuple[int, int, int, bool], levels: Levels, turned: bool,
    cover: bool | None = None,
) -> np.ndarray:  # fmt: skip
    """uint8 [h, w, 1 or 3]; what is transparent is laid on black. cover: whether a fourth channel is transparency, None
    where the picture is to tell."""
    height, width, channels, first = form
    pixels = levels(np.asarray(images[row]))
    pixels = pixels.reshape(channels, height, width).transpose(1, 2, 0) if first else pixels.reshape(height, width, -1)
    if channels == 4 and not (is_cover(pixels[..., 3]) if cover is None else cover):
        pixels = pixels[..., :3]
    elif channels == 4:
        opaque = pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :3] * opaque).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(1, 0, 2) if turned else pixels)
