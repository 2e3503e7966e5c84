"""Frozen labels: what a training learns from, and nothing else, follows people's corrections."""

import dataclasses

import numpy as np
import pytest

from ml import pipeline
from ml.artifacts.reader import Library
from ml.data import load
from ml.data.corrections import Corrections, freeze, read
from ml.system.content_addressed import Gone
from ml.training.config import TrainConfig

TOY = "synthetic-4-28x28x1"


@pytest.fixture
def corrections():
    return Corrections(TOY, {5: 3, 0: 2}, frozenset({7, 9}), "toy")


def test_the_same_corrections_have_the_same_name_and_come_back(tmp_path, corrections):
    name = freeze(tmp_path, corrections)
    assert freeze(tmp_path, dataclasses.replace(corrections, relabelled={0: 2, 5: 3})) == name
    assert freeze(tmp_path, dataclasses.replace(corrections, relabelled={0: 1, 5: 3})) != name
    assert read(tmp_path, name) == corrections
    assert len(corrections) == 4
    assert not list((tmp_path / "labels").glob("*.partial"))


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0123456789abcdeF", "0123456789abcdef"])
def test_what_is_not_there_is_said(tmp_path, name):
    with pytest.raises(Gone):
        read(tmp_path, name)


def test_a_changed_file_is_refused(tmp_path, corrections):
    name = freeze(tmp_path, corrections)
    file = tmp_path / "labels" / f"{name}.json"
    file.write_text(file.read_text().replace('"5": 3', '"5": 1'))
    with pytest.raises(Gone, match="changed"):
        read(tmp_path, name)


def test_only_train_is_corrected(corrections):
    before = load(TOY)
    after = corrections.apply(before)
    assert len(after["train"]) == len(before["train"]) - 2
    assert not {7, 9} & set(after["train"].ids.tolist())
    label = dict(zip(after["train"].ids.tolist(), after["train"].labels.tolist(), strict=True))
    assert (label[5], label[0], label[6]) == (3, 2, int(before["train"].labels[6]))
    assert before["train"].labels[5] == 1  # the original is as it was
    for split in ("validation", "test"):
        assert after[split] is before[split]


def test_corrections_of_something_else_are_refused(corrections):
    with pytest.raises(ValueError, match="are of"):
        corrections.apply(load("synthetic-3-28x28x1"))
    with pytest.raises(ValueError, match="class"):
        Corrections(TOY, {1: 4}).apply(load(TOY))


def test_a_training_learns_the_frozen_labels(tmp_path):
    """Where every label of a class is turned into another, the network says that other; what it is judged on stays."""
    dataset = load(TOY)
    train = dataset["train"]
    turned = {int(i): 1 for i in train.ids[train.labels == 0]}
    gone = frozenset(train.ids[train.labels == 3].tolist())
    name = freeze(tmp_path, Corrections(TOY, turned, gone))
    config = TrainConfig(model="quick_cnn", dataset=TOY, epochs=3, batch_size=32, augment=(), threads=1, labels=name)
    pipeline.train(config, run_id="fixed", home=tmp_path, slow=False, record=False)
    run = Library(tmp_path, tmp_path).open("fixed")
    assert run.manifest["config"]["labels"] == name
    assert run.manifest["train_images"] == len(train) - len(gone)
    assert run.manifest["dataset"]["counts"] == {"train": 600, "validation": 200, "test": 400}
    said = run.table("predictions")
    assert set(said["split"]) == {"test", "validation", "reference"}
    reference = said[said["split"] == "reference"].sort_values("example_id")
    assert reference["label"].tolist() == train.labels.tolist()
    of_zero = said[(said["split"] == "test") & (said["label"] == 0)]
    assert (of_zero["predicted"] == 1).mean() > 0.9
    assert not (said["predicted"] == 3).any()
    before = dataset.statistics()[0]
    assert not np.allclose(run.manifest["dataset"]["mean"], before, atol=1e-9)  # of what it learned from


def test_a_name_that_is_nowhere_ends_the_training_in_words(tmp_path):
    config = TrainConfig(model="quick_cnn", dataset=TOY, epochs=1, labels="0" * 16)
    with pytest.raises(Gone, match="not on this machine"):
        pipeline.train(config, run_id="nothing", home=tmp_path)
