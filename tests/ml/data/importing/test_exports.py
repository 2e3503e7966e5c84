"""What tools for labelling export, in the form their documentation and files have."""

import zipfile

import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen, written

CLASSES = ["ring", "block"]


def task(i, *choices, **more):
    about = {"type": "choices", "from_name": "kind", "to_name": "image"}
    results = [about | {"value": {"choices": [one]}} for one in choices]
    annotations = [{"id": 1, "was_cancelled": False, "result": [one], **more} for one in results]
    return {"id": i, "data": {"image": f"/data/upload/1/0123abcd-{i:03}.png"}, "annotations": annotations}


def test_label_studio(put, pictures):
    tasks = [task(i, LABELS[i]) for i in range(N)]
    tasks[3] = task(3)
    tasks[4] = task(4, "ring", "block")
    tasks[5] = task(5, LABELS[5], LABELS[5])
    tasks[6] = task(6, "ring", was_cancelled=True)
    tasks[7]["annotations"][0]["result"][0]["value"]["choices"] = ["ring", "block"]
    tasks[8]["data"] = {"image": "/data/local-files/?d=set/images/008.png"}
    tasks.append(task(99, "ring"))
    written(put("images") / "project-1.json", tasks)
    seen = Seen(put("images"))
    rows = [i for i in range(N) if i not in (4, 7)]
    assert seen.classes == ("block", "ring")
    assert seen.content == [pictures[i] for i in rows]
    assert seen.labels == [None if i in (3, 6) else LABELS[i] for i in rows]
    for words in (
        "an export of Label Studio",
        "disagree",
        "several labels",
        "no such file",
        "2 of 22 pictures",
    ):
        assert words in seen.told


@pytest.mark.parametrize("form", ["json", "csv"])
def test_label_studios_smaller_exports(put, pictures, form):
    rows = [{"image": f"/data/upload/1/0123abcd-{i:03}.png", "id": i, "choice": LABELS[i], "annotator": 1,
             "annotation_id": i, "created_at": "2026-01-01", "lead_time": 1.5} for i in range(N)]  # fmt: skip
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    written(put("images") / f"export.{form}", rows if form == "json" else "\n".join(lines))
    seen = Seen(put("images"))
    assert (seen.labels, seen.content) == (LABELS, pictures)


def test_cvat(put, pictures):
    images = [f'<image id="{i}" name="{i:03}.png" subset="{"Train" if i % 3 else "Test"}" width="9" height="8">'
              f'<tag label="{LABELS[i]}" source="manual"></tag></image>' for i in range(N)]  # fmt: skip
    images[2] = '<image id="2" name="002.png" subset="Train"></image>'
    labels = "".join(f"<label><name>{name}</name><color>#fff</color></label>" for name in [*CLASSES, "unused"])
    text = f"<annotations><version>1.1</version><meta><job><labels>{labels}</labels></job></meta>{''.join(images)}"
    written(put("images") / "annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{text}</annotations>')
    seen = Seen(put("images"))
    assert seen.classes == ("ring", "block"), "in the project's order"
    assert seen.content == pictures
    assert seen.labels == [*LABELS[:2], None, *LABELS[3:]]
    assert seen.splits[:4] == ["test", "train", "unlabelled", "test"]
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    written(put("images") / "annotations.xml", f"{bomb}{text}&a;</annotations>")
    with pytest.raises(ValueError, match="at least two"):
        Seen(put("images"))


def test_datumaro(put, pictures):
    for split, rows in (("train", range(16)), ("validation", range(16, N))):
        items = [{"id": f"{i:03}", "image": {"path": f"{i:03}.png", "size": [8, 9]}, "attr": {},
                  "annotations": [{"id": 0, "type": "label", "label_id": CLASSES.index(LABELS[i])},
                                  {"id": 1, "type": "bbox", "label_id": 1}]} for i in rows]  # fmt: skip
        items[0]["annotations"][0]["label_id"] = 9
        labels = {"labels": [{"name": name, "parent": "", "attributes": []} for name in CLASSES], "attributes": []}
        value = {"info": {}, "categories": {"label": labels}, "items": items}
        written(put(f"images/{split}", rows) / "annotations" / f"{split}.json", value)
    seen = Seen(put("images/train", ()))
    rows = [*range(1, 16), *range(17, N)]
    assert seen.classes == ("ring", "block")
    assert (seen.content, seen.labels) == ([pictures[i] for i in rows], [LABELS[i] for i in rows])
    assert seen.splits == ["train"] * 15 + ["validation"] * 7
    assert "is none of the classes" in seen.told


def test_roboflow(put, pictures):
    for split, rows in (("train", range(16)), ("valid", range(16, N))):
        lines = [f"{i:03}.png, {int(LABELS[i] == 'ring')}, {int(LABELS[i] == 'block')}" for i in rows]
        lines[1] = f"{rows[1]:03}.png, 1, 1"
        lines[2] = f"{rows[2]:03}.png, 0, 0"
        written(put(split, rows) / split / "_classes.csv", "\n".join(["filename, ring, block", *lines]))
    seen = Seen(put("train", ()))
    rows = [i for i in range(N) if i not in (1, 17)]
    assert seen.classes == ("ring", "block")
    assert seen.content == [pictures[i] for i in rows]
    assert seen.labels == [None if i in (2, 18) else LABELS[i] for i in rows]
    kept = ["train"] * 15 + ["validation"] * 7
    assert seen.splits == ["unlabelled" if i in (2, 18) else split for i, split in zip(rows, kept, strict=True)]
    assert "several labels" in seen.told


@pytest.mark.parametrize("by_name", [True, False])
def test_fiftyone(put, pictures, tmp_path, by_name):
    labels = {f"{i:03}": LABELS[i] if by_name else CLASSES.index(LABELS[i]) for i in range(N)}
    labels["003"] = None
    written(put("data") / "labels.json", {"classes": None if by_name else CLASSES, "labels": labels})
    seen = Seen(put("data"))
    assert seen.classes == (("block", "ring") if by_name else ("ring", "block"))
    assert seen.content == pictures
    assert seen.labels == [*LABELS[:3], None, *LABELS[4:]]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "set").rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    assert Seen(tmp_path / "a.zip").content == pictures


