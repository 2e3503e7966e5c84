"""Notes on pictures by tools that write a file for each picture, and by those that write lines of JSON or one file."""

import csv
import json

import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen, written


def supervisely(i, tags, objects=()):
    return {"description": "", "size": {"height": 8, "width": 9}, "tags": tags, "objects": [*objects]}


def darwin(i, label):
    marks = [{"id": str(i), "name": label, "tag": {}}, {"id": "b", "name": "thing", "bounding_box": {"x": 1}}]
    return {"version": "2.0", "item": {"name": f"{i:03}.png", "path": "/"}, "annotations": marks}


def superannotate(i, label):
    return {"metadata": {"name": f"{i:03}.png", "width": 9, "height": 8}, "instances": [], "tags": [label]}


def labelme(i, *, flags=(), things=()):
    flags = {one: one in flags for one in ("ring", "block")}
    shapes = [{"label": one, "points": [[1, 1], [4, 4]], "shape_type": "rectangle"} for one in things]
    return {"version": "5.5.0", "flags": flags, "shapes": shapes, "imagePath": f"..\\x\\{i:03}.png", "imageData": None}


@pytest.mark.parametrize("tag", ["by name", "by value"])
def test_supervisely(put, pictures, tag):
    for split, rows in (("train", range(16)), ("test", range(16, N))):
        source = put(f"{split}/img", rows)
        for i in rows:
            tags = [{"name": LABELS[i]}] if tag == "by name" else [{"name": "kind", "value": LABELS[i]}]
            tags = [*tags, *tags[:1]] if i == 1 else [] if i == 2 else tags
            written(source / split / "ann" / f"{i:03}.png.json", supervisely(i, tags, [{"classTitle": "dot"}]))
    written(source / "meta.json", {"tags": [{"name": "ring"}], "classes": []})
    seen = Seen(source)
    assert (seen.classes, [*seen.content]) == (("block", "ring"), [*pictures[16:], *pictures[:16]])
    assert seen.splits == ["test"] * 8 + ["train"] * 2 + ["unlabelled"] + ["train"] * 13
    assert seen.labels[8:] == [None if i == 2 else LABELS[i] for i in range(16)]
    assert "an export of Supervisely" in seen.told


@pytest.mark.parametrize(("tool", "note"), [("V7 Darwin", darwin), ("SuperAnnotate", superannotate)])
def test_a_file_for_each_picture(put, pictures, tool, note):
    source = put()
    for i in range(N):
        written(source / "notes" / f"{i:03}.json", note(i, LABELS[i]))
    written(source / "notes" / "010.json", "[]")
    written(source / "notes" / "011.json", "{")
    seen = Seen(source)
    rows = [i for i in range(N) if i not in (10, 11)]
    assert (seen.labels, seen.content) == ([LABELS[i] for i in rows], [pictures[i] for i in rows])
    assert f"an export of {tool}" in seen.told
    assert "010.png, images/011.png" in seen.told


def test_labelme_flags_and_things(put, pictures):
    source = put("train")
    for i in range(N):
        written(source / "train" / f"{i:03}.json", labelme(i, flags=[LABELS[i]], things=["dot"]))
    written(source / "train" / "004.json", labelme(4, flags=["ring", "block"]))
    seen = Seen(source)
    assert (seen.classes, seen.labels) == (("block", "ring"), [LABELS[i] for i in range(N) if i != 4])
    assert "several labels" in seen.told
    for i in range(N):
        written(source / "train" / f"{i:03}.json", labelme(i, things=[LABELS[i]] * 2 if i != 5 else ["ring", "block"]))
    seen = Seen(source)
    assert seen.labels == [LABELS[i] for i in range(N) if i != 5]
    assert "boxes and outlines are not kept" in seen.told
    assert "things in it are of several classes" in seen.told


def test_folders_of_classes_go_before_what_labelme_drew_in_them(put):
    for label in ("ring", "block"):
        rows = [i for i in range(N) if LABELS[i] == label]
        source = put(label, rows)
        for i in rows:
            written(source / label / f"{i:03}.json", labelme(i, things=["edge" if i % 3 else "middle"]))
    assert Seen(source).classes == ("block", "ring")


