"""Sets as they are published: MATLAB's files, binary ones, names of files that are labels, numbers named elsewhere."""

import bz2
import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from ml.data import importing
from tests.ml.data.importing.seen import LABELS, N, Seen, drawn
from tests.ml.data.importing.test_competitions import csv, put  # noqa: F401  a fixture

DIGITS = [i % 5 for i in range(N)]


def test_svhn(tmp_path):
    """MATLAB's: pictures last to first, labels as a column, of which 10 stands for the digit 0."""
    images, labels = drawn(), [i % 10 + 1 for i in range(N)]
    for split, rows in (("train", slice(0, 16)), ("test", slice(16, N))):
        told = {"X": images[rows].transpose(1, 2, 3, 0), "y": np.array(labels[rows], np.uint8)[:, None]}
        savemat(tmp_path / f"{split}_32x32.mat", told)
    seen = Seen(tmp_path)
    assert (seen.splits.count("train"), seen.splits.count("test")) == (16, N - 16)
    np.testing.assert_array_equal(np.stack(seen.pixels), images)
    assert seen.classes == tuple(map(str, range(1, 11)))
    assert seen.labels == list(map(str, labels))
    alone = Seen(tmp_path / "test_32x32.mat")
    np.testing.assert_array_equal(np.stack(alone.pixels), images[16:])


def test_a_file_of_matlabs_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "train.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(109) + b"\0\1IM" + b"\xff" * 40)
    with pytest.raises(ValueError, match=r"train\.mat.*cannot be read as arrays"):
        Seen(tmp_path)


@pytest.mark.parametrize("names", [True, False])
def test_stl_10(tmp_path, names):
    """Planes column by column, labels from 1 on, pictures without a label in a file of their own."""
    images, called = drawn(8, (96, 96, 3)), ["airplane", "bird", "car"]
    labels = np.array([1, 2, 3, 1, 2, 3], np.uint8)
    for split, rows in (("train", slice(0, 4)), ("test", slice(4, 6)), ("unlabeled", slice(6, 8))):
        images[rows].transpose(0, 3, 2, 1).tofile(tmp_path / f"{split}_X.bin")
        if split != "unlabeled":
            labels[rows].tofile(tmp_path / f"{split}_y.bin")
    if names:
        (tmp_path / "class_names.txt").write_text("\n".join(called))
    seen = Seen(tmp_path)
    by_split = dict(zip(("train", "test", "unlabelled"), (images[:4], images[4:6], images[6:]), strict=True))
    for split, given in by_split.items():
        np.testing.assert_array_equal(np.stack(seen.pixels)[[one == split for one in seen.splits]], given)
    expected = [called[i - 1] if names else str(i - 1) for i in labels.tolist()]
    assert [one for one in seen.labels if one is not None] == expected
    assert seen.labels.count(None) == 2


def test_levels_as_text(tmp_path):
    """FER2013's, with its words for splits; and a list of numbers as pandas writes one."""
    images = drawn(N, (8, 8))
    usage = ["PublicTest" if i % 6 == 4 else "PrivateTest" if i % 6 == 5 else "Training" for i in range(N)]
    rows = [(DIGITS[i], " ".join(map(str, images[i].ravel())), usage[i]) for i in range(N)]
    (tmp_path / "fer2013.csv").write_text(csv(("emotion", "pixels", "Usage"), *rows))
    seen = Seen(tmp_path)
    order = [*(i for i in range(N) if usage[i] == "Training")]
    np.testing.assert_array_equal(np.stack(seen.pixels)[[one == "train" for one in seen.splits], ..., 0], images[order])
    assert (seen.splits.count("validation"), seen.splits.count("test")) == (4, 4)
    assert {*seen.classes} == {*map(str, range(5))}
    lists = [(LABELS[i], '"' + str(images[i].ravel().tolist()) + '"') for i in range(N)]
    (tmp_path / "fer2013.csv").write_text(csv(("label", "image"), *lists))
    np.testing.assert_array_equal(np.stack(Seen(tmp_path).pixels)[..., 0], images)


def named(top, *names, size=(12, 9)):
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn(1, (*size, 3))[0]).save(top / name)


@pytest.mark.parametrize("form", ["{}.{}.png", "{}_{}.png", "{} ({}).png", "{}-{:04}.png", "{}{}.png"])
def test_names_of_files_are_labels(tmp_path, form):
    kinds = ("cat", "great_pyrenees")
    named(tmp_path, *(form.format(kind, i) for kind in kinds for i in range(5)))
    seen = Seen(tmp_path)
    assert seen.classes == kinds
    assert seen.labels == ["cat"] * 5 + ["great_pyrenees"] * 5
    assert "classes are taken from the names of files" in seen.told


