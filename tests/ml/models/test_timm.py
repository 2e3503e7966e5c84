"""One of timm's networks goes the whole way of our own: trained, evaluated, written, opened again, shown."""

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dashboard.data.store import Store
from ml import models, pipeline
from ml.__main__ import main
from ml.artifacts.reader import Broken
from ml.data import synthetic
from ml.inference.classifier import Classifier, folded
from ml.models import NotInstalled, build
from ml.system.paths import ARTIFACTS
from ml.training.config import TrainConfig

TOY = "synthetic-4-32x32x3"
SMALL = "timm:test_resnet"  # timm's own smallest, for tests
SHAPE = {"channels": 3, "height": 32, "width": 32, "classes": 4}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timm")
    config = TrainConfig(model=SMALL, dataset=TOY, epochs=2, batch_size=32, learning_rate=0.001, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        few = synthetic.load(TOY, train=96, validation=40, test=60)
        patch.setattr(pipeline, "load", lambda *_, **__: few)
        pipeline.train(config, run_id="borrowed", home=folder, slow=True)
    return folder


def test_it_is_trained_evaluated_and_opened_again(home, monkeypatch, capsys):
    manifest = json.loads((home / "runs" / "borrowed" / "manifest.json").read_text())
    assert manifest["model"] == SMALL
    assert manifest["results"]["test"]["n"] == 60
    assert {"confusion", "features", "neighbours"} <= set(manifest["nouns"])
    monkeypatch.setenv("FASHION_HOME", str(home))
    assert main(["evaluate", "borrowed", "--split", "test"]) == 0
    assert capsys.readouterr().out.strip() == f"{manifest['results']['test']['correct']} / 60"


def test_its_zip_is_taken_in(home, tmp_path, monkeypatch):
    """Batch normalisation counts batches: a single number. No run that had any could be imported."""
    monkeypatch.setenv("FASHION_HOME", str(home))
    assert main(["export", "borrowed", "--to", str(tmp_path / "run.zip")]) == 0
    assert main(["import", str(tmp_path / "run.zip"), "--name", "again"]) == 0
    assert main(["evaluate", "again", "--split", "test"]) == 0


def test_the_dashboard_opens_it(home):
    run = Store(artifacts=ARTIFACTS, home=home).open("borrowed")
    assert run.manifest["model"] == SMALL


def test_a_run_says_what_to_install_where_timm_is_missing(home, monkeypatch):
    run = pipeline.Library(ARTIFACTS, home).open("borrowed")
    assert Classifier.open(run).shape == (32, 32, 3)
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(Broken, match="pip install -r requirements-transfer"):
        Classifier.open(run)
    with pytest.raises(NotInstalled, match="timm:resnet10t comes from, is not installed"):
        build("timm:resnet10t", **SHAPE)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_byobnet", "test_vit"])
def test_it_is_two_parts_with_each_number_once(name):
    """Folded too: timm's batch normalisation may hold the activation."""
    torch.manual_seed(0)
    net = build(f"timm:{name}", **SHAPE).eval()
    images = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        features = net.body(images)
        assert features.shape == (5, net.head.in_features)
        assert torch.equal(net.head(features), net(images))
        torch.testing.assert_close(folded(net)(images), net(images))
        assert net(images[:2] * 0).shape == (2, 4)
    state = net.state_dict()
    assert len({value.data_ptr() for value in state.values() if value.numel()}) == len(state)
    assert models.parameter_count(net) == sum(p.numel() for p in net.parameters())


def test_the_same_seed_begins_with_the_same_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build(SMALL, **SHAPE).state_dict())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_what_cannot_be_is_said_in_words():
    with pytest.raises(KeyError, match="has no network 'no_such_thing'"):
        build("timm:no_such_thing", **SHAPE)
    with pytest.raises(ValueError, match="cannot read pictures of 28 × 28"):
        build("timm:test_vit", **{**SHAPE, "height": 28, "width": 28})
    with pytest.raises(ValidationError, match="there are no published weights of timm:resnet18"):
        TrainConfig(model="timm:resnet18", pretrained=True)
    with pytest.raises(ValidationError, match="keep their batch normalisation"):
        TrainConfig(model="timm:resnet18", batch_norm=False)
    with pytest.raises(ValidationError):
        TrainConfig(model="timm:../resnet18")
    with pytest.raises(KeyError, match="and timm:<name>"):
        build("resnet19", **SHAPE)
