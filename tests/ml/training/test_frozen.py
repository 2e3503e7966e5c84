"""Transfer: a head on features computed once, then the whole network."""

import pytest
import torch
from torch import nn

from ml.data import synthetic
from ml.models.inputs import normalise, pixels
from ml.training.config import TrainConfig
from ml.training.frozen import Frozen
from ml.training.loop import Cancelled, fit
from ml.training.validation import evaluate


class Net(nn.Module):
    """A body with normalisation and dropout, whose modes matter."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(0.5)
        )
        self.head = nn.Linear(72, 4)
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        return self.head(self.body(images))


@pytest.fixture(scope="module")
def data():
    return synthetic.load("synthetic-4-16x16x1", train=96, validation=40, test=16)


def config(**changes):
    values = {"model": "efficientnet_lite0", "pretrained": True, "epochs": 4, "frozen_epochs": 2, "batch_size": 32}
    return TrainConfig(**{**values, "precision": "float32", "threads": 1, **changes})


def fresh():
    torch.manual_seed(7)
    return Net()


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_only_the_head_learns_while_the_body_is_frozen(data):
    model, start = fresh(), fresh()
    epochs = list(fit(model, data, config(epochs=2, frozen_epochs=2)))
    assert same(model.body, start.body), "its running statistics included"
    assert not torch.equal(model.head.weight, start.head.weight)
    assert epochs[1].train_loss < epochs[0].train_loss
    assert model.seen == 0, "features are computed once, and no picture is read again"


def test_then_everything_learns(data):
    model, start = fresh(), fresh()
    trained = []
    for epoch in fit(model, data, config(augment=("flip", "erase"), ema=0.9)):
        trained.append((epoch, not torch.equal(model.body[0].weight, start.body[0].weight)))
    assert [moved for _, moved in trained] == [False, False, True, True]
    assert [epoch.epoch for epoch, _ in trained] == [1, 2, 3, 4]
    _, accuracy = evaluate(model, data["validation"], *data.statistics())
    assert accuracy == max(epoch.validation_accuracy for epoch, _ in trained)


def test_features_are_those_of_the_unchanged_pictures_in_evaluation_mode(data):
    model, (mean, std) = fresh().train(), data.statistics()
    images = pixels(data["train"].images)
    frozen = Frozen(model, images, data["validation"], (mean, std), half=False, on_chunk=lambda: None)
    assert model.training
    rows = torch.tensor([5, 3, 90])
    with torch.no_grad():
        expected = model.eval()(normalise(images[rows], mean, std))
        torch.testing.assert_close(frozen.logits(model, rows), expected, atol=2e-3, rtol=0)  # kept as float16
    loss, accuracy = evaluate(model, data["validation"], mean, std)
    assert frozen.evaluate(model) == (pytest.approx(loss, abs=1e-3), pytest.approx(accuracy, abs=0.026))


@pytest.mark.parametrize("stop_at", [4, 7, 10])  # of three steps an epoch: frozen, the first and the second whole one
def test_resume_is_bit_for_bit_in_either_phase(data, tmp_path, stop_at):
    whole, broken, resumed = fresh(), fresh(), fresh()
    unbroken = list(fit(whole, data, config()))

    def stop(done, total):
        if done == stop_at:
            raise Cancelled

    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(Cancelled):
        list(fit(broken, data, config(), checkpoint=checkpoint, on_batch=stop))
    again = list(fit(resumed, data, config(), checkpoint=checkpoint))
    assert [epoch.validation_loss for epoch in again] == [epoch.validation_loss for epoch in unbroken]
    assert same(whole, resumed)


def test_computing_features_can_be_cancelled_and_moves_no_counter(data):
    seen = []

    def stop(done, total):
        seen.append((done, total))
        raise Cancelled

    with pytest.raises(Cancelled):
        list(fit(fresh(), data, config(), on_batch=stop))
    assert seen == [(0, 12)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"model": "mlp"}, "no published weights of mlp"),
        ({"frozen_epochs": 5}, "more than the 4 there are"),
        ({"pretrained": False, "frozen_epochs": 0, "frozen_layers": 1}, "for published weights"),
        ({"pretrained": False, "frozen_epochs": 0, "frozen_norm": True}, "for published weights"),
        ({"pretrained": False, "frozen_epochs": 0, "first_side": 64}, "for published weights"),
        ({"pretrained": False}, "nothing to hold still"),
        ({"batch_norm": False}, "batch normalisation"),
    ],
)
def test_what_makes_no_sense_is_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        config(**bad)
