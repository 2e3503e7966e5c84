import json
from dataclasses import replace

import numpy as np
import pytest

from dashboard.data.store import Store
from ml import __main__ as cli
from ml import pipeline
from ml.artifacts.reader import Library, Missing, Run
from ml.data import load, synthetic
from ml.evaluation import rescoring, slices
from ml.inference.classifier import Classifier
from ml.models import LEAST_SIDE, build, too_small
from ml.system.paths import ARTIFACTS
from ml.training.config import TrainConfig
from ml.training.loop import Cancelled

TINY = TrainConfig(model="compact_cnn", dataset="synthetic-4-28x28x1", epochs=2, batch_size=64, threads=1)


def test_a_run_says_how_it_was_made(toy_home):
    manifest = Library(toy_home, toy_home).open("toy").manifest
    assert manifest["schema"] == "1.4"
    assert manifest["config"]["epochs"] == 2
    assert manifest["train_images"] == 600
    assert manifest["results"]["test"]["n"] == 400
    assert manifest["machine"]["cores"]
    assert manifest["torch"]
    assert not list((toy_home / "runs").glob("*.partial"))
    assert not list((toy_home / "runs" / "toy").glob("checkpoint*"))


def test_rescore_gives_what_was_recorded(toy_home):
    library = Library(toy_home, toy_home)
    right, n, changed, clear = rescoring.rescore(library, "toy", "test")
    assert (right, n) == (library.open("toy").manifest["results"]["test"]["correct"], 400)
    assert changed == clear == 0


def test_cancelled_leaves_no_run_and_the_next_try_goes_on(tmp_path, monkeypatch):
    few = synthetic.load(TINY.dataset, train=200, validation=40, test=60)
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: few)

    def stop(done, total):
        if done == 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.train(TINY, run_id="tiny", home=tmp_path, callbacks=pipeline.Callbacks(on_batch=stop), slow=False)
    assert [entry.run_id for entry in Library(tmp_path, tmp_path).runs()] == []
    seen = []
    pipeline.train(
        TINY, run_id="tiny", home=tmp_path, callbacks=pipeline.Callbacks(lambda done, _: seen.append(done)), slow=False
    )
    assert seen[0] == 4  # the first epoch of four steps was done
    run = Library(tmp_path, tmp_path).open("tiny")
    assert run.table("history")["epoch"].tolist() == [1, 2]
    assert "projection" not in run.nouns
    assert pipeline.evaluate(Library(tmp_path, tmp_path), "tiny", ["projection"]) == ["projection"]
    assert "projection" in Library(tmp_path, tmp_path).open("tiny").nouns


def test_weights_kept_as_float16_give_the_recorded_answers(tmp_path, monkeypatch):
    few = synthetic.load(TINY.dataset, train=200, validation=40, test=60)
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: few)
    for name in ("whole", "half"):
        pipeline.train(TINY, run_id=name, home=tmp_path, half=name == "half", slow=False)
    library = Library(tmp_path, tmp_path)
    whole, half = library.open("whole"), library.open("half")
    kinds = {array.dtype.name for array in half.weights().values() if array.dtype.kind == "f"}
    assert kinds == {"float16"}
    assert half.manifest["bytes"] < 0.55 * whole.manifest["bytes"]
    assert rescoring.rescore(library, "half", "test")[2:] == (0, 0)
    said = np.stack([run.table("predictions").filter(regex="^p_").to_numpy() for run in (whole, half)])
    assert 0 < np.abs(said[0] - said[1]).max() < 0.01


