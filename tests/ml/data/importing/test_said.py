"""What tables and exports say in ways of their own: lists as text, answers, codes, categories without boxes."""

import base64
import json

import pandas as pd
import pytest

from tests.ml.data.importing.seen import N, Seen, written

KINDS = ["cat", "dog"]
LABELS = [KINDS[i % 2] for i in range(N)]


def named(labels, **more):
    return pd.DataFrame({"file": [f"{i:03}.png" for i in range(N)], "label": labels, **more})


@pytest.fixture
def place(put):
    return put()


@pytest.mark.parametrize("sign", ["|", ";", ",", ", "])
def test_several_labels_in_a_cell_are_no_class(place, sign):
    named([sign.join(KINDS) if i % 4 == 0 else LABELS[i] for i in range(N)]).to_csv(place / "labels.csv", index=False)
    seen = Seen(place)
    assert seen.classes == ("cat", "dog")
    assert seen.labels == [LABELS[i] for i in range(N) if i % 4]
    assert "left out 6 files" in seen.told
    assert "it has several labels" in seen.told


def test_a_list_of_one_is_its_label(place):
    """As pandas writes a column of lists."""
    named([[*KINDS] if i % 4 == 0 else [LABELS[i]] for i in range(N)]).to_csv(place / "labels.csv", index=False)
    seen = Seen(place)
    assert seen.labels == [LABELS[i] for i in range(N) if i % 4]
    assert "it has several labels" in seen.told


@pytest.mark.parametrize("name", ["hot dog", "dog, poodle", "black/white"])
def test_names_of_several_words_are_classes(place, name):
    named([name if i % 3 == 0 else LABELS[i] for i in range(N)]).to_csv(place / "labels.csv", index=False)
    assert Seen(place).classes == tuple(sorted(["cat", "dog", name]))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_for_each_class_as_get_dummies_makes_them(place, suffix):
    table = pd.get_dummies(named(LABELS), columns=["label"])
    write = table.to_csv if suffix == "csv" else table.to_parquet
    write(place / f"labels.{suffix}", index=False)
    assert Seen(place).labels == [f"label_{one}" for one in LABELS]


def test_a_column_that_is_the_same_everywhere_is_no_label_beside_another(place):
    """As ChestX-ray14 has Finding Labels beside a column [x, y], of which a CSV makes two."""
    found = ["No Finding" if i % 3 else "Mass|Edema" if i % 2 else "Mass" for i in range(N)]
    table = named(found, y=0.143).rename(columns={"label": "Finding Labels", "file": "Image Index", "y": "y]"})
    table.to_csv(place / "Data_Entry_2017.csv", index=False)
    seen = Seen(place)
    assert seen.classes == ("Mass", "No Finding")
    assert "left out 4 files" in seen.told


