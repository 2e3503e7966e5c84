"""Tables of labels, as people and tools write them: which columns are understood, what a broken row costs."""

import base64
import csv
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ml.data import Unclear, folder, importing, plan
from ml.data.importing import Choices
from ml.data.importing.columns import chosen
from ml.data.plans import Part
from tests.ml.data.importing.seen import CHANCE, LABELS, N, Seen, drawn, png


@pytest.fixture
def place(tmp_path, monkeypatch, pictures):
    """A folder with the pictures in images/."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    (tmp_path / "set" / "images").mkdir(parents=True)
    for i, content in enumerate(pictures):
        (tmp_path / "set" / "images" / f"{i:05}.png").write_bytes(content)
    return tmp_path / "set"


def write(place, rows, head=("file", "label"), mark=","):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(mark.join(map(str, row)) for row in ([head] if head else []) + list(rows)), "utf-8")


def named(prefix="images/", suffix=".png"):
    return [(f"{prefix}{i:05}{suffix}", LABELS[i]) for i in range(N)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("head", [("file", "label"), ("Image Path", "Category"), ("x", "y")])
def test_a_table_beside_a_folder_of_pictures(place, pictures, mark, head):
    write(place / "labels.csv", named(), head, mark)
    for source in (place, place / "labels.csv"):
        seen = Seen(source)
        assert (seen.labels, seen.content) == (LABELS, pictures)
        assert seen.classes == ("block", "ring")
        assert f"pictures stand in the column {head[0]!r} (paths), labels in {head[1]!r}" in seen.told


@pytest.mark.parametrize(("prefix", "suffix"), [("", ".png"), ("", ""), ("./images/", ".png"), ("images\\", ".png"),
                                                ("/kaggle/input/set/images/", ".png")])  # fmt: skip
def test_paths_as_people_write_them(place, pictures, prefix, suffix):
    write(place / "labels.csv", named(prefix, suffix), ("id", "label"))
    assert Seen(place).content == pictures
    assert Seen(place / "labels.csv").content == pictures


def test_a_file_of_one_name_in_another_split_is_not_taken_for_one_that_is_missing(place, pictures):
    for split in ("train", "test"):
        (place / split / "a").mkdir(parents=True)
    for i, content in enumerate(pictures[:20]):
        (place / "train" / "a" / f"{i}.png").write_bytes(content)
    rows = [(f"train/a/{i}.png", LABELS[i]) for i in range(20)] + [("test/a/0.png", "ring"), ("/test/a/1.png", "ring")]
    write(place / "labels.csv", rows)
    seen = Seen(place)
    assert seen.content == pictures[:20]
    assert "test/a/0.png): there is no such file" in seen.told
    assert "/test/a/1.png): its path leaves the source" in seen.told


def test_a_table_within_a_folder_of_its_own_may_point_beside_it(place, pictures):
    write(place / "lists" / "labels.tsv", named("../images/"), mark="\t")
    assert Seen(place).content == pictures


def test_a_table_in_a_zip(place, pictures, tmp_path):
    write(place / "labels.csv", named())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in [place / "labels.csv", *(place / "images").iterdir()]:
            archive.write(path, f"top/{path.relative_to(place)}")
    seen = Seen(tmp_path / "a.zip")
    assert (seen.labels, seen.content) == (LABELS, pictures)


def test_paths_and_links_that_leave_the_source_are_refused(place, pictures, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "secret.png").write_bytes(pictures[0])
    (place / "images" / "link.png").symlink_to(tmp_path / "images" / "secret.png")
    outside = ["../images/secret.png", str(tmp_path / "images" / "secret.png"), "images/link.png", "images/../../x.png",
               "../images/00003.png"]  # fmt: skip
    write(place / "labels.csv", [*named(), *((path, "ring") for path in outside)])
    for source in (place, place / "labels.csv"):
        seen = Seen(source)
        assert seen.content == pictures
        assert "left out 5 files" in seen.told
        assert "its path leaves the source" in seen.told


def test_broken_rows_cost_themselves(place, pictures):
    rows = [
        *named(),
        ("images/gone.png", "ring"),
        ("images/00001.png",),
        ("https://a.example/1.png", "ring"),
        ("", "x"),
    ]
    (place / "images" / "unnamed.png").write_bytes(pictures[0])
    write(place / "labels.csv", rows)
    seen = Seen(place)
    assert (seen.labels, seen.content) == (LABELS, pictures)
    for words in ("no such file", "row is broken: it has 1 of 2 cells", "not fetched", "names no file", "no row of a"):
        assert words in seen.told


def test_splits_groups_and_rows_without_a_label(place):
    rows = [(*row, ("train", "Valid", "test", "")[i % 4], f"p{i // 4}") for i, row in enumerate(named())]
    rows[3] = (rows[3][0], "", "", "p0")
    write(place / "labels.csv", rows, ("filename", "class", "set", "patient_id"))
    seen = Seen(place)
    assert seen.splits[:4] == ["train", "validation", "test", "unlabelled"]
    assert seen.groups[:5] == ["p0", "p0", "p0", "p0", "p1"]
    assert seen.labels[3] is None
    assert "1 of 24 rows have no label" in seen.told
    assert seen.found.given == ("train", "validation", "test")


def test_a_split_of_no_known_name_is_said_and_another_column_can_be_chosen(place):
    rows = [(*row, "vault" if i == 5 else "train", i % 3) for i, row in enumerate(named())]
    write(place / "labels.csv", rows, ("filename", "class", "split", "shade"))
    assert "its split, 'vault', is none of" in Seen(place).told
    seen = Seen(place, columns=chosen(["label=shade", "split="]))
    assert (seen.classes, set(seen.splits)) == (("0", "1", "2"), {""})
    with pytest.raises(ValueError, match="no column 'colour' for --column label"):
        Seen(place, columns=chosen(["label=colour"]))
    with pytest.raises(ValueError, match="--column is"):
        chosen(["colour=shade"])


def test_a_label_for_each_file_in_json(place, pictures):
    (place / "labels.json").write_text(json.dumps({f"{i:05}.png": LABELS[i] for i in range(N)}))
    seen = Seen(place)
    assert (seen.labels, seen.content) == (LABELS, pictures)


def test_what_lies_around_a_table_that_holds_its_pictures_is_not_looked_at(tmp_path, monkeypatch, pictures):
    monkeypatch.setattr("ml.data.importing.sources.folder", lambda top: pytest.fail("it was listed"))
    pq.write_table(pa.table({"image": pictures, "label": LABELS, "note": ["a.b"] * N}), tmp_path / "a.parquet")
    assert Seen(tmp_path / "a.parquet").content == pictures


@pytest.mark.parametrize("head", ["pixel{0}", "{1}x{2}"])
def test_a_column_for_each_pixel(tmp_path, head):
    images = drawn(N, (6, 6))
    names = [head.format(i, i // 6 + 1, i % 6 + 1) for i in range(36)]
    rows = [(LABELS[i], *one.reshape(-1)) for i, one in enumerate(images)]
    rows[2] = (*rows[2][:5], "dark", *rows[2][6:])
    write(tmp_path / "digits.csv", rows, ("label", *names))
    with importing.opened(tmp_path / "digits.csv") as found:
        labels = [found.classes[one.label] for one in found.records]
        pixels = [one.decoded(one.raw()).pixels[..., 0] for i, one in enumerate(found.records) if i != 2]
        with pytest.raises(ValueError, match="no number"):
            found.records[2].raw()
    assert labels == LABELS
    assert np.array_equal(pixels, np.delete(images, 2, axis=0))
    flat = images.reshape(N, -1)
    columns = {"label": LABELS, **{name: flat[:, i] for i, name in enumerate(names)}}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with importing.opened(tmp_path / "a.parquet") as found:
        assert np.array_equal([one.decoded(one.raw()).pixels[..., 0] for one in found.records], images)


def test_labels_stay_text_and_ids_order_the_names_beside_them(place):
    write(place / "labels.csv", [(path, f"{i % 2 + 11:05}") for i, (path, _) in enumerate(named())])
    assert Seen(place).classes == ("00011", "00012")
    rows = [(path, i % 3, ("zebra", "ant", "cow")[i % 3]) for i, (path, _) in enumerate(named())]
    write(place / "labels.csv", rows, ("path", "label", "label_name"))
    assert Seen(place).classes == ("zebra", "ant", "cow")
    write(place / "labels.csv", [(path, float(i % 3)) for i, (path, _) in enumerate(named())])
    assert Seen(place).classes == ("0", "1", "2")


def test_where_no_column_is_a_label_that_is_asked(place):
    write(place / "labels.csv", [(path, i % 2, i % 3) for i, (path, _) in enumerate(named())], ("path", "a", "b"))
    with pytest.raises(ValueError, match=r"which column is the label\? .*path, a, b.*--column label=NAME"):
        Seen(place)
    with pytest.raises(Unclear) as asked:
        plan(place)
    table = asked.value.tables[0]
    assert (table.name, table.columns, table.others) == ("labels.csv", {"image": "path"}, ("a", "b"))
    assert Seen(place, columns={"label": "b"}).classes == ("0", "1", "2")


def test_where_no_column_names_pictures_that_is_asked(place):
    """Numbers of pictures that lie there under other names: a person can still say what is what."""
    write(place / "labels.csv", [(f"no {i}", "ab"[i % 2]) for i in range(N)], ("what", "kind"))
    with pytest.raises(Unclear, match="--column image=NAME") as asked:
        plan(place)
    assert [(one.name, one.others) for one in asked.value.tables] == [("labels.csv", ("what", "kind"))]


def test_words_that_are_no_split_can_be_said_to_be_one(place):
    rows = [(path, label, ("train", "test", "pilot")[i % 3]) for i, (path, label) in enumerate(named())]
    write(place / "labels.csv", rows, ("path", "label", "split"))
    planned = plan(place)
    assert Part("pilot", "", N // 3) in planned.parts
    assert planned.n == 2 * N // 3
    assert len(planned.left_out.files) == N // 3, "each of them once"
    again = plan(place, Choices(splits={"pilot": "validation"}))
    assert Part("pilot", "validation", N // 3) in again.parts
    assert again.n == N


def test_a_table_for_each_split_and_one_without_a_head(place):
    write(place / "train.csv", named()[:16])
    write(place / "test.csv", named()[16:])
    assert Seen(place).splits == ["test"] * 8 + ["train"] * 16
    for name in ("train", "test"):
        (place / f"{name}.csv").unlink()
    write(place / "labels.csv", named(), None)
    seen = Seen(place)
    assert len(seen.records) == N
    assert "has no line of names: its columns are called 1 to 2" in seen.told


def test_folders_of_classes_go_before_a_table_of_something_else(tmp_path, pictures):
    for i, content in enumerate(pictures):
        (tmp_path / LABELS[i]).mkdir(exist_ok=True)
        (tmp_path / LABELS[i] / f"{i}.png").write_bytes(content)
    write(tmp_path / "notes.csv", [("ring/1.png", "sharp"), ("block/0.png", "blurred")], ("file", "remark"))
    assert Seen(tmp_path).classes == ("block", "ring")
    rows = [(f"{LABELS[i]}/{i}.png", "odd" if i % 3 else "even") for i in range(N)]
    write(tmp_path / "labels.csv", rows, ("file", "label"))
    assert Seen(tmp_path).classes == ("even", "odd"), "a table that says what every picture shows"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_pictures_in_base64(tmp_path, monkeypatch, pictures, prefix, suffix):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    cells = [prefix + base64.b64encode(content).decode() for content in pictures]
    cells[5] = cells[5][:40] + "?" + cells[5][41:]
    rows = [{"picture": cell, "kind": label, "note": 'a "b",\nc'} for cell, label in zip(cells, LABELS, strict=True)]
    target = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["picture", "kind", "note"])
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == "jsonl":
        target.write_text("\n".join([*map(json.dumps, rows), "{broken", ""]))
    else:
        target.write_text(json.dumps({"version": 1, "rows": rows}, indent=1))
    seen = Seen(target, columns={"label": "kind"})
    assert seen.labels == LABELS
    assert seen.content[:5] + seen.content[6:] == pictures[:5] + pictures[6:]
    assert "no picture's file" in seen.content[5]
    assert "it is no JSON" in seen.told or suffix != "jsonl"


def test_pictures_as_datasets_writes_them_into_a_csv(tmp_path, pictures):
    """datasets 5.2.0: to_csv writes Python's notation (findings/pictures-written-as-a-table.sh)."""
    (tmp_path / "beside.png").write_bytes(pictures[3])
    cells = [str({"bytes": content, "path": None}) for content in pictures]
    cells[3] = str({"bytes": None, "path": "beside.png"})
    cells[4] = cells[4][:80]
    cells[5] = "{'bytes': b'' + open('beside.png', 'rb').read()}"
    with (tmp_path / "some.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "label"), *zip(cells, LABELS, strict=True)])
    seen = Seen(tmp_path / "some.csv")
    assert seen.labels == LABELS
    assert seen.content[:4] + seen.content[6:] == pictures[:4] + pictures[6:]
    assert all("no picture's file" in told for told in seen.content[4:6])
    assert "Python's notation" in seen.told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_other_encodings(place, encoding):
    rows = [("file", "label"), *((path, "Öl" if label == "ring" else label) for path, label in named())]
    (place / "labels.csv").write_bytes("\r\n".join(map(",".join, rows)).encode(encoding))
    seen = Seen(place)
    assert seen.classes == ("block", "Öl")
    assert ("read as Windows-1252" in seen.told) == (encoding == "cp1252")


@pytest.mark.parametrize("group", [5, 100])
def test_parquet_with_files_as_bytes(tmp_path, pictures, group):
    table = pa.table({"content": pictures, "target": LABELS, "split": ["train", "test"] * 12})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    seen = Seen(tmp_path / "a.parquet")
    assert (seen.labels, seen.content, seen.splits) == (LABELS, pictures, ["train", "test"] * 12)
    with importing.opened(tmp_path / "a.parquet") as found:
        for i in (23, 3, 17, 4, 0):
            assert found.records[i].content() == pictures[i], "in any order"


def test_a_damaged_parquet_file_is_told(tmp_path, pictures):
    pq.write_table(pa.table({"image": pictures, "label": LABELS}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    with pytest.raises(ValueError, match="no parquet file that can be read"):
        Seen(tmp_path / "a.parquet")


def test_rows_of_one_group_are_in_one_split(place):
    rows = [(*row, f"g{i // 6}") for i, row in enumerate(named())]
    for i in range(N, 120):
        (place / "images" / f"{i:05}.png").write_bytes(png(drawn(1)[0]))
        rows.append((f"images/{i:05}.png", LABELS[i % N], f"g{i // 6}"))
    write(place / "labels.csv", rows, ("file", "label", "group"))
    made = folder.read(place, "grouped", Choices(size=(8, 9), colour=True)).dataset
    groups = {name: {int(i) // 6 for i in split.ids} for name, split in made.splits.items()}
    assert all(groups.values())
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["test"] & groups["validation"]
    first = np.asarray(Image.open(place / "images" / f"{made['test'].ids[0]:05}.png"))
    assert np.array_equal(made["test"].images[0], first)


def test_a_class_with_one_group_or_one_picture_in_train_stays_there(place):
    for i in range(N, 60):
        (place / "images" / f"{i:05}.png").write_bytes(png(drawn(1)[0]))
    labels = ["rare" if i < 12 else LABELS[i % N] for i in range(60)]
    rows = [(f"images/{i:05}.png", labels[i], "one" if i < 12 else f"g{i // 4}") for i in range(60)]
    write(place / "labels.csv", rows, ("file", "label", "group"))
    made = folder.read(place, "grouped", Choices(size=(8, 9), colour=True)).dataset
    assert np.bincount(made["train"].labels, minlength=3)[made.classes.index("rare")] == 12
    assert len(made["test"])
    rows = [(f"images/{i:05}.png", labels[i], "train" if i == 0 or i >= 12 else "test") for i in range(60)]
    write(place / "labels.csv", rows, ("file", "label", "split"))
    made = folder.read(place, "one", Choices(size=(8, 9), colour=True)).dataset
    assert np.bincount(made["train"].labels, minlength=3)[made.classes.index("rare")] == 1
    assert len(made["test"]) == 11
    assert len(made["validation"])
    write(
        place / "labels.csv", [(f"images/{i:05}.png", labels[i], "all") for i in range(60)], ("file", "label", "group")
    )
    with pytest.raises(ValueError, match="too few groups in train to draw a split for test"):
        folder.read(place, "none", Choices(size=(8, 9), colour=True))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scikit_learns_digits_as_a_table(tmp_path, suffix):
    digits = CHANCE.integers(0, 17, (N, 8, 8))
    digits[5, 3, 3] = 16
    frame = pd.DataFrame(digits.reshape(N, 64), columns=[f"pixel_{i // 8}_{i % 8}" for i in range(64)], dtype=float)
    frame["target"] = np.arange(N) % 3
    target = tmp_path / f"digits.{suffix}"
    frame.to_csv(target, index=False) if suffix == "csv" else frame.to_parquet(target)
    with importing.opened(target) as found:
        assert (found.classes, [one.label for one in found.records]) == (("0", "1", "2"), frame["target"].tolist())
        pixels = np.stack([one.decoded(one.raw()).pixels[..., 0] for one in found.records])
        np.testing.assert_array_equal(pixels, np.rint(digits * 255 / 16))
        assert "levels up to 16 are scaled to 0 to 255" in "\n".join(found.notes)


@pytest.mark.parametrize("ordered", [True, False])
def test_labels_of_a_fixed_set_as_polars_writes_an_enum(place, pictures, ordered):
    """A dictionary, of whichever order: names count, not the numbers that they are kept as."""
    kind = pa.dictionary(pa.uint32(), pa.large_string(), ordered=ordered)
    names = pa.array(["unused", "ring", "block"], pa.large_string())
    codes = pa.array([["unused", "ring", "block"].index(one) for one in LABELS], pa.uint32())
    labels = pa.DictionaryArray.from_arrays(codes, names, ordered=ordered).cast(kind)
    files = pa.array([f"images/{i:05}.png" for i in range(N)])
    pq.write_table(pa.table({"file": files, "label": labels}), place / "labels.parquet")
    seen = Seen(place)
    assert (seen.labels, seen.content) == (LABELS, pictures)
    assert seen.classes == ("block", "ring")


def test_pictures_within_parquet_are_read_a_few_at_a_time(tmp_path):
    """By default a page holds 1,024 of them, whatever their size; of pages of 16 next to nothing is held."""
    from ml.data.importing.arrow_tables import ParquetTable

    content = [np.random.default_rng(i).bytes(20_000) for i in range(1_024)]
    wanted, held = (0, 5, 40, 41, 1_023), {}
    for size in (1_024, 16):
        place = tmp_path / f"{size}.parquet"
        pq.write_table(pa.table({"image": content}), place, write_batch_size=size, use_dictionary=[])
        before = pa.total_allocated_bytes()
        table = ParquetTable(place, place.name)
        for row in wanted:
            assert table.cell(row, "image") == content[row]
            held[size] = max(held.get(size, 0), pa.total_allocated_bytes() - before)
        table.close()
        del table
    assert held[1_024] > 10 << 20
    assert held[16] < 4 << 20


def test_rows_that_name_one_file_again(place, pictures):
    """As with a row for each box: the file is taken once, and not at all where they say several classes of it."""
    rows = [(f"{i:05}.png", LABELS[i], 10 * i) for i in range(N)]
    rows += [(f"{i:05}.png", LABELS[i], 1) for i in range(6)] + [("00007.png", "block", 2)]
    write(place / "labels.csv", rows, ("file", "label", "x"))
    seen = Seen(place)
    assert dict(zip(seen.content, seen.labels, strict=True)) == {
        one: LABELS[i] for i, one in enumerate(pictures) if i != 7
    }
    assert len(seen.records) == N - 1
    assert "name a file that a row before them names: each is taken once" in seen.told
    assert "several labels" in seen.told


@pytest.mark.parametrize("several", [False, True])
def test_what_a_picture_does_not_show(tmp_path, pictures, several):
    """Open Images' labels, which people verified: with 0 as their confidence they are of what is not there."""
    for i, content in enumerate(pictures):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / f"{i:016x}.jpg").write_bytes(content)
    mids = {"ring": "/m/0r", "block": "/m/0b"}
    rows = [
        f"{i:016x},verification,{mids[name]},{int(several or name == LABELS[i])}" for i in range(N) for name in mids
    ]
    text = "\n".join(["ImageID,Source,LabelName,Confidence", *rows])
    (tmp_path / "train-annotations-human-imagelabels.csv").write_text(text)
    if several:  # and not "train" for a class
        with pytest.raises(ValueError, match="each of 24 pictures has several labels"):
            Seen(tmp_path)
        return
    seen = Seen(tmp_path)
    assert dict(zip(seen.content, seen.labels, strict=True)) == {one: mids[LABELS[i]] for i, one in enumerate(pictures)}
    assert "rows with 0 in 'Confidence' name what is not in a picture" in seen.told


def test_objects_are_no_labels(place):
    """What a tool of one's own wrote into JSON: nothing is a class called {'name': 'ring', 'at': 3}."""
    rows = [{"file": f"{i:05}.png", "annotation": {"name": LABELS[i], "at": i % 3}} for i in range(N)]
    (place / "labels.json").write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="which column is the label"):
        Seen(place)
