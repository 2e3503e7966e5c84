import math
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ml.data import synthetic
from ml.models import build
from ml.models.inputs import normalise
from ml.models.mirrored import mirror
from ml.training.checkpoint import TrainingState
from ml.training.config import TrainConfig
from ml.training.loop import Cancelled, Diverged, _gradients, _taught, fit, parts
from ml.training.meter import Epoch
from ml.training.validation import evaluate

FORM = {"channels": 1, "height": 28, "width": 28, "classes": 4}


@pytest.fixture(scope="module")
def data():
    return synthetic.load("synthetic-4-28x28x1", train=128, validation=40, test=16)


def config(**changes):
    return TrainConfig(**{"model": "compact_cnn", "epochs": 3, "batch_size": 32, "threads": 1, **changes})


def fresh(name="compact_cnn"):
    torch.manual_seed(7)
    return build(name, **FORM)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_an_epoch_says_what_happened(data):
    epochs = list(fit(fresh(), data, config()))
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    for epoch in epochs:
        assert 0 <= epoch.validation_accuracy <= 1
        assert math.isfinite(epoch.validation_loss)
        assert epoch.images_per_second == pytest.approx(128 / epoch.seconds)
    assert epochs[0].learning_rate > epochs[-1].learning_rate


def test_the_best_validation_epoch_is_kept(data):
    model = fresh()
    epochs = list(fit(model, data, config(epochs=5, learning_rate=0.02)))
    _, accuracy = evaluate(model, data["validation"], *data.statistics())
    assert accuracy == max(epoch.validation_accuracy for epoch in epochs)


def test_the_same_seed_gives_the_same_weights(data):
    models = [fresh(), fresh()]
    for model in models:
        list(fit(model, data, config(augment=("flip", "shift", "erase"))))
    assert same(*models)


@pytest.mark.parametrize(
    ("name", "more"),
    [("compact_cnn", {}), ("fashion_cnn", {}), ("patch_cnn", {"optimiser": "muon", "ema": 0.9, "learning_rate": 0.05})],
)
def test_resume_is_bit_for_bit(data, tmp_path, name, more):
    whole, broken, resumed = fresh(name), fresh(name), fresh(name)
    options = config(model=name, augment=("flip",), **more)
    unbroken = list(fit(whole, data, options))
    checkpoint = tmp_path / "checkpoint.pt"

    def stop(done, total):
        if done == 6:  # in the middle of the second of three epochs of four steps
            raise Cancelled

    with pytest.raises(Cancelled):
        list(fit(broken, data, options, checkpoint=checkpoint, on_batch=stop))
    epochs = list(fit(resumed, data, options, checkpoint=checkpoint))
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert [epoch.validation_loss for epoch in epochs] == [epoch.validation_loss for epoch in unbroken]
    assert same(whole, resumed)


def test_progress_counts_every_step_once(data):
    seen = []
    list(fit(fresh(), data, config(epochs=2), on_batch=lambda done, total: seen.append((done, total))))
    assert seen == [(i, 8) for i in range(9)]


def test_a_loss_that_is_no_number_ends_the_training(data):
    model = fresh()
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="lower learning rate"):
        list(fit(model, data, config()))


def test_evaluate_by_hand(data):
    class Always(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[2.0, 0.0, 0.0, 0.0]]).repeat(len(images), 1)

    loss, accuracy = evaluate(Always(), data["validation"], *data.statistics())
    log_sum = math.log(math.e**2 + 3)
    assert accuracy == 0.25
    assert loss == pytest.approx(0.25 * (log_sum - 2) + 0.75 * log_sum)


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"epochs": 201},
        {"batch_size": 8},
        {"learning_rate": float("nan")},
        {"learning_rate": 3},
        {"optimiser": "adam"},
        {"augment": ["mirror"]},
        {"seed": -1},
        {"extra": 1},
        {"epochs": [3]},
    ],
)
def test_config_refuses(bad):
    with pytest.raises(ValidationError):
        TrainConfig(**bad)


FULL = {
    "optimiser": "sgd", "schedule": "cosine", "warmup": 0.1, "learning_rate": 0.05, "ema": 0.9, "flip_test": True,
    "label_smoothing": 0.1, "augment": ("flip", "crop", "shift", "erase", "mixup", "cutmix"), "micro_batch": 12,
    "precision": "bfloat16",
}  # fmt: skip