def test_a_calibrated_run_says_the_same_and_is_as_sure_as_it_is_right(tmp_path, monkeypatch):
    few = synthetic.load(TINY.dataset, train=200, validation=60, test=60)
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: few)
    for name in ("plain", "scaled"):
        pipeline.train(TINY, run_id=name, home=tmp_path, calibrate=name == "scaled", slow=False)
    library = Library(tmp_path, tmp_path)
    plain, scaled = library.open("plain"), library.open("scaled")
    tables = [run.table("predictions").sort_values(["split", "example_id"]) for run in (plain, scaled)]
    assert (tables[0]["predicted"].to_numpy() == tables[1]["predicted"].to_numpy()).all()
    temperature = scaled.manifest["temperature"]
    assert abs(np.log(temperature)) > 0.05
    assert "temperature" not in plain.manifest
    fitted = [
        run.table("calibration").query("split == 'validation' and metric == 'temperature'")["value"].item()
        for run in (plain, scaled)
    ]
    assert fitted[0] == pytest.approx(temperature, rel=1e-3)
    assert fitted[1] == pytest.approx(1, abs=0.01)
    assert rescoring.rescore(library, "scaled", "test")[2:] == (0, 0)


def test_an_older_run_gets_its_size_and_latency_with_the_next_noun(home):
    path = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(path.read_text())
    size = manifest.pop("bytes")
    del manifest["latency_ms"]
    path.write_text(json.dumps(manifest))
    pipeline.evaluate(Library(home, home), "toy", ["confusion"])
    measured = Library(home, home).open("toy").manifest
    assert measured["bytes"] == size
    assert 0 < measured["latency_ms"] < 1_000
    assert measured["created"] == manifest["created"]


def test_a_name_is_used_once(home):
    with pytest.raises(FileExistsError):
        pipeline.train(TINY, run_id="toy", home=home)


