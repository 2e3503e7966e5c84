"""Data sets of things in pictures, as COCO, VOC, YOLO and tools for labelling write them."""

import json
import shutil

import pytest

from ml.data.importing.boxes import _in_yaml
from tests.ml.data.importing.seen import LABELS, N, Seen, written

NAMES = ("ring", "block")
SHAPE = {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5]]}


def coco(rows, *, folder="", more=()):
    things = [{"id": i, "image_id": i, "category_id": 10 * (1 + NAMES.index(LABELS[i])), **SHAPE} for i in rows]
    return {
        "images": [{"id": i, "file_name": f"{folder}{i:03}.png"} for i in rows],
        "annotations": [*things, *things[:2], *more],
        "categories": [{"id": 0, "name": "none of it"}, {"id": 20, "name": "block"}, {"id": 10, "name": "ring"}],
    }


def voc(label):
    thing = f"<object><name>{label}</name><part><name>ear</name></part><bndbox><xmin>1</xmin></bndbox></object>"
    return f"<annotation><filename>elsewhere.jpg</filename>{thing}{thing}</annotation>"


def check(place, classes, splits=None):
    seen = Seen(place)
    assert seen.classes == classes
    names = [one.name for one in seen.records]
    assert seen.labels == [LABELS[int(name[-7:-4])] for name in names]
    assert len(names) == N
    if splits:
        assert {*seen.splits} == splits
    return seen


@pytest.mark.parametrize("where", ["images/", ""])
def test_coco(put, where):
    place = put(where or ".")
    written(place / "annotations" / "instances_train.json", coco(range(N)))
    assert "boxes and outlines are not kept" in "\n".join(check(place, ("block", "ring")).found.notes)


def test_folders_of_splits_with_coco_in_or_beside_them(put, tmp_path):
    """Folders called train2017 and val2017 alone were taken for classes."""
    parts = {"train": range(N - 8), "val": range(N - 8, N)}
    for name, rows in parts.items():
        written(put(f"{name}2017", rows) / "annotations" / f"instances_{name}2017.json", coco(rows))
    check(tmp_path / "set", ("block", "ring"), {"train", "validation"})
    shutil.rmtree(tmp_path / "set")
    for name, rows in parts.items():  # as Roboflow has it
        written(put(name, rows) / name / "_annotations.coco.json", coco(rows))
    check(tmp_path / "set", ("block", "ring"), {"train", "validation"})


def test_things_of_several_classes_in_one_picture(put):
    place = put("images")
    other = {"image_id": 3, "category_id": 10 if LABELS[3] == "block" else 20}
    written(place / "all.json", coco(range(N), more=[other]))
    seen = Seen(place)
    assert len(seen.records) == N - 1
    assert "the things in it are of several classes" in seen.found.left_out.counts()
    both = [{"image_id": i, "category_id": c} for i in range(N) for c in (10, 20)]
    written(place / "all.json", coco(range(N), more=both))
    with pytest.raises(ValueError, match="things of several classes, and here a picture has one: cut the things out"):
        Seen(place)


def test_pascal_voc(put):
    place = put("JPEGImages")
    for i in range(N):
        written(place / "Annotations" / f"{i:03}.xml", voc(LABELS[i]))
    check(place, ("block", "ring"))


def test_folders_of_classes_go_before_boxes_in_their_pictures(put):
    place = put("one", range(5))
    put("other", range(5, N))
    for i in range(N):
        written(place / "Annotation" / f"{i:03}.xml", voc(LABELS[i]))
    assert Seen(place).classes == ("one", "other")


YAML = (
    "names: ['ring', \"block\"]\nnc: 2\n",
    "path: .\nnames:\n  0: ring\n  1: block  # of wood\nnc: 2\n",
    "nc: 2\nnames:\n- ring\n- block\n",
)


@pytest.mark.parametrize("names", YAML)
def test_yolo(put, names):
    assert _in_yaml(names) == dict(enumerate(NAMES))
    for part, rows in (("train", range(N - 6)), ("val", range(N - 6, N))):
        place = put(f"images/{part}", rows)
        for i in rows:
            line = f"{NAMES.index(LABELS[i])} 0.5 0.5 0.25 0.25\n"
            written(place / "labels" / part / f"{i:03}.txt", line * 2)
    written(place / "data.yaml", names)
    check(place, NAMES, {"train", "validation"})


def test_texts_of_other_things_are_no_boxes(put):
    place = put("pictures")
    for i in range(N):
        written(place / "pictures" / f"{i:03}.txt", "a ring on a table, seen from above\n")
    with pytest.raises(
        ValueError, match="All pictures lie in 'pictures': put them into folders called like their classes"
    ):
        Seen(place)


def test_boxes_of_cvat_and_label_studio(put):
    place = put("images")
    images = "".join(
        f'<image id="{i}" name="{i:03}.png"><box label="{LABELS[i]}" xtl="1"/><polygon label="{LABELS[i]}"/></image>'
        for i in range(N)
    )
    written(place / "annotations.xml", f"<annotations><version>1.1</version>{images}</annotations>")
    check(place, ("block", "ring"))
    (place / "annotations.xml").unlink()
    box = {"type": "rectanglelabels", "from_name": "thing", "to_name": "image"}
    tree = {"type": "taxonomy", "from_name": "kind", "to_name": "image"}
    for about, value in (
        (box, lambda label: {"x": 1, "rectanglelabels": [label]}),
        (tree, lambda label: {"taxonomy": [["thing", label]]}),
    ):
        tasks = [
            {"data": {"image": f"{i:03}.png"}, "annotations": [{"result": [about | {"value": value(LABELS[i])}]}]}
            for i in range(N)
        ]
        written(place / "project.json", tasks)
        check(place, ("block", "ring"))


def test_folds_of_one_whole_are_no_classes(put):
    for i in range(N):
        place = put(f"fold_{i % 3 + 1}/{LABELS[i]}", [i])
    seen = check(place, ("block", "ring"), {"train"})
    assert "fold_1, fold_2, fold_3 hold folders of the same classes, and are taken together" in seen.found.notes
    shutil.rmtree(place)
    put("fold_1", range(5))
    assert Seen(put("fold_2", range(5, N))).classes == ("fold_1", "fold_2")  # where they hold pictures alone


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ring.zip", "archives within it are not unpacked; unpack them first"),
        ("labels.xlsx", "is a workbook, which is not read: save its sheet as CSV"),
    ],
)
def test_what_lies_beside_says_what_to_do(tmp_path, put, pictures, name, words):
    place = put("pictures") if name.endswith("xlsx") else tmp_path / "set"
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match=words):
        Seen(place)


@pytest.mark.parametrize(
    ("name", "words"), [("a.7z", "make a zip of it"), ("a.png", "is one picture: give the folder")]
)
def test_single_files_that_are_no_source(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(30))
    with pytest.raises(ValueError, match=words):
        Seen(tmp_path / name)


def test_json_of_another_kind_is_none(put):
    place = put("images")
    (place / "images" / "about.json").write_text(json.dumps({"images": 3, "annotations": []}), "utf-8")
    with pytest.raises(ValueError, match="needs at least two folders"):
        Seen(place)
