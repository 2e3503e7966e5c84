"""What somebody brings becomes a run: the one function that the command line and a job call."""

import json
from pathlib import Path

import pytest

from ml import pipeline
from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.data import load
from ml.importing import adding
from ml.importing.adding import NETWORK, PREDICTIONS, Choices
from ml.importing.graph import Unusable
from ml.recording.columns import Unclear
from tests import own_networks
from tests.conftest import TOY

DATASET = load(TOY)


def understood(files: list[Path], kind: str, scratch: Path, **choices: object) -> adding.Found:
    scratch.mkdir(exist_ok=True)
    said = Choices.from_json({"doctor": "as-stated", **choices})
    return adding.understood(files, kind, DATASET, scratch / "nowhere", said, scratch)


def test_a_network_and_its_predictions_become_runs_of_the_same_scores(tmp_path):
    told: list[str] = []
    (tmp_path / "tried").mkdir()
    given = own_networks.network(DATASET, tmp_path / "net.onnx", data="net.onnx.data")
    network = understood([given], NETWORK, tmp_path / "tried")
    assert (network.kind, network.capabilities, network.said["outputs"]) == (
        "imported",
        ["probabilities", "gradients"],
        ["logits"],
    )
    assert any("its weights lay beside it, in net.onnx.data" in line for line in network.lines)
    network.make("net", tmp_path, "as a test", told.append)
    table = own_networks.predictions(DATASET, tmp_path / "said.csv", more=3)
    recorded = understood([table], PREDICTIONS, tmp_path / "read")
    assert recorded.said["roles"] == {"id": "id", "split": "split"}
    assert recorded.said["columns"] == ["split", "id", *DATASET.classes]
    assert recorded.to_json()["listed"] == {"the split has no picture of this number": ["900000", "900001", "900002"]}
    recorded.make("said", tmp_path, "as a test", told.append)
    library = Library(tmp_path / "none", tmp_path)
    sums = [adding.summary(one, name, library) for one, name in ((network, "net"), (recorded, "said"))]
    assert [one["kind"] for one in sums] == ["imported", "recorded"]
    assert sums[0]["validation_accuracy"] == sums[1]["validation_accuracy"] > 0.9
    assert {*library.open("net").manifest["source"]["files"]} == {"net.onnx", "net.onnx.data"}
    assert told[0] == "asking it about all pictures"
    json.dumps(sums)


def test_choices_travel_as_json_and_are_refused_in_words():
    said = {"network": {"layout": "nhwc", "mean": [0.5], "names": {"a": "b"}}, "predictions": {"epoch": 3}}
    choices = Choices.from_json(json.loads(json.dumps(said)))
    assert (choices.network.layout, choices.network.mean, choices.predictions.epoch) == ("nhwc", (0.5,), 3)
    for wrong, where in (({"network": {"mean": ["x"]}}, "network.mean.0"), ({"other": 1}, "other"), ([], "they")):
        with pytest.raises(ValueError, match=f"do not check out: {where}"):
            Choices.from_json(wrong)


def test_who_has_to_say_more_is_told_what_there_is_to_choose_from(tmp_path):
    names = {name: f"class {i}" for i, name in enumerate(DATASET.classes)}
    table = own_networks.predictions(DATASET, tmp_path / "said.csv", names={**names, "Bar 3": "bar_3"})
    with pytest.raises(Unclear) as unclear:
        understood([table], PREDICTIONS, tmp_path / "read")
    assert unclear.value.columns == ["split", "id", "class 0", "class 1", "class 2", "bar_3"]
    back = {wanted: name for name, wanted in names.items()}
    found = understood([table], PREDICTIONS, tmp_path / "read", predictions={"names": {**back, "bar_3": "Bar 3"}})
    assert found.said["matched"] == 600
    named = own_networks.network(
        DATASET, tmp_path / "net.onnx", metadata={"classes": '["bar_0", "Bar 1", "Bar 2", "Z"]'}
    )
    (tmp_path / "tried").mkdir()
    with pytest.raises(Unusable) as unusable:
        understood([named], NETWORK, tmp_path / "tried")
    assert unusable.value.classes == {"bar_0": "Bar 0", "Z": "Bar 3"}
    found = understood([named], NETWORK, tmp_path / "tried", network={"names": {"bar_0": "Bar 0", "Z": "Bar 3"}})
    assert found.said["preparation"]["order"] == [0, 1, 2, 3]


def test_the_command_line_says_the_names_of_a_networks_classes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    names = json.dumps([*reversed(DATASET.classes[1:]), "zero"])
    named = own_networks.network(DATASET, tmp_path / "net.onnx", metadata={"classes": names})
    flags = ["runs", "add", "n", "--data", TOY, "--network", str(named), "--dry-run", "--as-stated"]
    assert main(flags) == 1
    assert "'zero' among them" in capsys.readouterr().err
    assert main([*flags, "--class", "zero=Bar 0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["preparation"]["order"] == [3, 2, 1, 0]
    assert "n" not in pipeline.default_library().names()
