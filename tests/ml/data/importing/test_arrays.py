"""Arrays as MedMNIST, Keras, KMNIST, EMNIST and CIFAR publish them: the right way up, with their labels and splits."""

import gzip
import io
import struct
import tarfile

import numpy as np
import pytest

from ml.data import importing
from tests.ml.data.importing.seen import CHANCE, N, Seen, drawn

LABELS = np.arange(N) % 3


class Arrays:
    """What was found, with all pixels."""

    def __init__(self, place):
        with importing.opened(place) as found:
            self.classes, self.records = found.classes, found.records
            self.labels = [one.label for one in found.records]
            self.splits = [one.split for one in found.records]
            self.pixels = np.stack([one.decoded(one.raw()).pixels for one in found.records])
            self.told = "\n".join([*found.notes, *found.left_out.lines()])
            self.png = found.records[0].content()


def test_npz_as_medmnist_writes_it(tmp_path):
    images = drawn(3 * N, (28, 28, 3)).reshape(3, N, 28, 28, 3)
    arrays = {f"{split}_images": images[i] for i, split in enumerate(("train", "val", "test"))}
    arrays |= {f"{split}_labels": LABELS[:, None].astype(np.uint8) for split in ("train", "val", "test")}
    np.savez_compressed(tmp_path / "pathmnist.npz", **arrays)
    seen = Arrays(tmp_path / "pathmnist.npz")
    assert seen.classes == ("0", "1", "2")
    assert seen.labels == [*LABELS] * 3
    assert seen.splits == ["train"] * N + ["validation"] * N + ["test"] * N
    assert np.array_equal(seen.pixels, images.reshape(-1, 28, 28, 3))
    assert seen.png.startswith(b"\x89PNG")
    assert "pathmnist.npz, train_images" in seen.told


def test_npz_as_keras_writes_it(tmp_path):
    images = drawn(2 * N, (28, 28))
    np.savez(tmp_path / "mnist.npz", x_train=images[:N], y_train=LABELS, x_test=images[N:], y_test=LABELS)
    (tmp_path / "other.npz").write_bytes(b"not looked at")
    seen = Arrays(tmp_path / "mnist.npz")
    assert np.array_equal(seen.pixels[..., 0], images)
    assert seen.splits == ["train"] * N + ["test"] * N


@pytest.mark.parametrize("single", [True, False])
def test_pairs_of_npz_as_kmnist_publishes_them(tmp_path, single):
    images = drawn(2 * N, (28, 28))
    for split, part in (("train", images[:N]), ("test", images[N:])):
        np.savez(tmp_path / f"kmnist-{split}-imgs.npz", part)
        np.savez(tmp_path / f"kmnist-{split}-labels.npz", LABELS.astype(np.uint8))
        np.savez(tmp_path / f"k49-{split}-imgs.npz", part[:1]) if single else None
    (tmp_path / "kmnist_classmap.csv").write_text(
        "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n", "utf-8"
    )
    seen = Arrays(tmp_path / "kmnist-test-imgs.npz" if single else tmp_path)
    assert seen.classes == ("お", "き", "す")
    assert np.array_equal(seen.pixels[..., 0], images)
    assert seen.splits == ["train"] * N + ["test"] * N


