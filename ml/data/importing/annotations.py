"""Notes on pictures as Supervisely, V7 Darwin, SuperAnnotate, VIA, SageMaker Ground Truth, Vertex AI and labelme write
them: a file for each picture, or one for all. One label each."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ml.data.importing import exports
from ml.data.importing.exports import MOST, OBJECTS, Export, Said, fields, json_of, objects
from ml.data.importing.records import Found
from ml.data.importing.rows import split_in, text
from ml.data.importing.sources import Entry, Scratch, Source
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way

LOOKED_AT = 12  # files of JSON, by which it is told whether each is about a picture
FEWEST = 8  # of them: fewer are of all pictures, and may be large
VIA_COLUMNS = {"filename", "file_attributes", "region_attributes"}
ML_USE = "aiplatform.googleapis.com/ml_use"
Tag = tuple[str, str]  # its name, and its value, '' for none


def look(source: Source, lone: bool, shown: str, scratch: Scratch, order: Sequence[str] = ()) -> Found | None:
    """What is said of pictures as wholes, None where nothing is. Raises ValueError, in words, for fewer than two
    classes."""
    entries = _files(source)
    found = [one for entry in entries if (one := _of_all(entry))]
    if not found and (each := _of_each(entries, TAGGED)):
        found = [_by_tags(*each)]
    found = [one for one in found if any(said.labels for said in one.said)]
    return exports.told(source, lone, shown, found, order) if found else None


def drawn(source: Source, lone: bool, shown: str, order: Sequence[str] = ()) -> Found | None:
    """The same by labelme's flags, which mean what somebody wants them to, and by what is drawn in a picture."""
    each = _of_each(_files(source), (LABELME, *TAGGED))
    if each is None:
        return None
    tool, entry, notes = each
    if any(tags for _, _, tags, _ in notes):
        return exports.told(source, lone, shown, [_by_tags(*each)], order)
    if not any(things for *_, things in notes):
        return None
    note = "boxes and outlines are not kept: a picture has the class of all things in it, where that is one"
    return exports.told(source, lone, shown, [Export(tool, entry, (), [*map(_thing, notes)])], order, note)


def are_notes(source: Source) -> bool:
    """Whether its files of JSON are about one picture each, and so no tables."""
    return _of_each(_files(source), (LABELME, *TAGGED), sampled=True) is not None


def _files(source: Source) -> list[Entry]:
    return [one for one in source.entries if one.whole is not None and not by_the_way(one.name)]


def _of_all(entry: Entry) -> Export | None:
    """Of a file that is about all pictures."""
    name = entry.name.casefold()
    try:
        if name.endswith((".manifest", ".jsonl", ".ndjson")):
            return _lines(entry)
        if name.endswith(".csv"):
            return _via_table(entry)
        if name.endswith(".json") and "via" in name.rpartition("/")[2]:
            value = fields(json_of(entry))
            return _via(entry, [*fields(value.get("_via_img_metadata", value)).values()])
    except (OSError, Refusal, csv.Error):
        return None
    return None


def _lines(entry: Entry) -> Export | None:
    """JSON lines of SageMaker Ground Truth or of Vertex AI; None once the first is neither's."""
    said: list[Said] = []
    tool = ""
    with entry.place().open("rb") as file:
        for line in file:
            try:
                row = fields(json.loads(line.removeprefix(b"\xef\xbb\xbf") or b"{}")) if line.strip() else {}
            except (ValueError, RecursionError):
                row = {}
            if not row and not line.strip():
                continue
            one = _ground_truth(row) if "source-ref" in row else _vertex(row) if "imageGcsUri" in row else None
            tool = tool or ("SageMaker Ground Truth" if "source-ref" in row else "Vertex AI")
            if one is None and not said:
                return None
            said.append(one or Said("", (), problem="the row names no file"))
    return Export(tool, entry, (), said) if said else None


