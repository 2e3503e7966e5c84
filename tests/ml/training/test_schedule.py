"""The drawn schedule is the one that torch steps through."""

import pytest
import torch

from ml.training.config import TrainConfig
from ml.training.optimiser import optimiser_of, schedule_of
from ml.training.schedule import rate, rates


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_every_step_has_the_rate_that_torch_gives_it(schedule, warmup, steps):
    config = TrainConfig(schedule=schedule, warmup=warmup, learning_rate=0.3, optimiser="sgd")
    optimiser = optimiser_of(torch.nn.Linear(2, 2), config)
    stepped = schedule_of(optimiser, config, steps)
    for step in range(steps + 1):
        assert rate(config, step, steps) == pytest.approx(stepped.get_last_lr()[0], rel=1e-6, abs=1e-9), step
        if step < steps:
            optimiser.step()
            stepped.step()


def test_points_span_the_whole_training():
    config = TrainConfig(epochs=4, schedule="constant", warmup=0.0, learning_rate=0.5)
    points = rates(config, 1000, 50)
    assert len(points) == 50
    assert (points[0], points[-1]) == ((0.0, 0.5), (4.0, 0.5))
    assert rates(config, 2, 50) == [(0.0, 0.5), (2.0, 0.5), (4.0, 0.5)]
