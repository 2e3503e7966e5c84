"""Pictures added to a data set: what it has keeps its ids, splits and pixels; what is new is told apart."""

import json

import numpy as np
import pytest
from PIL import Image

from ml import data
from ml.data import folder, originals


def drawn(place, name: str, first: int, n: int) -> None:
    (place / name).mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        rng = np.random.default_rng(sum(map(ord, name)) * 1_000 + i)
        Image.fromarray(rng.integers(0, 256, (9, 7, 3)).astype(np.uint8)).save(place / name / f"{i:03d}.png")


@pytest.fixture
def pets(tmp_path):
    """An own home with a data set of two classes, 9 x 7, and what more there is: some of it known, a new class."""
    drawn(tmp_path / "pets", "cat", 0, 20)
    drawn(tmp_path / "pets", "dog", 0, 20)
    drawn(tmp_path / "more", "dog", 15, 15)  # five of them are there already
    drawn(tmp_path / "more", "ant", 0, 12)
    data.import_dataset(tmp_path / "pets", "pets", title="My pets", home=tmp_path / "home")
    return tmp_path


def test_what_is_there_stays_and_new_ones_learn(pets):
    home, kept = pets / "home", pets / "home" / "datasets" / "pets"
    before = folder.load(kept)
    made = data.import_dataset(pets / "more", "pets", add=True, home=home)
    now = folder.load(kept)
    assert now.classes == ("cat", "dog", "ant"), "ids of classes stay"
    assert (now.title, made.version) == ("My pets", 2)
    for split in ("validation", "test"):
        assert np.array_equal(now[split].ids, before[split].ids)
        assert np.array_equal(now[split].images[:], before[split].images[:])
    assert len(now["train"]) == len(before["train"]) + 22
    assert now["train"].ids.max() == 40 + 22 - 1
    assert {one["reason"]: one["n"] for one in made.described["left_out"]} == {
        "it is in the data set already, pixel for pixel": 5
    }
    assert now.digest != before.digest
    assert len(made.described["sources"]) == 2
    assert [one.name for one in (home / "datasets" / ".versions").iterdir()] == [f"pets-{before.digest}"]


def test_originals_of_both_sources_are_found(pets):
    home = pets / "home"
    data.import_dataset(pets / "more", "pets", add=True, home=home)
    now = folder.load(home / "datasets" / "pets")
    for example in (0, 39, 40, 61):
        original = originals.of("pets", example, home)
        content = originals.read("pets", example, home)
        assert content == (original.source / original.path).read_bytes()
        split = next(one for one in now.splits.values() if example in one.ids)
        label = int(split.labels[np.flatnonzero(split.ids == example)[0]])
        assert original.path.startswith(now.classes[label])
    data.import_dataset(pets / "pets", "pets", add=True, home=home)  # nothing of it is new
    assert originals.read("pets", 61, home)


def test_form_is_that_of_the_data_set(pets):
    large = pets / "large"
    for name in ("cat", "dog"):
        (large / name).mkdir(parents=True)
        Image.new("RGB", (70, 90), (len(name), 9, 9)).save(large / name / f"{name}.png")
    made = data.import_dataset(large, "pets", data.Choices(size=(50, 50), colour=False), add=True, home=pets / "home")
    assert made.dataset.shape == (9, 7, 3)


def test_a_data_set_that_is_not_there_is_said(pets):
    with pytest.raises(ValueError, match="no data set 'rocks' to add to"):
        data.import_dataset(pets / "more", "rocks", add=True, home=pets / "home")


def test_by_the_command_line(pets, monkeypatch, capsys):
    from ml import __main__ as cli

    monkeypatch.setenv("FASHION_HOME", str(pets / "home"))
    assert cli.main(["data", "import", str(pets / "more"), "--name", "pets", "--add", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out.splitlines()[-1])["splits"].values()) == 40 + 22
