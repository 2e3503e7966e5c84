import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ml.training.config import TrainConfig
from ml.training.optimiser import Average, optimiser_of, schedule_of


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))


def rates(config, steps):
    optimiser = optimiser_of(network(), config)
    schedule = schedule_of(optimiser, config, steps)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_only_kernels_and_matrices_decay(optimiser):
    groups = optimiser_of(network(), TrainConfig(optimiser=optimiser, weight_decay=0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert [sorted(p.ndim for p in group["params"]) for group in groups] == [[2, 4], [1, 1, 1, 1]]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_step_is_torchs_to_the_bit(optimiser):
    def moved(of):
        net = network()
        weights = of(net)
        for seed in range(3):
            torch.manual_seed(seed)
            weights.zero_grad(set_to_none=True)
            net[0](torch.rand(4, 1, 5, 5)).square().sum().backward()
            weights.step()
        return net[0].weight, weights.state_dict()["state"]

    config = TrainConfig(optimiser=optimiser, weight_decay=0.1)
    plain = torch.optim.AdamW if optimiser == "adamw" else torch.optim.SGD
    ours = moved(lambda net: optimiser_of(net, config))
    theirs = moved(lambda net: plain(optimiser_of(net, config).param_groups))  # each group says all there is to say
    assert torch.equal(ours[0], theirs[0])
    assert not torch.equal(ours[0], network()[0].weight)
    assert str(ours[1]) == str(theirs[1])
    assert ours[0].requires_grad


STEP = """
import sys, torch
from ml.training.config import TrainConfig
from ml.training.optimiser import optimiser_of
for kind in ("adamw", "sgd", "muon"):
    net = torch.nn.Linear(2, 2)
    weights = optimiser_of(net, TrainConfig(optimiser=kind))
    weights.zero_grad()
    net(torch.rand(1, 2)).sum().backward()
    weights.step()
    weights.load_state_dict(weights.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_torchs_compiler_is_not_loaded():
    root = Path(__file__).resolve().parents[3]
    said = subprocess.run([sys.executable, "-c", STEP], cwd=root, capture_output=True, text=True, timeout=120)
    assert said.stdout == "False\n", said.stderr


def test_cosine_by_hand():
    found = rates(TrainConfig(learning_rate=0.2, schedule="cosine", warmup=0.2), 10)
    assert found[:3] == pytest.approx([0.1, 0.2, 0.2])
    assert found[6] == pytest.approx(0.1)  # half way down
    assert found[-1] == pytest.approx(0.1 * (1 + math.cos(math.pi * 7 / 8)))


def test_constant_and_one_cycle():
    assert rates(TrainConfig(learning_rate=0.2, schedule="constant", warmup=0.0), 5) == pytest.approx([0.2] * 5)
    found = rates(TrainConfig(learning_rate=0.2, schedule="one_cycle", warmup=0.25), 40)
    assert max(found) == pytest.approx(0.2, rel=0.01)
    assert 8 <= found.index(max(found)) <= 11
    assert found[-1] < 0.002


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_no_warm_up_starts_high(schedule):
    assert rates(TrainConfig(learning_rate=0.2, schedule=schedule, warmup=0.0), 30)[2] == pytest.approx(0.2, rel=0.02)


def test_average_by_hand():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = Average(model, 0.5)
    for value in (1.0, 2.0, 3.0):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(model)
    # decays (1 + t) / (10 + t): 2/11, 3/12, 4/13
    first = 9 / 11
    second = first * 3 / 12 + 2 * 9 / 12
    assert average.module.weight.item() == pytest.approx(second * 4 / 13 + 3 * 9 / 13)
    again = Average(model, 0.5)
    again.load_state_dict(average.state_dict())
    assert again.steps == 3
    assert torch.equal(again.module.weight, average.module.weight)


def test_average_takes_in_running_statistics_and_counters():
    model = network()
    average = Average(model, 0.9)
    model.train()(torch.randn(8, 1, 3, 3) * 5 + 2)
    average.update(model)
    own, theirs = average.module[1], model[1]
    assert own.num_batches_tracked == theirs.num_batches_tracked == 1
    assert not torch.equal(own.running_mean, torch.zeros(2))
    assert not own.weight.requires_grad