def _ground_truth(row: dict[str, Any]) -> Said:
    """{"source-ref": …, "job": 0, "job-metadata": {"class-name": "cat"}}; of several labels a class-map."""
    labels: dict[str, None] = {}
    for key, value in row.items():
        about = fields(value) if key.endswith("-metadata") else {}
        names = [about["class-name"]] if "class-name" in about else [*fields(about.get("class-map")).values()]
        labels |= dict.fromkeys(map(text, names))
    return Said(text(row["source-ref"]), tuple(labels), split_in(text(fields(row.get("usage")))))


def _vertex(row: dict[str, Any]) -> Said:
    marks = [fields(row.get("classificationAnnotation")), *objects(row.get("classificationAnnotations"))]
    labels = dict.fromkeys(text(one["displayName"]) for one in marks if text(one.get("displayName")))
    use = text(fields(row.get("dataItemResourceLabels")).get(ML_USE))
    return Said(text(row["imageGcsUri"]), tuple(labels), split_in(use))


def _via_table(entry: Entry) -> Export | None:
    """VIA's CSV: a row for each region, and one for a picture without; its attributes are JSON in a cell."""
    with entry.place().open("rb") as file:
        head = file.readline(4096).decode("utf-8-sig", "replace").lstrip("#").strip().split(",")
        if not set(head) >= VIA_COLUMNS:
            return None
        whole = file.read(MOST).decode("utf-8", "replace")
    found: dict[str, dict[str, Any]] = {}
    for row in csv.DictReader(io.StringIO(whole), head):
        try:
            attributes = {
                key: fields(json.loads(row.get(key) or "{}")) for key in ("file_attributes", "region_attributes")
            }
        except (ValueError, RecursionError):
            continue
        name = str(row.get("filename") or "")
        one = found.setdefault(
            name, {"filename": name, "file_attributes": attributes["file_attributes"], "regions": []}
        )
        one["regions"].append({"region_attributes": attributes["region_attributes"]})
    return _via(entry, [*found.values()])


def _via(entry: Entry, items: Sequence[Any]) -> Export | None:
    """Pictures with attributes of the file, else of their regions; of several attributes the one whose values recur."""
    items = [one for one in items if isinstance(one, dict) and "filename" in one and "file_attributes" in one]
    if not items:
        return None
    regions = [objects(one.get("regions")) or objects([*fields(one.get("regions")).values()]) for one in items]
    for whole in (True, False):
        told = [
            [fields(one["file_attributes"])] if whole else [fields(part.get("region_attributes")) for part in parts]
            for one, parts in zip(items, regions, strict=True)
        ]
        if name := _recurring(told):
            labels = [dict.fromkeys(label for one in mine for label in _values(one.get(name))) for mine in told]
            said = [
                Said(str(one["filename"]), tuple(mine) if whole else tuple(mine)[:1],
                     problem="" if whole else OBJECTS * (len(mine) > 1))
                for one, mine in zip(items, labels, strict=True)
            ]  # fmt: skip
            return Export("VIA", entry, (), said)
    return None