@pytest.mark.parametrize(
    ("images", "wanted", "told"),
    [
        (lambda raw: raw / np.float32(255), lambda raw: raw, "0 to 1, are scaled"),
        (lambda raw: raw.astype(np.float32), lambda raw: raw, ""),
        (lambda raw: raw.astype(np.int64), lambda raw: raw, ""),
        (lambda raw: raw / 127.5 - 1, lambda raw: raw, "-1 to 1, are scaled"),
        (lambda raw: (raw // 16).astype(float), lambda raw: np.rint(raw // 16 * 17.0), "0 to 15, are scaled"),
        (lambda raw: raw > 99, lambda raw: (raw > 99) * 255, ""),
        (lambda raw: raw.astype(np.uint16) * 257, lambda raw: raw, "0 to 65535, are scaled"),
        (lambda raw: raw.reshape(N, -1), lambda raw: raw, ""),
        (lambda raw: np.stack([raw] * 3, axis=1), lambda raw: np.stack([raw] * 3, axis=-1), "channels first"),
    ],
)
def test_levels_and_forms_of_any_kind(tmp_path, images, wanted, told):
    raw = drawn(N, (8, 8))
    raw[0, 0, :2] = 0, 255
    np.savez(tmp_path / "a.npz", images=images(raw), labels=LABELS)
    seen = Arrays(tmp_path / "a.npz")
    assert np.array_equal(np.squeeze(seen.pixels), np.squeeze(wanted(raw)).astype(np.uint8))
    assert told in seen.told
    assert told or "scaled" not in seen.told


def test_labels_as_names_and_one_of_many(tmp_path):
    names = np.array(["ant", "bee", "cow"])
    np.savez(tmp_path / "a.npz", x=drawn(N, (8, 8)), y=names[::-1][LABELS])
    assert Arrays(tmp_path / "a.npz").classes == ("ant", "bee", "cow")
    ones = np.eye(3)[LABELS]
    ones[4] = 1
    np.savez(tmp_path / "a.npz", x=drawn(N, (8, 8)), y=ones, class_names=names[::-1])
    seen = Arrays(tmp_path / "a.npz")
    assert seen.classes == ("cow", "bee", "ant")
    assert seen.labels == [*np.delete(LABELS, 4)]
    assert "several labels" in seen.told


def test_npy_pairs_in_a_folder(tmp_path):
    images = drawn(N, (8, 8))
    np.save(tmp_path / "x_train.npy", images)
    np.save(tmp_path / "y_train.npy", LABELS)
    assert np.array_equal(Arrays(tmp_path).pixels[..., 0], images)


def test_what_is_pickled_or_no_picture_is_refused_in_words(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([{}, []], dtype=object), labels=LABELS)
    with pytest.raises(ValueError, match="pickles are never opened"):
        Arrays(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=drawn(N, (8, 8, 8)), labels=LABELS)
    with pytest.raises(ValueError, match=r"\(24, 8, 8, 8\) are no pictures"):
        Arrays(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match="cannot be read as arrays"):
        Arrays(tmp_path / "a.npz")
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(ValueError, match="is pickled, and pickles are never opened"):
        Arrays(tmp_path / "cifar-10-batches-py")


def idx(array, packed=False):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    content = head + array.astype(np.uint8).tobytes()
    return gzip.compress(content) if packed else content


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_idx_pairs(tmp_path, packed, single):
    images, end = drawn(2 * N, (9, 8)), ".gz" if packed else ""
    for split, part in (("train", images[:N]), ("t10k", images[N:])):
        (tmp_path / f"{split}-images-idx3-ubyte{end}").write_bytes(idx(part, packed))
        (tmp_path / f"{split}-labels-idx1-ubyte{end}").write_bytes(idx(LABELS, packed))
    seen = Arrays(tmp_path / f"t10k-images-idx3-ubyte{end}" if single else tmp_path)
    assert np.array_equal(seen.pixels[..., 0], images)
    assert seen.splits == ["train"] * N + ["test"] * N
    assert seen.labels == [*LABELS] * 2
    assert "turned" not in seen.told


def test_emnist_is_turned_named_by_its_mapping_and_told_apart(tmp_path):
    upright = drawn(N, (28, 28))
    for kind in ("letters", "digits"):
        (tmp_path / f"emnist-{kind}-train-images-idx3-ubyte.gz").write_bytes(idx(upright.transpose(0, 2, 1), True))
        (tmp_path / f"emnist-{kind}-train-labels-idx1-ubyte.gz").write_bytes(idx(LABELS + 1, True))
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    seen = Arrays(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz")
    assert seen.classes == ("A", "B", "C")
    assert seen.labels == [*LABELS]
    assert np.array_equal(seen.pixels[..., 0], upright)
    assert "the pictures are turned: EMNIST's" in seen.told
    with pytest.raises(ValueError, match="several data sets lie here"):
        Arrays(tmp_path)


def test_an_idx_file_that_breaks_off(tmp_path):
    images = drawn(N, (9, 8))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images)[:-100])
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    seen = Arrays(tmp_path)
    assert np.array_equal(seen.pixels[..., 0], images[: N - 2])
    assert "breaks off: 22 of its 24 entries are there" in seen.told
    assert "22 pictures and 24 labels" in seen.told


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("tar", [True, False])
def test_cifars_binary_files(tmp_path, classes, tar):
    images = drawn(2 * N, (32, 32, 3))
    planes = images.transpose(0, 3, 1, 2).reshape(2 * N, -1)
    labels = np.concatenate([LABELS, LABELS])[:, None]
    head = labels if classes == 10 else np.concatenate([labels * 0 + 7, labels], axis=1)
    records = np.concatenate([head, planes], axis=1).astype(np.uint8)
    files = ("data_batch_1.bin", "test_batch.bin") if classes == 10 else ("train.bin", "test.bin")
    names = "batches.meta.txt" if classes == 10 else "fine_label_names.txt"
    content = {files[0]: records[:N].tobytes(), files[1]: records[N:].tobytes() + b"cut", names: b"owl\nbat\nant\n\n"}
    if tar:
        place = tmp_path / "cifar-binary.tar.gz"
        with tarfile.open(place, "w:gz") as archive:
            for name, one in content.items():
                info = tarfile.TarInfo(f"cifar-batches-bin/{name}")
                info.size = len(one)
                archive.addfile(info, io.BytesIO(one))
    else:
        place = tmp_path / "bin"
        place.mkdir()
        for name, one in content.items():
            (place / name).write_bytes(one)
    seen = Arrays(place if tar or classes == 100 else place / "data_batch_1.bin")
    assert seen.classes == ("owl", "bat", "ant")
    assert sorted(seen.splits) == ["test"] * N + ["train"] * N
    train = np.array(seen.splits) == "train"
    assert np.array_equal(seen.pixels[train], images[:N])
    assert np.array_equal(seen.pixels[~train], images[N:])
    assert [seen.labels[i] for i in np.flatnonzero(train)] == [*LABELS]
    assert "breaks off within its record 25" in seen.told


def test_scikit_learns_digits_whole_and_beside_others(tmp_path):
    images = np.random.default_rng(1).integers(0, 17, (N, 8, 8)).astype(float)
    images[0, 0, 0] = 16
    whole = {"data": images.reshape(N, 64), "target": LABELS, "images": images, "target_names": np.arange(3)}
    np.savez(tmp_path / "digits_all.npz", **whole, feature_names=np.array(["pixel_0_0"]))
    np.savez(tmp_path / "digits_X_y.npz", X=images.reshape(N, 64), y=LABELS)
    for name in ("digits_all.npz", "digits_X_y.npz"):
        seen = Arrays(tmp_path / name)
        assert seen.labels == LABELS.tolist()
        np.testing.assert_array_equal(seen.pixels[..., 0], np.rint(images * 255 / 16))


def test_a_file_of_pictures_for_each_class(tmp_path):
    there = {name: drawn(10, (784,)) for name in ("cat", "ice cream", "dog")}
    for name, images in there.items():
        np.save(tmp_path / f"full_numpy_bitmap_{name}.npy", images)
    seen = Arrays(tmp_path)
    assert seen.classes == ("cat", "dog", "ice cream")
    assert np.bincount(seen.labels).tolist() == [10, 10, 10]
    rows = [i for i, label in enumerate(seen.labels) if seen.classes[label] == "ice cream"]
    np.testing.assert_array_equal(seen.pixels[rows], there["ice cream"].reshape(10, 28, 28, 1))


@pytest.mark.parametrize("side", [28, 32])
def test_heads_that_count_levels_are_datumaros(tmp_path, side):
    """They say 28 x 28 of any size: pictures of that size are read, of others none is cut out of the wrong place."""
    pixels = drawn(size=(side, side))
    head = b"\0\0\x08\x03" + pixels.size.to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    labels = bytes(i % 2 for i in range(N))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + N.to_bytes(4, "big") + labels)
    if side != 28:
        with pytest.raises(ValueError, match="export them as Datumaro or ImageNet"):
            Seen(tmp_path)
        return
    seen = Seen(tmp_path)
    assert seen.labels == [str(i % 2) for i in range(N)]
    assert all(np.array_equal(one[..., 0], pixels[i]) for i, one in enumerate(seen.pixels))
    assert "breaks off" not in seen.told


