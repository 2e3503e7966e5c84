"""The recording of a training: what each epoch's own network says, the same when a training is interrupted."""

import copy

import numpy as np
import pytest

from ml import pipeline
from ml.artifacts.reader import Library
from ml.artifacts.writer import describe
from ml.data import synthetic
from ml.evaluation.epochs import KEPT, Recorder, quantised, spaced
from ml.inference import contract
from ml.inference.classifier import Classifier
from ml.models import build
from ml.training.config import TrainConfig
from ml.training.loop import Cancelled, fit

CONFIG = TrainConfig(
    model="batchnorm_cnn", dataset="synthetic-3-28x28x1", epochs=3, batch_size=32, ema=0.9, flip_test=True, threads=1
)


@pytest.fixture(scope="module")
def data():
    return synthetic.load(CONFIG.dataset, train=96, validation=21, test=30)


def test_each_epoch_says_what_its_own_network_says(data, tmp_path):
    recorder, networks = Recorder(tmp_path, data), {}

    def on_weights(epoch, network):
        recorder(epoch, network)
        networks[epoch] = copy.deepcopy(network)

    history = list(fit(build(CONFIG.model, channels=1, height=28, width=28, classes=3), data, CONFIG,
                       on_weights=on_weights))  # fmt: skip
    noun = recorder.arrays(3, 2)
    assert noun["epoch"].tolist() == noun["right_epoch"].tolist() == [1, 2, 3]
    for split in ("test", "validation"):
        labels = data[split].labels
        told = [Classifier(networks[e], describe(data)).probabilities(data[split].images) for e in (1, 2, 3)]
        truth = np.stack([p[np.arange(len(labels)), labels] for p in told])
        assert noun[f"{split}_id"].tolist() == data[split].ids.tolist()
        assert np.abs(noun[f"{split}_probabilities"] / 255 - told).max() < 1.5 / 255
        assert (noun[f"{split}_probabilities"].argmax(2) == np.argmax(told, 2)).all()
        right = np.unpackbits(noun[f"{split}_right"], axis=1, count=len(labels)).astype(bool)
        assert (right == (np.argmax(told, 2) == labels)).all()
        assert noun[f"{split}_mean"] == pytest.approx(truth.mean(0), abs=1e-5)
        assert noun[f"{split}_spread"] == pytest.approx(truth.std(0), abs=1e-5)
    assert len(history) == 3


def test_recording_changes_no_training(data, tmp_path):
    models = [build(CONFIG.model, channels=1, height=28, width=28, classes=3) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    plain = list(fit(models[0], data, CONFIG))
    recorded = list(fit(models[1], data, CONFIG, on_weights=Recorder(tmp_path, data)))
    assert [e.validation_loss for e in plain] == [e.validation_loss for e in recorded]
    states = [model.state_dict() for model in models]
    assert all((value == states[1][name]).all() for name, value in states[0].items())


@pytest.fixture
def few(monkeypatch, data):
    monkeypatch.setattr(pipeline, "load", lambda *_, **__: data)
    monkeypatch.setattr(contract, "LATENCY_TIMES", 3)


def test_an_interrupted_training_has_the_same_recording(few, data, tmp_path):
    whole = pipeline.train(CONFIG, run_id="whole", home=tmp_path, slow=False)
    seen = []

    def stop(done, total):
        seen.append(done)
        if seen.count(5) == 2:  # recording the second epoch, after its last step of six
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.train(CONFIG, run_id="again", home=tmp_path, callbacks=pipeline.Callbacks(on_batch=stop), slow=False)
    broken = tmp_path / "runs" / "again.partial"
    assert sorted(path.name for path in broken.glob("checkpoint-epoch-*")) == ["checkpoint-epoch-001.npz"]
    (broken / "checkpoint-epoch-002.npz").write_bytes(b"PK\x03\x04 half a file")
    again = pipeline.train(CONFIG, run_id="again", home=tmp_path, slow=False)
    library = Library(tmp_path, tmp_path)
    one, other = library.open("whole").arrays("epochs"), library.open("again").arrays("epochs")
    assert {name: value.tolist() for name, value in one.items()} == {n: v.tolist() for n, v in other.items()}
    for folder in (whole, again):
        assert not list(folder.glob("checkpoint*"))
    run = library.open("again")
    best = one["epoch"].tolist().index(run.manifest["best_epoch"])
    predictions = run.table("predictions").query("split == 'test'").sort_values("example_id")
    assert one["test_probabilities"][best].argmax(1).tolist() == predictions["predicted"].tolist()


def test_a_training_can_go_unrecorded_and_what_is_missing_is_left_out(few, data, tmp_path):
    folder = pipeline.train(CONFIG, run_id="silent", home=tmp_path, slow=False, record=False)
    assert "epochs" not in Library(tmp_path, tmp_path).open("silent").nouns
    assert not (folder / "epochs.npz").exists()
    recorder = Recorder(tmp_path, data)
    assert recorder.arrays(3, 1) == {}
    network = build(CONFIG.model, channels=1, height=28, width=28, classes=3)
    recorder(2, network)
    assert recorder.arrays(3, 3)["epoch"].tolist() == [2]
    assert network.training


def test_a_byte_keeps_the_guess():
    rng = np.random.default_rng(0)
    close = np.array([[0.3334, 0.3333, 0.3333], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    wide = rng.dirichlet(np.full(600, 50.0), 40)  # hardly any class has a step of its own
    for probabilities in (close, rng.dirichlet(np.ones(10), 500), wide):
        steps = quantised(probabilities)
        assert (steps.argmax(1) == probabilities.argmax(1)).all()
        assert ((steps == steps.max(1, keepdims=True)).sum(1) == 1).all()
        assert np.abs(steps / 255 - probabilities).max() < 1.51 / 255


@pytest.mark.parametrize(("epochs", "best"), [(90, 57), (90, 90), (21, 20), (200, 1), (20, 3), (1, 1)])
def test_kept_epochs(epochs, best):
    kept = spaced(list(range(1, epochs + 1)), best, KEPT)
    assert len(kept) == min(epochs, len(kept)) <= KEPT
    assert {1, best, epochs} <= set(kept)
    assert kept == sorted(set(kept))
    if epochs > KEPT:
        assert np.mean(kept) < epochs / 2
    assert spaced([3, 9, 12], 9, KEPT) == [3, 9, 12]
