"""Lists as published sets have them beside their pictures, and folders of notes that are no classes."""

import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen

SPLIT = ["train" if i < 16 else "test" for i in range(N)]


@pytest.fixture
def put(tmp_path, pictures):
    """put({path: text}, path of picture i): a source with these files. Gives it and the bytes by path."""

    def write(files, name):
        top = tmp_path / "set"
        content = {name(i): pictures[i] for i in range(N)} | {path: text.encode() for path, text in files.items()}
        for path, data in content.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(data)
        return top, content

    return write


def lines(rows):
    return "".join(f"{row}\n" for row in rows)


def matches(seen, content, labels, splits):
    """Whether every picture has its own label, split and bytes, in whatever order."""
    got = {one.path: (label, split) for one, label, split in zip(seen.records, seen.labels, seen.splits, strict=True)}
    assert got == {path: (labels[i], splits[i]) for i, path in enumerate(content) if i < N}
    assert all(data == content[one.path] for one, data in zip(seen.records, seen.content, strict=True))


def test_food_101_lists_paths_without_their_suffix(put):
    files = {
        "food/meta/train.txt": lines(f"{LABELS[i]}/{i:03}" for i in range(16)),
        "food/meta/test.txt": lines(f"{LABELS[i]}/{i:03}" for i in range(16, N)),
        "food/meta/labels.txt": "A ring\nA block\n",
        "food/README.txt": "about it",
    }
    source, content = put(files, lambda i: f"food/images/{LABELS[i]}/{i:03}.png")
    seen = Seen(source)
    assert seen.classes == ("block", "ring")
    matches(seen, content, LABELS, SPLIT)


def test_cub_200_numbers_its_pictures_and_classes(put):
    number = {"ring": 1, "block": 2}
    path = lambda i: f"{number[LABELS[i]]:03}.{LABELS[i]}/{i:03}.png"  # noqa: E731
    files = {
        "CUB/images.txt": lines(f"{i + 1} {path(i)}" for i in range(N)),
        "CUB/image_class_labels.txt": lines(f"{i + 1} {number[LABELS[i]]}" for i in range(N)),
        "CUB/train_test_split.txt": lines(f"{i + 1} {int(i < 16)}" for i in range(N)),
        "CUB/classes.txt": "1 001.ring\n2 002.block\n",
        "CUB/bounding_boxes.txt": lines(f"{i + 1} 60.0 27.0 325.0 304.0" for i in range(N)),
        "CUB/attributes/certainties.txt": "1 not visible\n",
        "attributes.txt": "1 has_bill_shape::dagger\n",
    }
    source, content = put(files, lambda i: f"CUB/images/{path(i)}")
    seen = Seen(source)
    assert seen.classes == ("001.ring", "002.block")
    matches(seen, content, [f"{number[one]:03}.{one}" for one in LABELS], SPLIT)


def test_oxford_pets_call_classes_by_number_and_files_by_name(put, pictures):
    row = lambda i: f"{LABELS[i]}_{i} {1 + i % 2} 1 {1 + i % 2}"  # noqa: E731
    files = {
        "annotations/list.txt": "#Image CLASS-ID SPECIES BREED ID\n" + lines(map(row, range(N))),
        "annotations/trainval.txt": lines(map(row, range(16))),
        "annotations/test.txt": lines(map(row, range(16, N))),
        "annotations/xmls/ring_1.xml": "<annotation/>",
    }
    source, content = put(files, lambda i: f"images/{LABELS[i]}_{i}.png")
    (source / "annotations" / "trimaps").mkdir()
    for i in range(N):
        (source / "annotations" / "trimaps" / f"{LABELS[i]}_{i}.png").write_bytes(pictures[0])
    seen = Seen(source)
    assert seen.classes == ("block", "ring")
    assert "as their files are" in seen.told
    assert "no list names it" in seen.told
    matches(seen, content, LABELS, SPLIT)


def test_names_of_several_words_and_lists_of_three_splits(put):
    names = ["707-320" if i % 2 else "Boeing 737" for i in range(N)]
    splits = [("train", "validation", "test")[i % 3] for i in range(N)]
    called = {"train": "train", "validation": "val", "test": "test"}
    files = {
        f"data/images_{kind}{word}.txt": lines(f"{i:07}{label(i)}" for i in range(N) if splits[i] == split)
        for split, word in called.items()
        for kind, label in (("variant_", lambda i: f" {names[i]}"), ("", lambda i: ""))
    } | {"data/images_family_train.txt": lines(f"{i:07} Boeing" for i in range(N))}
    source, content = put(files, lambda i: f"data/images/{i:07}.png")
    seen = Seen(source)
    assert seen.classes == ("707-320", "Boeing 737")
    matches(seen, content, names, splits)


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_called_as_the_list_of_classes_says(put, first):
    files = {
        "train.txt": lines(f"im/{i:03}.png {first + i % 2}" for i in range(16)),
        "val.txt": lines(f"im/{i:03}.png {first + i % 2}" for i in range(16, N)),
        "classes.txt": "block\nring\n",
    }
    source, content = put(files, lambda i: f"im/{i:03}.png")
    seen = Seen(source)
    assert seen.classes == ("block", "ring")
    matches(seen, content, LABELS, ["train" if i < 16 else "validation" for i in range(N)])


