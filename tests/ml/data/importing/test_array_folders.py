"""Pictures as arrays, one file each, in folders of classes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.data import importing
from ml.data.importing import array_folders, looks, sources
from tests.ml.data.importing.seen import LABELS, N, Seen, drawn


def laid(folder, arrays, split=lambda i: ""):
    for i, array in enumerate(arrays):
        place = folder / split(i) / LABELS[i]
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{i:03}.npy", array)
    return folder


FORMS = {
    "colour": lambda pixels: pixels,
    "grey": lambda pixels: pixels[..., 0],
    "fractions": lambda pixels: pixels.astype(np.float32) / 255,
    "channels first": lambda pixels: pixels.transpose(2, 0, 1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("split", [lambda i: "", lambda i: "test" if i > 15 else "train"])
def test_each_array_is_a_picture(tmp_path, form, split):
    given = drawn()
    given[0, 0, 0], given[1, 0, 0] = 0, 255
    seen = Seen(laid(tmp_path / "set", map(FORMS[form], given), split))
    assert seen.classes == ("block", "ring")
    assert {*seen.splits} == {split(i) for i in range(N)}
    wanted = {int(one.name[-7:-4]): pixels for one, pixels in zip(seen.records, seen.pixels, strict=True)}
    assert [LABELS[i] for i in wanted] == seen.labels
    for i, pixels in enumerate(given):
        assert (wanted[i] == (pixels[..., :1] if form == "grey" else pixels)).all()


def test_what_is_no_picture_costs_itself(tmp_path):
    source = laid(tmp_path / "set", drawn())
    (source / "ring" / "101.npy").write_bytes(b"\x93NUMPY\x01\0cut")
    np.save(source / "ring" / "103.npy", np.array([{}]))
    np.save(source / "ring" / "105.npy", np.zeros((8, 9, 3)))
    (source / "ring" / "note.txt").write_text("", "utf-8")
    with importing.opened(source) as found:
        said = {}
        for one in found.records:
            try:
                one.pixels()
            except ValueError as error:
                said[one.name] = str(error)
        assert len(found.records) == N + 3
    assert "damaged" in said["ring/101.npy"]
    assert "never opened" in said["ring/103.npy"]
    assert len(said) >= 2


def test_a_file_for_each_class_stays_one(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "set" / split).mkdir(parents=True)
        for name in ("cat", "dog", "rat"):
            np.save(tmp_path / "set" / split / f"{name}.npy", drawn(6)[..., 0].reshape(6, -1)[:, :64])
    assert array_folders.look(sources.folder(tmp_path / "set"), "set") is None


def test_what_cannot_be_read_is_said_before_it_is_imported(tmp_path):
    for i, label in enumerate(LABELS):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / label / f"{i}.dcm").write_bytes(bytes(128) + b"DICM" + bytes(99))
    with importing.opened(tmp_path / "set") as found:
        notes = looks.taken(looks.look(found), importing.Choices()).notes()
    assert notes[0].startswith("24 of 24 pictures looked at cannot be read: This is a DICOM file")


def test_parquet_under_the_name_that_openml_gives_it(tmp_path):
    pixels = drawn()[:, :8, :8, 0].reshape(N, -1)
    columns = {f"pixel{i + 1}": pixels[:, i] for i in range(64)}
    pq.write_table(pa.table({**columns, "class": LABELS}), tmp_path / "dataset.pq")
    seen = Seen(tmp_path / "dataset.pq")
    assert seen.labels == LABELS
    assert (np.stack(seen.pixels).reshape(N, -1) == pixels).all()