@pytest.mark.parametrize(("image", "things"), [("image", "annotations"), ("imagefilename", "annotation")])
def test_create_ml(put, image, things):
    """Of Apple, in the words of both of its forms: the label is what all things in a picture are."""
    for split, rows in (("train", range(16)), ("valid", range(16, N))):
        box = {"x": 4, "y": 4, "width": 3, "height": 3}
        said = [{image: f"{i:03}.png", things: [{"label": LABELS[i], "coordinates": box | {"x": i}}]} for i in rows]
        said[1][things].append({"label": "other", "coordinates": box})
        said[2][things].append(said[2][things][0])
        written(put(split, rows) / split / "_annotations.createml.json", said)
    seen = Seen(put("train", ()))
    kept = [i for i in range(N) if i not in (1, 17)]
    assert seen.labels == [LABELS[i] for i in kept]
    assert seen.splits == ["train" if i < 16 else "validation" for i in kept]
    assert "left out 2 files" in seen.told
    assert "of several classes" in seen.told


def test_kili(put, pictures):
    def answered(name, kind="DEFAULT"):
        chosen = {"KIND": {"categories": [{"name": name, "confidence": 100}]}}
        return {"jsonResponse": {"NOTE": {"text": "fine"}} | chosen, "labelType": kind, "author": {"email": "a@b"}}

    said = [{"id": f"c{i}", "externalId": f"{i:03}", "content": "", "labels": [answered(LABELS[i])]} for i in range(N)]
    said[2]["labels"].append(answered("block"))
    said[2]["labels"][0] = answered("ring")
    said[3]["labels"] = [answered("block"), answered("ring", "REVIEW")]
    said[4]["labels"] = []
    written(put("images") / "export.json", said)
    seen = Seen(put("images", ()))
    assert seen.content == [pictures[i] for i in range(N) if i != 2]
    assert seen.labels == [LABELS[0], LABELS[1], "ring", None, *LABELS[5:]]
    assert "disagree" in seen.told


def test_fiftyones_own_form(put, pictures):
    """FiftyOneDataset: tags are splits, among others, and what a network said is no label."""
    samples = [
        {"filepath": f"data/{i:03}.png", "tags": ["train" if i < 16 else "test", "mine"], "_media_type": "image",
         "guess": {"_cls": "Classification", "label": "owl", "confidence": 0.5},
         "ground_truth": {"_cls": "Classification", "tags": [], "label": LABELS[i]}} for i in range(N)
    ]  # fmt: skip
    samples[3]["ground_truth"] = None
    written(put("data") / "samples.json", {"samples": samples})
    written(put("data", ()) / "metadata.json", {"media_type": "image", "sample_fields": []})
    seen = Seen(put("data", ()))
    assert (seen.content, seen.labels) == (pictures, [*LABELS[:3], None, *LABELS[4:]])
    assert seen.splits.count("test") == N - 16
