"""Layers that stand still, rates that fall to the front, pictures that grow."""

import pytest
import torch
from torch import nn

from ml.data import synthetic
from ml.models import build
from ml.models.input_adapter import InputAdapter
from ml.training.config import TrainConfig
from ml.training.layers import layers_of, side_of
from ml.training.loop import fit
from ml.training.optimiser import optimiser_of, schedule_of

PLAIN = {"model": "efficientnet_lite0", "pretrained": True, "epochs": 2, "batch_size": 32, "augment": ()}


class Net(nn.Module):
    """Three layers behind a lens; `sides` is what it was given to look at, while it learned."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential()
        self.body.add_module("lens", InputAdapter(1, 48, 48, side=48))
        for number, (inputs, outputs) in enumerate(((3, 4), (4, 6), (6, 8))):
            self.body.add_module(f"conv_{number}", nn.Conv2d(inputs, outputs, 3, 2))
            self.body.add_module(f"norm_{number}", nn.BatchNorm2d(outputs))
            self.body.add_module(f"relu_{number}", nn.ReLU())
        self.body.add_module("pool", nn.AdaptiveAvgPool2d(1))
        self.body.add_module("flatten", nn.Flatten())
        self.head = nn.Linear(8, 4)
        self.sides = []

    def forward(self, images):
        if self.training:
            self.sides.append(tuple(images.shape[2:]))
        return self.head(self.body(images))


@pytest.fixture(scope="module")
def data():
    return synthetic.load("synthetic-4-48x48x1", train=64, validation=20, test=8)


def fresh():
    torch.manual_seed(3)
    return Net()


def config(**changes):
    return TrainConfig(**{**PLAIN, "precision": "float32", "threads": 1, **changes})


def moved(model, start):
    """Names of what differs, counters apart."""
    pairs = zip(model.state_dict().items(), start.state_dict().values(), strict=True)
    return {name for (name, value), old in pairs if not torch.equal(value, old) and "num_batches" not in name}


def test_a_normalisation_belongs_to_what_stands_before_it_and_the_lens_to_nobody():
    model = fresh()
    kinds = [[type(part).__name__ for part in layer] for layer in layers_of(model)]
    assert kinds == [*[["Conv2d", "BatchNorm2d"]] * 3, ["Linear"]]
    lite = layers_of(build("efficientnet_lite2", channels=3, height=32, width=32, classes=2))
    assert len(lite) == 1 + 21 + 1 + 1  # start, blocks, last convolution, head


def test_frozen_layers_keep_weights_and_statistics(data):
    model, start = fresh(), fresh()
    list(fit(model, data, config(frozen_layers=2)))
    changed = moved(model, start)
    assert all(value.requires_grad for value in model.parameters()), "for counts and for the next training"
    assert changed == {
        "body.conv_2.weight", "body.conv_2.bias", "body.norm_2.weight", "body.norm_2.bias", "body.norm_2.running_mean",
        "body.norm_2.running_var", "head.weight", "head.bias",
    }  # fmt: skip


def test_frozen_norm_keeps_statistics_of_all_and_lets_weights_learn(data):
    model, start = fresh(), fresh()
    list(fit(model, data, config(frozen_norm=True)))
    changed = moved(model, start)
    assert not [name for name in changed if "running" in name]
    assert {"body.conv_0.weight", "body.norm_0.weight"} <= changed


def test_without_either_nothing_is_held(data):
    model, start = fresh(), fresh()
    list(fit(model, data, config()))
    assert {"body.conv_0.weight", "body.norm_0.running_mean"} <= moved(model, start)


def test_all_of_the_body_frozen_is_allowed_and_more_refused(data):
    model, start = fresh(), fresh()
    list(fit(model, data, config(frozen_layers=3)))
    assert moved(model, start) == {"head.weight", "head.bias"}
    with pytest.raises(ValueError, match="3 layers before its last: at most as many can be frozen, not 4"):
        list(fit(fresh(), data, config(frozen_layers=4)))


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "constant"])
def test_each_layer_learns_at_a_share_of_the_rate_behind_it(schedule):
    choices = config(layer_decay=0.5, learning_rate=0.08, schedule=schedule, warmup=0.0, weight_decay=0.1)
    optimiser = optimiser_of(fresh(), choices)
    plan = schedule_of(optimiser, choices, 50)
    for _ in range(3):
        optimiser.step()
        plan.step()
    rates = [group["lr"] for group in optimiser.param_groups]
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.1, 0.0] * 4
    assert [rates[0] / rate for rate in rates] == pytest.approx([1, 1, 2, 2, 4, 4, 8, 8])
    assert max(plan.get_last_lr()) == rates[0]
    if schedule != "cosine":
        assert rates[0] == pytest.approx(0.08, rel=0.01)


def test_one_rate_for_all_is_one_group_of_each_decay():
    assert len(optimiser_of(fresh(), config()).param_groups) == 2


def test_pictures_grow_in_even_steps_and_end_whole():
    choices = config(epochs=14, frozen_epochs=4, first_side=128)
    sides = [side_of(choices, epoch, (224, 224)) for epoch in range(1, 15)]
    assert sides[:4] == [(128, 128)] * 4
    assert [side for side, _ in sides[4:]] == [128, 128, 128, 160, 160, 192, 192, 192, 224, 224]
    assert side_of(config(epochs=9, first_side=100), 1, (256, 192)) == (133, 100)
    assert side_of(config(epochs=9, first_side=100), 9, (256, 192)) == (256, 192)
    assert side_of(config(first_side=300), 1, (224, 224)) == (224, 224)
    assert side_of(config(), 1, (224, 160)) == (224, 160)


def test_the_network_sees_growing_pictures_while_it_learns_and_whole_ones_when_judged(data):
    model = fresh()
    list(fit(model, data, config(epochs=2, first_side=32)))
    assert model.sides == [(32, 32)] * 2 + [(48, 48)] * 2
