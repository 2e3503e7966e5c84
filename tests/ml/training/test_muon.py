"""Steps of equal length in all directions: for kernels and matrices, and for nothing else."""

import pytest
import torch
from torch import nn

from ml.training.config import TrainConfig
from ml.training.muon import OTHERS, QUINTIC, TURNS, orthogonal
from ml.training.optimiser import optimiser_of


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 6), nn.ReLU()
        )
        self.head = nn.Linear(6, 3)

    def forward(self, images):
        return self.head(self.body(images))


def network():
    torch.manual_seed(0)
    return Net()


def config(**changes):
    return TrainConfig(**{"optimiser": "muon", "learning_rate": 0.02, "weight_decay": 0.0, **changes})


def learn(model, optimiser, steps):
    generator = torch.Generator().manual_seed(1)
    images, labels = torch.randn(30, 1, 5, 5, generator=generator), torch.arange(30) % 3
    losses = []
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8), (1, 9)])
def test_all_directions_become_about_equally_long_and_keep_their_place(shape):
    left, values, right = torch.linalg.svd(
        torch.randn(shape, generator=torch.Generator().manual_seed(3)), full_matrices=False
    )
    matrix = left @ torch.diag(torch.linspace(1, 0.2, len(values))) @ right
    found = left.T @ orthogonal(matrix * 1e-3) @ right.T
    assert found.shape == (len(values), len(values))
    assert found.diagonal().min() > 0.6
    assert found.diagonal().max() < 1.3
    assert (found - found.diagonal().diag()).abs().max() < 0.05  # bfloat16's rounding


def test_it_is_newton_and_schulzs_iteration():
    matrix = torch.randn(6, 20, generator=torch.Generator().manual_seed(5))
    one, three, five = QUINTIC
    expected = matrix / matrix.norm()
    for _ in range(TURNS):
        square = expected @ expected.T
        expected = one * expected + (three * square + five * square @ square) @ expected
    torch.testing.assert_close(orthogonal(matrix), expected, atol=0.03, rtol=0.03)
    torch.testing.assert_close(orthogonal(matrix.T), expected.T, atol=0.03, rtol=0.03)


def test_nothing_stays_nothing():
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_the_last_layer_and_what_is_no_matrix_go_by_adamw_at_a_tenth():
    model = network()
    groups = optimiser_of(model, config(weight_decay=0.1)).param_groups
    shapes = [[tuple(p.shape) for p in group["params"]] for group in groups]
    assert shapes[:2] == [[(4, 1, 3, 3), (6, 36)], [(3, 6)]]
    assert [group["turned"] for group in groups] == [True, False, False]
    assert [group["lr"] for group in groups] == pytest.approx([0.02, 0.02 * OTHERS, 0.02 * OTHERS])
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1, 0.0]


def test_a_step_by_hand():
    model = network()
    optimiser = optimiser_of(model, config(momentum=0.5, weight_decay=0.1))
    weight = model.body[0].weight
    before = weight.detach().clone()
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2))
    optimiser.step()
    kernel = orthogonal((1.5 * weight.grad).flatten(1)).view(weight.shape)  # 4 rows of 9 numbers: no wider than long
    torch.testing.assert_close(weight, before * (1 - 0.02 * 0.1) - 0.02 * kernel, atol=1e-5, rtol=1e-3)
    assert torch.equal(optimiser.state[weight]["momentum_buffer"], weight.grad)


def test_it_learns_and_others_go_as_with_adamw_to_the_bit():
    model, plain = network(), network()
    muon = optimiser_of(model, config(momentum=0.9))
    first = learn(model, muon, 1)
    others = [p for group in muon.param_groups if not group["turned"] for p in group["params"]]
    theirs = dict(zip([name for name, _ in model.named_parameters()], plain.parameters(), strict=True))
    same = [theirs[name] for name, p in model.named_parameters() if any(p is other for other in others)]
    learn(plain, torch.optim.AdamW(same, 0.02 * OTHERS, betas=(0.9, 0.999), weight_decay=0.0, fused=True), 1)
    for name, value in model.named_parameters():
        assert torch.equal(value, theirs[name]) == any(value is other for other in others), name
    assert learn(model, muon, 150)[-1] < 0.5 * first[0]
