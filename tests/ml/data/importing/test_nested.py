"""Folders within folders: which of them are the classes, and what is said where that is not sure."""

from collections import Counter

import pytest

from tests.ml.data.importing.seen import N, Seen

KINDS = ["cat", "dog"]


@pytest.fixture
def laid(tmp_path, pictures):
    """laid(places): the pictures at these places of the source, by number. Gives the source."""

    def write(places, name=lambda i: f"{i:03}.png"):
        for i in range(N):
            for place in places(i):
                file = tmp_path / "set" / place / name(i)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(pictures[i])
        return tmp_path / "set"

    return write


def right(seen, pictures, classes, splits=lambda i: ""):
    """Every picture once, with the class and split of its number."""
    assert sorted(seen.content) == sorted(pictures)
    for content, label, split in zip(seen.content, seen.labels, seen.splits, strict=True):
        i = pictures.index(content)
        assert (label, split) == (classes(i), splits(i))


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [("train", "eval", "validation"), ("trn", "tst", "test"), ("train", "holdout", "test"), ("train", "extra", "")],
)
def test_splits_of_other_names(laid, pictures, train, other, split):
    """Folders that say which split they are, and those beside train that hold the same classes: none is a class."""
    seen = Seen(laid(lambda i: [f"{train if i % 3 else other}/{KINDS[i % 2]}"]))
    assert seen.classes == ("cat", "dog")
    right(seen, pictures, lambda i: KINDS[i % 2], lambda i: "train" if i % 3 else split)
    assert ("taken with it. On the command line: --split extra=test" in seen.told) == (other == "extra")


def test_a_folder_beside_train_is_what_one_says(laid, pictures):
    place = laid(lambda i: [f"{'train' if i % 3 else 'extra'}/{KINDS[i % 2]}"])
    assert Counter(Seen(place, splits={"extra": "test"}).splits) == {"train": 16, "test": 8}


def test_val_and_eval_are_two(laid):
    seen = Seen(laid(lambda i: [f"{['train', 'val', 'eval'][i % 3]}/{KINDS[i // 3 % 2]}"]))
    assert Counter(seen.splits) == {"train": 8, "validation": 8, "test": 8}
    parts = {one.part: one.split for one in seen.records}
    assert parts == {"train": "train", "val": "validation", "eval": "test"}


@pytest.mark.parametrize("more", [False, True])
def test_a_copy_of_the_whole_within_is_no_class(laid, pictures, more):
    """flowers/flowers/daisy beside flowers/daisy, as the sets of Kaggle have it; what it alone has is taken."""
    seen = Seen(laid(lambda i: [f"flowers/{KINDS[i % 2]}"] * (not more or i > 3) + [f"flowers/flowers/{KINDS[i % 2]}"]))
    assert seen.classes == ("cat", "dog")
    right(seen, pictures, lambda i: KINDS[i % 2])
    assert f"left out {N - 4 * more} files" in seen.told
    assert "flowers holds the other folders once more" in seen.told


def test_first_letters_are_no_classes(laid, pictures):
    """As SUN397 and Places365 lay their scenes out."""
    scenes = ["a/abbey", "b/bar", "b/barn/indoor", "b/barn/outdoor"]
    seen = Seen(laid(lambda i: [f"SUN397/{scenes[i % 4]}"]))
    assert seen.classes == ("abbey", "bar", "barn/indoor", "barn/outdoor")
    right(seen, pictures, lambda i: scenes[i % 4][2:])


def test_folders_of_the_same_names_in_every_class_are_said(laid, pictures):
    """As PlantVillage has a folder for each way its photographs were prepared."""
    place = laid(lambda i: [f"raw/{['color', 'segmented'][i % 2]}/{['rust', 'scab'][i // 2 % 2]}"])
    seen = Seen(place)
    assert seen.classes == ("color", "segmented")
    assert "each has folders of the same names (rust, scab)" in seen.told
    assert "--split 'color=train'" in seen.told
    chosen = Seen(place, splits={"color": "train"})
    assert chosen.classes == ("rust", "scab")
    assert len(chosen.records) == N / 2
    assert sorted(chosen.content) == sorted(pictures[::2])


def test_folders_of_other_names_belong_to_their_class_and_are_said(laid):
    seen = Seen(laid(lambda i: [f"{KINDS[i % 2]}/{KINDS[i % 2]}_{i // 2 % 3}"]))
    assert seen.classes == ("cat", "dog")
    assert "6 folders within those of the classes, as cat/cat_0, belong to these" in seen.told


def test_masks_beside_splits_within_classes_are_no_pictures(laid, pictures):
    """As MVTec AD has ground_truth beside train and test of each thing."""
    things = ["bottle", "cable"]
    place = laid(lambda i: [f"{things[i % 2]}/{['train/good', 'test/broken', 'ground_truth/broken'][i % 3]}"])
    seen = Seen(place)
    assert seen.classes == ("bottle", "cable")
    assert Counter(seen.splits) == {"train": 8, "test": 8}
    assert "left out 8 files" in seen.told
