"""Exports of tools for labelling: Label Studio, CVAT, Datumaro, Roboflow, FiftyOne, Create ML, Kili. One label each."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from ml.data.importing.class_folders import split_of
from ml.data.importing.finder import Finder
from ml.data.importing.records import Found, LeftOut
from ml.data.importing.rows import Row, found, split_in, text
from ml.data.importing.sources import Entry, Scratch, Source
from ml.data.importing.tables import NOT_NAMED
from ml.data.importing.text_tables import TextTable
from ml.images.decoding import Refusal
from ml.images.file_names import by_the_way, clean

MOST = 400_000_000  # bytes of an export, which is read as a whole
MANY = 100  # files of JSON
OBJECTS = "the things in it are of several classes"
SHAPES = ("box", "polygon", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton")  # that CVAT draws
SEVERAL, DISAGREE = "it has several labels", "those who labelled it disagree"
CLASSES_CSV = "_classes.csv"


@dataclass(frozen=True)
class Said:
    """What an export says of a picture. labels: all that it gives; split: '' where it says none."""

    path: str
    labels: tuple[str, ...]
    split: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Export:
    """One file of a tool. classes: in its order, where it has one."""

    tool: str
    entry: Entry
    classes: tuple[str, ...]
    said: Sequence[Said]


def look(source: Source, lone: bool, shown: str, scratch: Scratch, order: Sequence[str] = ()) -> Found | None:
    """What an export says, None where there is none. Raises ValueError, in words, for one without labels."""
    left_out, exports = LeftOut(), []
    for entry in _few(source.entries):
        if entry.whole is not None and not by_the_way(entry.name):
            try:
                export = _export(entry, scratch)
            except (OSError, Refusal) as error:
                left_out.add(entry.name, str(error))
                continue
            exports += [export] if export else []
    return told(source, lone, shown, exports, order, left_out=left_out) if exports else None


def told(
    source: Source, lone: bool, shown: str, exports: Sequence[Export], order: Sequence[str] = (), note: str = "",
    left_out: LeftOut | None = None,
) -> Found:  # fmt: skip
    """The records of exports. note: a sentence more. Raises ValueError, in words, where they have too few classes."""
    left_out = left_out or LeftOut()
    finder, rows, known = Finder(source, lone), [], dict[str, None]()
    for export in exports:
        known |= dict.fromkeys(export.classes)
        folder = export.entry.name.rpartition("/")[0]
        for one in export.said:
            picture = finder.find(one.path, folder, one.split) if one.path else "it names no file"
            why = one.problem or (SEVERAL if len(one.labels) > 1 else "")
            why = why or (picture if isinstance(picture, str) else picture.problem)
            if why or isinstance(picture, str):
                left_out.add(one.path or export.entry.name, why)
            else:
                label = text(one.labels[0]) if one.labels else ""
                rows.append(Row(picture.name, label, one.split, read=picture.content, path=picture.name))
    for name in finder.unused():
        left_out.add(name, NOT_NAMED)
    crowded = left_out.counts().get(OBJECTS, 0)
    if crowded and not any(row.label for row in rows):
        raise ValueError(
            f"{shown}: in each of {crowded:,} pictures are things of several classes, and here a picture has one: "
            "cut the things out, each into a folder called like its class"
        )
    tools = dict.fromkeys(export.tool for export in exports)
    kind = f"an export of {', '.join(tools)}"
    notes = [f"{kind}: {clean(exports[0].entry.name)}"]
    notes += [note] if note else []
    if without := sum(not row.label for row in rows):
        notes.append(f"{without:,} of {len(rows):,} pictures have no label")
    return found(shown, kind, rows, left_out, notes, known=[*known], order=order)


def _few(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Those that may be exports; where there is JSON beside each picture, none of that."""
    json_files = sum(one.name.casefold().endswith(".json") for one in entries)
    for one in entries:
        if json_files <= MANY or not one.name.casefold().endswith(".json"):
            yield one


