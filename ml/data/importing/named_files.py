"""Pictures without folders of classes that are called after what they show: cat.0.jpg, great_pyrenees_12.jpg."""

import re
from collections import Counter
from collections.abc import Sequence

from ml.data.base import UNLABELLED
from ml.data.importing.class_folders import split_of
from ml.data.importing.records import Found, LeftOut
from ml.data.importing.rows import Row, found
from ml.data.importing.sources import Source, looks_like_a_picture
from ml.images.file_names import by_the_way, clean

NAMED = re.compile(r"(?=.*?[^\W\d_])(.+?)[\s._-]*\(?\d+\)?")
# what cameras, phones and programs call pictures, whatever these show
OF_NOTHING = {
    *("img", "image", "images", "imagen", "bild", "dsc", "dscn", "dscf", "sam", "pict", "pic", "picture", "photo", "p"),
    *("pxl", "mvimg", "wp", "gopr", "frame", "video", "vid", "screenshot", "scan", "untitled", "file", "sample"),
    *("train", "training", "test", "testing", "val", "valid", "validation", "query", "gallery", "n", "id", "no", "nr"),
    *("x", "copy", "data", "item", "crop", "tile", "patch", "page", "slice", "whatsapp image", "download"),
}  # fmt: skip
KIND = "pictures that are called after their classes"
LEAST, EACH = 2, 2  # classes, and pictures of each
SHARE = 0.95  # of the pictures outside folders of what one is to name oneself


def look(source: Source, shown: str, order: Sequence[str] = ()) -> Found | None:
    """None where names do not tell, or folders may. Raises ValueError."""
    pictures = [one for one in source.entries if looks_like_a_picture(one.name) and not by_the_way(one.name)]
    folders = {one.parts[:-1] for one in pictures}
    if len(folders) > 1 and not all(folder and split_of(folder[-1]) for folder in folders):
        return None
    labels = {one.name: _class(one.parts[-1]) for one in pictures}
    bare = {
        folder
        for folder in folders
        if folder and split_of(folder[-1]) not in ("", "train") and not any(labels[one.name] for one in pictures
                                                                           if one.parts[:-1] == folder)
    }  # fmt: skip
    told = [one for one in pictures if one.parts[:-1] not in bare]
    counts = Counter(labels[one.name] for one in told)
    unnamed = counts.pop("", 0)
    few = [name for name, n in counts.items() if n < EACH]
    if len(counts) < LEAST or few or unnamed > (1 - SHARE) * len(told) or any(map(_means_nothing, counts)):
        return None
    first = next(one.parts[-1] for one in told if labels[one.name])
    notes = [f"classes are taken from the names of files: {clean(first)} shows {_class(first)!r}"]
    left_out, rows = LeftOut(), []
    for one in pictures:
        split = split_of(one.parts[-2]) if len(one.parts) > 1 else ""
        if one.problem or (one in told and not labels[one.name]):
            left_out.add(one.name, one.problem or "its name says nothing of what it shows, as others do")
        elif one.parts[:-1] in bare:
            rows.append(Row(one.name, "", UNLABELLED, read=one.content, part=one.parts[-2], path=one.name))
        else:
            rows.append(Row(one.name, labels[one.name], split, read=one.content, path=one.name))
    return found(shown, KIND, rows, left_out, notes, order=order)


def _class(name: str) -> str:
    """What stands before the number in a name of a file, '' where there is no word."""
    match = NAMED.fullmatch(name.rpartition(".")[0])
    return match[1].rstrip(" ._-(") if match else ""


def _means_nothing(word: str) -> bool:
    return word.casefold().strip(" ._-") in OF_NOTHING
