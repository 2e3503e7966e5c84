"""Folders as cameras, systems and people leave them: what is read, what is passed over and said, what is refused."""

import json
import os
import re
import subprocess
import sys
import textwrap
import unicodedata

import numpy as np
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import data
from ml.data import folder
from ml.data.importing import Choices, class_folders
from ml.system import scratch

CHANCE = np.random.default_rng(0)


def fill(where, n=12, *, level=None):
    """n pictures that differ, or are all of one grey."""
    where.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        pixels = CHANCE.integers(0, 256, (28, 28), np.uint8) if level is None else np.full((28, 28), level, np.uint8)
        Image.fromarray(pixels).save(where / f"{i:02}.png")


@pytest.fixture
def pets(tmp_path):
    for name in ("ring", "block"):
        fill(tmp_path / "pets" / name)
    return tmp_path / "pets"


@pytest.fixture
def take(tmp_path, monkeypatch, capsys):
    """take(folder, *options): the exit status, the last line as JSON where that is asked for, and what was said."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))

    def run(folder, *options):
        status = cli.main(["data", "import", str(folder), "--name", "pets", "--json", *options])
        told = capsys.readouterr()
        return status, json.loads(told.out.splitlines()[-1]) if status == 0 else {}, told.err

    return run


def read(where, **options):
    return folder.read(where, "pets", Choices(**{"size": (28, 28), "colour": False} | options))


def test_the_last_line_says_what_was_made(pets, take):
    status, made, told = take(pets)
    assert status == 0
    assert made == {
        "name": "pets",
        "digest": data.load("pets").digest,
        "classes": ["block", "ring"],
        "size": [28, 28, 1],
        "splits": {"train": 20, "validation": 2, "test": 2},
        "left_out": {},
    }
    assert told == ""


def test_what_systems_leave_is_passed_over_said_and_no_class(pets, take):
    for where in (pets / "ring", pets / "__MACOSX" / "ring", pets / "@eaDir" / "ring"):
        where.mkdir(parents=True, exist_ok=True)
        (where / "._00.png").write_bytes(b"\0\5\x16\7" + bytes(80))
    (pets / ".DS_Store").write_bytes(b"Bud1")
    (pets / "block" / "Thumbs.db").write_bytes(b"x")
    status, made, told = take(pets)
    assert (status, made["classes"], made["left_out"]) == (0, ["block", "ring"], {})
    assert "passed over 5 files" in told
    assert "ring/._00.png" in told


def test_what_is_left_out_is_named_with_its_folder_and_counted(pets, take):
    (pets / "ring" / "scan.jxl").write_bytes(b"\xff\x0a" + bytes(80))
    (pets / "ring" / "cut.png").write_bytes((pets / "ring" / "00.png").read_bytes()[:200])
    (pets / "notes.txt").write_text("of the day", encoding="utf-8")
    status, made, told = take(pets)
    assert status == 0
    assert sum(made["left_out"].values()) == 3
    for name in ("ring/scan.jxl", "ring/cut.png", "notes.txt"):
        assert name in told


@pytest.mark.parametrize(("suffix", "form"), [("jfif", "JPEG"), ("JPE", "JPEG"), ("PNG", "PNG"), ("picture", "WEBP")])
def test_what_a_file_shows_counts_and_not_its_suffix(pets, suffix, form):
    Image.new("L", (28, 28), 200).save(pets / "ring" / f"more.{suffix}", format=form)
    assert sum(len(split) for split in read(pets).dataset.splits.values()) == 25


def test_a_class_without_a_readable_picture_is_named_with_what_was_left_out_of_it(pets):
    for file in (pets / "ring").iterdir():
        file.write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"'ring' has no readable.*ring/00\.png"):
        read(pets)


def test_folders_of_splits_are_read_as_splits(tmp_path):
    for part, level in (("Train", 40), ("test", 200)):
        for name in ("ring", "block"):
            fill(tmp_path / "pets" / part / name, 20, level=level)
    made = read(tmp_path / "pets").dataset
    assert made.classes == ("block", "ring")
    assert {name: len(split) for name, split in made.splits.items()} == {"train": 36, "validation": 4, "test": 40}
    assert set(np.unique(made["test"].images)) == {200}
    assert set(np.unique(made["validation"].images)) == {40}


def test_a_split_for_validation_is_kept_and_one_for_test_is_drawn(tmp_path):
    for part, level in (("training", 40), ("val", 200)):
        for name in ("ring", "block"):
            fill(tmp_path / "pets" / part / name, 20, level=level)
    made = read(tmp_path / "pets").dataset
    assert {name: len(split) for name, split in made.splits.items()} == {"train": 36, "validation": 40, "test": 4}
    assert set(np.unique(made["test"].images)) == {40}


def test_classes_may_be_called_train_and_test(tmp_path):
    for name in ("train", "test"):
        fill(tmp_path / "pets" / name)
    assert read(tmp_path / "pets").dataset.classes == ("test", "train")


def test_a_class_that_train_has_not_is_left_out_and_said(tmp_path, take):
    for name in ("ring", "block"):
        fill(tmp_path / "pets" / "train" / name)
    fill(tmp_path / "pets" / "test" / "star")
    status, made, told = take(tmp_path / "pets")
    assert (status, made["classes"], made["left_out"]) == (0, ["block", "ring"], {folder.SMALL: 12})
    assert "class 'star' has no picture in train" in told


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_class_of_few_pictures_stays_in_train_and_that_is_said(pets, take, n):
    fill(pets / "cube", n)
    (pets / "cube" / "x.png").write_bytes(b"no picture")
    status, made, told = take(pets)
    assert (status, made["classes"], sum(made["splits"].values())) == (0, ["block", "cube", "ring"], 24 + n)
    assert f"class 'cube' has {n} picture{'s' * (n > 1)}: too few to draw any from train" in told
    splits = data.load("pets").splits
    assert {name: int((split.labels == 1).sum()) for name, split in splits.items()} == {
        "train": n, "validation": 0, "test": 0,
    }  # fmt: skip


def test_a_few_pictures_of_every_class_are_drawn_from_too(tmp_path):
    for name in ("ring", "block", "cube"):
        fill(tmp_path / "pets" / name, 3)
    made = read(tmp_path / "pets").dataset
    assert {name: len(split) for name, split in made.splits.items()} == {"train": 3, "validation": 3, "test": 3}
    assert set(made["train"].labels) == {0, 1, 2}


@pytest.mark.parametrize(
    "names",
    [
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("01 Train", "02-Testing"),
        ("trainset", "TestData"),
        ("train_images", "valid images"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train/images", "test/images/test"),
        ("Training/train", "validation"),
    ],
)
def test_folders_of_splits_have_many_names(tmp_path, names):
    for part, n in zip(names, (20, 12), strict=True):
        for name in ("ring", "block"):
            fill(tmp_path / "pets" / part / name, n)
    (tmp_path / "pets" / names[0].split("/")[0] / "notes.txt").write_text("beside", encoding="utf-8")
    made = read(tmp_path / "pets").dataset
    assert made.classes == ("block", "ring")
    assert len(made["test" if "est" in names[1] else "validation"]) == 24


@pytest.mark.parametrize(
    "name", ["training shoe", "test tube", "pretrained", "contest", "evaluation", "Dev", "trainer"]
)
def test_what_only_begins_like_a_split_is_a_class(tmp_path, name):
    assert class_folders.split_of(name) in ("", "validation")
    for one in (name, "ring"):
        fill(tmp_path / "pets" / one)
    assert name in read(tmp_path / "pets").dataset.classes


def test_splits_below_the_classes_are_read_as_splits(tmp_path):
    for name in ("ring", "block"):
        for part, n in (("train", 20), ("val", 6), ("test", 10)):
            fill(tmp_path / "pets" / name / part, n)
    made = read(tmp_path / "pets").dataset
    assert made.classes == ("block", "ring")
    assert {name: len(split) for name, split in made.splits.items()} == {"train": 40, "validation": 12, "test": 20}


def test_folders_below_a_class_that_are_no_splits_belong_to_it(tmp_path):
    for part in ("train", "test", "front"):
        fill(tmp_path / "pets" / "ring" / part)
    fill(tmp_path / "pets" / "block")
    made = read(tmp_path / "pets").dataset
    assert sum(np.count_nonzero(split.labels == 1) for split in made.splits.values()) == 36


def test_a_folder_of_all_beside_a_readme_is_opened(pets, tmp_path, take):
    (tmp_path / "outer" / "v2").mkdir(parents=True)
    pets.rename(tmp_path / "outer" / "v2" / "images")
    (tmp_path / "outer" / "README.md").write_text("pets")
    (tmp_path / "outer" / "v2" / "LICENSE").write_text("free")
    status, made, told = take(tmp_path / "outer")
    assert (status, made["classes"], made["left_out"]) == (0, ["block", "ring"], {class_folders.NOT_IN_A_CLASS: 2})
    assert "README.md" in told


def test_labels_in_a_table_are_taken(tmp_path, take):
    fill(tmp_path / "pets" / "images", 24)
    rows = [f"{i:02}.png,{'ring' if i % 2 else 'block'}" for i in range(23)]
    (tmp_path / "pets" / "labels.csv").write_text("\n".join(["file,label", *rows]))
    status, made, told = take(tmp_path / "pets", "--column", "label=label")
    assert (status, made["classes"], sum(made["splits"].values())) == (0, ["block", "ring"], 23)
    assert "labels in 'label'" in told
    assert "images/23.png): no row of a table names it" in told


def test_a_table_without_labels_is_named(tmp_path, take):
    fill(tmp_path / "pets" / "images", 24)
    (tmp_path / "pets" / "notes.csv").write_text("day,weather\n1,rain\n")
    status, _, told = take(tmp_path / "pets")
    assert status == 1
    assert "No column of notes.csv was found to name these pictures" in told


def test_links_to_folders_and_files_are_followed_save_in_circles(pets, tmp_path, take):
    (tmp_path / "linked").mkdir()
    for name in ("ring", "block"):
        (tmp_path / "linked" / name).symlink_to(pets / name)
    (pets / "ring" / "more").symlink_to(pets / "ring")
    (pets / "ring" / "gone.png").symlink_to(pets / "nowhere.png")
    status, made, told = take(tmp_path / "linked")
    assert (status, sum(made["splits"].values())) == (0, 24)
    assert "it is a link to a folder that it lies in" in told
    assert "it is no file that can be opened" in told


def test_the_only_folder_within_is_opened(pets, tmp_path):
    (tmp_path / "outer").mkdir()
    pets.rename(tmp_path / "outer" / "data")
    assert read(tmp_path / "outer").dataset.classes == ("block", "ring")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ri\u200bng", "ring"),
        ("ri\u202eng", "ring"),
        ("ri\xa0ng", "ri ng"),
        ("ri\nng", "ri ng"),
        ("ri\x01ng", "ri\ufffdng"),
        ("   ", "U+0020 U+0020 U+0020"),
        ("\u3164", "U+3164"),
        ("a" * 61, "a" * 59 + "…"),
    ],
)
def test_a_class_name_that_no_page_can_show_is_changed_and_that_is_said(pets, take, name, shown):
    (pets / "ring").rename(pets / name)
    status, made, told = take(pets)
    assert (status, set(made["classes"])) == (0, {"block", shown})
    assert f"a class is called {shown!r} here" in told


def test_a_changed_class_name_that_another_class_has_gets_a_number(pets, take):
    fill(pets / "ri\u200bng")
    status, made, _ = take(pets)
    assert (status, made["classes"]) == (0, ["block", "ring", "ring (2)"])


def test_two_folders_that_look_the_same_are_refused(pets):
    for form in ("NFC", "NFD"):
        fill(pets / unicodedata.normalize(form, "Café"))
    with pytest.raises(ValueError, match="look the same"):
        read(pets)


@pytest.mark.parametrize(("one", "other"), [("❤", "❤\ufe0f"), ("a  b", "a b"), ("\u212b", "Å"), ("x\u3164", "x")])
def test_names_that_look_the_same_in_any_way_are_refused(pets, one, other):
    for name in (one, other):
        fill(pets / name)
    with pytest.raises(ValueError, match="look the same"):
        read(pets)


@pytest.mark.parametrize(("one", "other"), [("Apple", "apple"), ("ﬁg", "fig"), ("Ｔ", "T"), ("µm", "μm"), ("m²", "m2")])
def test_names_that_are_nearly_the_same_are_two_classes_and_that_is_said(pets, take, one, other):
    for name in (one, other):
        fill(pets / name)
    status, made, told = take(pets)
    assert status == 0
    assert {one, other} <= set(made["classes"])
    assert "differ in the case or form of letters alone" in told


def test_names_are_utf8_whatever_python_takes_this_machines_to_be(pets):
    (pets / "ring").rename(pets / "Čapka ≥")
    program = (
        "import sys; from pathlib import Path; from ml.data import Choices, folder;"
        "print(ascii(folder.read(Path(sys.argv[1]), 'pets', Choices(size=(28, 28), colour=False)).dataset.classes))"
    )
    plain = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = subprocess.run(
        [sys.executable, "-c", program, str(pets)], env=plain, capture_output=True, text=True, check=False
    )
    assert made.stdout.strip() == ascii(("block", "Čapka ≥")), made.stderr


def test_pictures_of_twelve_bits_in_sixteen_are_scaled_and_that_is_said(pets, take):
    for i in range(4):
        levels = CHANCE.integers(0, 4096, (28, 28), np.uint16)
        Image.fromarray(levels).save(pets / "ring" / f"deep{i}.png")
    status, _, told = take(pets)
    assert status == 0
    assert "levels from 0 to 4,095: these are black and white" in told
    images = np.concatenate([split.images[:] for split in data.load("pets").splits.values()])
    assert images.max() > 250


def test_names_are_kept_in_one_form(pets):
    (pets / "ring").rename(pets / unicodedata.normalize("NFD", "Café"))
    assert unicodedata.normalize("NFC", "Café") in read(pets).dataset.classes


def test_copies_stay_in_one_split_and_are_said(tmp_path, take):
    for name in ("ring", "block"):
        fill(tmp_path / "pets" / name)
        for i in range(12):
            for copy in "abc":
                content = (tmp_path / "pets" / name / f"{i:02}.png").read_bytes()
                (tmp_path / "pets" / name / f"{i:02}{copy}.png").write_bytes(content)
    status, made, told = take(tmp_path / "pets")
    assert status == 0
    assert made["splits"] == {"train": 80, "validation": 8, "test": 8}
    assert "72 pictures are copies" in told
    assert "block/00a.png = block/00.png" in told
    splits = data.load("pets").splits
    pixels = {name: {image.tobytes() for image in split.images} for name, split in splits.items()}
    assert not pixels["train"] & pixels["test"]
    assert not pixels["train"] & pixels["validation"]


def test_copies_in_train_and_test_are_said(tmp_path, take):
    for name in ("ring", "block"):
        fill(tmp_path / "pets" / "train" / name)
        fill(tmp_path / "pets" / "test" / name)
    content = (tmp_path / "pets" / "train" / "ring" / "03.png").read_bytes()
    (tmp_path / "pets" / "test" / "ring" / "05.png").write_bytes(content)
    (tmp_path / "pets" / "test" / "block" / "05.png").write_bytes(content)
    _, _, told = take(tmp_path / "pets")
    assert "2 of 24 pictures of test are in train too" in told
    assert "1 picture is a copy of another one of another class" in told


@pytest.mark.parametrize("size", ["8x8", "08x08", "4x512", "8×12", "8X8", " 8 x 9 "])
def test_sizes_within_the_limits_are_taken(pets, take, size):
    status, made, _ = take(pets, "--size", size)
    assert (status, made["size"][:2]) == (0, [int(side) for side in re.findall(r"\d+", size)])


@pytest.mark.parametrize("size", ["3x8", "513x8", "8", "8x", "axb"])
def test_sizes_beyond_the_limits_are_told(pets, take, size):
    status, _, told = take(pets, "--size", size)
    assert status == 1
    assert "4 to 512" in told


def test_another_way_to_split_is_another_data_set(pets):
    digests = {read(pets, seed=seed).dataset.digest for seed in (0, 0, 1)}
    assert len(digests) == 2


def test_the_same_pictures_in_other_splits_are_another_data_set(tmp_path):
    for name in ("ring", "block"):
        fill(tmp_path / "pets" / "train" / name, 20)
        fill(tmp_path / "pets" / "test" / name, 20)
    before = read(tmp_path / "pets").dataset.digest
    for name in ("ring", "block"):
        moved = tmp_path / "pets" / "train" / name / "00.png"
        moved.rename(tmp_path / "pets" / "test" / name / "x00.png")
    assert read(tmp_path / "pets").dataset.digest != before


def test_a_data_set_is_named_as_people_write_it(pets, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    assert cli.main(["data", "import", str(pets), "--name", "My Pets 2"]) == 0
    told = capsys.readouterr()
    assert "the data set is called my-pets-2" in told.err
    assert told.out.startswith("my-pets-2: 2 classes")
    assert cli.main(["data", "remove", "My Pets 2"]) in (0, 2)
    assert "my-pets-2" in "".join(capsys.readouterr())
    assert cli.main(["data", "import", str(pets), "--name", "кепка"]) == 1
    assert "needs a letter of a to z or a digit" in capsys.readouterr().err
    assert cli.main(["data", "import", str(pets), "--name", "Fashion MNIST"]) == 1
    assert "comes with the app" in capsys.readouterr().err


SLOW = """
    import os, sys, time
    from ml import __main__ as cli
    from ml.data import intake
    from ml.system import atomic
    if sys.argv[1] == "measured":
        plain = intake.measure
        intake.measure = lambda *given: (plain(*given), print("there", flush=True), time.sleep(60))[0]
    else:
        def rename(source, target):
            os.rename(source, target)
            print("there", flush=True)
            time.sleep(60)
        atomic.rename = rename
    cli.main(["data", "import", *sys.argv[2:]])
"""


@pytest.mark.parametrize("when", ["measured", "between"])
def test_an_import_that_is_killed_leaves_what_was_there_and_its_rest_goes(pets, take, tmp_path, when):
    home = tmp_path / "home"
    _, before, _ = take(pets)
    fill(pets / "third")
    command = [sys.executable, "-c", textwrap.dedent(SLOW), when, str(pets), "--new-version"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout.readline() == "there\n"
        with scratch.folder(home, "importing") as mine:  # another import is under way
            killed.kill()
            killed.wait()
            assert (home / "datasets" / "pets").exists() == (when == "measured")
            status, _, said = take(pets, "--name", "others")
            assert status == 0
            assert "removed what an import that was broken off had left" in said
            assert ("pets is as it was before an import that was broken off" in said) == (when == "between")
            assert [one for one in home.iterdir() if one.name.startswith("importing")] == [mine]
    assert data.load("pets", home=home).digest == before["digest"]
