"""Predictions as other tools write them: JSON turned over, heads with remarks, numbers from 1."""

import gzip
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.feather as feather
import pytest

from ml.importing import adding, brought
from ml.recording import doubts, files, numbers, reading
from tests.ml.recording.test_recording import CLASSES, check, csv, pets, rows_of, said_of, understood  # noqa: F401


def frame_of(rows: pd.DataFrame, said: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"path": rows["path"], **{name: said[:, i] for i, name in enumerate(CLASSES)}})


def right(rows: pd.DataFrame, seed: int = 3) -> np.ndarray:
    """float64 [n, 3]: probabilities of which nine in ten are right."""
    labels = np.array([CLASSES.index(one) for one in rows["label"]])
    said = said_of(len(rows), seed)
    said.sort(1)
    at = np.where(np.random.default_rng(seed).random(len(rows)) < 0.9, labels, (labels + 1) % 3)
    turn = np.array([[(place + 1) % 3, (place + 2) % 3, place] for place in at])
    out = np.empty_like(said)
    np.put_along_axis(out, turn, said, 1)
    return out


SHAPES = {
    "columns": lambda frame: frame.to_json(double_precision=15),
    "split": lambda frame: frame.to_json(orient="split", double_precision=15),
    "split by name": lambda frame: frame.set_index("path").to_json(orient="split", double_precision=15),
    "table": lambda frame: frame.to_json(orient="table", index=False, double_precision=15),
    "index": lambda frame: frame.set_index("path").to_json(orient="index", double_precision=15),
    "lists": lambda frame: json.dumps(frame.to_dict("list")),
    "by picture": lambda frame: json.dumps(
        dict(zip(frame["path"], frame[[*CLASSES]].to_numpy().tolist(), strict=True))
    ),
    "a list beside words": lambda frame: json.dumps({"model": "m", "results": frame.to_dict("records")}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_json_in_the_shapes_that_tools_write(pets, tmp_path, shape):  # noqa: F811
    rows = rows_of(pets)
    said = said_of(len(rows))
    (tmp_path / "said.json").write_text(SHAPES[shape](frame_of(rows, said)), encoding="utf-8")
    got = understood(pets, tmp_path / "said.json")
    assert (got.known, got.unmatched) == ("probabilities", 0)
    check(got, pets, rows, said, atol=1e-14)


def tops(row: np.ndarray) -> list[dict[str, object]]:
    """As Hugging Face's pipeline says them of a picture."""
    return [{"label": CLASSES[i], "score": float(row[i])} for i in np.argsort(-row)]


@pytest.mark.parametrize("form", [lambda row: row.tolist(), tops])
def test_lists_without_names_are_in_the_order_of_the_split(pets, tmp_path, form):  # noqa: F811
    rows = rows_of(pets)
    rows = rows[rows["split"] == "test"]
    said = said_of(len(rows))
    (tmp_path / "pipe_test.json").write_text(json.dumps([*map(form, said)]), "utf-8")
    got = understood(pets, tmp_path / "pipe_test.json")
    assert (got.known, got.matched) == ("probabilities", len(rows))
    assert np.abs(got.parts["test"].said - said).max() < 1e-12
    assert any("in the order of test" in note for note in got.notes)


def test_a_label_for_each_picture_in_json(pets, tmp_path):  # noqa: F811
    rows = rows_of(pets)
    (tmp_path / "said.json").write_text(json.dumps(dict(zip(rows["path"], rows["label"], strict=True))), "utf-8")
    got = understood(pets, tmp_path / "said.json")
    assert (got.known, got.matched) == ("labels", 90)
    check(got, pets, rows, np.eye(3)[[CLASSES.index(one) for one in rows["label"]]])


@pytest.mark.parametrize("head", ["# a network\n# of May\n", "sep=;\n", "#", "\r"])
def test_what_stands_before_a_table_and_how_lines_end(pets, tmp_path, head):  # noqa: F811
    rows = rows_of(pets)
    said = said_of(len(rows))
    mark = ";" if head.startswith("sep") else ","
    text = frame_of(rows, said).to_csv(index=False, sep=mark, float_format="%.17g", lineterminator="\n")
    text = text.replace("\n", "\r") if head == "\r" else head + text
    (tmp_path / "said.csv").write_bytes(text.encode())
    got = understood(pets, tmp_path / "said.csv")
    assert got.unmatched == 0
    check(got, pets, rows, said, atol=1e-15)


def test_feather_is_read_as_parquet_is(pets, tmp_path):  # noqa: F811
    rows = rows_of(pets)
    said = said_of(len(rows))
    feather.write_feather(frame_of(rows, said), str(tmp_path / "said.feather"))
    check(understood(pets, tmp_path / "said.feather"), pets, rows, said)


def _zip(place: Path, name: str) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(name, "x")


STRANGERS = {
    "said.csv.gz": (lambda place: place.write_bytes(gzip.compress(b"id,p_0\n1,2\n")), "compressed: unpack it"),
    "said.xlsx": (lambda place: _zip(place, "xl/workbook.xml"), "a workbook: save the sheet as CSV"),
    "said.ods": (lambda place: _zip(place, "content.xml"), "a workbook: save the sheet as CSV"),
    "said.zip": (lambda place: _zip(place, "said.csv"), "a zip archive: unpack it"),
    "cut.zip": (lambda place: place.write_bytes(b"PK\3\4" + bytes(9)), "damaged or cut off"),
    "said.xls": (lambda place: place.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(9)), "Excel: save the sheet as CSV"),
    "page.csv": (lambda place: place.write_bytes(b"<!DOCTYPE html>\n<p>404"), "a web page or XML"),
    "large.csv": (lambda place: place.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "said.hdf": (lambda place: place.write_bytes(b"\x89HDF\r\n\x1a\n"), "HDF5: write the table as CSV or parquet"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_files_that_are_no_tables_are_named_with_what_to_do(pets, tmp_path, name):  # noqa: F811
    write, words = STRANGERS[name]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=f"^{re.escape(name)} .*{words}"):
        understood(pets, tmp_path / name)


@pytest.mark.parametrize("truth", [True, False])
def test_classes_counted_from_one(pets, tmp_path, truth):  # noqa: F811
    rows = rows_of(pets)
    labels = np.array([CLASSES.index(one) for one in rows["label"]])
    more = {"y_true": labels + 1} if truth else {}
    place = csv(tmp_path, pd.DataFrame({"path": rows["path"], "y_pred": labels[::-1] + 1, **more}))
    got = understood(pets, place)
    assert (got.matched, got.labelled, got.disagreeing) == (90, 90 * truth, 0)
    assert "predicted numbers are counted from 1: 1 is 'Ankle boot', 3 'T-shirt top'" in got.notes
    check(got, pets, rows, np.eye(3)[labels[::-1]])
    place = csv(tmp_path, pd.DataFrame({"path": rows["path"], "y_pred": labels}))  # and from 0, as before
    assert "predicted numbers are class ids: 0 is 'Ankle boot', 2 'T-shirt top'" in understood(pets, place).notes


def test_another_order_of_numbered_classes_is_said_and_what_is_right_is_left_alone(pets, tmp_path):  # noqa: F811
    rows = rows_of(pets, ("test", "validation"))
    said = right(rows)
    named = [f"p_{i}" for i in range(3)]
    turned = pd.DataFrame({"path": rows["path"], **dict(zip(named, said[:, [1, 2, 0]].T, strict=True))})
    (words,) = [one for one in understood(pets, csv(tmp_path, turned)).notes if "are right so" in one]
    assert "if 0 is 'Bag', 1 is 'T-shirt top', 2 is 'Ankle boot': call columns by their classes" in words
    plain = pd.DataFrame({"path": rows["path"], **dict(zip(named, said.T, strict=True))})
    assert not any("are right so" in one for one in understood(pets, csv(tmp_path, plain)).notes)
    away = pd.DataFrame({"path": rows["path"], **{name: -np.log(said[:, i]) for i, name in enumerate(CLASSES)}})
    got = understood(pets, csv(tmp_path, away), values="logits")
    assert any("by the least number of each row" in one for one in got.notes)


def test_numbers_sorted_as_text_are_called_that():
    labels = np.repeat(np.arange(12), 10)
    by_text = sorted(range(12), key=str)  # 0, 1, 10, 11, 2, …
    said = np.eye(12)[[by_text.index(one) for one in labels]] * 0.9 + 0.1 / 12
    (words,) = doubts.doubts(said, labels, [f"c{i}" for i in range(12)], numbered=True)
    assert "2 is 'c10', 3 is 'c11'" in words
    assert "their numbers sorted as text" in words
    chance = np.random.default_rng(0).dirichlet(np.ones(12), 120)
    assert doubts.doubts(chance, labels, [f"c{i}" for i in range(12)], numbered=True) == []


def test_columns_of_classes_that_hold_no_numbers_are_told(pets, tmp_path):  # noqa: F811
    rows = rows_of(pets)
    labels = np.array([CLASSES.index(one) for one in rows["label"]])
    yes = pd.DataFrame({"path": rows["path"], **{name: labels == i for i, name in enumerate(CLASSES)}})
    check(understood(pets, csv(tmp_path, yes)), pets, rows, np.eye(3)[labels])
    text = pd.DataFrame({"path": rows["path"], **dict.fromkeys(CLASSES, "1.234,5")})
    with pytest.raises(ValueError, match=r"called like classes and hold text such as '1\.234,5': numbers are wanted"):
        understood(pets, csv(tmp_path, text, sep=";"))


def test_logarithms_of_another_base_and_sums_that_rounding_makes():
    said = said_of(20) + 1e-3
    said /= said.sum(1, keepdims=True)
    for base, log in ((2, np.log2), (10, np.log10)):
        with pytest.raises(ValueError, match=f"to the base of {base}"):
            numbers.kind_of(log(said))
    assert numbers.kind_of(np.log(said)).kind == "log-probabilities"
    assert numbers.kind_of(np.array([[0.3, 0.3, 0.3], [0.4, 0.4, 0.3], [0.2, 0.3, 0.5]])).kind == "scores"


def test_what_hugging_face_and_torch_call_the_truth(pets, tmp_path):  # noqa: F811
    _, dataset = pets
    said = said_of(len(dataset["test"]))
    np.savez(tmp_path / "test.npz", predictions=said, label_ids=dataset["test"].labels)
    got = reading.read([tmp_path / "test.npz"], dataset, pets[0] / "datasets" / "pets")
    assert (got.labelled, got.disagreeing) == (15, 0)


@pytest.mark.parametrize("column", ["id", "image_id", "file"])
@pytest.mark.parametrize("key", ["path", "digest", "id"])
def test_a_column_may_hold_something_else_than_its_name_says(pets, tmp_path, column, key):  # noqa: F811
    rows = rows_of(pets)
    said = said_of(len(rows))
    frame = pd.DataFrame({column: rows[key], **dict(zip(CLASSES, said.T, strict=True))})
    got = understood(pets, csv(tmp_path, frame))
    assert got.unmatched == 0
    check(got, pets, rows, said)


def test_what_is_brought_is_taken_for_a_table_by_these_endings_too(tmp_path):
    for name in ("said.feather", "said.arrow", "said.xlsx", "said.XLS", "said.ods"):
        assert brought.told([tmp_path / name]) == (adding.PREDICTIONS, [tmp_path / name])


def listed_as(content: bytes, place: int, value: int) -> bytes:
    """A zip whose list at its end says another way of packing, or a password, of its files."""
    first, *heads = content.split(b"PK\x01\x02")
    return b"PK\x01\x02".join([first, *(one[:place] + struct.pack("<H", value) + one[place + 2 :] for one in heads)])


@pytest.mark.parametrize(("name", "change"), [
    ("said.parquet", lambda _: b"PAR1" + bytes(60) + b"PAR1"),
    ("said.feather", lambda _: b"ARROW1" + bytes(60)),
    ("said.npz", lambda content: listed_as(content, 6, 99)),
    ("said.npz", lambda content: listed_as(content, 4, 1)),
    ("said.npz", lambda content: content[:90] + bytes(40) + content[130:]),
])  # fmt: skip
def test_a_damaged_file_is_named_in_words(tmp_path, name, change):
    """Of parquet the sentence began with "None:", and an npz with a password was an error of its own kind."""
    np.savez_compressed(tmp_path / "whole.npz", probabilities=np.random.default_rng(0).random((50, 4)))
    (tmp_path / name).write_bytes(change((tmp_path / "whole.npz").read_bytes()))
    with pytest.raises(ValueError, match=rf"^{name}.* cannot be read"):
        files.read(tmp_path / name)
