"""HDF5 as it is published: PatchCamelyon, cats of a course, Galaxy10, USPS, MATLAB's version 7.3."""

import sys

import numpy as np
import pytest

from ml.data.importing import sources
from tests.ml.data.importing.seen import LABELS, N, Seen, drawn

h5py = pytest.importorskip("h5py")
IDS = np.array([i % 2 for i in range(N)], np.uint8)
SPLITS = (("train", slice(0, 12)), ("valid", slice(12, 18)), ("test", slice(18, N)))


@pytest.mark.parametrize("single", [False, True])
def test_a_file_for_pictures_and_one_for_labels(tmp_path, single):
    """PatchCamelyon's: packed, a picture a chunk, and labels of [n, 1, 1, 1]."""
    pixels = drawn()
    for split, rows in SPLITS:
        with h5py.File(tmp_path / f"camelyonpatch_level_2_split_{split}_x.h5", "w") as file:
            file.create_dataset("x", data=pixels[rows], chunks=(1, *pixels.shape[1:]), compression="gzip")
        with h5py.File(tmp_path / f"camelyonpatch_level_2_split_{split}_y.h5", "w") as file:
            file["y"] = IDS[rows].reshape(-1, 1, 1, 1)
    seen = Seen(tmp_path / "camelyonpatch_level_2_split_train_x.h5" if single else tmp_path)
    np.testing.assert_array_equal(seen.pixels, pixels)
    assert seen.labels == [str(one) for one in IDS]
    assert seen.splits == ["train"] * 12 + ["validation"] * 6 + ["test"] * 6


@pytest.mark.parametrize("words", [np.array(["block", "ring"], "S5"), ["block", "ring"]])
def test_names_of_classes_as_words(tmp_path, words):
    pixels = drawn()
    for split, rows in (("train", slice(0, 16)), ("test", slice(16, N))):
        with h5py.File(tmp_path / f"{split}_catvnoncat.h5", "w") as file:
            file[f"{split}_set_x"], file[f"{split}_set_y"], file["list_classes"] = pixels[rows], IDS[rows], words
    seen = Seen(tmp_path)
    np.testing.assert_array_equal(seen.pixels, pixels)
    assert (seen.classes, seen.labels) == (("block", "ring"), LABELS)
    assert seen.splits == ["train"] * 16 + ["test"] * 8


def test_groups_and_levels_from_0_to_1(tmp_path):
    """USPS: train/data and train/target, each picture a row."""
    pixels = drawn(size=(16, 16, 1))
    with h5py.File(tmp_path / "usps.h5", "w") as file:
        for split, rows in (("train", slice(0, 16)), ("test", slice(16, N))):
            levels = (pixels[rows] / 255).astype(">f4").reshape(-1, 256)
            file[f"{split}/data"], file[f"{split}/target"] = levels, IDS[rows]
    seen = Seen(tmp_path / "usps.h5")
    np.testing.assert_array_equal(seen.pixels, pixels)
    assert seen.splits == ["train"] * 16 + ["test"] * 8