@pytest.mark.parametrize("choice", [False, True])
def test_what_prodigy_was_answered(tmp_path, pictures, choice):
    """A rejected label is wrong, and one that was passed over says nothing."""
    rows = []
    for i in range(N):
        row = {"image": "data:image/png;base64," + base64.b64encode(pictures[i]).decode(), "_task_hash": i}
        row |= {"accept": [LABELS[i]] if i % 4 else []} if choice else {"label": LABELS[i] if i % 4 else "dog"}
        rows.append(row | {"answer": "accept" if i % 4 else "ignore" if choice else "reject"})
    written(tmp_path / "said.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    seen = Seen(tmp_path / "said.jsonl")
    assert seen.labels == [LABELS[i] for i in range(N) if i % 4]
    assert seen.content == [pictures[i] for i in range(N) if i % 4]
    assert "rows with reject or ignore in 'answer'" in seen.told


def test_vertex_ais_table_without_a_line_of_names(place):
    """Where UNASSIGNED is a split that is to be drawn."""
    parts = ["TRAIN", "TRAIN", "VALIDATION", "TEST", "UNASSIGNED"]
    rows = [f"{parts[i % 5]},gs://bucket/images/{i:03}.png,{LABELS[i]}\n" for i in range(N)]
    written(place / "all.csv", "".join(rows))
    seen = Seen(place)
    assert seen.labels == LABELS
    assert seen.splits == [{"TRAIN": "train", "UNASSIGNED": ""}.get(one, one.lower()) for one in
                           (parts[i % 5] for i in range(N))]  # fmt: skip


def test_edge_impulse(tmp_path, pictures):
    files = []
    for i in range(N):
        part = "testing" if i % 4 == 0 else "training"
        path = tmp_path / "set" / part / f"IMG_{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures[i])
        label = {"type": "unlabeled"} if i == 1 else {"type": "label", "label": LABELS[i]}
        files.append({"path": f"{part}/{path.name}", "name": path.stem, "category": part, "label": label})
    files.append({"path": "training/gone.png", "name": "gone", "category": "training", "label": files[0]["label"]})
    written(tmp_path / "set" / "info.labels", {"version": 1, "files": files})
    seen = Seen(tmp_path / "set")
    assert {(pictures.index(content), label) for content, label in zip(seen.content, seen.labels, strict=True)} == {
        (i, None if i == 1 else LABELS[i]) for i in range(N)
    }
    assert seen.splits.count("test") == N / 4
    assert "gone.png" in seen.told


def test_categories_of_pictures_without_boxes(tmp_path, pictures):
    """As iNaturalist's sets have them; numbers of classes are no order of names, and folders no classes."""
    categories = [{"id": 10, "name": "Pica pica"}, {"id": 2, "name": "Apus apus"}, {"id": 3, "name": "Esox lucius"}]
    for split, rows in (("train", range(16)), ("val", range(16, N))):
        names = {i: f"{split}_val2017/Aves/{i:03}.png" for i in rows}
        for i, name in names.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(pictures[i])
        said = {"images": [{"id": i, "file_name": name} for i, name in names.items()], "categories": categories}
        said["annotations"] = [{"id": i, "image_id": i, "category_id": [10, 2][i % 2]} for i in rows]
        written(tmp_path / "set" / f"{split}2017.json", said)
    seen = Seen(tmp_path / "set")
    assert seen.classes == ("Pica pica", "Apus apus")
    assert [seen.classes.index(one) for one in seen.labels] == [pictures.index(one) % 2 for one in seen.content]
    assert (seen.splits.count("train"), seen.splits.count("validation")) == (16, N - 16)


@pytest.mark.parametrize(
    ("codes", "file", "content", "classes"),
    [
        (("/m/01yrx", "/m/0bt9lr"), "class-descriptions.csv", "/m/01yrx,Cat\n/m/0bt9lr,Dog\n/m/0c,E\n", ("Cat", "Dog")),
        (("/m/01yrx", "/m/0bt9lr"), "oidv7-class-descriptions.csv",
         'LabelName,DisplayName\n/m/01yrx,"Cat, small"\n/m/0bt9lr,Dog\n', ("Cat, small", "Dog")),
        (("n02123045", "n02124075"), "LOC_synset_mapping.txt",
         "n02123045 tabby, tabby cat\nn02124075 Egyptian cat\n", ("tabby", "Egyptian cat")),
        (("n02012849", "n03126707"), "words.txt",
         "n02012849\tcrane\nn03126707\tcrane, lift\n", ("crane", "crane, lift")),
        (("n02123045", "n02124075"), "imagenet_class_index.json",
         '{"0": ["n02123045", "tabby"], "1": ["n02124075", "Egyptian_cat"]}', ("tabby", "Egyptian_cat")),
        (("n02123045", "n02124075"), "words.txt", "n02123045\ttabby\n", ("n02123045", "n02124075")),
    ],
)  # fmt: skip
def test_codes_are_called_as_a_file_names_them(place, codes, file, content, classes):
    """Open Images' and WordNet's; where two are called alike, by all words; where one lacks a name, by none."""
    named([codes[i % 2] for i in range(N)]).to_csv(place / "labels.csv", index=False)
    written(place / file, content)
    seen = Seen(place)
    assert seen.labels == [classes[i % 2] for i in range(N)]