def test_evaluate_from_the_command_line(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    recorded = json.loads((home / "runs" / "toy" / "manifest.json").read_text())["results"]["test"]
    assert cli.main(["evaluate", "toy", "--split", "test"]) == 0
    assert capsys.readouterr().out.strip() == f"{recorded['correct']} / 400"
    assert cli.main(["evaluate", "nothing-here"]) == 1
    assert "nothing-here" in capsys.readouterr().err
    assert cli.main(["evaluate", "toy", "--only", "history"]) == 1


def test_what_was_looked_for_and_not_found_is_not_offered_again(home, no_artifacts, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    path = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(path.read_text())
    for noun in ("slices", "slice_members"):
        manifest["nouns"].pop(noun, None)
    path.write_text(json.dumps(manifest))
    run = Library(no_artifacts, home).open("toy")
    with pytest.raises(Missing, match="no slices yet") as before:
        run.table("slices")
    assert before.value.command == "python -m ml evaluate toy --only slices"
    monkeypatch.setitem(pipeline.EVALUATIONS, "slices", lambda context: slices.table(context).iloc[:0])
    assert cli.main(["evaluate", "toy", "--only", "slices"]) == 0
    said = capsys.readouterr()
    assert "made nothing" in said.out
    assert "looked for slices, found none" in said.err
    with pytest.raises(Missing, match="looked for, and none found") as after:
        Library(no_artifacts, home).open("toy").table("slices")
    assert not after.value.command
    shown = Store(no_artifacts, home).open("toy")
    assert shown.groups("slice_members", "test") == {}, "a link with a slice is a link without images, no error"
    monkeypatch.undo()
    monkeypatch.setenv("FASHION_HOME", str(home))
    pipeline.evaluate(Library(no_artifacts, home), "toy", ["confusion"])
    assert Library(no_artifacts, home).open("toy").manifest["empty"] == ["slices"]


def test_a_recording_is_offered_for_networks_that_can_be_trained_here(home, no_artifacts):
    path = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["nouns"]["epochs"]
    for model, offered in (("compact_cnn", True), ("random_forest", False), ("timm:resnet18", True)):
        path.write_text(json.dumps({**manifest, "model": model}))
        with pytest.raises(Missing) as missing:
            Store(no_artifacts, home).open("toy").epochs("test")
        assert bool(missing.value.command) == offered, model


def test_evaluate_exits_1_when_not_as_recorded(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    path = home / "runs" / "toy" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["results"]["test"]["correct"] -= 5
    path.write_text(json.dumps(manifest))
    assert cli.main(["evaluate", "toy", "--split", "test"]) == 1
    assert "not as recorded" in capsys.readouterr().err


def test_evaluate_has_no_tolerance_for_other_pictures(home, monkeypatch, capsys):
    """The same ids under the same name, and a recorded answer or two that would have passed as rounding."""
    monkeypatch.setenv("FASHION_HOME", str(home))
    path = home / "datasets" / TINY.dataset / "test.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    classes = len(Library(home, home).open("toy").manifest["dataset"]["classes"])
    arrays["labels"] = (arrays["labels"] + 1) % classes
    np.savez_compressed(path, **arrays)
    assert cli.main(["evaluate", "toy", "--split", "test"]) == 1
    assert "other labels" in capsys.readouterr().err


def test_a_recorded_answer_that_no_rounding_turns_is_not_as_recorded(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    assert rescoring.rescore(Library(home, home), "toy", "test")[2:] == (0, 0)
    table = Library(home, home).open("toy").table("predictions")
    row = table.index[(table["split"] == "test") & (table["confidence"] > 0.6)][0]
    columns = [name for name in table.columns if name.startswith("p_")]
    turned = table.loc[row, columns].to_numpy(float)[::-1]
    table.loc[row, columns] = turned
    table.loc[row, "predicted"] = int(np.argmax(turned))
    monkeypatch.setattr(Run, "table", lambda *_: table)
    assert cli.main(["evaluate", "toy", "--split", "test"]) == 1
    assert "1 answers differ" in capsys.readouterr().err


def test_what_no_run_can_be_made_of_is_refused_before_any_work(home, monkeypatch):
    made = load(TINY.dataset)
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: replace(made, classes=("a\u200b", *made.classes[1:])))
    monkeypatch.setattr(pipeline, "_learn", lambda *_: pytest.fail("it began to learn"))
    with pytest.raises(ValueError, match="no run can be made of this data set"):
        pipeline.train(TINY, run_id="never", home=home)


@pytest.mark.parametrize("model", LEAST_SIDE)
def test_a_network_says_its_least_side_and_takes_it(model):
    least = LEAST_SIDE[model]
    assert too_small(model, least, 40) == ""
    build(model, channels=1, height=least, width=least, classes=3)
    said = too_small(model, least - 1, 40)
    assert f"at least {least} × {least}" in said
    assert f"--size {least}x40" in said


def test_a_network_that_cannot_take_the_size_is_refused_before_any_work(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    small = ["train", "--dataset", "synthetic-3-16x16x1", "--model", "compact_cnn", "--run", "never"]
    assert cli.main(small) == 1
    assert "compact_cnn needs pictures of at least 22 × 22 pixels" in capsys.readouterr().err


def test_a_run_may_be_named_with_spaces_and_capitals(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    monkeypatch.setattr("ml.commands.train.train", lambda config, run_id, *_, **__: run_id)
    assert cli.main(["train", "--run", "My Net"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == "my-net"
    assert "called my-net" in told.err
    assert cli.main(["train", "--run", "кепка"]) == 1


def test_what_is_typed_under_another_code_page_does_not_cost_the_training(home, monkeypatch, capsys):
    """Python reads é as two bytes that are no letters under an old locale; no file could hold these at the end."""
    kept = []
    monkeypatch.setenv("FASHION_HOME", str(home))
    monkeypatch.setattr(
        "ml.commands.train.train", lambda config, run_id, _, command, **__: kept.append(command) or run_id
    )
    typed = ["train", "--run", "Caf\udcc3\udca9 \udcff2"]
    monkeypatch.setattr("sys.argv", ["ml", *typed])
    assert cli.main(typed) == 0
    assert capsys.readouterr().out.strip() == "cafe-2"
    assert kept == ["python -m ml train --run 'Café \ufffd2'"]


def test_a_preset_says_what_to_change_with_it(capsys):
    assert cli.main(["train", "--preset", "transfer", "--epochs", "2"]) == 1
    assert "choose at most 2 of them" in capsys.readouterr().err


def test_a_choice_that_is_not_allowed_is_a_line_and_help_tells_the_limits(capsys):
    assert cli.main(["train", "--epochs", "0", "--frozen-epochs", "3"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert [line.partition(":")[0] for line in said] == ["--epochs", "--frozen-epochs"]
    assert said[0] == "--epochs: a whole number from 1 to 200"
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    limits = ("passes over the training pictures; 1 to 200", "peak of the schedule; 1e-05 to 2")
    for words in (*limits, "{adamw,sgd,muon}"):
        assert words in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "ResNet 18"), "--model: one of small_resnet, wide_resnet, patch_cnn, "),
        (("--dataset", "кепка"), "--dataset: the name of a data set that is here, as python -m ml data list tells it"),
        (("--train-images", "20"), "--train-images: a whole number from 100 to 10,000,000, or nothing"),
        (("--learning-rate", "nan"), "--learning-rate: a number from 0.00001 to 2"),
        (("--labels", "abc"), "--labels: the 16 digits by which Review calls its corrected labels, or nothing"),
    ],
)
def test_what_is_not_allowed_is_told_in_words_of_ours(options, said, capsys):
    assert cli.main(["train", *options]) == 1
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert "match" not in told


def test_what_is_refused_before_it_began_leaves_no_folder(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    for refused in (("--model", "random_forest"), ("--model", "mlp", "--dataset", "gone")):
        assert cli.main(["train", "--run", "Never Made", *refused]) == 1
    assert "known: small_resnet" in capsys.readouterr().err
    assert not list((home / "runs").glob("never-made*"))


def test_verbs_know_a_run_by_what_it_was_called(home, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    assert cli.main(["card", "Toy"]) == 0
    assert "Toy" not in capsys.readouterr().err
    assert cli.main(["card", "кепка"]) == 1
    assert "There is no run 'кепка'" in capsys.readouterr().err


FLOORS = {"small_resnet": 9_500, "batchnorm_cnn": 9_300, "fashion_cnn": 9_250, "compact_cnn": 9_050, "mlp": 8_850}


def test_what_ships_has_a_floor():
    # that of photographs has its own, in test_photo_run.py
    assert {entry.run_id for entry in Library(ARTIFACTS, ARTIFACTS).runs()} == {*FLOORS, "clothing_photos"}


def test_what_ships_stays_small():
    def size(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    assert size(ARTIFACTS) < 75e6
    default = Library(ARTIFACTS, ARTIFACTS).default()
    for run_id in FLOORS:
        assert size(ARTIFACTS / "runs" / run_id) <= (16e6 if run_id == default else 9.8e6), run_id


@pytest.mark.parametrize("run_id", FLOORS)
def test_shipped_weights_give_the_recorded_answers(run_id):
    """Every eighth test picture, each compared with its own row: probabilities, guess and label.

    The rows of all 10,000 make up the recorded accuracy. On another processor one guess may differ.
    """
    library = Library(ARTIFACTS, ARTIFACTS)
    run = library.open(run_id)
    rows = run.table("predictions").query("split == 'test'").sort_values("example_id")
    assert len(rows) == 10_000
    correct = run.manifest["results"]["test"]["correct"]
    assert (rows["predicted"] == rows["label"]).sum() == correct >= FLOORS[run_id]
    pictures = library.pictures(run.manifest["dataset"]["name"], "test")
    assert (rows["example_id"].to_numpy() == pictures.ids).all()
    assert (rows["label"].to_numpy() == pictures.labels).all()
    some = rows.iloc[::8]
    found = Classifier.open(run).probabilities(pictures.images[::8])
    assert np.abs(found - some[[f"p_{i}" for i in range(10)]].to_numpy()).max() < 1e-3
    assert (found.argmax(1) != some["predicted"].to_numpy()).sum() <= 1


def test_rescore_of_a_run_that_ships_asks_about_every_picture():
    """On another processor at most two of the 10,000 may differ."""
    library = Library(ARTIFACTS, ARTIFACTS)
    right, n, changed, clear = rescoring.rescore(library, "mlp", "test")
    assert n == 10_000
    assert abs(right - library.open("mlp").manifest["results"]["test"]["correct"]) <= 2
    assert changed <= 2
    assert clear == 0
