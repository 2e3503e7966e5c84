"""Data sets of one's own on the command line: listed, a picture looked at, removed and brought back."""

import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from dashboard.services.training_options import TrainingOptions
from dashboard.services.training_request import Invalid, check
from ml import __main__ as cli
from ml import data
from ml.artifacts.reader import Library, Missing
from ml.system import trash
from ml.system.paths import ARTIFACTS

CHANCE = np.random.default_rng(0)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder with pictures of two classes in `files`, and a home with the data set `pets`. Only to copy."""
    base = tmp_path_factory.mktemp("pets")
    for name in ("ring", "block"):
        (base / "files" / name).mkdir(parents=True)
        for i in range(12):
            pixels = CHANCE.integers(0, 256, (28, 28, 3), np.uint8)
            Image.fromarray(pixels).save(base / "files" / name / f"{i:02}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_HOME", str(base / "home"))
        assert cli.main(["data", "import", str(base / "files"), "--name", "pets", "--colour"]) == 0
    return base


@pytest.fixture
def told(imported, tmp_path, monkeypatch, capsys):
    """told(*words of `python -m ml data`): the exit status, output and errors. There is a data set `pets`."""
    shutil.copytree(imported, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))

    def run(*words):
        capsys.readouterr()
        status = cli.main(["data", *words])
        return status, *capsys.readouterr()

    return run


def test_what_is_here_is_listed(told):
    _, out, _ = told("list")
    assert f"pets: 2 classes, 28 x 28 x 3; train 20, validation 2, test 2; digest {data.load('pets').digest}" in out
    assert "fashion-mnist: 10 classes" in out


def test_a_picture_is_written_as_it_is_kept_with_its_label(told, tmp_path):
    dataset = data.load("pets")
    for split in ("train", "validation", "test"):
        example_id = int(dataset[split].ids[-1])
        status, out, _ = told("picture", "pets", split, str(example_id), "--to", str(tmp_path / "one.png"))
        assert (status, out) == (0, f"{dataset.classes[dataset[split].labels[-1]]}\n")
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), dataset[split].images[-1])
    status, out, err = told("picture", "pets", "test", "99999", "--to", str(tmp_path / "none.png"))
    assert (status, out) == (1, "")
    assert "no picture 99999 in test" in err
    assert not (tmp_path / "none.png").exists()
    status, _, err = told(
        "picture", "pets", "test", str(dataset["test"].ids[0]), "--to", str(tmp_path / "no" / "a.png")
    )
    assert status == 1
    assert "cannot be written" in err


def test_removing_says_first_what_refers_to_it_and_can_be_undone(told, tmp_path, toy_home):
    home = tmp_path / "home"
    shutil.copytree(toy_home / "runs" / "toy", home / "runs" / "toy")
    manifest = json.loads((home / "runs" / "toy" / "manifest.json").read_text())
    manifest["dataset"]["name"] = "pets"
    (home / "runs" / "toy" / "manifest.json").write_text(json.dumps(manifest))
    before = data.load("pets").digest
    status, out, err = told("remove", "pets")
    assert status == 2
    assert "1 run keeps its numbers and loses its pictures: toy" in out
    assert "Nothing was removed" in err
    assert data.load("pets").digest == before
    status, out, _ = told("remove", "pets", "--yes")
    assert status == 0
    assert "data restore pets" in out
    assert "pets" not in data.available(home)
    assert "pets: in the trash until" in told("list")[1]
    assert [run.run_id for run in Library(ARTIFACTS, home).runs() if not run.shipped] == ["toy"]
    assert trash.listing(home) == [], "it is no run"
    library, back = Library(ARTIFACTS, home), "python -m ml data restore pets"
    for look in (lambda: library.pictures("pets", "test"), lambda: library.about("pets", "properties")):
        with pytest.raises(Missing, match="put into the trash") as missing:
            look()
        assert missing.value.command == back, "no import of what was put away a moment ago"
    assert back in told("picture", "pets", "test", "0")[2]
    with pytest.raises(Invalid, match=back):
        check({"dataset": "pets", "model": "compact_cnn"}, TrainingOptions(home, ARTIFACTS))
    assert told("restore", "pets")[0] == 0
    assert data.load("pets").digest == before
    assert told("restore", "pets")[0] == 1


def test_another_one_under_its_name_stays(told, tmp_path):
    told("remove", "pets", "--yes")
    assert told("import", str(tmp_path / "files"), "--name", "pets")[0] == 0
    status, _, err = told("restore", "pets")
    assert status == 1
    assert "another data set named pets" in err


@pytest.mark.parametrize("name", ["fashion-mnist", "synthetic-4-28x28x1", "nothing", "../runs", ".trash"])
def test_what_is_not_ones_own_is_not_removed(told, name):
    status, _, err = told("remove", name, "--yes")
    assert status == 1
    assert "cannot be removed" in err or "unknown data set" in err


def test_what_a_training_waits_for_is_not_removed(told, tmp_path):
    from ml.jobs.queue import JobTable

    jobs = JobTable(tmp_path / "home")
    job = jobs.submit({"dataset": "pets"}, "mine", epochs=1)
    status, _, err = told("remove", "pets", "--yes")
    assert status == 1
    assert "mine is still to learn from pets" in err
    jobs.cancel(job.id)
    assert told("remove", "pets", "--yes")[0] == 0


def test_what_was_removed_a_month_ago_is_gone(told, tmp_path):
    told("remove", "pets", "--yes")
    kept = tmp_path / "home" / "datasets" / ".trash"
    (one,) = kept.iterdir()
    one.rename(kept / "pets-20200101t000000000000")
    trash.purge(tmp_path / "home", datetime(2020, 3, 1, tzinfo=UTC), trash.DATASETS)
    assert "pets" not in told("list")[1]
    assert list(kept.iterdir()) == []
