"""Arrays whose labels or rows are not what names say: several questions in columns, pictures column by column."""

import gzip
import struct

import numpy as np
import pytest
from scipy.io import savemat

from tests.ml.data.importing.seen import N, Seen, drawn

LABELS = [i % 3 for i in range(N)]


def by_matlab(place, values):
    """As MATLAB begins its files, which scipy writes with another first line."""
    savemat(place, values)
    with place.open("r+b") as file:
        assert file.read(19) == b"MATLAB 5.0 MAT-file"
        file.seek(19)
        file.write(b", Platform: GLNXA64, Created on: Mon Nov 30 12:00:00 2026".ljust(97))
    return place


def rows(images):
    """As MATLAB reshapes a picture: column by column."""
    return images.transpose(0, 2, 1).reshape(len(images), -1)


def test_two_questions_are_no_number_for_each_class(tmp_path):
    """(0, 5) has one number that is not zero, and is not class 1."""
    labels = np.stack([np.arange(N) % 3, np.arange(N) % 4], 1)
    np.savez(tmp_path / "two.npz", images=drawn(), labels=labels)
    with pytest.raises(ValueError, match=f"each of {N} pictures has several labels"):
        Seen(tmp_path / "two.npz")


@pytest.mark.parametrize("set_to", [1, 255, 1.0, True])
def test_a_number_for_each_class(tmp_path, set_to):
    hot = np.zeros((N, 3), type(set_to))
    hot[range(N), LABELS] = set_to
    np.savez(tmp_path / "hot.npz", images=drawn(), labels=hot)
    assert Seen(tmp_path / "hot.npz").labels == list(map(str, LABELS))


def test_qmnist_has_its_label_in_the_first_of_eight_columns(tmp_path):
    images = drawn(size=(12, 12))
    labels = np.zeros((N, 8), ">i4")
    labels[:, 0], labels[8:, 1], labels[4:, 2] = LABELS, 4, range(4, N)
    for name, values, kind in (("images-idx3-ubyte", images, 8), ("labels-idx2-int", labels, 12)):
        head = bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape)
        (tmp_path / f"qmnist-train-{name}.gz").write_bytes(gzip.compress(head + values.tobytes()))
    seen = Seen(tmp_path)
    assert seen.labels == list(map(str, LABELS))
    np.testing.assert_array_equal(np.stack(seen.pixels)[..., 0], images)


def test_emnist_as_matlab_has_it(tmp_path):
    """A structure of structures, pictures column by column, numbers called as its mapping says."""
    images = drawn(size=(12, 12))

    def part(which):
        return {"images": rows(images[which]), "labels": np.array(LABELS[which], np.uint8)[:, None] + 1}

    mapping = np.array([[i + 1, 65 + i, 97 + i] for i in range(3)])
    told = {"dataset": {"train": part(slice(0, 16)), "test": part(slice(16, N)), "mapping": mapping}}
    seen = Seen(by_matlab(tmp_path / "emnist-letters.mat", told))
    assert seen.classes == ("A", "B", "C")
    assert seen.labels == ["ABC"[i] for i in LABELS]
    assert (seen.splits.count("train"), seen.splits.count("test")) == (16, N - 16)
    np.testing.assert_array_equal(np.stack(seen.pixels)[..., 0], images)
    assert "turned: MATLAB writes a picture in a row column by column" in seen.told


@pytest.mark.parametrize(("images", "labels"), [("X", "y"), ("fea", "gnd")])
def test_rows_of_matlab_are_pictures_column_by_column(tmp_path, images, labels):
    pixels = drawn(size=(12, 12))
    told = {images: rows(pixels).astype(float), labels: np.array(LABELS)[:, None] + 1.0}
    place = by_matlab(tmp_path / "faces.mat", told)
    seen = Seen(place)
    np.testing.assert_array_equal(np.stack(seen.pixels)[..., 0], pixels)
    assert seen.labels == [str(i + 1) for i in LABELS]
    other = Seen(place, turned=False)
    np.testing.assert_array_equal(np.stack(other.pixels)[..., 0], pixels.transpose(0, 2, 1))


def test_rows_that_scipy_wrote_are_as_python_has_them(tmp_path):
    pixels = drawn(size=(12, 12))
    savemat(tmp_path / "faces.mat", {"X": pixels.reshape(N, -1), "y": np.array(LABELS)[:, None]})
    np.testing.assert_array_equal(np.stack(Seen(tmp_path / "faces.mat").pixels)[..., 0], pixels)


@pytest.mark.parametrize("names", [("arr_0", "arr_1"), ("features", "classes")])
def test_one_array_of_pictures_and_one_of_as_many_labels(tmp_path, names):
    images = drawn()
    np.savez(tmp_path / "data.npz", **dict(zip(names, (images, np.array(LABELS)), strict=True)))
    seen = Seen(tmp_path / "data.npz")
    assert seen.labels == list(map(str, LABELS))
    np.testing.assert_array_equal(np.stack(seen.pixels), images)
    assert "left out" not in seen.told


def test_short_words_for_splits(tmp_path):
    images, labels = drawn(), np.array(LABELS)
    np.savez(tmp_path / "a.npz", X_tr=images[:16], y_tr=labels[:16], X_te=images[16:], y_te=labels[16:])
    seen = Seen(tmp_path / "a.npz")
    assert (seen.splits.count("train"), seen.splits.count("test")) == (16, N - 16)


def test_a_lone_file_that_breaks_off_says_so(tmp_path):
    whole = gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3i", N, 12, 12) + drawn(size=(12, 12)).tobytes())
    place = tmp_path / "t10k-images-idx3-ubyte.gz"
    place.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"breaks off: \d+ of its {N} entries are there"):
        Seen(place)