@pytest.mark.parametrize("form", ["last", "first", "grey"])
def test_matlabs_version_7_3(tmp_path, form):
    """X of [h, w, c, n], [n, h, w, c] or [h, w, n], which lie in the file with their axes the other way round."""
    pixels = drawn(size=(8, 9, 1 if form == "grey" else 3))
    shown = pixels[..., 0] if form == "grey" else pixels
    with h5py.File(tmp_path / "digits.mat", "w", userblock_size=512) as file:
        file["X"] = (shown if form == "first" else np.moveaxis(shown, 0, -1)).transpose()
        file["y"] = IDS[None].astype(float)
        file["#refs#/a"] = np.zeros((N, 8, 9))
    with (tmp_path / "digits.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    seen = Seen(tmp_path)
    np.testing.assert_array_equal(seen.pixels, pixels)
    assert seen.labels == [str(one) for one in IDS]


def elsewhere(file, tmp_path):
    file["images"], file["labels"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images"), IDS


def outside(file, tmp_path):
    file.create_dataset("images", (N, 8, 8), np.uint8, external=[(str(tmp_path / "secret"), 0, 64 * N)])
    file["labels"] = IDS


def virtual(file, tmp_path):
    layout = h5py.VirtualLayout((N, 8, 8), np.uint8)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", (N, 8, 8))
    file.create_virtual_dataset("images", layout)
    file["labels"] = IDS


@pytest.mark.parametrize(("write", "words"), [
    (elsewhere, "wants numbers out of another file"),
    (outside, "wants numbers out of another file"),
    (virtual, "wants numbers out of another file"),
    (lambda file, _: file.create_dataset("images", (10**6, 1000, 1000), np.uint8, chunks=(1, 1000, 1000)), "far more"),
    (lambda file, _: [file.create_dataset(f"layer{i}/kernel", data=np.zeros((3, 3))) for i in range(65)], "networks"),
    (lambda file, _: file.create_dataset("images", (15_000_000, 1_000), "u1", chunks=(1, 1_000)), "far more"),
    (lambda file, _: file.create_dataset("depth", data=np.zeros((5, 4))), "holds no pictures with labels"),
])  # fmt: skip
def test_what_is_refused(tmp_path, write, words):
    (tmp_path / "set").mkdir()
    (tmp_path / "secret").write_bytes(bytes(64 * N))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros((N, 8, 8), np.uint8)
    with h5py.File(tmp_path / "set" / "a.h5", "w") as file:
        write(file, tmp_path)
    with pytest.raises(ValueError, match=words):
        Seen(tmp_path / "set")


def in_itself(file):
    file["group/again"] = file["/"]
    for name in "abcdefghijklmnopqrstuvwxyz":
        file[f"group/{name}"] = file["group"]


@pytest.mark.parametrize("write", [
    in_itself,
    lambda file: file.create_dataset("long", (1,), "S1000000000", chunks=(1,), compression="gzip"),
    lambda file: file.create_dataset("many", (90_000,), "S900000", chunks=(1,), compression="gzip"),
    lambda file: file.create_dataset("longer", data=["x" * 10**6] * 20, dtype=h5py.string_dtype()),
    lambda file: file.create_dataset("nothing", data=h5py.Empty("f4")),
    lambda file: file.create_dataset("parts", data=np.zeros(4, [("a", "i4"), ("b", "S3")])),
    lambda file: file.create_dataset("lists", (3,), h5py.vlen_dtype("i4")),
    lambda file: file.create_dataset("references", (3,), h5py.ref_dtype),
])  # fmt: skip
def test_what_lies_beside_pictures_holds_nothing_up(tmp_path, write):
    """A group within itself was listed for ever; a list of one word was said to have a GB, and got it."""
    pixels = drawn()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = pixels, IDS
        write(file)
    np.testing.assert_array_equal(Seen(tmp_path / "a.h5").pixels, pixels)


def test_any_byte_may_be_another(tmp_path):
    """Taken, left out or refused in words, whatever h5py says of it."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=drawn(size=(8, 8, 1)), chunks=(6, 8, 8, 1), compression="gzip")
        file["group/labels"] = IDS
    content, refused = (tmp_path / "a.h5").read_bytes(), 0
    for at in range(0, 2_400, 7):
        (tmp_path / "a.h5").write_bytes(content[:at] + bytes([content[at] ^ 0x85]) + content[at + 1 :])
        try:
            Seen(tmp_path / "a.h5")
        except ValueError:
            refused += 1
    assert refused


def test_what_does_not_fit_on_the_disk_is_not_unpacked(tmp_path, monkeypatch):
    pixels = drawn()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = pixels, IDS
    np.savez(tmp_path / "a.npz", images=pixels, labels=IDS)
    monkeypatch.setattr(sources, "SPARE", 2**70)
    for name in ("a.h5", "a.npz"):
        with pytest.raises(ValueError, match="There is no room on the disk to unpack this"):
            Seen(tmp_path / name)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_one_that_breaks_off_is_named(tmp_path, kept):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = drawn(size=(32, 32, 3)), IDS
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"a\.h5.*cannot be read as arrays"):
        Seen(tmp_path / "a.h5")


def test_without_h5py_it_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"reading it takes h5py.*pip install -r requirements-networks\.txt"):
        Seen(tmp_path)
