"""Data sets of things in pictures: COCO, Pascal VOC and YOLO. Where all things of a picture are of one class, that is
its label; boxes and outlines are not kept."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ml.data.importing import exports
from ml.data.importing.exports import OBJECTS, Export, Said, json_of, objects, parsed
from ml.data.importing.records import Found
from ml.data.importing.rows import split_in, text
from ml.data.importing.sources import Entry, Scratch, Source, looks_like_a_picture
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way

SAMPLE = 200  # files of text, by which YOLO's are told
LINE = re.compile(r"(\d+)((\s+[-+\d.eE]+){4,})\s*")  # a class by number, and a box or an outline
NAMED = re.compile(r"""^\s*(?:(\d+)\s*:|-)\s*(.+?)\s*(?:#.*)?$""")


def look(source: Source, lone: bool, shown: str, scratch: Scratch, order: Sequence[str] = ()) -> Found | None:
    """None where there is nothing of it. Raises ValueError, in words, where fewer than two classes are left."""
    entries = [one for one in source.entries if one.whole is not None and not by_the_way(one.name)]
    for kind in (_coco, _voc, _yolo):
        if found := kind(entries):
            note = "boxes and outlines are not kept: a picture has the class of all things in it, where that is one"
            return exports.told(source, lone, shown, found, order, note)
    return None


def _coco(entries: Sequence[Entry]) -> list[Export]:
    found = []
    for entry in [one for one in entries if one.name.casefold().endswith(".json")][: exports.MANY]:
        try:
            value = json_of(entry)
        except (OSError, Refusal):
            continue
        if isinstance(value, dict) and all(isinstance(value.get(one), list) for one in ("images", "annotations")):
            found += [export] if (export := _of_coco(entry, value)) else []
    return found


def _of_coco(entry: Entry, value: Mapping[str, Any]) -> Export | None:
    names = {one["id"]: text(one.get("name")) for one in objects(value.get("categories")) if _has(one, "id")}
    things: dict[Any, dict[str, None]] = {}
    for one in value["annotations"]:
        if _has(one, "image_id") and _has(one, "category_id") and (name := names.get(one["category_id"])):
            things.setdefault(one["image_id"], {})[name] = None
    if not things:
        return None
    folder, _, file = entry.name.rpartition("/")
    split = split_in(file.rpartition(".")[0]) or split_in(folder.rpartition("/")[2])
    said = [
        _said(str(one["file_name"]), things.get(one["id"], {}) if _has(one, "id") else {}, split)
        for one in value["images"]
        if _has(one, "file_name")
    ]
    used = {name for mine in things.values() for name in mine}
    return Export("COCO", entry, tuple(name for name in names.values() if name in used), said)


def _has(one: object, key: str) -> bool:
    return isinstance(one, dict) and isinstance(one.get(key), int | str)


def _said(path: str, labels: Mapping[str, None], split: str = "") -> Said:
    return Said(path, tuple(labels)[:1], split, OBJECTS if len(labels) > 1 else "")


def _voc(entries: Sequence[Entry]) -> list[Export]:
    """A file for each picture: <annotation><filename/><object><name/>."""
    files = [one for one in entries if one.name.casefold().endswith(".xml")]
    pictures = {one.name.rpartition("/")[2].rpartition(".")[0] for one in entries if looks_like_a_picture(one.name)}
    found = []
    for entry in files:
        stem = entry.name.rpartition("/")[2].rpartition(".")[0]
        try:
            export = _of_voc(entry, stem) if stem in pictures else None
        except (OSError, Refusal):
            export = None
        found += [export] if export else []
    labelled = any(said.labels for export in found for said in export.said)
    return found if labelled and len(found) * 2 > len(files) else []


def _of_voc(entry: Entry, stem: str) -> Export | None:
    path: list[str] = []
    labels: dict[str, None] = {}
    words: list[str] = []

    def begin(name: str, given: dict[str, str]) -> None:
        path.append(name)
        words.clear()

    def end(name: str) -> None:
        if path[-2:] == ["object", "name"] and len(path) == 3 and (label := text("".join(words))):
            labels[label] = None
        path.pop()

    if not parsed(entry, begin, words.append, end, b"<annotation"):
        return None
    folder = entry.name.rpartition("/")[0]
    split = next((found for part in reversed(folder.split("/")) if (found := split_in(part))), "")
    return Export("Pascal VOC", entry, (), [_said(stem, labels, split)])


def _yolo(entries: Sequence[Entry]) -> list[Export]:
    """A text for each picture, a line for each thing that begins with the number of its class."""
    pictures = {one.name.rpartition(".")[0]: one.name for one in entries if looks_like_a_picture(one.name)}
    pairs = []
    for entry in (one for one in entries if one.name.casefold().endswith(".txt")):
        stem = entry.name.rpartition(".")[0]
        beside = re.sub(r"(^|/)labels(/|$)", r"\1images\2", stem)
        if picture := pictures.get(beside) or pictures.get(stem):
            pairs.append((entry, picture))
    if len(pairs) * 2 < len(pictures) or not pairs:
        return []
    named, said = _names(entries), []
    for i, (entry, picture) in enumerate(pairs):
        try:
            lines = [one for one in entry.content().decode("utf-8", "replace").splitlines() if one.strip()]
        except (OSError, Refusal):
            continue
        things = [LINE.fullmatch(one.strip()) for one in lines]
        if not all(things):
            if i < SAMPLE:
                return []
            continue
        labels = {named.get(int(one[1]), one[1]): None for one in things if one}
        split = next((found for part in picture.split("/")[:-1] if (found := split_in(part))), "")
        said.append(_said(picture, labels, split))
    used = {label for one in said for label in one.labels}
    return [Export("YOLO", pairs[0][0], tuple(name for name in named.values() if name in used), said)] if used else []


def _names(entries: Sequence[Entry]) -> dict[int, str]:
    """Names of classes by number: data.yaml's names, or a line each of classes.txt."""
    for entry in entries:
        name = entry.name.rpartition("/")[2].casefold()
        lines = name in ("classes.txt", "obj.names", "classes.names")
        if not lines and not name.endswith((".yaml", ".yml")):
            continue
        try:
            content = entry.content().decode("utf-8", "replace")
        except (OSError, Refusal):
            continue
        if lines:
            return dict(enumerate(text(one) for one in content.splitlines() if one.strip()))
        if found := _in_yaml(content):
            return found
    return {}


def _in_yaml(content: str) -> dict[int, str]:
    """`names: [a, b]`, or a line each below `names:`, `0: a` or `- a`; of YAML nothing else is read."""
    whole = re.search(r"^names\s*:\s*\[(.*?)\]", content, re.MULTILINE | re.DOTALL)
    if whole:
        return dict(enumerate(text(one.strip().strip("'\"")) for one in whole[1].split(",") if one.strip()))
    found: dict[int, str] = {}
    _, mark, below = content.partition("\nnames:") if "\nnames:" in content else ("", "", content)
    if not mark and not content.startswith("names:"):
        return {}
    for line in below.removeprefix("names:").splitlines()[1:] if mark else content.splitlines()[1:]:
        match = NAMED.match(line)
        if match is None:
            if line.strip() and not line.startswith((" ", "\t", "#")):
                break
            continue
        found[int(match[1]) if match[1] else len(found)] = text(match[2].strip("'\""))
    return found