def test_resume_is_bit_for_bit_with_everything_on(data, tmp_path):
    options = config(model="batchnorm_cnn", **FULL)
    whole, broken, resumed = (fresh("batchnorm_cnn") for _ in range(3))
    unbroken = list(fit(whole, data, options))

    def stop(done, total):
        if done == 9:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(fit(broken, data, options, checkpoint=tmp_path / "checkpoint.pt", on_batch=stop))
    epochs = list(fit(resumed, data, options, checkpoint=tmp_path / "checkpoint.pt"))
    assert [epoch.validation_loss for epoch in epochs] == [epoch.validation_loss for epoch in unbroken]
    assert same(whole, resumed)


def test_a_checkpoint_of_another_recipe_is_refused(data, tmp_path):
    list(fit(fresh(), data, config(epochs=1), checkpoint=tmp_path / "checkpoint.pt"))
    with pytest.raises(ValueError, match="another recipe"):
        list(fit(fresh(), data, config(epochs=2), checkpoint=tmp_path / "checkpoint.pt"))


def test_what_is_scored_is_what_is_kept(data):
    scored = {}
    model = fresh("batchnorm_cnn")
    options = config(model="batchnorm_cnn", ema=0.9)

    def on_weights(epoch, network):
        scored[epoch] = {name: value.clone() for name, value in network.state_dict().items()}

    epochs = list(fit(model, data, options, on_weights=on_weights))
    best = max(epochs, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss)).epoch
    assert all(torch.equal(value, scored[best][name]) for name, value in model.state_dict().items())


def test_of_equally_many_right_the_lower_loss_is_kept_through_a_checkpoint(tmp_path):
    def told(number, accuracy, loss):
        return Epoch(number, 0.5, 0.5, loss, accuracy, 0.1, 1.0, 1.0)

    def state():
        return TrainingState.begin(fresh(), config(), 4)

    kept, path = state(), tmp_path / "checkpoint.pt"
    firsts = []
    for number, (accuracy, loss) in enumerate([(0.9, 0.4), (0.9, 0.3), (0.9, 0.5), (0.8, 0.1)], 1):
        with torch.no_grad():
            next(kept.model.parameters()).fill_(number)
        kept.add(told(number, accuracy, loss))
        firsts.append(next(iter(kept.best.values())).flatten()[0].item())
    assert firsts == [1, 2, 2, 2]
    kept.save(path, config())
    resumed = state()
    resumed.load(path, config(), torch.device("cpu"))
    assert (resumed.best_accuracy, resumed.best_loss) == (0.9, 0.3)


def test_metrics_within_an_epoch(data, monkeypatch):
    monkeypatch.setattr("ml.training.meter.METRICS_SECONDS", 0.0)
    seen = []
    epochs = list(fit(fresh(), data, config(epochs=2), on_metrics=seen.append))
    assert [metrics.batch for metrics in seen] == list(range(1, 9))
    assert sum(metrics.loss for metrics in seen[:4]) / 4 == pytest.approx(epochs[0].train_loss)
    assert sum(metrics.accuracy for metrics in seen[4:]) / 4 == pytest.approx(epochs[1].train_accuracy)
    assert all(metrics.images_per_second > 0 for metrics in seen)


def test_the_mirrored_picture_has_a_say(data):
    class Left(torch.nn.Module):
        """Sees only the left half: class 0 where it is bright."""

        def forward(self, images):
            bright = images[:, 0, :, :14].mean((1, 2))
            return torch.stack([bright, -bright, bright * 0, bright * 0], dim=1)

    def network():
        return torch.nn.Sequential(OrderedDict(body=torch.nn.Sequential(Left()), head=torch.nn.Identity()))

    split = data["validation"]
    once, both = network(), network()
    mirror(both)
    plain, said = (evaluate(one, split, *data.statistics()) for one in (once, both))
    mirrored = type(split)(split.images[:, :, ::-1], split.labels, split.ids)
    assert evaluate(both, mirrored, *data.statistics()) == pytest.approx(said)
    assert evaluate(once, mirrored, *data.statistics()) != pytest.approx(plain)