def _export(entry: Entry, scratch: Scratch) -> Export | None:
    name = entry.name.casefold().rpartition("/")[2]
    if name == CLASSES_CSV:
        return _roboflow(entry, scratch)
    if name.endswith(".xml"):
        return _cvat(entry)
    if name == "info.labels":
        return _edge_impulse(entry, json_of(entry))
    if not name.endswith(".json"):
        return None
    value = json_of(entry)
    if isinstance(value, dict) and (labels := _of_pictures(entry, value)):
        return labels
    if isinstance(value, dict) and isinstance(value.get("labels"), dict) and "classes" in value:
        return _fiftyone(entry, value)
    if isinstance(value, dict) and isinstance(value.get("items"), list) and isinstance(value.get("categories"), dict):
        return _datumaro(entry, value)
    if isinstance(value, dict) and any("filepath" in one for one in objects(value.get("samples"))[:20]):
        return _samples(entry, value)
    if (rows := objects(value)) and (export := _create_ml(entry, rows) or _kili(entry, rows)):
        return export
    tasks = value if isinstance(value, list) else []
    if tasks and all(isinstance(one, dict) and isinstance(one.get("data"), dict) for one in tasks[:20]):
        return _label_studio(entry, tasks)
    return None


def _of_pictures(entry: Entry, value: dict[str, Any]) -> Export | None:
    """COCO's form without boxes, as iNaturalist's and other contests' sets have it: a category for each picture."""
    said, images = objects(value.get("annotations")), objects(value.get("images"))
    boxed = any(key in one for one in said for key in ("bbox", "segmentation", "keypoints", "caption"))
    names = {
        one["id"]: text(one.get("name")) for one in objects(value.get("categories")) if isinstance(one.get("id"), int)
    }
    if boxed or not names or not said or not any("file_name" in one for one in images):
        return None
    of: dict[Any, dict[str, None]] = {}
    for one in said:
        if all(isinstance(one.get(key), int | str) for key in ("image_id", "category_id")):
            of.setdefault(one["image_id"], {})[names.get(one["category_id"], "")] = None
    folder, _, file = entry.name.rpartition("/")
    split = split_in(file.rpartition(".")[0]) or split_in(folder.rpartition("/")[2])
    used = {name for mine in of.values() for name in mine}
    pictures = [
        Said(one["file_name"], tuple(of.get(one["id"], ())), split)
        for one in images
        if isinstance(one.get("file_name"), str) and isinstance(one.get("id"), int | str)
    ]
    return Export("COCO", entry, tuple(name for name in names.values() if name in used), pictures)


def _edge_impulse(entry: Entry, value: Any) -> Export | None:
    """The info.labels of its export: path, category (training, testing) and label of each file."""
    said = []
    for one in objects(fields(value).get("files")):
        label = fields(one.get("label"))
        word = text(label.get("label")) if label.get("type") == "label" else ""
        said.append(Said(text(one.get("path")), (word,) if word else (), split_of(text(one.get("category")))))
    return Export("Edge Impulse", entry, (), said) if said else None


def json_of(entry: Entry) -> Any:
    with entry.place().open("rb") as file:
        content = file.read(MOST + 1)
    try:
        return json.loads(content.removeprefix(b"\xef\xbb\xbf")) if len(content) <= MOST else None
    except (ValueError, RecursionError):
        return None  # JSON lines, which is a table, or broken, which tables say


def listed(value: object) -> list[Any]:
    """A list as it is, [] for anything else: what others write need not be what their format promises."""
    return value if isinstance(value, list) else []


