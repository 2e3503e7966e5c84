"""Tars as WebDataset writes them: a sample is what has one key, the name up to its first dot."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ml.data.importing import archives
from ml.data.importing.class_folders import split_of
from ml.data.importing.columns import LABELS
from ml.data.importing.finder import looks_like_a_picture
from ml.data.importing.records import Found, LeftOut
from ml.data.importing.rows import Row, found, split_in, text
from ml.data.importing.sources import Entry, Scratch, Source
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean

TARS = (".tar", ".tar.gz", ".tgz")
LABEL_FILES = ("cls", "json", "txt")  # the surer first
ARRAYS = ("npy", "npz", "pth", "pyd", "ten")
NAMES = ("classnames.txt", "classes.txt", "class_names.txt")  # of classes by id, beside shards
ONE_PICTURE = "its sample has another picture, which is taken: names up to their first dot are one sample"


@dataclass(slots=True)
class _Sample:
    """Files of one key, by what follows the first dot; again: pictures beside the first of a kind. split: of its
    shard."""

    key: str
    split: str
    files: dict[str, Entry] = field(default_factory=dict)
    again: tuple[Entry, ...] = ()

    def ending(self, suffix: str) -> Entry | None:
        return next((self.files[one] for one in self.files if f".{one}".endswith(f".{suffix}")), None)

    def pictures(self) -> list[Entry]:
        return [entry for suffix, entry in self.files.items() if looks_like_a_picture(f".{suffix}")]


def shards(source: Source, scratch: Scratch, stack: contextlib.ExitStack) -> list[tuple[str, Source]]:
    """The tars that lie in a source, opened, each with its name."""
    opened = []
    for entry in source.entries:
        if entry.whole is None or by_the_way(entry.name) or not entry.name.casefold().endswith(TARS):
            continue
        file, note = stack.enter_context(entry.place().open("rb")), ""
        if archives.packed(file.read(6)):
            path, note = archives.plain(file, scratch)
            file = stack.enter_context(path.open("rb"))
        file.seek(0)
        if archives.is_tar(file.read(512)):
            inside = archives.tarred(file, clean(entry.name), scratch, note)
            opened.append((entry.name, inside))
    return opened


def look(
    parts: Iterable[tuple[str, Source]], beside: Source, shown: str, sure: bool, order: Sequence[str] = ()
) -> Found | None:
    """What samples tars hold, None where they are no samples. parts: with the names of the tars; sure: whether texts
    count as labels, which may as well be captions of pictures whose folders tell their class."""
    left_out, samples = LeftOut(), list[_Sample]()
    notes: list[str] = []
    for name, source in parts:
        notes += source.notes
        split = split_in(name.rpartition("/")[2].partition(".")[0]) or split_of(
            name.rpartition("/")[0].rpartition("/")[2]
        )
        samples += _samples(source, split, left_out)
    pictured = [one for one in samples if one.pictures()]
    arrays = sum(any(one.ending(kind) for kind in ARRAYS) and one.ending("cls") is not None for one in samples)
    if not pictured and samples and arrays * 2 >= len(samples):
        raise ValueError(
            f"{shown}: the samples hold their pictures as arrays ({', '.join(ARRAYS)}), which are not read: write them "
            "anew as png or jpg, or as one npz with images and labels"
        )
    kinds = LABEL_FILES if sure else LABEL_FILES[:2]
    counts = {kind: sum(one.ending(kind) is not None for one in pictured) for kind in kinds}
    kind = next((kind for kind in kinds if counts[kind] * 2 >= len(pictured) > 0), None)
    if kind is None:
        return None
    known = _names(beside)
    rows, field_of = [], ""
    for one in pictured:
        picture, *more = [*one.pictures(), *one.again]
        for entry in more:
            left_out.add(entry.name, ONE_PICTURE)
        if picture.problem:
            left_out.add(picture.name, picture.problem)
            continue
        value, column = _said(one.ending(kind), kind)
        field_of = field_of or column
        if value is None:
            left_out.add(picture.name, "its label cannot be read")
            continue
        if known and value.isdigit() and int(value) < len(known):
            value = known[int(value)]
        rows.append(Row(picture.name, value, one.split, read=picture.content, path=picture.name))
    for one in samples:
        if not one.pictures():
            for entry in one.files.values():
                if entry.name.rpartition("/")[2] not in NAMES:
                    left_out.add(entry.name, entry.problem or "its sample has no picture")
    label = f"{field_of!r} of .json" if kind == "json" else f".{kind}"
    notes.insert(0, f"samples of WebDataset: names up to the first dot belong together, labels stand in {label}")
    return found(
        shown,
        "samples of WebDataset",
        rows,
        left_out,
        notes,
        known=known if {*known} & {row.label for row in rows} else (),
        order=order,
    )


def _samples(source: Source, split: str, left_out: LeftOut) -> list[_Sample]:
    samples: dict[str, _Sample] = {}
    for entry in source.entries:
        if entry.is_folder:
            continue
        if by_the_way(entry.name):
            left_out.by_systems.append(clean(entry.name))
            continue
        folder, slash, name = entry.name.rpartition("/")
        key, _, suffix = name.partition(".")
        sample = samples.setdefault(folder + slash + key, _Sample(folder + slash + key, split))
        suffix = suffix.casefold()
        if suffix in sample.files and looks_like_a_picture(f".{suffix}"):
            sample.again = (*sample.again, entry)
        else:
            sample.files.setdefault(suffix, entry)
    return [*samples.values()]


def _said(entry: Entry | None, kind: str) -> tuple[str | None, str]:
    """The label in a file, '' for none, None where it cannot be read; and the field of JSON that has it."""
    if entry is None:
        return "", ""
    try:
        content = entry.content().decode("utf-8-sig")
        if kind != "json":
            return text(content), ""
        value = json.loads(content)
    except (OSError, Refusal, ValueError, RecursionError):
        return None, ""
    if not isinstance(value, dict):
        return text(value), ""
    named = {one.casefold().replace("_", "").replace(" ", ""): one for one in value}
    fields = [named[label] for label in LABELS if label in named]
    column = next((one for one in fields if isinstance(value[one], str)), fields[0] if fields else "")
    return text(value.get(column)), column


def _names(source: Source) -> list[str]:
    for entry in source.entries:
        if entry.name.rpartition("/")[2].casefold() in NAMES:
            with contextlib.suppress(OSError, Refusal):
                return [
                    line.strip() for line in entry.content().decode("utf-8", "replace").splitlines() if line.strip()
                ]
    return []