def test_pictures_of_several_labels_are_refused_in_a_sentence(tmp_path):
    """ChestMNIST's, which has fourteen answers for each."""
    labels = CHANCE.integers(0, 2, (N, 14), np.uint8)
    labels[:, :2] = 1
    np.savez(tmp_path / "chestmnist.npz", train_images=drawn(size=(8, 8)), train_labels=labels)
    with pytest.raises(ValueError, match="each of 24 pictures has several labels, and here a picture has one"):
        Seen(tmp_path / "chestmnist.npz")


def test_norbs_matrices_are_no_matlab(tmp_path):
    """As LeCun's page describes them: a magic number, how many axes, their lengths, values."""
    for part, kind, values in (
        ("dat", 0x1E3D4C55, np.zeros((6, 2, 8, 8), np.uint8)),
        ("cat", 0x1E3D4C54, np.zeros(6, "<i4")),
    ):
        head = np.array([kind, values.ndim, *values.shape, *[1] * (3 - values.ndim)], "<i4")
        place = tmp_path / f"smallnorb-5x46789x9x18x6x2x96x96-training-{part}.mat"
        place.write_bytes(head.tobytes() + values.tobytes())
    with pytest.raises(ValueError, match="a matrix of NORB, not of MATLAB: write one picture of each pair"):
        Seen(tmp_path)