def fields(value: object) -> dict[str, Any]:
    """An object as it is, {} for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in listed(value) if isinstance(one, dict)]


def _fiftyone(entry: Entry, value: dict[str, Any]) -> Export:
    """labels: file without its suffix → id or name of a class, or an object with that."""
    classes = [str(one) for one in listed(value["classes"])]
    said = []
    for path, label in value["labels"].items():
        label = label.get("label") if isinstance(label, dict) else label
        problem = ""
        if isinstance(label, int) and classes:
            problem = "" if 0 <= label < len(classes) else f"its label, {label}, is none of the classes"
            label = "" if problem else classes[label]
        labels = tuple(map(text, label)) if isinstance(label, list) else (text(label),) if text(label) else ()
        said.append(Said(path, labels, problem=problem))
    return Export("FiftyOne", entry, tuple(classes), said)


def _samples(entry: Entry, value: dict[str, Any]) -> Export | None:
    """FiftyOne's own form: samples with fields of its class Classification, of which ground_truth counts,
    else the first; splits are tags."""
    samples = objects(value["samples"])
    named = [key for one in samples for key, field in one.items() if fields(field).get("_cls") == "Classification"]
    if not named:
        return None
    key = "ground_truth" if "ground_truth" in named else named[0]
    said = []
    for one in samples:
        splits = {split for tag in listed(one.get("tags")) if (split := split_of(text(tag)))}
        label = text(fields(one.get(key)).get("label"))
        said.append(
            Said(text(one.get("filepath")), (label,) if label else (), splits.pop() if len(splits) == 1 else "")
        )
    return Export("FiftyOne", entry, (), said)


def _create_ml(entry: Entry, rows: list[dict[str, Any]]) -> Export | None:
    """Apple's: a picture and the things in it, each with a label; the file or its folder is called like its split."""
    image = next((key for key in ("image", "imagefilename", "filename") if key in rows[0]), "")
    things = next((key for key in ("annotations", "annotation") if key in rows[0]), "")
    if not image or not any("label" in one for row in rows for one in objects(row.get(things))):
        return None
    folder, _, file = entry.name.rpartition("/")
    split = split_in(file.rpartition(".")[0]) or split_in(folder.rpartition("/")[2])
    said = []
    for row in rows:
        labels = tuple(dict.fromkeys(text(one.get("label")) for one in objects(row.get(things))))
        said.append(Said(text(row.get(image)), labels[:1], split, OBJECTS if len(labels) > 1 else ""))
    return Export("Create ML", entry, (), said)


def _kili(entry: Entry, rows: list[dict[str, Any]]) -> Export | None:
    """Pictures by externalId, each with answers to jobs; the first job in which a class was chosen counts."""
    if not all("externalId" in one and "labels" in one for one in rows[:20]):
        return None
    said, job = [], ""
    for row in rows:
        votes = []
        for one in objects(row["labels"]) if isinstance(row.get("labels"), list) else ():
            answers = {name: objects(fields(answer).get("categories"))
                       for name, answer in fields(one.get("jsonResponse")).items()}  # fmt: skip
            job = job or next((name for name, chosen in answers.items() if chosen), "")
            chosen = tuple(text(one.get("name")) for one in answers.get(job, ()))
            votes += [(one.get("labelType") == "REVIEW", chosen)] if chosen else []
        votes = [vote for vote in votes if vote[0]][-1:] or votes
        disagree = len({chosen for _, chosen in votes}) > 1
        said.append(Said(text(row.get("externalId")), votes[0][1] if votes else (), problem=DISAGREE * disagree))
    return Export("Kili", entry, (), said) if job else None


def _datumaro(entry: Entry, value: dict[str, Any]) -> Export | None:
    """items with annotations of the type label; the file is called like its subset."""
    named = fields(value["categories"].get("label")).get("labels")
    if not isinstance(named, list):
        return None
    classes = [str(one.get("name")) for one in objects(named)]
    split = split_in(entry.name.rpartition("/")[2].rpartition(".")[0])
    said = []
    for item in objects(value["items"]):
        media = fields(item.get("image") or item.get("media"))
        ids = [one.get("label_id") for one in objects(item.get("annotations")) if one.get("type") == "label"]
        known = [one for one in ids if isinstance(one, int) and 0 <= one < len(classes)]
        problem = "" if len(known) == len(ids) else "its label is none of the classes"
        labels = dict.fromkeys(classes[one] for one in known)
        said.append(Said(str(media.get("path") or item.get("id", "")), tuple(labels), split, problem))
    return Export("Datumaro", entry, tuple(classes), said)


def _label_studio(entry: Entry, tasks: list[Any]) -> Export:
    """Tasks with annotations, of which each has results; the first choice that a project asks for is the label."""
    said, asked = [], ""
    drawn: list[Said] = []  # by what is drawn in a picture, where nothing was chosen of any
    for task in tasks:
        data = fields(fields(task).get("data"))
        path = next((str(one) for one in data.values() if isinstance(one, str)), "")
        votes: list[tuple[str, ...]] = []
        things: dict[str, None] = {}
        for annotation in objects(task.get("annotations") or task.get("completions")) if data else ():
            results = [] if annotation.get("was_cancelled") else objects(annotation.get("result"))
            choices = [one for one in results if _choice(one)]
            things |= dict.fromkeys(text(label) for one in results for label in _drawn(one))
            asked = asked or next((str(one.get("from_name")) for one in choices), "")
            path = next((str(data[to]) for one in choices if (to := str(one.get("to_name"))) in data), path)
            mine = [_choice(one) for one in choices if str(one.get("from_name")) == asked]
            votes += [tuple(map(text, mine[0]))] if mine else []
        labels = votes[0] if votes else ()
        said.append(Said(path, labels, problem=DISAGREE if len({*votes}) > 1 else ""))
        drawn.append(Said(path, tuple(things)[:1], problem=OBJECTS if len(things) > 1 else ""))
    said = said if any(one.labels for one in said) else drawn
    return Export("Label Studio", entry, (), said)


