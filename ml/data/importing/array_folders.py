"""Pictures as arrays, one npy file each, in folders of classes: as numpy.save leaves bands, scans and spectrograms."""

import functools
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ml.data.importing import class_folders
from ml.data.importing.arrays import Levels, form_of, levels_of, picture_of
from ml.data.importing.records import Found, LeftOut
from ml.data.importing.sources import Entry, Source
from ml.images.decoding import FILE_BYTES, Refusal
from ml.images.file_names import by_the_way

SAMPLE = 200  # files, by which forms and the range of levels are told
LEAST = 3  # files of a folder: fewer are arrays of pictures and of labels
DEEPEST = 2**13  # of a side


def look(source: Source, shown: str, order: Sequence[str] = (), chosen: Collection[str] = ()) -> Found | None:
    """None where files are not of one picture each, or lie in no folders of classes."""
    files = [one for one in source.entries if one.name.casefold().endswith(".npy") and not by_the_way(one.name)]
    if not files or max(Counter(one.name.rpartition("/")[0] for one in files).values()) < LEAST:
        return None
    sample = []
    for entry in files[:: max(1, len(files) // SAMPLE)][:SAMPLE]:
        try:
            array = _array(entry)
        except (OSError, Refusal):
            continue
        if array.dtype.kind not in "biuf" or array.ndim < 2 or _form(array) is None:
            return None
        sample.append(array)
    if not sample:
        return None
    try:
        found = class_folders.look(source.entries, shown, order, chosen)
    except ValueError:
        return None
    if all(map(class_folders.split_of, found.classes)):
        return None
    levels, told = levels_of(sample)
    left_out, records = LeftOut(found.left_out.files, found.left_out.by_systems), []
    called = {one.name: one for one in files}
    for record in found.records:
        if record.path in called:
            pixels = functools.partial(_pixels, called[record.path], levels)
            records.append(replace(record, read=None, pixels=pixels, path=""))
        else:
            left_out.add(record.name, "it is no array, while the others are")
    notes = ["each picture is an array in a file of its own, in the folder of its class", *told, *found.notes]
    return replace(found, kind="arrays in a folder for each class", records=records, left_out=left_out, notes=notes)


def _form(array: np.ndarray) -> tuple[int, int, int, bool] | None:
    form = form_of(array.shape)
    return form if form is not None and max(form[:2]) <= DEEPEST else None


def _array(entry: Entry) -> np.ndarray:
    """Raises OSError, Refusal."""
    content = entry.content()
    if len(content) > FILE_BYTES:
        raise Refusal("It is larger than a picture may be.")
    try:
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
    except (ValueError, EOFError) as error:
        pickled = "pickle" in str(error) or "object" in str(error)
        raise Refusal("It holds pickled objects, which are never opened." if pickled else "It is damaged.") from None


def _pixels(entry: Entry, levels: Levels) -> np.ndarray:
    """uint8 [h, w, 1 or 3]. Raises OSError, Refusal."""
    array = _array(entry)
    form = _form(array) if array.dtype.kind in "biuf" and array.ndim > 1 else None
    if form is None:
        raise Refusal("It is an array of another form, and no picture.")
    pixels = picture_of(array[None], 0, form, levels, turned=False)
    if pixels.dtype != np.uint8:
        raise Refusal("Its levels are of another type than those of the others.")
    return pixels
