"""A published data set by the list that ships: the same numbers on every machine, and nothing of half a fetch."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import data
from ml.artifacts.reader import Library, Missing
from ml.data import Cancelled, intake, listed, originals
from ml.data.intake import fetching
from ml.images.smaller import smaller
from ml.publishing import pictureless
from ml.system import git
from tests import git_server
from tests.photos import CLASSES, COUNTS, NAME, RUN, SIDE

N = len(CLASSES) * (COUNTS["train"] + COUNTS["validation"])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(params=[git.GIT, git.DULWICH])
def by(request):
    if request.param == git.DULWICH:
        pytest.importorskip("dulwich")
    return request.param


def from_folder(photos, source, home, **more):
    return fetching.fetch(NAME, source=source, home=home, artifacts=photos.artifacts, known=photos.known(""), **more)


def from_git(photos, address, home, **more):
    return fetching.fetch(NAME, home=home, artifacts=photos.artifacts, known=photos.known(address), **more)


def numbers(folder):
    found = {}
    for split in ("train", "validation", "test"):
        with np.load(folder / f"{split}.npz") as stored:
            found[split] = stored["ids"].tolist(), stored["labels"].tolist()
    return found


def leftovers(home):
    return [one.name for one in home.iterdir() if one.name != "datasets"]


def test_what_is_fetched_has_the_numbers_splits_and_digest_that_the_run_was_made_with(photos, home, by):
    told = []
    with git_server.served(photos.repositories) as address:
        made = from_git(photos, address, home, by=by, progress=lambda *one: told.append(one))
        again = from_git(photos, "http://127.0.0.1:9", home, by=by)
    assert not made.already
    assert not made.left_out.files
    assert again.already, "without a word to the network"
    maker = photos.maker / "datasets" / NAME
    assert numbers(made.folder) == numbers(maker)
    assert sum(len(ids) for ids, _ in numbers(made.folder).values()) == N, "its folder test is left alone"
    library = Library(photos.artifacts, home)
    run = library.open(RUN)
    assert library.version_of(run.manifest["dataset"]) == ""
    for split in ("test", "validation", "reference"):
        pictures = library.learned_pictures(run, split)
        assert sorted(pictures.ids) == sorted(run.table("predictions").query("split == @split")["example_id"])
    assert {what for _, _, what in told} >= {"making photographs smaller", "reading pictures", "measuring", "done"}
    assert leftovers(home) == []
    assert not os.path.exists("/tmp/hooked")
    loaded = data.load(NAME, home=home)
    assert (loaded.title, loaded.shape, loaded.classes) == ("Toy photos", (24, 24, 3), CLASSES)


def test_a_picture_looks_as_it_did_and_its_file_is_beside_it_made_smaller(photos, home):
    from_folder(photos, photos.photos, home)
    before = data.load(NAME, home=photos.maker)["test"]
    now = data.load(NAME, home=home)["test"]
    assert np.abs(np.asarray(now.images, np.int16) - np.asarray(before.images, np.int16)).max() <= 2
    path = pd.read_parquet(photos.artifacts / "datasets" / NAME / "files.parquet").set_index("example_id")["path"]
    for example_id in now.ids.tolist():
        came = originals.read(NAME, example_id, home)
        assert came == smaller((photos.photos / path[example_id]).read_bytes(), SIDE)
        with Image.open(BytesIO(came)) as image:
            assert max(image.size) == SIDE
    shutil.move(home, moved := home.with_name("moved"))
    assert originals.read(NAME, int(now.ids[0]), moved), "whatever the folder is called by now"


def test_a_folder_is_enough_also_one_that_lies_in_another_and_of_smaller_copies(photos, home, tmp_path):
    made = from_folder(photos, photos.photos, home)
    copies = tmp_path / "download" / "photos-main"
    for path in photos.photos.rglob("*.jpg"):
        target = copies / path.relative_to(photos.photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(smaller(path.read_bytes(), SIDE))
    other = from_folder(photos, tmp_path / "download", tmp_path / "other")
    assert numbers(other.folder) == numbers(made.folder)
    assert other.described["digest"] == made.described["digest"]


def test_what_is_missing_broken_or_another_picture_is_counted_and_the_rest_lives(photos, home, tmp_path):
    folder = shutil.copytree(photos.photos, tmp_path / "part")
    (folder / "train" / "coat" / "tr-03.jpg").unlink()
    (folder / "train" / "hat" / "tr-04.jpg").write_bytes(b"no picture")
    Image.new("RGB", (60, 60), "white").save(folder / "validation" / "shoe" / "va-05.jpg")
    made = from_folder(photos, folder, home)
    reasons = made.left_out.counts()
    assert reasons[fetching.ABSENT] == 1
    assert reasons[fetching.ANOTHER] == 1
    assert sum(reasons.values()) == made.described["absent"] == 3
    assert sum(made.described["splits"][split] for split in ("train", "validation", "test")) == N - 3
    files = pd.read_parquet(photos.artifacts / "datasets" / NAME / "files.parquet").set_index("path")
    gone = files.loc["validation/shoe/va-05.jpg", "example_id"]
    kept = data.load(NAME, home=home)["validation"].ids
    assert gone not in kept
    assert len(kept) == COUNTS["validation"] * len(CLASSES) - 1
    with pytest.raises(originals.Moved):
        originals.read(NAME, int(gone), home)
    whole = from_folder(photos, photos.photos, home)
    assert not whole.already, "what is not whole is made anew"
    assert whole.described["absent"] == 0
    assert leftovers(home) == []


def test_another_folder_and_another_data_set_of_its_name_are_refused(photos, home, tmp_path):
    (tmp_path / "else").mkdir()
    for name in ("cat", "dog"):
        shutil.copytree(photos.photos / "train" / "coat", tmp_path / "else" / name)
    with pytest.raises(ValueError, match=f"only 0 of {N} pictures are there: train/coat/tr-00.jpg"):
        from_folder(photos, tmp_path / "else", home)
    with pytest.raises(ValueError, match="is not a folder that is there"):
        from_folder(photos, tmp_path / "nowhere", home)
    assert leftovers(home) == []
    data.import_dataset(tmp_path / "else", NAME, home=home)
    with pytest.raises(intake.Taken, match=f"python -m ml data remove {NAME}"):
        from_folder(photos, photos.photos, home)
    with pytest.raises(KeyError, match="there are toy-photos"):
        fetching.fetch("unknown", home=home, artifacts=photos.artifacts, known=photos.known(""))


def test_without_network_or_git_the_way_that_needs_none_is_named(photos, home, monkeypatch):
    with pytest.raises(Missing, match=r"127.0.0.1:9/photos cannot be fetched: the connection was refused") as missing:
        from_git(photos, "http://127.0.0.1:9", home)
    assert missing.value.command == f"python -m ml data fetch {NAME} --from FOLDER"
    monkeypatch.setattr(git, "engine", lambda: (_ for _ in ()).throw(git.NoGit(git.INSTALL)))
    with pytest.raises(Missing, match=r"pip install dulwich\. Where the same folder lies") as missing:
        from_git(photos, "http://127.0.0.1:9", home)
    assert missing.value.command.endswith("--from FOLDER")
    assert leftovers(home) == []


def test_nothing_is_left_of_a_broken_line_a_wrong_commit_or_what_was_given_up(photos, home):

    with (
        git_server.served(photos.repositories, breaks_after=4_000) as address,
        pytest.raises(Missing, match="broke off"),
    ):
        from_git(photos, address, home)
    with git_server.served(photos.repositories) as address:
        wrong = {NAME: replace(photos.known(address)[NAME], commit="0" * 39 + "1")}
        with pytest.raises(Missing, match="does not have that commit"):
            fetching.fetch(NAME, home=home, artifacts=photos.artifacts, known=wrong)
        with pytest.raises(Cancelled):
            from_git(photos, address, home, cancelled=lambda: True)
    turns = iter([False] * 4)
    with pytest.raises(Cancelled):
        from_folder(photos, photos.photos, home, cancelled=lambda: next(turns, True))
    assert leftovers(home) == []
    assert not (home / "datasets").exists()


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from ml.data.intake import fetching
from tests.photos import NAME, PUBLISHED
address, commit, home, artifacts = sys.argv[1:]
known = {NAME: replace(PUBLISHED, address=address, commit=commit)}
fetching.fetch(NAME, home=Path(home), artifacts=Path(artifacts), known=known,
               progress=lambda *one: print(one, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_is_killed_leaves_nothing_that_the_next_one_does_not_remove(photos, home):
    home.mkdir()
    with git_server.served(photos.repositories, waits=(held := threading.Event())) as address:
        words = [f"{address}/photos.git", photos.published.commit, str(home), str(photos.artifacts)]
        process = subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert b"fetching" in process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        held.set()
        while [one for one in psutil.process_iter(["cwd"]) if str(home) in (one.info["cwd"] or "")]:
            time.sleep(0.1)  # git ends by itself, as nobody listens any more
        assert not (home / "datasets").exists()
        deadline = time.monotonic() + 30
        while leftovers(home) and time.monotonic() < deadline:  # a folder just made may not have its lock yet
            intake.sweep(home)
            time.sleep(0.1)
        assert leftovers(home) == []
        assert not from_git(photos, address, home).already


def test_a_list_that_was_changed_is_not_believed(photos, home, tmp_path):
    artifacts = shutil.copytree(photos.artifacts, tmp_path / "artifacts")
    folder = artifacts / "datasets" / NAME
    files = pd.read_parquet(folder / "files.parquet")
    for changed, words in (
        (files.assign(label=0), "is not the list"),
        (files.assign(path="../../etc/" + files["path"]), "leads out of its folder"),
    ):
        changed.to_parquet(folder / "files.parquet", index=False)
        if words != "is not the list":
            described = json.loads((folder / "dataset.json").read_text())
            (folder / "dataset.json").write_text(json.dumps({**described, "files": listed.digest(changed)}))
        with pytest.raises(ValueError, match=words):
            fetching.fetch(NAME, source=photos.photos, home=home, artifacts=artifacts, known=photos.known(""))


def test_what_ships_holds_no_picture_and_no_path_of_the_makers(photos):
    names = {path.name for path in (photos.artifacts / "datasets" / NAME).iterdir()}
    assert names == {"dataset.json", "files.parquet", "properties.parquet", "duplicates.parquet"}
    for path in photos.artifacts.rglob("*.json"):
        assert str(photos.maker.parent) not in path.read_text()
    with np.load(photos.artifacts / "runs" / RUN / "suspects.npz") as suspects:
        assert "images" not in suspects
        assert len(suspects["example_id"])
    library = Library(photos.artifacts, photos.maker.parent / "nobody")
    assert library.entry(RUN).ok
    assert library.about(NAME, "duplicates") is not None
    with pytest.raises(Missing) as missing:
        library.pictures(NAME, "test")
    assert missing.value.command == f"python -m ml data fetch {NAME}"


def test_a_run_that_learned_from_others_is_not_shipped_with_this_list(photos, tmp_path):
    home = shutil.copytree(photos.maker, tmp_path / "home")
    file = home / "runs" / RUN / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["dataset"]["hashes"]["pictures"] = "0" * 64
    file.write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="learned from other pictures"):
        pictureless.ship(tmp_path / "artifacts", home, RUN, {NAME: photos.published})


def test_the_command_says_what_there_is_and_what_was_made(photos, home, capsys, monkeypatch):
    monkeypatch.setattr(fetching, "FETCHABLE", photos.known(""))
    monkeypatch.setattr(fetching.fetch, "__kwdefaults__", {
        **fetching.fetch.__kwdefaults__, "known": photos.known("http://127.0.0.1:9"), "artifacts": photos.artifacts,
    })  # fmt: skip
    assert cli.main(["data", "fetch", NAME]) == 1
    said = capsys.readouterr().err
    assert "cannot be fetched: the connection was refused" in said
    assert said.endswith(f"Try: python -m ml data fetch {NAME} --from FOLDER\n")
    assert cli.main(["data", "fetch", NAME, "--from", str(photos.photos), "--json", "--progress"]) == 0
    told = capsys.readouterr().out.splitlines()
    receipt = json.loads(told[-1])
    assert list(receipt) == ["name", "digest", "classes", "size", "splits", "left_out"]
    assert sum(receipt["splits"].values()) == N
    assert "making photographs smaller" in "\n".join(told)
    assert cli.main(["data", "fetch", NAME]) == 0
    assert capsys.readouterr().out.startswith(f"{NAME} is here already")
    assert cli.main(["data", "fetch"]) == 0
    assert "clothing-photos: " in capsys.readouterr().out