def test_tiny_imagenet_has_folders_for_train_and_a_list_for_validation(put):
    wnid = {"ring": "n02", "block": "n01"}
    files = {
        "tiny/val/val_annotations.txt": lines(f"v{i}.png\t{wnid[LABELS[i]]}\t0\t32\t44\t62" for i in range(16, 20)),
        "tiny/train/n01/n01_boxes.txt": lines(f"n01_{i}.png\t0\t0\t62\t62" for i in range(0, 16, 2)),
        "tiny/words.txt": "n01\tblock\nn02\tring\n",
    }

    def place(i):
        folder = f"train/{wnid[LABELS[i]]}/images/{wnid[LABELS[i]]}_" if i < 16 else "val/images/v"
        return f"tiny/{folder if i < 20 else 'test/images/t'}{i}.png"

    source, content = put(files, place)
    seen = Seen(source)
    assert seen.classes == ("n01", "n02")
    labels = [wnid[one] if i < 20 else None for i, one in enumerate(LABELS)]
    matches(seen, content, labels, [("train", "validation", "unlabelled")[(i >= 16) + (i >= 20)] for i in range(N)])


def test_folders_without_pictures_are_no_classes(put):
    """Stanford Dogs, whose notes have no suffix; ImageNet's lists, which count their lines."""
    files = {f"Annotation/{LABELS[i]}/{i:03}": "<annotation/>" for i in range(N)}
    files |= {"ImageSets/train_cls.txt": lines(f"{LABELS[i]}/{i:03} {i + 1}" for i in range(N)), "list.mat": "x"}
    source, content = put(files, lambda i: f"Images/{LABELS[i]}/{i:03}.png")
    seen = Seen(source)
    assert seen.classes == ("block", "ring")
    assert "left out 25 files" in seen.told
    assert "holds no pictures" in seen.told
    matches(seen, content, LABELS, [""] * N)


def test_a_class_of_pictures_without_suffixes_stays_one(put):
    source, content = put({}, lambda i: f"{LABELS[i]}/{i:03}{'.png' if i % 2 else ''}")
    matches(Seen(source), content, LABELS, [""] * N)


def test_lists_that_say_yes_or_no_are_no_classes(put):
    files = {"main/ring_train.txt": lines(f"{i:03} {1 if i % 2 else -1}" for i in range(N))}
    source, content = put(files, lambda i: f"{LABELS[i]}/{i:03}.png")
    matches(Seen(source), content, LABELS, [""] * N)


def test_folders_of_splits_alone_are_no_classes(put):
    """As Datumaro exports LabelMe's and its own binary files."""
    files = {"annotations/train.datum": "DATUM\0\1", "annotations/x.json": "{}"}
    source, _ = put(files, lambda i: f"images/{SPLIT[i]}/{i:03}.png")
    with pytest.raises(ValueError, match="put the pictures into folders called like their classes"):
        Seen(source)
    (source / "test.txt").write_text(lines(f"images/test/{i:03}.png" for i in range(16, N)))
    (source / "train.txt").write_text(lines(f"images/train/{i:03}.png" for i in range(16)))
    with pytest.raises(ValueError, match="none of classes"):
        Seen(source)


def test_empty_folders_beside_notes_are_no_classes(put):
    """VOC's form: pictures in one folder, notes on them in another, and folders for masks that nobody drew."""
    source, _ = put({"Annotations/000.xml": "<annotation/>"}, lambda i: f"JPEGImages/{i:03}.png")
    (source / "SegmentationClass").mkdir()
    with pytest.raises(ValueError, match="at least two folders of pictures, one per class; it has 1"):
        Seen(source)


def test_remarks_on_pictures_are_no_classes(put):
    """A list of who took them, beside folders of classes."""
    files = {"credits.txt": lines(f"{LABELS[i]}/{i:03}.png {('Ann Lee', 'Bo', 'Cy')[i % 3]}" for i in range(N))}
    source, content = put(files, lambda i: f"{LABELS[i]}/{i:03}.png")
    matches(Seen(source), content, LABELS, [""] * N)