def _recurring(told: Sequence[Sequence[dict[str, Any]]]) -> str:
    """The attribute that most pictures have, of those whose values are at least two, and recur; '' for none."""
    counts: dict[str, Counter[str]] = {}
    for mine in told:
        for attributes in mine:
            for name, value in attributes.items():
                counts.setdefault(name, Counter()).update(_values(value))
    fit = [name for name, values in counts.items() if 2 <= len(values) <= max(2, values.total() // 2)]
    return max(fit, key=lambda name: counts[name].total(), default="")


def _values(value: Any) -> list[str]:
    """Of an attribute: a text, or what is ticked among several."""
    return (
        [str(one) for one, on in value.items() if on]
        if isinstance(value, dict)
        else [text(value)]
        if text(value)
        else []
    )


Note = tuple[str, str, list[Tag], list[str]]
"""Path of a picture, split, what is told of it as a whole, and what is drawn in it."""
Kind = tuple[str, Callable[[Entry, dict[str, Any]], Note | None]]


def _of_each(
    entries: Sequence[Entry], kinds: Sequence[Kind], sampled: bool = False
) -> tuple[str, Entry, list[Note]] | None:
    """Of files that are about one picture each: whose they are, one of them, and what they say; of some alone where
    that is enough."""
    files = [one for one in entries if one.name.casefold().endswith(".json")]
    if len(files) < FEWEST:
        return None
    sample = [*_read(files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT])]
    for tool, of in kinds:
        if sum(of(*one) is not None for one in sample) * 2 > len(sample):
            every = sample if sampled else _read(files)
            return tool, files[0], [note for one in every if (note := of(*one)) is not None]
    return None


def _by_tags(tool: str, entry: Entry, notes: Sequence[Note]) -> Export:
    """Of one tag that has values, as of a question with answers, these are the labels."""
    every = [tag for _, _, tags, _ in notes for tag in tags]
    by_value = len({name for name, _ in every}) == 1 and any(value for _, value in every)
    said = []
    for path, split, tags, _ in notes:
        labels = dict.fromkeys(value if by_value else name for name, value in tags)
        said.append(Said(path, tuple(one for one in labels if one), split))
    return Export(tool, entry, (), said)


def _thing(note: Note) -> Said:
    things = dict.fromkeys(one for one in note[3] if one)
    return Said(note[0], tuple(things)[:1], note[1], OBJECTS if len(things) > 1 else "")


def _read(files: Sequence[Entry]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    for entry in files:
        try:
            yield entry, fields(json_of(entry))
        except (OSError, Refusal):
            continue


def _tags(value: object) -> list[Tag]:
    return [(text(one.get("name")), text(one.get("value"))) for one in objects(value)]


def _supervisely(entry: Entry, value: dict[str, Any]) -> Note | None:
    """train/ann/1.png.json, of train/img/1.png."""
    parts = entry.name.rpartition(".")[0].split("/")
    if len(parts) < 2 or parts[-2] != "ann" or not {"size", "tags", "objects"} <= value.keys():
        return None
    split = split_in(parts[-3]) if len(parts) > 2 else ""
    things = [text(one.get("classTitle")) for one in objects(value["objects"])]
    return "/".join([*parts[:-2], "img", parts[-1]]), split, _tags(value["tags"]), things


def _darwin(entry: Entry, value: dict[str, Any]) -> Note | None:
    item, marks = fields(value.get("item")), objects(value.get("annotations"))
    if "name" not in item or "annotations" not in value:
        return None
    path = f"{text(item.get('path')).strip('/')}/{text(item['name'])}".strip("/")
    tags = [(text(one.get("name")), "") for one in marks if "tag" in one]
    return path, "", tags, [text(one.get("name")) for one in marks if "tag" not in one]


def _superannotate(entry: Entry, value: dict[str, Any]) -> Note | None:
    about = fields(value.get("metadata"))
    if "name" not in about or "instances" not in value:
        return None
    marks = objects(value["instances"])
    tags = [(text(one), "") for one in exports.listed(value.get("tags"))]
    tags += [(text(one.get("className")), "") for one in marks if one.get("type") == "tag"]
    return text(about["name"]), "", tags, [text(one.get("className")) for one in marks if one.get("type") != "tag"]


def _labelme(entry: Entry, value: dict[str, Any]) -> Note | None:
    """1.json beside 1.png, which it names as somebody's machine had it."""
    if not {"imagePath", "shapes", "flags"} <= value.keys():
        return None
    folder, name = entry.name.rpartition("/")[0], text(value["imagePath"]).replace("\\", "/").rpartition("/")[2]
    flags = [(str(one), "") for one, on in fields(value["flags"]).items() if on is True]
    things = [text(one.get("label")) for one in objects(value["shapes"])]
    return f"{folder}/{name}".strip("/"), split_in(folder.rpartition("/")[2]), flags, things


TAGGED: tuple[Kind, ...] = (("Supervisely", _supervisely), ("V7 Darwin", _darwin), ("SuperAnnotate", _superannotate))
LABELME: Kind = ("labelme", _labelme)