def test_a_teacher_is_followed_where_labels_say_nothing(data):
    """Labels by chance, and a teacher that knows: what is learned is what the teacher says."""
    taught = fresh()
    list(fit(taught, data, config(epochs=6)))
    statistics = data.statistics()
    asked = []

    def teacher(images):
        asked.append(images)
        with torch.no_grad():
            return taught.eval()(normalise(images, *statistics))

    train = data["train"]
    chance = np.random.default_rng(0).permutation(train.labels)
    guessed = replace(data, splits={**data.splits, "train": replace(train, labels=chance)})
    knows = evaluate(taught, data["validation"], *statistics)[1]
    settings = config(epochs=6, teacher="somebody", teacher_share=1.0, augment=("flip",), micro_batch=20)
    student, alone = fresh(), fresh()
    list(fit(student, guessed, settings, teachers=[teacher]))
    list(fit(alone, guessed, settings))
    assert {images.dtype for images in asked} == {torch.uint8}, "the picture as it was changed, before normalisation"
    followed, lost = (evaluate(one, data["validation"], *statistics)[1] for one in (student, alone))
    assert knows > 0.8
    assert followed > knows - 0.2
    assert lost < knows - 0.2


def test_the_loss_with_a_teacher_by_hand():
    """(1 − share) × cross-entropy + share × T² × KL(mean of the teachers ‖ student), both at temperature T."""
    torch.manual_seed(0)
    logits, said = torch.randn(6, 4, requires_grad=True), [torch.randn(6, 4), torch.randn(6, 4)]
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    choices = config(teacher="a,b", teacher_share=0.7, teacher_temperature=3.0, label_smoothing=0.1)
    soft = (torch.softmax(said[0] / 3, 1) + torch.softmax(said[1] / 3, 1)) / 2
    batch = torch.arange(6)
    teachers = [lambda rows, one=one: one[rows] for one in said]
    value, hits = _gradients(
        lambda rows: logits[rows], partial(_taught, teachers, batch, 3.0), labels, choices, half=False
    )
    softened = torch.log_softmax(logits.detach() / 3, 1)
    divergence = (soft * (soft.log() - softened)).sum(1).mean()
    plain = torch.nn.functional.cross_entropy(logits.detach(), labels, label_smoothing=0.1)
    assert value == pytest.approx(float(0.3 * plain + 0.7 * 9 * divergence), rel=1e-5)
    assert hits == int((logits.argmax(1) == labels).sum())
    assert logits.grad.abs().sum() > 0


def test_gradients_of_parts_add_up_to_those_of_the_batch(data):
    """Without batch normalisation and dropout the weights are the same, but for the order of additions."""
    form = {"batch_norm": False, "dropout": 0.0}
    nets = []
    for most in (None, 12):
        torch.manual_seed(7)
        net = build("compact_cnn", **FORM, **form)
        steps = []
        choices = config(epochs=1, micro_batch=most, optimiser="sgd", learning_rate=0.01, precision="float32", **form)
        list(fit(net, data, choices, on_batch=lambda done, total, steps=steps: steps.append((done, total))))
        nets.append((net, steps))
    (whole, steps), (parts, again) = nets
    assert steps == again
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("n", "most", "sizes"),
    [(10, None, [10]), (10, 4, [3, 3, 4]), (8, 4, [4, 4]), (5, 4, [2, 3]), (3, 4, [3]), (1, 4, [1])],
)
def test_parts_of_a_batch(n, most, sizes):
    found = parts(n, most)
    assert [one.stop - one.start for one in found] == sizes
    assert [k for one in found for k in range(n)[one]] == list(range(n))


def test_a_checkpoint_of_an_earlier_version_is_gone_on_with(data, tmp_path):
    """It lacks a choice that came later, and had what holds without it."""
    file = tmp_path / "checkpoint.pt"
    first = fit(fresh(), data, config(epochs=2), checkpoint=file)
    next(first)
    first.close()
    state = torch.load(file, weights_only=True)
    del state["config"]["micro_batch"]
    torch.save(state, file)
    assert [epoch.epoch for epoch in fit(fresh(), data, config(epochs=2), checkpoint=file)] == [1, 2]
