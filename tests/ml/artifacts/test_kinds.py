"""What a run can do follows from its kind and its capabilities; what it cannot, its absence says."""

import json

import pandas as pd
import pytest

from ml.artifacts import kinds, manifest, writer
from ml.artifacts.reader import Incapable, Library, Missing
from ml.artifacts.schema import NOUNS, Arrays, Graph, Mismatch, Table
from tests.conftest import TOY_RUN

RECORDED = {"kind": "recorded", "capabilities": ["probabilities"]}


def of_toy(home) -> dict:
    return json.loads((home / "runs" / TOY_RUN / "manifest.json").read_text())


def recorded(home, run_id: str, **more) -> None:
    """The toy run's predictions as a run of their own, without its network."""
    toy = of_toy(home)
    said = {key: value for key, value in toy.items() if key not in kinds.KEYS["trained"] and key != "layers"}
    partial = writer.partial(home / "runs", run_id)
    frame = pd.read_parquet(home / "runs" / TOY_RUN / "predictions.parquet")
    if more.get("capabilities") == []:
        frame = frame[["split", "example_id", "label", "predicted"]]
    nouns = {"predictions": writer.write_noun(partial, "predictions", frame)}
    writer.publish(partial, {**said, "run_id": run_id, "model": "recorded", "nouns": nouns, **RECORDED, **more})


def test_a_run_from_before_there_were_kinds_is_a_trained_one_that_can_do_everything(toy_home):
    toy = of_toy(toy_home)
    assert "kind" not in toy
    assert kinds.kind_of(toy) == "trained"
    assert not kinds.lacking(toy, kinds.NEEDS)
    assert kinds.known(toy) == "probabilities"
    assert kinds.core(toy) == ("history", "predictions")


def test_predictions_alone_are_a_run(home, no_artifacts):
    recorded(home, "theirs")
    library = Library(no_artifacts, home)
    run = library.open("theirs")
    assert len(run.table("predictions"))
    assert list(run.files()) == ["predictions.parquet"]
    with pytest.raises(Incapable) as error:
        run.weights()
    assert error.value.need == "network"
    assert "predictions alone" in str(error.value)
    assert library.default() == TOY_RUN, "predictions alone answer nobody who brings a picture"


def test_what_a_run_cannot_do_is_no_command_that_would_fail(home, no_artifacts):
    recorded(home, "theirs", capabilities=["probabilities"])
    run = Library(no_artifacts, home).open("theirs")
    for noun, need in kinds.NOUN_NEEDS.items():
        with pytest.raises(Missing) as error:
            {Table: run.table, Arrays: run.arrays, Graph: run.graph}[type(NOUNS[noun])](noun)
        if need == "probabilities":
            assert error.value.command == f"python -m ml evaluate theirs --only {noun}"
        else:
            assert isinstance(error.value, Incapable)
            assert not error.value.command


def test_labels_alone_need_no_probabilities_and_others_do(home, no_artifacts):
    recorded(home, "labels", capabilities=[])
    library = Library(no_artifacts, home)
    assert kinds.known(library.open("labels").manifest) == "labels"
    folder = home / "runs" / "labels"
    said = json.loads((folder / "manifest.json").read_text())
    writer.write_manifest(folder, {**said, "capabilities": ["probabilities"]})
    entry = Library(no_artifacts, home).entry("labels")
    assert "lacks confidence" in entry.reason


def test_top_k_is_part_of_all_probabilities():
    assert kinds.has({**RECORDED}, "top-k")
    assert not kinds.has({"kind": "recorded", "capabilities": ["top-k"]}, "probabilities")
    assert kinds.lacking({"kind": "recorded", "capabilities": ["top-k"]}, ("top-k", "features")) == "features"


def test_a_trained_run_still_has_to_say_all_that_it_did(toy_home):
    toy = of_toy(toy_home)
    for key in kinds.KEYS["trained"]:
        with pytest.raises(Mismatch, match=key):
            manifest.check({name: value for name, value in toy.items() if name != key})
    with pytest.raises(Mismatch, match="kind"):
        manifest.check({**toy, "kind": "dreamt"})


def test_every_need_has_its_words_and_is_of_a_noun():
    assert set(kinds.NOUN_NEEDS) <= set(NOUNS)
    assert set(kinds.NOUN_NEEDS.values()) <= set(kinds.NEEDS) == set(kinds.LACKS) == set(kinds.GIVES)
    assert set(kinds.CORE) == set(kinds.KEYS) == set(kinds.KINDS)
