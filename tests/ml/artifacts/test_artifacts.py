import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from ml.artifacts import schema, writer
from ml.artifacts.reader import Broken, Library, Missing
from ml.system.paths import ARTIFACTS

HISTORY = {
    "epoch": [1],
    "train_loss": [0.5],
    "train_accuracy": [0.8],
    "validation_loss": [0.4],
    "validation_accuracy": [0.9],
    "learning_rate": [0.1],
    "seconds": [1.0],
    "images_per_second": [10.0],
}


def test_the_readme_is_generated():
    assert (ARTIFACTS / "README.md").read_text() == schema.readme()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": [1.5]}, "whole numbers"),
        ({"train_loss": [float("inf")]}, "infinite"),
        ({"train_loss": [None]}, "empty"),
        ({"surprise": [1]}, "unknown"),
        ({"seconds": None}, "missing"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, change, words):
    columns = {name: values for name, values in {**HISTORY, **change}.items() if values is not None}
    with pytest.raises(schema.Mismatch, match=words):
        writer.write_noun(tmp_path, "history", pd.DataFrame(columns))
    assert not list(tmp_path.iterdir())


def test_numbered_columns_have_no_gaps():
    frame = pd.DataFrame(
        {
            "split": ["test"],
            "example_id": [1],
            "label": [0],
            "predicted": [0],
            "confidence": [1.0],
            "p_0": [1.0],
            "p_2": [0.0],
        }
    )
    with pytest.raises(schema.Mismatch, match="gaps"):
        schema.NOUNS["predictions"].check(frame)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    good = {"reference_id": np.zeros(2, np.int32), "reference": np.zeros((2, 3), np.float16)}
    writer.write_noun(tmp_path, "features", good)
    for bad in (
        {**good, "reference": np.full((2, 3), np.nan, np.float16)},
        {**good, "reference": np.zeros((2, 3), np.float32)},
        {"reference": good["reference"]},
        {**good, "more": np.zeros(1)},
    ):
        with pytest.raises(schema.Mismatch):
            writer.write_noun(tmp_path, "features", bad)


@pytest.mark.parametrize("run_id", ["", "A", "../x", "a/b", "-a", "a" * 65, "a.b", "a\n"])
def test_run_ids_that_are_refused(tmp_path, run_id):
    with pytest.raises(ValueError, match="run id"):
        writer.partial(tmp_path, run_id)


def test_only_unpublished_runs_can_be_discarded(home):
    with pytest.raises(ValueError, match="unpublished"):
        writer.discard(home / "runs" / "toy")
    assert (home / "runs" / "toy").is_dir()


def test_core_never_changes(home):
    run = Library(home, home).open("toy")
    with pytest.raises(ValueError, match="never change"):
        writer.add_nouns(home / "runs" / "toy", run.manifest, {"history": (pd.DataFrame(HISTORY), 0.0)})


def test_nouns_of_a_shipped_run_are_laid_over_it(home, tmp_path):
    mine = tmp_path / "mine"
    library = Library(home, mine)
    run = library.open("toy")
    assert run.shipped
    before = (home / "runs" / "toy" / "manifest.json").read_bytes()
    changed = run.table("confusion").assign(count=lambda frame: frame["count"] * 2)
    writer.add_nouns(mine / "runs" / "toy", run.manifest, {"confusion": (changed, 0.0)})
    assert library.open("toy").table("confusion")["count"].sum() == changed["count"].sum()
    assert len(library.open("toy").table("history")) == 2  # still read from what ships
    assert (home / "runs" / "toy" / "manifest.json").read_bytes() == before


def test_a_missing_noun_names_its_command(home):
    folder = home / "runs" / "toy"
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["nouns"]["projection"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Missing) as caught:
        Library(home, home).open("toy").table("projection")
    assert caught.value.command == "python -m ml evaluate toy --only projection"