def via(i, **attributes):
    return {"filename": f"{i:03}.png", "size": 99, "regions": [], "file_attributes": attributes}


@pytest.mark.parametrize("form", ["json", "project", "ticked", "csv", "regions"])
def test_via(put, pictures, form):
    source = put()
    items = [via(i, caption="" if i % 5 else f"no. {i}", kind=LABELS[i]) for i in range(N)]
    if form == "ticked":
        items = [via(i, kind={one: one == LABELS[i] for one in ("ring", "block")}) for i in range(N)]
    if form == "regions":
        items = [via(i) | {"regions": [{"region_attributes": {"kind": LABELS[i]}}] * 2} for i in range(N)]
    table = {f"{one['filename']}99": one for one in items}
    if form == "csv":
        with (source / "via_export_csv.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["filename", "file_size", "file_attributes", "region_count", "region_id",
                           "region_shape_attributes", "region_attributes"])  # fmt: skip
            rows.writerows([one["filename"], 99, json.dumps(one["file_attributes"]), 0, 0, "{}", "{}"] for one in items)
    else:
        whole = {"_via_settings": {}, "_via_img_metadata": table, "_via_attributes": {}} if form == "project" else table
        written(source / "via_project.json", whole)
    seen = Seen(source)
    assert (seen.labels, seen.content) == (LABELS, pictures)
    assert "an export of VIA" in seen.told


def ground_truth(i, label, job="job"):
    about = {"class-name": label, "confidence": 0.9, "type": "groundtruth/image-classification"}
    return {"source-ref": f"s3://bucket/images/{i:03}.png", job: 1, f"{job}-metadata": about}


def test_sagemaker(put, pictures):
    source = put()
    rows = [ground_truth(i, LABELS[i]) for i in range(N)]
    rows[3] |= {"job-metadata": {"class-map": {"0": "ring", "1": "block"}}}
    rows[4] = {"source-ref": "s3://bucket/images/004.png"}
    written(source / "output.manifest", "\n".join([*map(json.dumps, rows), "", "{"]))
    for place in (source, source / "output.manifest"):
        seen = Seen(place)
        assert seen.labels == [None if i == 4 else LABELS[i] for i in range(N) if i != 3]
        assert seen.content == [pictures[i] for i in range(N) if i != 3]
        assert "an export of SageMaker Ground Truth" in seen.told
        assert "several labels" in seen.told


def test_vertex(put, pictures):
    source, use = put(), {0: "training", 1: "validation", 2: "test"}
    rows = [
        {
            "imageGcsUri": f"gs://bucket/images/{i:03}.png",
            "classificationAnnotation": {"displayName": LABELS[i]},
            "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": use[i % 3]},
        }
        for i in range(N)
    ]
    written(source / "import.jsonl", "\n".join(map(json.dumps, rows)))
    seen = Seen(source)
    assert sorted(zip(seen.content, seen.labels, strict=True)) == sorted(zip(pictures, LABELS, strict=True))
    assert {*seen.splits} == {"train", "validation", "test"}


@pytest.mark.parametrize("value", [
    {"imagePath": 3, "shapes": 1, "flags": []}, {"metadata": [], "instances": {}}, {"item": [1], "annotations": 2},
    {"size": 1, "tags": 2, "objects": 3}, {"a": {"filename": 1, "file_attributes": [1]}},
])  # fmt: skip
def test_what_is_not_what_it_looks_like_harms_nothing(put, value):
    for label in ("ring", "block"):
        source = put(label, [i for i in range(N) if LABELS[i] == label])
    for i in range(9):
        written(source / f"images/ann/{i}.json", value)
    written(source / "via.json", value)
    for line in ('{"source-ref": [1], "x-metadata": 3}', '{"imageGcsUri": {}, "classificationAnnotation": 1}', "1"):
        written(source / "x.manifest", line)
        assert Seen(source).classes == ("block", "ring")
