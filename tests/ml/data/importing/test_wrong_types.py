"""JSON of tools for labelling in which any one value is of another type: taken, left out or refused in words."""

import copy
import json

import pytest

from ml.data import importing
from tests.ml.data.importing.seen import LABELS, N
from tests.ml.data.importing.test_boxes import coco
from tests.ml.data.importing.test_exports import task

OTHERS = (None, 5, True, "x", [[1]], {"a": [1]})


def result(kind, value):
    """A Label Studio export of one result for each picture."""
    about = {"type": kind, "from_name": "kind", "to_name": "image"}
    tasks = [task(i, LABELS[i]) for i in range(N)]
    for one, label in zip(tasks, LABELS, strict=True):
        one["annotations"][0]["result"] = [about | {"value": value(label)}]
    return tasks


EXPORTS = {
    "COCO": coco(range(N)),
    "choices": [task(i, LABELS[i]) for i in range(N)],
    "boxes": result("rectanglelabels", lambda label: {"x": 1, "rectanglelabels": [label]}),
    "taxonomy": result("taxonomy", lambda label: {"taxonomy": [["thing", label]]}),
    "FiftyOne": {"classes": ["block", "ring"], "labels": {f"{i:03}": LABELS[i] for i in range(N)}},
    "Create ML": [{"image": f"{i:03}.png", "annotations": [{"label": LABELS[i]}]} for i in range(N)],
    "Kili": [
        {"externalId": f"{i:03}", "labels": [{"jsonResponse": {"KIND": {"categories": [{"name": LABELS[i]}]}}}]}
        for i in range(N)
    ],
    "FiftyOne's own": {
        "samples": [
            {"filepath": f"{i:03}.png", "tags": ["train"], "truth": {"_cls": "Classification", "label": LABELS[i]}}
            for i in range(N)
        ]
    },
    "Datumaro": {
        "categories": {"label": {"labels": [{"name": "block"}, {"name": "ring"}]}},
        "items": [
            {"id": f"{i:03}", "image": {"path": f"{i:03}.png"}, "annotations": [{"type": "label", "label_id": i % 2}]}
            for i in range(N)
        ],
    },
}


def ways(value, at=()):
    """Where values lie; of a list its first two."""
    if at:
        yield at
    for key in value if isinstance(value, dict) else range(min(len(value), 2)) if isinstance(value, list) else ():
        yield from ways(value[key], (*at, key))


@pytest.mark.parametrize("name", EXPORTS)
def test_one_value_of_another_type(put, name):
    place, told, refused = put("images"), 0, 0
    for way in ways(EXPORTS[name]):
        for other in OTHERS:
            changed = copy.deepcopy(EXPORTS[name])
            inner = changed
            for key in way[:-1]:
                inner = inner[key]
            inner[way[-1]] = other
            (place / "export.json").write_text(json.dumps(changed), encoding="utf-8")
            try:
                with importing.opened(place, importing.Choices()) as found:
                    told += len(found.classes) == 2
            except ValueError:
                refused += 1
    assert told > refused, "one value is not the whole file"