def test_dogs_and_cats_as_kaggle_has_them(tmp_path):
    named(tmp_path, *(f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(6)))
    named(tmp_path, *(f"test1/{i}.jpg" for i in range(1, 5)))
    (tmp_path / "sampleSubmission.csv").write_text(csv(("id", "label"), *((i, 0) for i in range(1, 5))))
    seen = Seen(tmp_path)
    assert (seen.classes, seen.splits.count("train"), seen.splits.count("unlabelled")) == (("cat", "dog"), 12, 4)
    assert seen.labels.count(None) == 4


@pytest.mark.parametrize(
    "names",
    [
        [f"IMG_{i}.jpg" for i in range(5)] + [f"DSC{i}.jpg" for i in range(5)],
        [f"{i}.jpg" for i in range(10)],
        [f"only_{i}.jpg" for i in range(10)],
        [f"a{i}.jpg" for i in range(9)] + ["lonely_1.jpg"],
        ["red.jpg", "green.jpg", "blue.jpg", "grey.jpg"],
    ],
)
def test_names_that_say_nothing_of_it_are_none(tmp_path, names):
    named(tmp_path, *names)
    with pytest.raises(ValueError, match="at least two folders"):
        Seen(tmp_path)


NAMES = {0: "bacterial blight", 1: "brown streak", 2: "mosaic", 3: "mottle", 4: "healthy"}
OF_NAMES = {
    "label_num_to_disease_map.json": json.dumps(NAMES),
    "class_indices.json": json.dumps({name: i for i, name in NAMES.items()}),
    "class_index.json": json.dumps({i: [f"n{i:05}", name] for i, name in NAMES.items()}),
    "meta/names.json": json.dumps([*NAMES.values()]),
    "labels.csv": csv(("ClassId", "Name"), *NAMES.items()),
    "categories.txt": "".join(f"{name} {i}\n" for i, name in NAMES.items()),
    "class_list.txt": "".join(f"{i} {name}\n" for i, name in NAMES.items()),
}


@pytest.mark.parametrize("file", OF_NAMES)
@pytest.mark.parametrize("folders", [True, False])
def test_numbers_are_called_as_a_file_names_them(put, folders, file):  # noqa: F811
    rows = csv(("image_id", "label"), *((f"{i}.png", DIGITS[i]) for i in range(N)))
    files = {file: OF_NAMES[file]} | ({} if folders else {"train.csv": rows})
    seen = Seen(put(files, lambda i: f"{DIGITS[i]:02}/{i}.png" if folders else f"train/{i}.png"))
    assert seen.classes == tuple(NAMES.values())
    assert sorted(seen.labels) == sorted(NAMES[i] for i in DIGITS)
    by_path = {one.path.rpartition("/")[2]: seen.labels[i] for i, one in enumerate(seen.records)}
    assert by_path == {f"{i}.png": NAMES[DIGITS[i]] for i in range(N)}
    assert f"called as {file} names them" in seen.told
    assert not any(name == file for name, _ in seen.found.left_out.files)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({i: f"{i}.png" for i in range(9)}),  # pictures by number
        json.dumps({i: str(i + 1) for i in range(9)}),  # no names
        json.dumps({0: "some", 1: "few"}),  # not of all
        json.dumps(dict.fromkeys(range(9), "alike")),
        "{",
    ],
)
def test_a_file_that_names_no_classes_leaves_numbers_alone(put, text):  # noqa: F811
    seen = Seen(put({"labels.json": text}, lambda i: f"{DIGITS[i]}/{i}.png"))
    assert seen.classes == tuple(map(str, range(5)))


def test_an_order_that_was_chosen_by_number_stays(put):  # noqa: F811
    source = put({"names.json": json.dumps(NAMES)}, lambda i: f"{DIGITS[i]}/{i}.png")
    assert Seen(source, order=tuple("43210")).classes == tuple("43210")