def _choice(result: dict[str, Any]) -> list[Any]:
    """What was chosen: of a tree of classes the last one on each way."""
    value = fields(result.get("value"))
    if result.get("type") == "taxonomy":
        return [way[-1] for way in map(listed, listed(value.get("taxonomy"))) if way]
    return listed(value.get("choices")) if result.get("type") == "choices" else []


def _drawn(result: dict[str, Any]) -> list[Any]:
    """Labels of a box, an outline or a stroke."""
    kind, value = str(result.get("type")), fields(result.get("value"))
    return listed(value.get(kind)) if kind.endswith("labels") and kind != "labels" else []


def _roboflow(entry: Entry, scratch: Scratch) -> Export | None:
    """A column for each class, of which one is 1; the folder is a split."""
    table = TextTable(entry.place(), entry.name, lambda cell: False, scratch.path)
    try:
        classes = table.columns[1:]
        split = split_in(entry.name.rpartition("/")[0].rpartition("/")[2])
        said = []
        for row in table.rows(table.columns):
            if isinstance(row, str):
                said.append(Said("", (), split, row))
            else:
                labels = tuple(name for name, cell in zip(classes, row[1:], strict=True) if text(cell) in ("1", "1.0"))
                said.append(Said(row[0], labels, split))
    finally:
        table.close()
    return Export("Roboflow", entry, tuple(classes), said)


def _cvat(entry: Entry) -> Export | None:
    """CVAT for images: <image name="…"><tag label="…"/></image>, and the project's labels in their order."""
    classes: list[str] = []
    said: list[Said] = []
    drawn: list[Said] = []  # by what is drawn in a picture, where none has a tag
    of_file = split_of(entry.name.rpartition("/")[2].rpartition(".")[0])
    path: list[str] = []
    now: dict[str, Any] = {}

    def begin(name: str, given: dict[str, str]) -> None:
        path.append(name)
        if name == "image":
            split = split_in(given.get("subset", "")) or of_file
            now.update(path=given.get("name", ""), split=split, labels={}, drawn={})
        elif name == "tag" and path[-2:-1] == ["image"]:
            now["labels"][given.get("label", "")] = None
        elif name in SHAPES and path[-2:-1] == ["image"]:
            now["drawn"][given.get("label", "")] = None

    def words(data: str) -> None:
        if path[-3:] == ["labels", "label", "name"]:
            classes.append(data)

    def end(name: str) -> None:
        path.pop()
        if name == "image":
            said.append(Said(now["path"], tuple(now["labels"]), now["split"]))
            drawn.append(Said(now["path"], tuple(now["drawn"])[:1], now["split"], OBJECTS * (len(now["drawn"]) > 1)))

    if not parsed(entry, begin, words, end, b"<annotations") or not said:
        return None
    said = said if any(one.labels for one in said) else drawn
    used = {label for one in said for label in one.labels}
    return Export("CVAT", entry, tuple(one for one in classes if one in used), said) if used else None


def parsed(
    entry: Entry, begin: Callable[..., None], words: Callable[..., None], end: Callable[..., None], mark: bytes
) -> bool:
    """Whether a file is XML that begins with an element, which is walked through. mark: of that element's beginning.
    Raises Refusal for entities of its own, and for broken XML."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = begin, words, end

    def refuse(*_: object) -> None:
        raise Refusal("it declares entities of its own, which are not read")

    parser.EntityDeclHandler = refuse
    with entry.place().open("rb") as file:
        if mark not in file.read(4096):
            return False
        file.seek(0)
        try:
            parser.ParseFile(file)
        except expat.ExpatError as error:
            raise Refusal(f"it is broken XML: {error}") from None
    return True
