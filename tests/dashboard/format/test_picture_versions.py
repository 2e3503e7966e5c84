"""A data set that is imported anew under its name: nothing old is shown for new, by the server or by a browser."""

import shutil

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from dashboard.data.store import Store
from dashboard.exports import decisions_csv
from dashboard.format.csv import as_csv
from dashboard.format.images import single_url, sprite_url
from dashboard.records.decisions import Decisions
from dashboard.records.rows import DataVersion, Declined
from dashboard.records.slices import Slices
from dashboard.shell import create_app
from ml import __main__ as cli
from ml.artifacts.reader import Missing
from ml.data import load
from ml.data.corrections import Corrections
from ml.system import database

HERE = "http://127.0.0.1"


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """pets(level, *arguments) imports pictures of that grey level as `pets`; the exit status."""
    monkeypatch.setenv("FASHION_HOME", str(tmp_path / "home"))

    def take(level, *arguments):
        for name in ("Cat", "Dog"):
            (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
            for i in range(12):
                Image.fromarray(np.full((28, 28), level + i, np.uint8)).save(tmp_path / "pets" / name / f"{i}.png")
        return cli.main(["data", "import", str(tmp_path / "pets"), *arguments])

    return take


def test_an_import_over_a_name_needs_a_yes(pets, tmp_path, capsys):
    assert pets(10) == 0
    stored = tmp_path / "home" / "datasets" / "pets" / "test.npy"
    before = stored.read_bytes()
    assert pets(100) == 2
    assert "--new-version" in capsys.readouterr().err
    assert stored.read_bytes() == before
    assert pets(100, "--new-version") == 0
    assert stored.read_bytes() != before
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["datasets"]


def test_a_running_store_reads_the_new_pictures(pets, tmp_path, no_artifacts):
    pets(10)
    store = Store(no_artifacts, tmp_path / "home")
    first, before = store.picture_set("pets"), store.pictures("pets", "test")
    assert store.pictures("pets", "test") is before
    properties = store.about("pets", "properties")
    pets(100, "--new-version")
    assert store.picture_set("pets") != first
    assert store.pictures("pets", "test").images[:].max() >= 100 > before.images[:].max()
    assert not store.about("pets", "properties").equals(properties)


def test_the_same_pictures_imported_again_keep_their_addresses(pets, tmp_path, no_artifacts):
    pets(10)
    store = Store(no_artifacts, tmp_path / "home")
    first = store.picture_set("pets")
    pets(10, "--new-version")
    assert store.picture_set("pets") == first


def test_addresses_are_kept_for_a_year_and_old_ones_name_what_they_named(pets, tmp_path, no_artifacts):
    pets(10)
    app = create_app(no_artifacts, home=tmp_path / "home")
    web, store = app.server.test_client(), app.store
    example = int(store.pictures("pets", "test").ids[0])
    old = [
        make(store.picture_set("pets"), "test", one) for make, one in ((single_url, example), (sprite_url, [example]))
    ]
    answers = [web.get(address, base_url=HERE) for address in old]
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    bare = old[0].partition("?")[0]
    assert web.get(bare, base_url=HERE).headers["Cache-Control"] == "no-cache"
    pets(100, "--new-version")
    assert [web.get(address, base_url=HERE).data for address in old] == [answer.data for answer in answers]
    for version in store.library.versions():
        shutil.rmtree(version)
    assert [web.get(address, base_url=HERE).status_code for address in old] == [404, 404]
    example = int(store.pictures("pets", "test").ids[0])
    assert web.get(single_url(store.picture_set("pets"), "test", example), base_url=HERE).data != answers[0].data


def test_a_set_without_digest_has_one_of_its_files(home, no_artifacts):
    store = Store(no_artifacts, home)
    run = store.open("toy")
    before = run.picture_set
    assert before[1]
    stored = home / "datasets" / before[0] / "test.npz"
    with np.load(stored) as archive:
        arrays = dict(archive)
    np.savez_compressed(stored, **{**arrays, "images": 255 - arrays["images"]})
    assert run.picture_set != before
    assert store.picture_set("../toy") == ("../toy", "")


def test_a_run_of_the_old_pictures_is_not_shown_beside_the_new(pets, tmp_path, no_artifacts):
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    pets(10)
    home = tmp_path / "home"
    config = TrainConfig(model="mlp", dataset="pets", epochs=1, batch_size=16, augment=(), threads=1)
    train(config, run_id="learned", home=home)
    store = Store(no_artifacts, home)
    seen = store.open("learned").pictures("test")
    pets(100, "--new-version")
    kept = store.open("learned").pictures("test")
    assert np.array_equal(kept.images[:], seen.images[:])
    assert len(store.open("learned").duplicates("test")) >= 0
    assert cli.main(["evaluate", "learned", "--split", "test"]) == 0
    assert cli.main(["evaluate", "learned", "--only", "confusion"]) == 0
    for version in store.library.versions():
        shutil.rmtree(version)
    with pytest.raises(Missing, match="imported anew") as missing:
        store.open("learned").pictures("test")
    assert missing.value.command == "python -m ml train --dataset pets"
    assert cli.main(["evaluate", "learned", "--split", "test"]) == 1
    assert cli.main(["evaluate", "learned", "--only", "confusion"]) == 1
    with pytest.raises(Missing, match="imported anew"):
        store.open("learned").duplicates("test")
    assert store.open("learned").picture_set not in (store.picture_set("pets"), ("pets", ""))


def test_what_was_said_of_the_old_pictures_is_not_said_of_the_new(pets, tmp_path, no_artifacts):
    """Decisions, saved slices, a file of decisions and frozen labels, made on pictures that are replaced."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    pets(10)
    home = tmp_path / "home"
    config = TrainConfig(model="mlp", dataset="pets", epochs=1, batch_size=16, augment=(), threads=1)
    train(config, run_id="first", home=home)
    store = Store(no_artifacts, home, slices=Slices(database.opener(home)), decisions=Decisions(database.opener(home)))
    first = store.open("first")
    example = int(first.predictions("test").ids[0])
    came = {example: first.classes[int(first.predictions("test").labels[0])]}
    store._decisions.decide(first.data_version, "test", came, "exclude", who="Ada", run="first", batch="1" * 32)
    saved = store.slices.save(first.data_version, "Dark", {"test": [example]}, rule="", run="first")
    head, rows = decisions_csv.log(store._decisions.log(first.data_version))
    corrections = Corrections("pets", {1: 0}, digest=first.data_version.digest)
    corrections.apply(load("pets"))

    pets(100, "--new-version")
    train(config, run_id="second", home=home)
    second = store.open("second")
    assert store.open("first").reviewed("reviewed").current_labels.of("test", example)
    assert not second.reviewed("reviewed").current_labels.by
    assert [one.name for one in store.slices.all(first.data_version)] == ["Dark"]
    assert store.slices.all(second.data_version) == []
    assert first.sliced("test", saved.key).tolist() == [example]
    assert second.sliced("test", saved.key).tolist() == []
    with pytest.raises(Declined, match="other images of pets"):
        decisions_csv.read(as_csv(head, rows, None), second)
    with pytest.raises(ValueError, match="imported anew"):
        corrections.apply(load("pets"))
    rivals = {entry.run_id: why for entry, why in store.rivals(second)}
    assert "changed between the two" in rivals["first"]


def test_rows_from_before_digests_were_kept_follow_their_run(pets, tmp_path, no_artifacts):
    version = DataVersion("pets", "a" * 16, frozenset({"old"}))
    engine, _ = database.opener(tmp_path / "home")("decisions", Decisions.migrations[:1])
    columns = "id, batch, dataset, split, example_id, action, before, after, who, at, run, imported, undone"
    with engine.begin() as connection:
        for number, run in enumerate(("old", "new", "gone")):
            values = (
                f"'{number}', '{number}', 'pets', 'test', {number}, 'keep', 'Cat', 'Cat', '', 0, '{run}', false, false"
            )
            connection.execute(text(f"INSERT INTO decisions ({columns}) VALUES ({values})"))
    decisions = Decisions(database.opener(tmp_path / "home"))
    assert {row.run for row in decisions.log(version)} == {"new", "gone"}
    assert {example for _, example in decisions.current_labels(version).by} == {1, 2}
    assert decisions.count("pets") == 3


def test_a_training_does_not_go_on_with_other_pictures(pets, tmp_path):
    from ml import pipeline
    from ml.training.config import TrainConfig
    from ml.training.loop import Cancelled

    pets(10)
    config = TrainConfig(model="mlp", dataset="pets", epochs=3, batch_size=16, augment=(), threads=1)

    def stop(epoch):
        raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.train(config, run_id="half", home=tmp_path / "home", callbacks=pipeline.Callbacks(on_epoch=stop))
    pets(100, "--new-version")
    with pytest.raises(ValueError, match="imported anew since this training began"):
        pipeline.train(config, run_id="half", home=tmp_path / "home")