@pytest.mark.parametrize("first", [False, True])
def test_a_fourth_channel_is_transparency_where_it_looks_like_it(tmp_path, first):
    """Near infrared, as DeepSat's SAT-6 has it, is another channel."""
    pixels = drawn(size=(8, 9, 4))
    for cover in (CHANCE.integers(30, 220, (N, 8, 9), np.uint8), np.where(pixels[..., 0] < 128, 0, 255)):
        pixels[..., 3] = cover
        np.savez(tmp_path / "a.npz", x=np.moveaxis(pixels, -1, 1) if first else pixels, y=np.arange(N) % 2)
        seen = Seen(tmp_path / "a.npz")
        is_alpha = set(np.unique(cover)) == {0, 255}
        wanted = pixels[..., :3] * (pixels[..., 3:] == 255) if is_alpha else pixels[..., :3]
        np.testing.assert_array_equal(seen.pixels, wanted)
        assert ("is no transparency, and is left out" in seen.told) is not is_alpha


def test_a_link_of_git_annex_to_what_is_not_here(tmp_path, put):
    place = put("ring") and put("block")
    (place / "ring" / "more.jpg").symlink_to("../.git/annex/objects/ab/MD5E-s1--0.jpg/MD5E-s1--0.jpg")
    assert "git annex get fetches it" in Seen(place).told


def without_end(content: bytes) -> bytes:
    """An array of -1 pictures."""
    return content.replace(b"(24, ", b"(-1, ")


def packed_by(content: bytes, place: int, value: int) -> bytes:
    """A zip whose list at its end says another way of packing, or a password, of its files."""
    first, *heads = content.split(b"PK\x01\x02")
    return b"PK\x01\x02".join([first, *(one[:place] + struct.pack("<H", value) + one[place + 2 :] for one in heads)])


@pytest.mark.parametrize(("name", "change"), [
    ("a.npy", without_end),
    ("a.npz", lambda content: packed_by(content, 6, 99)),
    ("a.npz", lambda content: packed_by(content, 4, 1)),
    ("t10k-images-idx3-ubyte.gz", lambda content: gzip.compress(content)[:40] + bytes(60)),
])  # fmt: skip
def test_what_is_packed_or_counted_in_a_way_that_is_not_known_is_named(tmp_path, name, change):
    """Each ended the look with an error of its own kind."""
    file = io.BytesIO()
    np.savez(file, images=drawn()) if name.endswith(".npz") else np.save(file, drawn())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_bytes(change(file.getvalue()))
    with pytest.raises(ValueError, match=r"b (?:holds no pictures|needs at least two folders)"):
        Seen(tmp_path / "b")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json_that_goes_deeper_than_anything_is_refused_in_words(tmp_path, content, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=suffix):
        Seen(tmp_path / f"a.{suffix}")
