"""From what people bring to a data set that is kept: what is planned, chosen, written, told and read back."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import data
from ml.artifacts.reader import Library
from ml.data import Choices, Dataset, drawing, folder, import_dataset, originals, plan

CHANCE = np.random.default_rng(0)


def picture(place, size=(12, 10), colour=False, **options):
    pixels = CHANCE.integers(0, 256, (*size, 3) if colour else size, np.uint8)
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(place, **options)
    return pixels


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def pets(tmp_path, home):
    for name in ("cat", "dog", "owl"):
        for i in range(12):
            picture(tmp_path / "pets" / name / f"{i:02}.png")
    return tmp_path / "pets"


def counts(dataset):
    return {name: len(split) for name, split in dataset.splits.items()}


def test_a_plan_says_what_an_import_then_does(pets, home):
    (pets / "cat" / "broken.png").write_bytes(b"no picture")
    (pets / "notes.txt").write_text("of the day")
    planned = plan(pets)
    said = json.loads(json.dumps(planned.to_json()))
    assert (said["size"], said["colour"], said["fitting"]) == ([12, 10], False, "pad")
    assert said["sizes"] == [[12, 10, 36]]
    assert [one["name"] for one in said["classes"]] == ["cat", "dog", "owl"]
    assert said["drawn"] == {"test": 0.1, "validation": 0.1}
    assert said["left_out"] == [{"reason": "it lies in no folder of a class", "n": 1, "names": ["notes.txt"]}]
    assert not home.exists() or not [*home.glob("datasets/*")]
    shown = planned.samples(2)
    assert {name: images.shape for name, images in shown.items()} == {
        "cat": (2, 12, 10, 1), "dog": (2, 12, 10, 1), "owl": (2, 12, 10, 1), "": (0, 12, 10, 1),
    }  # fmt: skip
    with Image.open(pets / "dog" / "01.png") as second:
        np.testing.assert_array_equal(shown["dog"][1, ..., 0], np.asarray(second))
    made = import_dataset(pets, "Pets 2", Choices.from_json(said["choices"]))
    assert made.dataset.shape == (12, 10, 1)
    there = data.load("pets-2")
    assert there.classes == ("cat", "dog", "owl")
    assert there.statistics() == Dataset("again", "", there.classes, there.splits).statistics()


def test_sizes_and_colour_are_found_where_they_are_not_chosen(pets):
    picture(pets / "owl" / "large.png", (300, 200))
    taken = plan(pets).taken
    assert (taken.height, taken.width, taken.channels) == (64, 64, 1)
    assert "pictures differ in size" in taken.why_size
    picture(pets / "owl" / "colour.jpg", (24, 20), colour=True)
    assert plan(pets).taken.channels == 3
    assert plan(pets, Choices(colour=False, size=(9, 8))).taken.form(Choices()).channels == 1
    large = pets.parent / "large"
    for name in ("one", "two"):
        for i in range(5):
            picture(large / name / f"{i}.png", (600, 400 + i))
    taken = plan(large).taken
    assert (taken.height, taken.width) == (64, 43)


def test_colour_that_nobody_looked_at_is_kept_all_the_same(pets, monkeypatch):
    monkeypatch.setattr(folder.looks, "look", lambda found, enough: folder.looks.Look())
    picture(pets / "owl" / "99.png", colour=True)
    made = folder.read(pets, "pets", Choices(size=(12, 10)))
    assert made.dataset.shape == (12, 10, 3)
    assert made.taken.why_colour == "owl/99.png has colour"
    assert sum(counts(made.dataset).values()) == 37
    assert not made.left_out.files


def test_classes_are_renamed_united_left_out_and_ordered(pets):
    choices = Choices(names={"cat": "pet", "dog": "pet"}, order=("pet", "owl"))
    made = folder.read(pets, "pets", choices)
    assert made.dataset.classes == ("pet", "owl")
    labels = np.concatenate([split.labels for split in made.dataset.splits.values()])
    assert np.bincount(labels).tolist() == [24, 12]
    made = folder.read(pets, "pets", Choices(names={"owl": ""}))
    assert made.dataset.classes == ("cat", "dog")
    assert made.left_out.counts() == {"its class is left out, as was chosen": 12}
    with pytest.raises(ValueError, match="no class 'cow' in the source"):
        plan(pets, Choices(names={"cow": "cat"}))
    with pytest.raises(ValueError, match="at least two classes"):
        plan(pets, Choices(names={"owl": "", "cat": "dog"}))


def test_folders_are_the_splits_that_are_chosen(tmp_path, home):
    for part, n in (("first", 8), ("holdout", 5), ("other", 3)):
        for name in ("cat", "dog"):
            for i in range(n):
                picture(tmp_path / "pets" / part / name / f"{i}.png")
    chosen = {"first": "train", "holdout": "test", "other": "unlabelled"}
    planned = plan(tmp_path / "pets", Choices(splits=chosen))
    assert {one.name: (one.split, one.n) for one in planned.parts} == {
        "first": ("train", 16), "holdout": ("test", 10), "other": ("unlabelled", 6),
    }  # fmt: skip
    made = import_dataset(tmp_path / "pets", "pets", Choices(splits=chosen))
    assert counts(made.dataset) == {"train": 14, "validation": 2, "test": 10, "unlabelled": 6}
    made = folder.read(tmp_path / "pets", "pets", Choices(splits={**chosen, "other": ""}))
    assert counts(made.dataset) == {"train": 14, "validation": 2, "test": 10}
    with pytest.raises(ValueError, match="split called 'more'"):
        plan(tmp_path / "pets", Choices(splits={"more": "test"}))


def test_words_of_a_column_are_the_splits_that_are_chosen(pets):
    rows = [f"{name}/{i:02}.png,{name},{'ABC'[i % 3]}" for name in ("cat", "dog", "owl") for i in range(12)]
    (pets / "labels.csv").write_text("\n".join(["file,label,fold", *rows]))
    columns = {"split": "fold"}
    made = folder.read(pets, "pets", Choices(columns=columns, splits={"A": "train", "B": "validation", "C": "test"}))
    assert counts(made.dataset) == {"train": 12, "validation": 12, "test": 12}
    assert plan(pets, Choices(columns=columns, splits={"A": "train"})).tables[0].columns["split"] == "fold"


def test_pictures_without_a_label_are_a_split_of_their_own(pets, home, capsys):
    for i in range(4):
        picture(pets / "unlabelled" / f"{i}.png")
    made = import_dataset(pets, "pets")
    assert counts(made.dataset) == {"train": 30, "validation": 3, "test": 3, "unlabelled": 4}
    there = data.load("pets")
    assert there.classes == ("cat", "dog", "owl")
    assert set(there["unlabelled"].labels) == {-1}
    assert there.digest == made.dataset.digest
    with Image.open(pets / "unlabelled" / "2.png") as third:
        np.testing.assert_array_equal(there["unlabelled"].images[2][..., 0], np.asarray(third))
    assert there["unlabelled"].ids.tolist() == [36, 37, 38, 39]
    description = json.loads((home / "datasets" / "pets" / "dataset.json").read_text())
    assert description["splits"]["unlabelled"] == 4
    pictures = Library(home / "none", home).pictures("pets", "unlabelled")
    assert (pictures.ids.tolist(), set(pictures.labels)) == ([36, 37, 38, 39], {-1})
    assert cli.main(["data", "picture", "pets", "unlabelled", "38", "--to", str(home / "38.png")]) == 0
    assert cli.main(["data", "list"]) == 0
    told = capsys.readouterr().out
    assert "unlabelled\n" in told
    assert "test 3, unlabelled 4" in told


def test_folders_of_pictures_that_are_to_be_named_have_no_labels(tmp_path, home):
    for name in ("cat", "dog"):
        for i in range(12):
            picture(tmp_path / "pets" / "train" / name / f"{i}.png")
    for i in range(5):
        picture(tmp_path / "pets" / "test" / f"{i}.png")
    planned = plan(tmp_path / "pets")
    assert planned.unlabelled == 5
    assert set(planned.drawn) == {"test", "validation"}
    assert "test: pictures in no folder of a class" in "\n".join(planned.notes)


def test_where_pictures_came_from_is_kept_and_they_are_read_back(pets, home, tmp_path):
    made = import_dataset(pets, "pets", Choices(size=(8, 8)), title="My pets", description="of the house")
    description = json.loads((home / "datasets" / "pets" / "dataset.json").read_text())
    assert (description["title"], description["description"], description["version"]) == ("My pets", "of the house", 1)
    assert description["digest"] == made.dataset.digest == data.load("pets").digest
    assert description["source"] == {"path": str(pets), "kind": "a folder for each class"}
    for example_id, name in ((0, "cat/00.png"), (13, "dog/01.png"), (35, "owl/11.png")):
        assert originals.of("pets", example_id).path == name
        assert originals.read("pets", example_id) == (pets / name).read_bytes()
    picture(pets / "dog" / "01.png")
    with pytest.raises(originals.Moved, match="or is another picture now"):
        originals.read("pets", 13)
    with pytest.raises(originals.Moved, match="Nothing is known"):
        originals.read("pets", 99)
    pets.rename(tmp_path / "elsewhere")
    with pytest.raises(originals.Moved, match="not where it was"):
        originals.read("pets", 0)


def test_an_original_may_be_a_row_of_a_table(tmp_path, home):
    files = [picture(tmp_path / "x.png") is not None and (tmp_path / "x.png").read_bytes() for _ in range(24)]
    frame = pd.DataFrame({"image": files, "label": ["cat", "dog"] * 12})
    frame.to_parquet(tmp_path / "pets.parquet")
    import_dataset(tmp_path / "pets.parquet", "pets")
    assert [originals.read("pets", i) for i in (0, 11, 23)] == [files[0], files[11], files[23]]


def test_a_name_that_is_taken_is_refused_or_gets_a_new_version(pets, home):
    import_dataset(pets, "pets", title="Pets", description="all of them")
    with pytest.raises(FileExistsError, match="already"):
        import_dataset(pets, "pets")
    picture(pets / "cat" / "more.png")
    made = import_dataset(pets, "pets", new_version=True)
    assert (made.version, made.described["title"], made.described["description"]) == (2, "Pets", "all of them")
    assert sum(counts(data.load("pets")).values()) == 37
    with pytest.raises(ValueError, match="comes with the app"):
        import_dataset(pets, "Fashion MNIST")


def test_progress_is_told_and_a_cancelled_import_leaves_nothing(pets, home):
    told = []
    import_dataset(pets, "pets", progress=lambda *what: told.append(what))
    assert (36, 36, "reading pictures") in told
    assert told[-1] == (1, 1, "done")
    for after in (5, 36, 37):
        asked = []

        def cancelled(after=after, asked=asked):
            asked.append(1)
            return len(asked) > after

        with pytest.raises(data.Cancelled):
            import_dataset(pets, "others", cancelled=cancelled)
    assert [one.name for one in home.iterdir()] == ["datasets"]
    assert [one.name for one in (home / "datasets").iterdir()] == ["pets"]


def test_choices_travel_as_json_and_mistakes_are_told():
    choices = Choices(
        order=("a", "b"), size=(8, 9), colour=True, splits={"x": ""}, names={"c": "d"}, background="#ff0000"
    )
    assert Choices.from_json(json.loads(json.dumps(choices.to_json()))) == choices
    assert Choices.from_json({}) == Choices()
    for said, words in (
        ({"sise": [1, 2]}, "no choice 'sise'"),
        ({"size": [3, 8]}, "4 to 512"),
        ({"size": "8x8"}, "size is two whole numbers"),
        ({"fitting": "squeeze"}, "fitting is one of pad, crop, stretch"),
        ({"splits": {"a": "exam"}}, "a split is one of"),
        ({"background": "red"}, "#rrggbb"),
        ({"validation": 0.9}, "share"),
        ({"colour": 1}, "true or false"),
    ):
        with pytest.raises(ValueError, match=words):
            Choices.from_json(said)


def test_transparent_pictures_are_laid_on_the_chosen_colour(tmp_path, home):
    for name in ("cat", "dog"):
        for i in range(5):
            place = tmp_path / "pets" / name / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = CHANCE.integers(0, 256, (6, 12, 4), np.uint8)
            pixels[:, :4, 3] = 0
            Image.fromarray(pixels).save(place)
    choices = Choices(size=(12, 12), background="#ff8000", resampling="nearest")
    made = import_dataset(tmp_path / "pets", "pets", choices)
    train = data.load("pets")["train"].images[:]
    assert (train[:, 3:9, :4] == (255, 128, 0)).all(), "behind what is transparent"
    assert (train[:, :3] == (255, 128, 0)).all(), "around what is padded"
    there = data.load("pets")
    assert (there.fitting, there.resampling, there.background) == ("pad", "nearest", "#ff8000")
    form = made.taken.form(choices)
    content = originals.read("pets", int(there["train"].ids[0]))
    np.testing.assert_array_equal(folder.as_learned(content, form), train[0])


def test_near_duplicates_never_cross_a_split_that_is_drawn(tmp_path, home):
    for name in ("cat", "dog"):
        for i in range(20):
            pixels = picture(tmp_path / "pets" / name / f"{i:02}.png", (16, 16)).astype(int)
            for j in range(3):
                brighter = np.clip(pixels * 0.9 + 2 * j, 0, 255).astype(np.uint8)
                Image.fromarray(brighter).save(tmp_path / "pets" / name / f"{i:02}-{j}.png")
    made = folder.read(tmp_path / "pets", "pets")
    where = {}
    for split, rows in made.dataset.splits.items():
        for example_id in rows.ids.tolist():
            where.setdefault(example_id // 4, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert counts(made.dataset) == {"train": 132, "validation": 12, "test": 16}
    assert "160 pictures are nearly the same as others, and stay in one split with them" in made.notes


def test_where_too_few_pictures_differ_it_is_not_said_that_near_duplicates_stay_together(tmp_path, home):
    """Every picture of a class is nearly the same as all others of it, as in frames of one film."""
    for name in ("cat", "dog"):
        pixels = picture(tmp_path / "pets" / name / "0.png", (16, 16)).astype(int)
        for j in range(1, 20):
            brighter = np.clip(pixels * 0.8 + j, 0, 255).astype(np.uint8)
            Image.fromarray(brighter).save(tmp_path / "pets" / name / f"{j}.png")
    made = folder.read(tmp_path / "pets", "pets")
    assert counts(made.dataset) == {"train": 33, "validation": 3, "test": 4}
    told = "40 pictures are nearly the same as others, but too few differ to keep them in one split"
    assert told in made.notes


def test_near_duplicates_of_very_many_pictures_are_not_looked_for_and_that_is_said(pets, monkeypatch):
    monkeypatch.setattr(drawing, "NEAR_MOST", 30)
    assert "36 pictures are too many to look for near-duplicates" in "\n".join(folder.read(pets, "pets").notes)


def test_the_command_takes_every_choice_and_a_dry_run_writes_nothing(pets, home, capsys):
    for i in range(6):
        picture(pets / "extra" / f"{i}.png", (12, 10), colour=True)
    flags = ["--class", "cat=pet", "--class", "dog=pet", "--class", "extra=", "--order", "pet,owl", "--grey"]
    flags += ["--size", "8x9", "--fit", "crop", "--resampling", "box", "--background", "#ffffff", "--test", "0.25"]
    command = ["data", "import", str(pets), "--name", "pets", "--title", "My pets", *flags]
    assert cli.main([*command, "--dry-run", "--json"]) == 0
    told = capsys.readouterr()
    planned = json.loads(told.out.splitlines()[-1])
    assert (planned["size"], planned["colour"], planned["drawn"]["test"]) == ([8, 9], False, 0.25)
    assert "2 classes: pet, owl" in told.out
    assert not (home / "datasets").exists()
    assert cli.main(command) == 0
    made = data.load("pets")
    assert (made.title, made.classes, made.shape) == ("My pets", ("pet", "owl"), (8, 9, 1))
    assert (made.fitting, made.resampling, made.background) == ("crop", "box", "#ffffff")
    assert counts(made) == {"train": 25, "validation": 2, "test": 9}
    assert cli.main([*command]) == 2
    assert cli.main([*command, "--new-version", "--class", "cow=cat"]) == 1
    assert "no class 'cow'" in capsys.readouterr().err
