"""What the panel that adds networks and predictions makes of what a browser sends, and of what was understood."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.numpy import save_file

from dashboard.pages.training import add, add_doctor, add_jobs, add_memory, add_view
from dashboard.pages.training.add_words import on_screen
from dashboard.services.adding import Adding
from dashboard.services.looking import Looked
from dashboard.services.staging import Staged
from ml.__main__ import main
from ml.artifacts.reader import Library, RunEntry
from ml.importing.adding import Choices
from ml.models import MODELS
from ml.people import acting
from tests.conftest import TOY, TOY_RUN
from tests.dashboard.pages.test_data import text

STAGED = Staged("a" * 24, "My Net.onnx", 3, None, 0.0, purpose="run")
CLASSES = ["cat", "dog", "fox"]
NETWORK = {
    "kind": "imported", "capabilities": ["probabilities"], "parameters": 31_400, "outputs": ["a", "b"],
    "understood": ["pixels: 0-1 (assumed: --range, --mean and --std say otherwise)", "output 'a': the one"],
    "preparation": {"layout": "nchw", "numbers": "logits", "order": [2, 0, 1], "output": "a"}, "listed": {},
}  # fmt: skip
TABLE = {
    "kind": "recorded", "capabilities": [], "understood": ["predictions: labels alone", "left out, 30: no: x"],
    "matched": 570, "unmatched": 30, "splits": {"test": 570}, "left_out": {"no picture": 30}, "epochs": [1, 2],
    "listed": {"no picture": [f"<b>{i}" for i in range(25)]}, "roles": {"id": "nr"}, "columns": ["nr", "guess"],
}  # fmt: skip


def controls(component) -> list[dict]:
    """Properties of all that has data-wish."""
    if isinstance(component, dict):
        own = [component["props"]] if "data-wish" in component["props"] else []
        return own + controls(component["props"].get("children"))
    if isinstance(component, list | tuple):
        return [one for part in component for one in controls(part)]
    return controls(component.children) if hasattr(component, "children") else []


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (None, {}), ({"of": "b" * 24, "wishes": {"network": {"layout": "nhwc"}}}, {}), ({"of": "a" * 24}, {}),
        ({"of": "a" * 24, "wishes": []}, {}), ({"of": "a" * 24, "wishes": {"network": 3, "other": {}}}, {}),
        ({"of": "a" * 24, "wishes": {"network": {"match": True}, "predictions": {}}}, {"network": {"match": True}}),
        ({"of": "a" * 24, "wishes": {"predictions": {"names": {"x": "y" * 300_000}}}}, {}),
    ],
)  # fmt: skip
def test_wishes_are_what_an_addition_takes(sent, understood):
    found = add_memory.wishes_of("a" * 24, sent)
    assert found == understood
    Choices.from_json(found)


def test_what_was_understood_of_a_network_can_be_said_otherwise():
    wishes = {"network": {"range": "0-255", "mean": [0.5]}}
    drawn = add_view.drawn(STAGED, Looked({"found": NETWORK, "kind": "network"}), CLASSES, 3, wishes)
    words = text(drawn)
    for said in ("a network that can be asked", "31,400", "assumed", "Range, Mean and Deviation say otherwise."):
        assert said in words, said
    assert "--" not in words
    found = {(one["data-wish"], one.get("data-key")): one for one in controls(drawn)}
    assert {name for name, _ in found} == {f"network.{name}" for name in (
        "layout", "range", "mean", "deviation", "channels", "output", "numbers", "match", "classes", "frame",
        "resampling", "inverted", "transposed")}  # fmt: skip
    assert (found["network.range", None]["data-was"], found["network.mean", None]["value"]) == ("0-255", "0.5")
    order = [one["data-was"] for one in controls(drawn) if one["data-wish"] == "network.classes"]
    assert order == ["dog", "fox", "cat"], "output 0 is dog, as the order of dog is 0"
    assert json.loads(getattr(drawn, "data-chosen")) == wishes
    gray = add_view.drawn(STAGED, Looked({"found": {**NETWORK, "outputs": ["a"]}, "kind": "network"}), CLASSES, 1, {})
    assert not {"network.channels", "network.output"} & {one["data-wish"] for one in controls(gray)}


WEIGHTS = {
    **NETWORK,
    "understood": [
        "architecture: timm:resnet18 (by its metadata)",
        "pictures are given at 28 × 28 (--input-size says otherwise)",
    ],
}
UNNAMED = (
    "w.safetensors holds weights, 20 arrays, and not the network that they are of: say it, --architecture "
    "timm:resnet18, torchvision:resnet50 or one of ours"
)


def test_weights_have_a_field_for_what_network_they_are_of():
    drawn = add_view.drawn(STAGED, Looked({"refused": UNNAMED, "kind": "network"}), CLASSES, 3, {})
    words = text(drawn)
    assert "say it, Architecture, as “timm:resnet18”, torchvision:resnet50 or one of ours." in words
    found = {one["data-wish"]: one for one in controls(drawn)}
    box = found["network.architecture"]
    assert (box["value"], box["data-was"], box["list"]) == ("", "", add_view.OFFERED)
    assert "network.size" not in found
    assert f"'id': '{add_view.OFFERED}'" in str(drawn)
    for name in ("timm:resnet18", "torchvision:resnet50", *MODELS):
        assert f"'value': '{name}'" in str(drawn), name
    wishes = {"network": {"architecture": "timm:resnet34", "size": [32, 40]}}
    Choices.from_json(wishes)
    drawn = add_view.drawn(STAGED, Looked({"found": WEIGHTS, "kind": "network"}), CLASSES, 3, wishes)
    assert "--" not in text(drawn)
    found = {one["data-wish"]: one for one in controls(drawn)}
    assert (found["network.architecture"]["value"], found["network.size"]["value"]) == ("timm:resnet34", "32, 40")
    assert found["network.architecture"]["placeholder"] == "timm:resnet18"
    wrong = {"refused": "w.safetensors: the weights are not those of timm:resnet34: 3 missing", "kind": "network"}
    found = {one["data-wish"] for one in controls(add_view.drawn(STAGED, Looked(wrong), CLASSES, 3, wishes))}
    assert {"network.architecture", "network.size"} <= found, "so that it can be said anew"


def test_an_architecture_that_is_said_is_what_weights_are_looked_at_as(toy_home, tmp_path, capsys):
    """By the command that the panel starts, with what its field sends."""
    toy_run = Library(toy_home / "none", toy_home).open(TOY_RUN)
    weights = tmp_path / "w.safetensors"
    save_file(dict(toy_run.weights()), weights)
    look = ["runs", "look", str(weights), "--data", TOY, "--left-out", str(tmp_path / "left.csv"), "--choices"]
    said = {"network": {"architecture": toy_run.manifest["model"]}, "doctor": "as-stated"}
    main([*look, json.dumps(said)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["found"]
    assert f"architecture: {toy_run.manifest['model']} (as was said)" in found["understood"]
    main([*look, json.dumps({"network": {"architecture": "timm:no_such"}, "doctor": "as-stated"})])
    assert "no network 'no_such'" in json.loads(capsys.readouterr().out.splitlines()[-1])["refused"]


def test_what_was_understood_of_predictions_can_be_said_otherwise():
    drawn = add_view.drawn(STAGED, Looked({"found": TABLE, "kind": "predictions"}), CLASSES, 3, {}, "/left.csv")
    words = text(drawn)
    for said in ("570 of 600", "Left out: 30", "<b>0", "and 10 more", "All of them as CSV", "labels alone"):
        assert said in words, said
    columns = {one["data-key"]: one["data-was"] for one in controls(drawn) if one["data-wish"] == "predictions.columns"}
    assert (columns["id"], columns["path"]) == ("nr", "")
    assert "predictions.epoch" in {one["data-wish"] for one in controls(drawn)}


def test_classes_of_other_names_are_chosen_below():
    words = "said.csv writes a class otherwise: --class 'Cat=cat'. Say so, or all at once: --match-names"
    refused = {"refused": words, "kind": "predictions", "classes": {"Cat": "cat", "hat": ""}, "columns": ["id"]}
    drawn = add_view.drawn(STAGED, Looked(refused), CLASSES, 3, {"predictions": {"names": {"hat": "fox"}}})
    names = {one["data-key"]: one["data-was"] for one in controls(drawn) if one["data-wish"] == "predictions.names"}
    assert names == {"Cat": "cat", "hat": "fox"}
    assert "said.csv writes a class otherwise: choose below." in text(drawn)
    coded = "net.pt2 is a torch.export file. Where it is yours, run: python -m ml runs add NAME --network net.pt2"
    drawn = add_view.drawn(STAGED, Looked({"refused": coded, "kind": ""}), CLASSES, 3, {})
    assert "python -m ml runs add NAME --network net.pt2" in text(drawn)
    assert not controls(drawn)
    assert "It broke." in text(add_view.drawn(STAGED, Looked(problem="It broke."), CLASSES, 3, {}))
    late = text(add_view.drawn(STAGED, Looked(seconds=7.0), CLASSES, 3, {}))
    assert late.strip() == "Looking at My Net.onnx · 7 s"


SAID = [
    "several outputs give one number for each class ('a'): say which, --output NAME",
    "logits, or a yes or no for each class? Say --outputs logits, or --outputs scores to divide by the sum",
    "Say --column predicted=NAME, or rename",
    "with --column id=NAME or path=NAME, or --column label= where that is none",
    "numbers for 'Hat': no class: say --class 'Hat=NAME', or --class 'Hat=' to leave it out",
    "not those: --match-names takes those that differ in case and spaces alone, or --classes A,B,… names the data "
    "set's in the order of the outputs",
]  # fmt: skip


@pytest.mark.parametrize("words", SAID)
def test_sentences_name_fields_in_place_of_flags(words):
    assert "--" not in on_screen(words)
    assert "NAME" not in on_screen(words)


def test_a_server_or_a_role_that_takes_nothing_says_so():
    shut = add.layout(SimpleNamespace(read_only=True), None)
    assert add.READ_ONLY in text(shut)
    acting.enter(acting.Person("mia", acting.REVIEW, "account"))
    try:
        assert add.ROLE in text(add.layout(SimpleNamespace(read_only=False), None))
    finally:
        acting.leave()
    assert shut.id == "runs-add"


def test_the_best_other_run_of_the_same_pictures_is_offered():
    def entry(name: str, dataset: str, correct: int) -> RunEntry:
        manifest = {"dataset": {"name": dataset}, "results": {"validation": {"correct": correct, "n": 9}}}
        return RunEntry(name, Path(name), False, manifest=manifest)

    made = (entry("a", "d", 3), entry("b", "d", 5), entry("c", "e", 9), entry("x", "d", 1))
    entries = {one.run_id: one for one in made}
    assert add_jobs.another("x", entries) == "b"
    assert add_jobs.another("c", entries) == ""


NAMES = {"Net.onnx": "net", "C:\\x\\a b.csv": "a-b", "猫.onnx": "network", "n.tar": "n"}


@pytest.mark.parametrize(("name", "called"), NAMES.items())
def test_a_name_is_suggested(name, called):
    assert Adding.stem(Staged("a" * 24, name, 1, None, 0.0)) == called


def test_the_doctors_table_has_what_was_stated_first_and_chooses_nothing():
    def made(words: str, accuracy: float, **more):
        usual = {"loss": 1.5, "more": False, "stated": False, "first": False, "apart": "x", "wishes": {"range": words}}
        return {"words": words, "accuracy": accuracy, "low": accuracy - 0.05, "high": accuracy, **usual, **more}

    rows = [
        made("<b>bgr", 0.93, first=True, apart=""), made("crop", 0.92, apart=""), made("as stated", 0.41, stated=True),
        made("worse", 0.2, more=True),
    ]  # fmt: skip
    table = {"rows": rows, "stated": 2, "advice": {"row": 0}, "sentence": "as stated 41 %: use it?", "n": 9, "asked": 9}
    looked = Looked({"found": {"doctor": table}})
    drawn = add_doctor.drawn(looked, {}, {})
    words = [text(line) for line in add_doctor_rows(drawn)]
    assert ["as stated" in words[0], "<b>bgr" in words[1], "crop" in words[2], len(words)] == [True, True, True, 3]
    assert ["in use" in one for one in words] == [True, False, False]
    assert ["suggested" in one for one in words] == [False, True, False]
    assert "not told apart from the best" in words[2]
    used = [text(line) for line in add_doctor_rows(add_doctor.drawn(looked, {}, {"range": "<b>bgr"}))]
    assert ["in use" in one for one in used] == [False, True, False]
    waiting = text(add_doctor.drawn(Looked(seconds=9.0), {}, {}))
    assert "9 s. It can be published meanwhile." in waiting
    none = {"rows": [], "sentence": "no table: it needs 20 pictures of validation with labels, and there are 3"}
    assert "No table: it needs 20" in text(add_doctor.drawn(Looked({"found": {"doctor": none}}), {}, {}))


def add_doctor_rows(component) -> list:
    """The rows of a table's body."""
    if isinstance(component, list | tuple):
        return [one for part in component for one in add_doctor_rows(part)]
    if type(component).__name__ == "Tbody":
        return component.children
    return add_doctor_rows(component.children) if hasattr(component, "children") else []


def test_a_table_stays_that_of_what_was_said_before_a_row_was_used():
    now, before = {"network": {"range": "0-255"}}, {"network": {"match": True}}
    sent = {"of": "a" * 24, "wishes": now, "base": before}
    assert add_memory.base_of("a" * 24, sent, now) == before
    assert add_memory.base_of("b" * 24, sent, now) == now
    assert add_memory.base_of("a" * 24, {"of": "a" * 24, "wishes": now, "base": 3}, now) == now
