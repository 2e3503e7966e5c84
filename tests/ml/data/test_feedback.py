"""Accepted feedback as lessons: frozen by content, capped by client, mixed behind what a run learned from."""

import dataclasses

import numpy as np
import pytest

from ml.data import feedback, synthetic
from ml.data.feedback import CLIENT, REPEAT, Feedback
from ml.system.content_addressed import Gone

TOY = "synthetic-4-28x28x1"


def told(n, clients=None, labels=None, dataset=TOY):
    images = np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), np.uint8)
    zeros = np.zeros(n, np.int64)
    return Feedback(dataset, "toy", images, zeros if labels is None else labels, zeros if clients is None else clients)


def test_the_same_feedback_has_the_same_name_and_comes_back(tmp_path):
    one = told(5, clients=np.array([0, 0, 1, 2, 1]), labels=np.array([0, 1, 2, 3, 0]))
    name = feedback.freeze(tmp_path, one)
    assert feedback.freeze(tmp_path, one) == name
    back = feedback.read(tmp_path, name)
    assert (back.dataset, back.against) == (TOY, "toy")
    for part in ("images", "labels", "clients"):
        assert np.array_equal(getattr(back, part), getattr(one, part))
    assert feedback.freeze(tmp_path, dataclasses.replace(one, labels=one.labels[::-1])) != name


def test_a_changed_missing_or_forged_file_is_refused(tmp_path):
    name = feedback.freeze(tmp_path, told(3))
    for wrong in ("0" * 16, "../secret", "x"):
        with pytest.raises(Gone):
            feedback.read(tmp_path, wrong)
    file = tmp_path / "lessons" / f"{name}.npz"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(Gone, match="changed"):
        feedback.read(tmp_path, name)


def test_nothing_is_forgotten_and_judged_splits_stay():
    dataset = synthetic.load(TOY)
    train = dataset["train"]
    mixed = told(3, labels=np.array([1, 2, 3])).mix(dataset)
    assert mixed["validation"] is dataset["validation"]
    assert mixed["test"] is dataset["test"]
    assert np.array_equal(mixed["train"].images[: len(train)], train.images)
    assert np.array_equal(mixed["train"].labels[: len(train)], train.labels)
    more = mixed["train"].labels[len(train) :]
    assert sorted(set(more.tolist())) == [1, 2, 3]
    assert len(more) == 3 * REPEAT <= 0.1 * len(train)
    assert (mixed["train"].ids[len(train) :] < 0).all()


def test_lessons_are_a_tenth_at_most_however_many_there_are():
    dataset = synthetic.load(TOY)
    train = len(dataset["train"])
    many = told(train, clients=np.arange(train))
    assert len(many.mix(dataset)["train"]) - train == train // 10
    assert many.repeats(train) == 1
    assert told(1).repeats(train) == REPEAT


def test_one_client_teaches_no_more_than_its_newest_few():
    n = CLIENT + 30
    clients = np.array([0] * n + [1] * 5)
    labels = np.array([0] * 30 + [1] * CLIENT + [2] * 5)
    capped = told(n + 5, clients=clients, labels=labels).capped()
    assert np.bincount(capped.clients).tolist() == [CLIENT, 5]
    assert np.bincount(capped.labels).tolist() == [0, CLIENT, 5]  # the older thirty are gone


@pytest.mark.parametrize("wrong", ["dataset", "labels", "images"])
def test_feedback_of_something_else_is_refused(wrong):
    one = told(2, labels=np.array([0, 9])) if wrong == "labels" else told(2)
    one = dataclasses.replace(one, dataset="other") if wrong == "dataset" else one
    one = dataclasses.replace(one, images=np.zeros((2, 8, 8, 1), np.uint8)) if wrong == "images" else one
    with pytest.raises(ValueError, match="this feedback"):
        one.mix(synthetic.load(TOY))


def test_a_training_begins_with_the_runs_weights(home):
    """One pass at a vanishing rate leaves the toy run nearly as it was; the manifest says where it began."""
    import json

    from ml.pipeline import train
    from ml.training.config import TrainConfig

    name = feedback.freeze(home, dataclasses.replace(told(4), dataset=TOY))
    before = json.loads((home / "runs" / "toy" / "manifest.json").read_text())
    config = TrainConfig(
        model="compact_cnn", dataset=TOY, epochs=1, batch_size=64, augment=(), threads=1, learning_rate=1e-5,
        feedback=name,
    )  # fmt: skip
    folder = train(config, run_id="told", home=home, slow=False, record=False)
    after = json.loads((folder / "manifest.json").read_text())
    assert after["start"] == "toy"
    assert after["train_images"] == before["train_images"] + 4 * REPEAT
    assert abs(after["results"]["test"]["loss"] - before["results"]["test"]["loss"]) < 0.05
    fresh = train(config.model_copy(update={"feedback": None}), run_id="fresh", home=home, slow=False, record=False)
    untaught = json.loads((fresh / "manifest.json").read_text())
    assert untaught["results"]["test"]["loss"] > after["results"]["test"]["loss"] + 0.1