@pytest.mark.parametrize("column", ["lesion_id", "case_id", "trackId"])
def test_what_must_stay_together(put, column):  # noqa: F811
    rows = csv((column, "image_id", "dx"), *((f"L{i // 3}", f"x{i}", LABELS[i // 3]) for i in range(N)))
    seen = Seen(put({"meta.csv": rows}, lambda i: f"part_{i % 2}/x{i}.png"))
    assert {*seen.groups} == {f"L{i}" for i in range(N // 3)}
    assert f"groups in '{column}'" in seen.told


def test_pages_that_are_not_taken_are_said(tmp_path):
    for kind in ("forest", "crop"):
        (tmp_path / kind).mkdir()
        for i in range(3):
            pages = [Image.fromarray(drawn(1, (8, 8))[0]) for _ in range(3)]
            pages[0].save(tmp_path / kind / f"{i}.tif", save_all=True, append_images=pages[1:])
    with importing.opened(tmp_path) as found:
        from ml.data.importing import looks

        notes = looks.taken(looks.look(found), importing.Choices()).notes()
    assert notes == ["6 of 6 pictures looked at have several pages or frames, of which the first is taken"]


def test_photographs_of_telephones(tmp_path):
    from ml.data.importing import looks
    from ml.images import decoding

    decoding.formats(b"\0\0\0\x18ftypheic")
    for kind, shade in (("dark", 40), ("light", 220)):
        (tmp_path / kind).mkdir()
        for i in range(3):
            Image.new("RGB", (20 + i, 12), (shade, 90, 30)).save(tmp_path / kind / f"IMG_{i}.HEIC")
    with importing.opened(tmp_path) as found:
        seen = looks.look(found)
        pixels = [one.decoded(one.raw()).pixels for one in found.records]
    assert (seen.n, seen.coloured, {*seen.sizes}) == (6, 6, {(12, 20), (12, 21), (12, 22)})
    assert [int(one[..., 0].mean().round(-1)) for one in pixels] == [40] * 3 + [220] * 3


def test_files_of_no_kind_are_named(tmp_path):
    (tmp_path / "optdigits.tra").write_text("0,1,6,15\n")
    with pytest.raises(ValueError, match=r"optdigits\.tra: of no kind that is read"):
        Seen(tmp_path)


@pytest.mark.parametrize("split", [True, False])
def test_flowers_102(tmp_path, split):
    """Labels from 1 on and splits by number, in MATLAB's files, as torchvision's tests make them."""
    images, labels = drawn(12, (9, 8, 3)), np.array([1, 2, 3] * 4, np.uint8)
    (tmp_path / "jpg").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "jpg" / f"image_{i + 1:05}.png")
    savemat(tmp_path / "imagelabels.mat", {"labels": labels[None]})
    if split:
        savemat(
            tmp_path / "setid.mat",
            {"trnid": np.arange(1, 7)[None], "valid": np.arange(7, 10)[None], "tstid": np.arange(10, 13)[None]},
        )
    (tmp_path / "cat_to_name.json").write_text(json.dumps({"1": "pink primrose", "2": "orchid", "3": "bell"}))
    seen = Seen(tmp_path)
    assert seen.classes == ("pink primrose", "orchid", "bell")
    assert seen.labels == [("pink primrose", "orchid", "bell")[i - 1] for i in labels]
    assert seen.splits == (["train"] * 6 + ["validation"] * 3 + ["test"] * 3 if split else [""] * 12)
    assert "labels stand in MATLAB's file imagelabels.mat" in seen.told


def rows_of(values, labels):
    return "\n".join(
        " ".join([str(label), *(f"{at}:{value:.6g}" for at, value in enumerate(row, 1) if value)])
        for label, row in zip(labels, values, strict=True)
    )


@pytest.mark.parametrize("packed", [True, False])
def test_usps_and_other_rows_of_libsvm(tmp_path, packed):
    """USPS is from -1 to 1 and numbers its digits from 1; what is 0 is not written, at the end of a row neither."""
    levels = np.random.default_rng(0).integers(0, 256, (12, 16, 16), np.uint8)
    levels[:, -1] = 128
    values = levels.reshape(12, 256) / 127.5 - 1
    values[np.abs(values) < 0.01] = 0
    labels = [1, 2, 3, 10] * 3
    for name, rows in (("usps", slice(0, 8)), ("usps.t", slice(8, 12))):
        text = rows_of(values[rows], labels[rows]).encode()
        (tmp_path / f"{name}{'.bz2' if packed else ''}").write_bytes(bz2.compress(text) if packed else text)
    seen = Seen(tmp_path)
    assert seen.splits == ["train"] * 8 + ["test"] * 4
    assert seen.labels == list(map(str, labels))
    assert np.abs(np.stack(seen.pixels)[..., 0].astype(int) - levels).max() <= 1
    alone = Seen(tmp_path / ("usps.bz2" if packed else "usps"))
    assert (len(alone.pixels), alone.pixels[0].shape) == (8, (16, 16, 1))


def test_a_sparse_file_of_digits(tmp_path):
    """mnist.scale: 0 to 1, and its last rows of pixels are never anything else than 0."""
    values = np.zeros((6, 784))
    values[:, 100:700:7] = np.random.default_rng(1).integers(1, 256, (6, 86)) / 255
    (tmp_path / "mnist.scale").write_text(rows_of(values, [5, 0, 4, 1, 9, 2]))
    seen = Seen(tmp_path / "mnist.scale")
    np.testing.assert_array_equal(np.stack(seen.pixels)[..., 0].reshape(6, -1), np.rint(values * 255))
    (tmp_path / "wide.scale").write_text("1 5:1 6:1 7:1 8:1 9999:1\n2 1:1 2:1 3:1 4:1 5:1\n")
    with pytest.raises(ValueError, match=r"9,999 numbers"):
        Seen(tmp_path / "wide.scale")


@pytest.mark.parametrize("whole", [False, True])
def test_stanford_cars(tmp_path, pictures, whole):
    """Files and classes in structures: a file for each split, or one that says which is test."""
    from scipy.io import savemat

    names, fields = ["AM General Hummer", "Acura RL", "Acura TL"], ("bbox_x1", "class", "test", "fname")
    splits = ["train" if i < 16 else "test" for i in range(N)]
    numbers = [i % 16 + 1 for i in range(N)]  # which both splits begin anew
    for i, content in enumerate(pictures):
        place = tmp_path / (f"car_ims/{i:06}.jpg" if whole else f"cars_{splits[i]}/{numbers[i]:05}.jpg")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)

    def structures(rows):
        kept = [one for one in fields if whole or one != "test"]
        made = np.zeros((1, len(rows)), dtype=[(one, object) for one in kept])
        for at, i in enumerate(rows):
            name = f"car_ims/{i:06}.jpg" if whole else f"{numbers[i]:05}.jpg"
            made[0, at] = tuple(
                {"bbox_x1": 3, "class": i % 2 + 2, "test": int(i >= 16), "fname": name}[k] for k in kept
            )
        return made

    named = {"class_names": np.array(names, object).reshape(1, -1)}
    if whole:
        savemat(tmp_path / "cars_annos.mat", {"annotations": structures(range(N))} | named)
    else:
        (tmp_path / "devkit").mkdir()
        savemat(tmp_path / "devkit" / "cars_meta.mat", named)
        for split, rows in (("train", range(16)), ("test", range(16, N))):
            savemat(tmp_path / "devkit" / f"cars_{split}_annos.mat", {"annotations": structures(rows)})
    seen = Seen(tmp_path)
    assert seen.classes == ("Acura RL", "Acura TL")
    found = zip(seen.content, seen.labels, seen.splits, strict=True)
    assert {content: (label, split) for content, label, split in found} == {
        pictures[i]: (names[i % 2 + 1], splits[i]) for i in range(N)
    }


def test_folders_whose_names_differ_by_their_split_alone(tmp_path, pictures):
    """pets_train and pets_test are no classes: with folders of classes in them they are splits."""
    for i, content in enumerate(pictures):
        for top, inner in (("deep", f"{'ring' if i % 2 else 'block'}/"), ("flat", "")):
            place = tmp_path / top / f"pets_{'train' if i < 16 else 'test'}" / f"{inner}{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    seen = Seen(tmp_path / "deep")
    assert (seen.classes, seen.splits.count("train"), seen.splits.count("test")) == (("block", "ring"), 16, N - 16)
    with pytest.raises(ValueError, match=r"has folders of splits .pets_test, pets_train. and none of classes"):
        Seen(tmp_path / "flat")


@pytest.mark.parametrize("kept", [0.6, 0.95])
def test_a_download_of_matlabs_that_broke_off_is_named(tmp_path, kept):
    """Packed, as SVHN's are: zlib's error is none of MATLAB's."""
    images = drawn(40, (32, 32, 3))
    savemat(
        tmp_path / "all.mat", {"X": np.moveaxis(images, 0, -1), "y": np.arange(40)[:, None] % 3}, do_compression=True
    )
    content = (tmp_path / "all.mat").read_bytes()
    (tmp_path / "all.mat").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ValueError, match=r"all\.mat.*cannot be read"):
        Seen(tmp_path)
