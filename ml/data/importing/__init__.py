"""What people bring, read by what it is: folders, archives, tables and files of labelled pictures.

`opened` recognises a source and yields its records, which are read while it is open; one module a kind.
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ml.data.base import UNLABELLED
from ml.data.importing import (
    annotations,
    archives,
    array_folders,
    arrays,
    boxes,
    class_folders,
    exports,
    hugging_face,
    lists,
    matlab_labels,
    named_files,
    numbered,
    tables,
    webdataset,
)
from ml.data.importing import sources as places
from ml.data.importing.choices import Choices, applied
from ml.data.importing.finder import TABLES, looks_like_a_picture
from ml.data.importing.records import Found, Unclear
from ml.data.importing.sources import Entry, Scratch, Source
from ml.images import upload_archives
from ml.images.file_names import clean
from ml.system.paths import home_dir

__all__ = ["Choices", "Found", "opened"]

COVERED = 0.5  # of the pictures: a table that says less of them does not go before their folders
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # beside pictures, as Hugging Face wants them


@contextlib.contextmanager
def opened(place: Path, choices: Choices | None = None, home: Path | None = None) -> Iterator[Found]:
    """What a folder, an archive or a file holds, as was chosen; its records can be read until it is closed.

    home: where what must be unpacked lies meanwhile, FASHION_HOME when None. Raises ValueError, in words, for what is
    nothing of all that is read here, and for choices about what is not there.
    """
    choices = choices or Choices()
    with contextlib.ExitStack() as stack:
        scratch = Scratch(stack, home or home_dir())
        source = _source(place, choices, stack, scratch)
        found = _recognised(source, str(place), choices, stack, scratch)
        found.notes[:0] = source.notes
        found.root = source.root
        found.records = [
            replace(one, split=UNLABELLED) if one.label is None and one.split != UNLABELLED else one
            for one in found.records
        ]
        yield applied(numbered.called(found, source.entries, choices.order), choices, str(place))


def _source(place: Path, choices: Choices, stack: contextlib.ExitStack, scratch: Scratch) -> Source:
    if place.is_dir():
        return places.folder(place)
    if not place.is_file():
        raise ValueError(f"{place} is not a folder or a file that is there")
    file = stack.enter_context(place.open("rb"))
    start, note = file.read(512), ""
    if start[:4] in upload_archives.ZIP and place.suffix.casefold() != ".npz":
        return archives.zipped(file, str(place), choices.code_page, scratch)
    packed = archives.packed(start)
    if packed:
        path, note = archives.plain(file, scratch)
        file = stack.enter_context(path.open("rb"))
        start = file.read(512)
    if archives.is_tar(start):
        return archives.tarred(file, str(place), scratch, note)
    if not packed:
        return places.single(place)
    inside = Entry(place.stem, functools.partial(path.read_bytes), whole=functools.partial(Path, path))
    return Source((inside,), (f"{place}: {note}",) if note else (), place.parent, "file")


def _recognised(source: Source, shown: str, choices: Choices, stack: contextlib.ExitStack, scratch: Scratch) -> Found:
    lone, order = source.kind == "file", choices.order
    pictures = any(looks_like_a_picture(entry.name) for entry in source.entries)
    tars = [(shown, source)] if source.kind == "tar" else webdataset.shards(source, scratch, stack)
    found: Found | None = webdataset.look(tars, source, shown, source.kind != "tar", order)
    if not found and not pictures:
        found = None if lone else array_folders.look(source, shown, order, choices.splits)
        found = found or arrays.look(source, lone, shown, scratch, order, turned=choices.turned)
    found = found or exports.look(source, lone, shown, scratch, order)
    if not found and not choices.columns:
        found = annotations.look(source, lone, shown, scratch, order)
    if not found and not lone and not choices.columns:
        found = lists.look(source, shown, order) or matlab_labels.look(source, shown, order)
    if found:
        return found
    files = [entry.name for entry in source.entries if not entry.is_folder]
    told = [name for name in files if name.casefold().endswith(TABLES) and "_deeplake_log/" not in name]
    described = all(name.casefold().endswith(".json") for name in told)
    if not lone and not pictures and described and (own := class_folders.unread(files, class_folders.STORES)):
        raise ValueError(f"{shown} holds no pictures{own}")
    try:
        found = _folders_or_tables(source, shown, choices, stack, scratch)
        if found.kind == named_files.KIND and not choices.columns:
            return annotations.drawn(source, lone, shown, order) or found
        if choices.columns or not all(map(class_folders.split_of, found.classes)):
            return found
        return _drawn(source, lone, shown, scratch, order) or found  # folders of splits alone are no classes
    except ValueError:
        if not choices.columns and (drawn := _drawn(source, lone, shown, scratch, order)):
            return drawn
        found = arrays.look(source, lone, shown, scratch, order, last=not pictures, turned=choices.turned)
        found = found or (webdataset.look(tars, source, shown, True, order) if tars else None)
        if not found:
            raise
        return found


def _drawn(source: Source, lone: bool, shown: str, scratch: Scratch, order: Sequence[str]) -> Found | None:
    found = boxes.look(source, lone, shown, scratch, order)
    return found or annotations.drawn(source, lone, shown, order)


def _folders_or_tables(
    source: Source, shown: str, choices: Choices, stack: contextlib.ExitStack, scratch: Scratch
) -> Found:
    lone, order = source.kind == "file", choices.order
    aside, noted = hugging_face.saved(source), annotations.are_notes(source)

    def counts(entry: Entry) -> bool:
        return aside.counts(entry) and not (noted and entry.name.casefold().endswith(".json"))

    read = tables.Tables(
        source, stack, scratch, choices.columns, lone=lone, names=aside.names, only=counts, splits=choices.splits
    )
    try:
        folders = class_folders.look(source.entries, shown, order, choices.splits)
    except ValueError as error:
        by_name = None if read.read else named_files.look(source, shown, order)
        if by_name is not None:
            return by_name
        if not read.read:
            words = _unknown(shown, read) if lone else _with_reason(str(error), read)
            raise (Unclear(words, read.unclear) if read.unclear else ValueError(words)) from error
        return read.found(shown, order)
    if all(map(class_folders.split_of, folders.classes)) and not read.sure:
        folders = named_files.look(source, shown, order) or folders
    if not read.read or not (choices.columns or read.hold_pictures or read.sure):
        return folders
    try:
        found = read.found(shown, order)
    except ValueError:
        if choices.columns or read.hold_pictures or all(map(class_folders.split_of, folders.classes)):
            raise
        return folders  # which say more than a table of fewer than two classes
    if choices.columns or read.hold_pictures or all(map(class_folders.split_of, folders.classes)):
        return found
    named = any(name.rpartition("/")[2] in METADATA for name in read.names_of_tables)
    return found if named or len(read.finder.used) >= COVERED * read.finder.pictures() else folders


def _with_reason(words: str, read: tables.Tables) -> str:
    """What folders say of a table that they know by its name alone, with why it was not read."""
    for name, reason in read.left_out.files:
        before, found, _ = words.partition(f"No column of {clean(name)} was found")
        if found:
            return f"{before}{clean(name)} is not read: {reason}"
    return words


def _unknown(shown: str, read: tables.Tables) -> str:
    why = [reason for _, reason in read.left_out.files]
    if own := class_folders.unread([shown]):
        return own.removeprefix(". ")
    if shown.casefold().endswith((".7z", ".rar", ".zst", ".lz4")):
        return f"{shown} is an archive of a kind that is not read: unpack it and give the folder, or make a zip of it"
    if looks_like_a_picture(shown):
        return f"{shown} is one picture: give the folder of folders called like classes that it lies in"
    return (
        f"{shown} is neither a folder nor a zip or tar of pictures, nor a table or a file of arrays that holds some"
        f"{f': {why[0]}' if why else ''}. What is read: docs/datasets.md"
    )