def damage(folder, kind):
    manifest = json.loads((folder / "manifest.json").read_text())
    if kind == "no weights":
        (folder / "weights.safetensors").unlink()
    elif kind == "empty folder":
        for path in folder.iterdir():
            path.unlink()
    elif kind == "bad json":
        (folder / "manifest.json").write_text("{")
    elif kind == "newer version":
        (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": "2.0"}))
    elif kind == "wrong name":
        (folder / "manifest.json").write_text(json.dumps({**manifest, "run_id": "other"}))
    elif kind == "no core":
        del manifest["nouns"]["predictions"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    elif kind == "list":
        (folder / "manifest.json").write_text("[]")
    elif kind == "linked weights":
        elsewhere = folder.parent.parent / "weights"
        shutil.move(folder / "weights.safetensors", elsewhere)
        os.symlink(elsewhere, folder / "weights.safetensors")
    elif kind == "link out":
        elsewhere = folder.parent.parent / "elsewhere"
        shutil.move(folder, elsewhere)
        os.symlink(elsewhere, folder)


KINDS = [
    "no weights",
    "empty folder",
    "bad json",
    "newer version",
    "wrong name",
    "no core",
    "list",
    "link out",
    "linked weights",
]


@pytest.mark.parametrize("kind", KINDS)
def test_broken_runs_are_listed_with_their_reason(home, kind):
    shutil.copytree(home / "runs" / "toy", home / "runs" / "good")
    manifest = json.loads((home / "runs" / "good" / "manifest.json").read_text())
    (home / "runs" / "good" / "manifest.json").write_text(json.dumps({**manifest, "run_id": "good"}))
    damage(home / "runs" / "toy", kind)
    library = Library(home, home)
    entries = {entry.run_id: entry for entry in library.runs()}
    assert entries["good"].ok
    assert not entries["toy"].ok
    assert entries["toy"].reason
    assert str(home) not in entries["toy"].reason
    with pytest.raises(Broken):
        library.open("toy")
    assert library.default() == "good"


def test_a_candidate_from_feedback_is_no_default_only_because_it_is_the_newest(home):
    shutil.copytree(home / "runs" / "toy", home / "runs" / "candidate")
    path = home / "runs" / "candidate" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest |= {"run_id": "candidate", "created": "2999-01-01T00:00:00Z"}
    path.write_text(json.dumps(manifest))
    assert Library(home, home).default() == "candidate"  # as any other run would be
    path.write_text(json.dumps({**manifest, "config": {**manifest["config"], "feedback": "a" * 64}}))
    assert Library(home, home).default() == "toy"


@pytest.mark.parametrize("name", ["predictions.parquet", "weights.safetensors", "filters.npz"])
def test_a_file_that_changed_is_not_read(home, name):
    run = Library(home, home).open("toy")
    path = home / "runs" / "toy" / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Broken, match="checksum"):
        run.weights() if name.startswith("weights") else (
            run.table("predictions") if name.startswith("pred") else run.arrays("filters")
        )
    (entry,) = Library(home, home).runs()
    assert entry.ok == (name == "filters.npz")  # what is not core costs its panel, not the run


def rewrite(folder, change):
    """Change the manifest in place."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("results"), "lacks results"),
        (lambda m: m["results"].pop("test"), "results must name test"),
        (lambda m: m["results"]["test"].update(correct=401), "results.test: more right answers"),
        (lambda m: m["dataset"].update(classes=["a", "a", "b", "c"]), "dataset: class names must differ"),
        (lambda m: m["dataset"].update(std=[0.0]), "dataset.std"),
        (lambda m: m.update(parameters="many"), "wrong at parameters"),
        (lambda m: m["weights"].update(sha256="0"), "weights.sha256"),
        (lambda m: m["layers"][0].update(parameters=10**9), "other shapes than its layer"),
        (lambda m: m["dataset"].update(title="x" * 500), "dataset.title"),
    ],
)
def test_a_manifest_that_pages_could_not_read_is_a_broken_run(home, change, words):
    rewrite(home / "runs" / "toy", change)
    (entry,) = Library(home, home).runs()
    assert words in entry.reason


def test_a_table_of_another_kind_is_a_broken_run(home):
    folder = home / "runs" / "toy"
    shutil.copy(folder / "history.parquet", folder / "predictions.parquet")
    rewrite(folder, lambda m: m["nouns"]["predictions"].update(sha256=m["nouns"]["history"]["sha256"]))
    (entry,) = Library(home, home).runs()
    assert "its predictions.parquet lacks split" in entry.reason


def test_files_are_handed_out_as_their_checksums_say(home):
    run = Library(home, home).open("toy")
    files = run.files()
    assert set(files) >= {"weights.safetensors", "history.parquet", "predictions.parquet", "filters.npz"}
    assert all(path.is_file() for path in files.values())
    (home / "runs" / "toy" / "filters.npz").write_bytes(b"")
    with pytest.raises(Broken, match="checksum"):
        run.files()


def test_pictures(home):
    library = Library(home, home)
    pictures = library.pictures("synthetic-4-28x28x1", "test")
    assert pictures.images.shape == (400, 28, 28, 1)
    assert pictures.row(7) == 7
    with pytest.raises(Missing):
        pictures.row(4_000)
    for name, split in (("../x", "test"), ("nothing", "test"), ("synthetic-4-28x28x1", "../test")):
        with pytest.raises(Missing):
            library.pictures(name, split)
