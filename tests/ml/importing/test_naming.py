"""Networks of other classes than the data set's: what is taken, suggested, left out and never predicted."""

import json

import numpy as np
import pytest

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.data import load
from ml.importing import naming
from ml.importing.graph import Unusable
from ml.importing.naming import named, suggestions
from ml.inference.imported import NOWHERE, Interface
from ml.recording import columns
from ml.stats.calibration import softmax
from tests import own_networks
from tests.conftest import TOY

CLASSES = ("Cardigan", "coat", "T-shirt", "bag")


def by(said: list[str], names: dict[str, str] | None = None, width: int = 0, *, match: bool = False) -> naming.Named:
    return named(width or len(said), said, "by their names", CLASSES, names or {}, match=match)


def test_names_are_compared_with_case_and_more_outputs_than_classes_are_left_out():
    # a dog and a garment, which differ by a capital, as in ImageNet
    found = by(["cardigan", "Cardigan", "bag", "T-shirt", "coat", "boat"])
    assert (found.order, found.outputs) == ((1, 4, 3, 2), 6)
    assert "left out, 2 of 6: 'cardigan', 'boat'" in "\n".join(found.lines)
    assert by([*CLASSES]).outputs == 0
    assert by([*reversed(CLASSES)]).order == (3, 2, 1, 0)


def test_fewer_outputs_than_classes_are_said():
    found = by(["bag", "coat"])
    assert (found.order, found.outputs) == ((NOWHERE, 1, NOWHERE, 0), 2)
    assert "never predicted: 'Cardigan', 'T-shirt'" in "\n".join(found.lines)


def test_where_both_sides_lack_some_a_person_says_what_is_what():
    theirs = ["cardigan", "Coats", "tshirt", "thing"]
    with pytest.raises(Unusable, match="--class 'THEIRS=OURS'") as refused:
        by(theirs)
    # in form, by what is written alike, and the one that is left
    assert refused.value.classes == {"cardigan": "Cardigan", "Coats": "coat", "tshirt": "T-shirt", "thing": "bag"}
    assert "  --class 'Coats=coat'" in naming.lines(refused.value.classes)
    found = by(theirs, refused.value.classes)
    assert (found.order, found.outputs) == ((0, 1, 2, 3), 0)
    found = by(theirs, {"Coats": "coat", "thing": "", "cardigan": "Cardigan", "tshirt": ""})
    assert (found.order, found.outputs) == ((0, 1, NOWHERE, NOWHERE), 4)
    assert by(theirs, {"Coats": "bag", "thing": "coat", "*": ""}).order == (NOWHERE, 3, NOWHERE, 1)
    for names, words in (
        ({"Coat": "bag"}, "no class 'Coat'; it has 'cardigan'"),
        ({"Coats": "Bag"}, "the data set has no class 'Bag'"),
        ({"Coats": "bag", "thing": "bag", "*": ""}, "several outputs are said to be the class 'bag'"),
        ({"*": ""}, "which are not those of the data set"),  # nothing is left of it
    ):
        with pytest.raises(Unusable, match=words):
            by(theirs, names)


def test_of_thousands_each_name_is_looked_at_once(monkeypatch):
    """Each was held against each: of ImageNet's names ten seconds."""
    looked, fold = [], columns.folded
    monkeypatch.setattr(columns, "folded", lambda name: looked.append(name) or fold(name))
    ours, theirs = ([f"{word} {number}" for number in range(2_000)] for word in ("Class", "class"))
    found = columns.Columns()
    places = columns.matched(theirs, ours, {"class 7": "Class 8", "class 9": ""}, True, found)
    assert places == {name: 8 if name == "class 7" else number for number, name in enumerate(theirs)
                      if name not in ("class 8", "class 9")}  # fmt: skip
    assert len(looked) < 2 * len(ours), "one is taken, one left out"


def test_suggestions_go_by_number_where_there_are_as_many():
    theirs = ["n01", "n02", "n03", "n04"]
    assert suggestions(theirs, theirs, CLASSES, CLASSES, {}) == dict(zip(theirs, CLASSES, strict=True))
    assert suggestions([*theirs, "n05"], theirs, CLASSES, CLASSES, {}) == dict.fromkeys(theirs, "")


def test_a_network_that_names_nothing_is_told_by_number():
    assert by([], width=4).order == (0, 1, 2, 3)
    with pytest.raises(Unusable, match="gives 7 numbers a picture, and the data set has 4 classes"):
        by([], width=7)
    found = by([], {"5": "coat", "6": "bag", "*": ""}, width=7)
    assert (found.order, found.outputs) == ((NOWHERE, 5, NOWHERE, 6), 7)
    with pytest.raises(Unusable, match=r"its classes .* are 3"):
        by(["a", "b", "c"], width=7)


def test_what_is_left_out_is_divided_among_the_others():
    fields = {
        "input": "x", "type": "tensor(float)", "layout": "nchw", "height": 1, "width": 1, "channels": 1, "batch": 0,
        "mean": (0.0,), "deviation": (1.0,), "output": "y", "outputs": 4, "order": (2, NOWHERE, 0),
    }  # fmt: skip
    logits = np.array([[1.0, 5.0, 2.0, 3.0], [0.0, 60.0, 0.0, 0.0]])
    expected = softmax(logits[:, [2, 0]].astype(np.float32))
    whole = np.stack([expected[:, 0], np.zeros(2), expected[:, 1]], axis=1)
    for kind, values in (("logits", logits), ("probabilities", softmax(logits)), ("scores", np.exp(logits))):
        found = Interface(**fields, numbers=kind).probabilities(values)
        assert found.dtype == np.float32
        assert np.abs(found - whole).max() < 1e-5
        assert np.abs(found.sum(1) - 1).max() < 1e-6
    # all that it said is of others: nobody knows which of the rest it is
    assert np.allclose(
        Interface(**fields, numbers="probabilities").probabilities(np.array([[0, 1.0, 0, 0]])), [[0.5, 0, 0.5]]
    )
    for wrong in ({"order": (0, 0, 1)}, {"order": (0, 4, 1)}, {"order": (0, NOWHERE, NOWHERE)}, {"outputs": 0}):
        with pytest.raises(ValueError, match="order must name"):
            Interface(**{**fields, "numbers": "logits"} | wrong)


def test_a_network_of_other_classes_never_predicts_what_it_does_not_know(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(tmp_path))
    dataset = load(TOY)
    names = [*dataset.classes[:3], "something"]
    file = own_networks.network(dataset, tmp_path / "net.onnx", metadata={"classes": json.dumps(names)})
    flags = ["runs", "add", "theirs", "--data", TOY, "--network", str(file), "--as-stated"]
    assert main(flags) == 1
    said = capsys.readouterr().err
    assert f"--class 'something={dataset.classes[3]}'" in said
    assert main([*flags, "--class", "something="]) == 0
    said = capsys.readouterr().err
    assert f"never predicted: '{dataset.classes[3]}'" in said
    run = Library(tmp_path / "none", tmp_path).open("theirs")
    frame = run.table("predictions")
    assert (frame[[name for name in frame if name.startswith("p_")]].to_numpy()[:, 3] == 0).all()
    assert run.manifest["interface"]["outputs"] == 4
    result = run.manifest["results"]["validation"]
    assert 0.6 < result["correct"] / result["n"] < 0.8
