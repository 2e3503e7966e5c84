"""Attacks on networks so small that the best one is known."""

import numpy as np
import pytest
import torch
from torch import nn

from ml.data.images import asked_at_once
from ml.inference.classifier import Classifier
from ml.models import build
from ml.robustness.attacks import HALVINGS, PACE, at_once, attacked, halvings, loss, smallest
from ml.robustness.catalogue import ATTACKS, LADDER, PGD_STEPS
from ml.robustness.turns import Turns

SIZE = 4


class Halves(nn.Module):
    """Score of class 0: how much brighter the left half is, times `sure`; of class 1: nothing."""

    def __init__(self, sure: float = 1.0) -> None:
        super().__init__()
        self.sure = sure
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        half = images.shape[-1] // 2
        score = self.sure * (images[..., :half].sum((1, 2, 3)) - images[..., half:].sum((1, 2, 3)))
        return torch.stack([score + self.offset, 0 * score], dim=1)


def classifier(module=None, channels=1, mean=0.4, std=0.25):
    return Classifier(
        module or Halves(),
        {
            "classes": ["left", "right"], "height": SIZE, "width": SIZE, "channels": channels,
            "mean": [mean] * channels, "std": [std] * channels,
        },
    )  # fmt: skip


def halves(left, right, n=1):
    picture = np.full((n, SIZE, SIZE, 1), right, np.uint8)
    picture[:, :, : SIZE // 2] = left
    return picture


@pytest.mark.parametrize("name", ATTACKS)
def test_every_pixel_moves_against_the_class(name):
    found = attacked(classifier(), halves(153, 102), np.array([0]), 0.05, name)
    assert np.allclose(found.images[0, :, :2], 0.6 - 0.05, atol=1e-6)
    assert np.allclose(found.images[0, :, 2:], 0.4 + 0.05, atol=1e-6)
    assert np.allclose(found.change, found.images - halves(153, 102) / np.float32(255), atol=1e-7)
    assert found.predicted.tolist() == [0]  # 0.55 is more than 0.45 still
    # 8 pixels a half, 0.1 apart, each distance by a deviation of 0.25
    assert found.probabilities[0, 0] == pytest.approx(1 / (1 + np.exp(-8 * 0.1 / 0.25)), abs=1e-5)
    assert attacked(classifier(), halves(153, 102), np.array([0]), 0.11, name).predicted.tolist() == [1]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_targeted_attack_goes_towards_its_class(name):
    towards = attacked(classifier(), halves(102, 153), np.array([0]), 0.11, name, targeted=True)
    assert towards.predicted.tolist() == [0]
    away = attacked(classifier(), halves(102, 153), np.array([0]), 0.11, name)
    assert away.probabilities[0, 0] < 0.001


@pytest.mark.parametrize("name", ATTACKS)
def test_pixels_stay_pixels(name):
    found = attacked(classifier(), halves(255, 0, n=2), np.array([1, 0]), np.array([0.2, 0.3]), name)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert np.allclose(found.change[0], 0, atol=1e-7)  # as far left as can be
    assert np.allclose(np.abs(found.change[1]), 0.3, atol=1e-6)
    assert found.epsilon.tolist() == [0.2, 0.3]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_very_sure_network_has_no_shelter(name):
    """Gradients below a millionth count as much as others."""
    found = attacked(classifier(Halves(sure=4)), halves(153, 102), np.array([0]), 0.05, name)
    assert found.probabilities[0, 0] > 0.999_99
    assert np.allclose(np.abs(found.change), 0.05, atol=1e-6)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_smallest_epsilon_by_hand(name):
    images = np.concatenate([halves(153, 102), halves(102, 153), halves(120, 118)])
    found = smallest(classifier(), images, np.array([0, 0, 0]), name)
    step = (32 - 16) / 255 / 2**HALVINGS
    assert 0.1 <= found.epsilon[0] <= 0.1 + step + 1e-6  # 0.6 and 0.4 meet in the middle
    assert found.epsilon[1] == 0  # is called right as it is
    assert 1 / 255 <= found.epsilon[2] <= 1 / 255 + 1 / 255 / 2**HALVINGS + 1e-6
    assert found.predicted.tolist() == [1, 1, 1]
    assert (np.abs(found.change).max(axis=(1, 2, 3)) <= found.epsilon + 1e-6).all()
    assert np.allclose(found.change[1], 0, atol=1e-7)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_does_not_flip_says_so(name):
    images = halves(200, 40, n=2)
    found = smallest(classifier(), images, np.array([0, 1]), name, targeted=False, most=0.1)
    assert np.isnan(found.epsilon[0])
    assert found.epsilon[1] == 0
    assert np.allclose(np.abs(found.change[0]), 0.1, atol=1e-6)  # as it is at most
    towards = smallest(classifier(), images, np.array([1, 1]), name, targeted=True, most=0.5)
    assert towards.epsilon == pytest.approx([80 / 255] * 2, abs=0.5 / 2**HALVINGS)


def test_the_ladder_finds_a_flip_that_a_larger_step_leads_back_from():
    class Island(nn.Module):
        """Class 0 but where the mean is between 0.50 and 0.52: reached by a small step, passed by a large one."""

        def forward(self, images):
            mean = images.mean((1, 2, 3))
            return torch.stack([(mean - 0.51).abs() - 0.01, 0 * mean], dim=1)

    found = smallest(classifier(Island(), mean=0.0, std=1.0), halves(125, 125), np.array([0]), "fgsm")
    assert 0.5 - 125 / 255 <= found.epsilon[0] <= LADDER[4] / 255
    assert attacked(
        classifier(Island(), mean=0.0, std=1.0), halves(125, 125), np.array([0]), 0.1, "fgsm"
    ).predicted.tolist() == [0]


def test_the_random_start_is_the_seeds_and_no_other_pictures():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2))
    one = classifier(module)
    images = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 1)).astype(np.uint8)
    classes = one.pixels(torch.from_numpy(images / np.float32(255)).permute(0, 3, 1, 2)).argmax(1).numpy()
    before = torch.get_rng_state()
    whole = attacked(one, images, classes, 0.05, "pgd", seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    alone = attacked(one, images[2:3], classes[2:3], 0.05, "pgd", seed=3)
    assert np.allclose(alone.images[0], whole.images[2], atol=1e-6)
    plain = attacked(one, images, classes, 0.0, "pgd").probabilities[np.arange(5), classes]
    fast = attacked(one, images, classes, 0.05, "fgsm").probabilities[np.arange(5), classes]
    many = whole.probabilities[np.arange(5), classes]
    assert (fast < plain).all()
    assert many.mean() <= fast.mean() + 1e-4
    assert (np.abs(whole.change) <= 0.05 + 1e-6).all()
    assert all(parameter.grad is None for parameter in one.folded.parameters())


def test_what_cannot_be_attacked_is_refused():
    one, images = classifier(), halves(153, 102)
    with pytest.raises(KeyError):
        attacked(one, images, np.array([0]), 0.1, "deepfool")
    for epsilon in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="epsilon"):
            attacked(one, images, np.array([0]), epsilon, "fgsm")
    for classes in ([2], [-1], [0, 0]):
        with pytest.raises(ValueError, match="class"):
            attacked(one, images, np.array(classes), 0.1, "fgsm")
    with pytest.raises(ValueError, match="uint8"):
        attacked(one, images[:, :3], np.array([0]), 0.1, "fgsm")
    with pytest.raises(ValueError, match="most"):
        smallest(one, images, np.array([0]), "fgsm", most=0)
    assert attacked(one, images[:0], np.zeros(0, int), 0.1, "pgd").probabilities.shape == (0, 2)


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already")  # captum's PGD, of itself
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("epsilon", [2 / 255, 0.1])
def test_both_attacks_are_captums(epsilon, targeted, monkeypatch):
    from captum.robust import FGSM, PGD

    torch.manual_seed(4)
    module = build("quick_cnn", channels=3, height=16, width=12, classes=4).eval()
    form = {"classes": list("abcd"), "height": 16, "width": 12, "channels": 3, "mean": [0.4] * 3, "std": [0.3] * 3}
    network = Classifier(module, form)
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 12, 3), dtype=np.uint8)
    classes = np.array([0, 1, 2, 3, 0, 1])
    before = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()

    def sums(logits, labels):
        return loss(logits, labels)[None]

    fgsm = FGSM(network.pixels, sums, 0.0, 1.0)
    fgsm.zero_thresh = 0.0  # a network that is very sure has no other gradients
    wanted = fgsm.perturb(before.clone().requires_grad_(), epsilon, torch.from_numpy(classes), targeted=targeted)
    found = attacked(network, images, classes, epsilon, "fgsm", targeted=targeted)
    np.testing.assert_allclose(found.images, wanted.detach().permute(0, 2, 3, 1).numpy(), atol=1e-6)

    pgd = PGD(network.pixels, sums, 0.0, 1.0)
    pgd.fgsm.zero_thresh = 0.0
    pattern = torch.from_numpy(np.random.default_rng(7).uniform(-1, 1, (3, 16, 12)).astype(np.float32))
    monkeypatch.setattr(pgd, "_random_point", lambda center, radius, _norm, mask: center + pattern * radius * mask)
    wanted = pgd.perturb(
        before.clone().requires_grad_(), epsilon, PACE * epsilon / PGD_STEPS, PGD_STEPS, torch.from_numpy(classes),
        targeted=targeted, random_start=True,
    )  # fmt: skip
    found = attacked(network, images, classes, epsilon, "pgd", targeted=targeted, seed=7)
    np.testing.assert_allclose(found.images, wanted.detach().permute(0, 2, 3, 1).numpy(), atol=1e-5)


def test_photographs_are_attacked_a_few_at_a_time_and_halved_less_often():
    assert at_once((28, 28, 1)) == asked_at_once((28, 28, 1)) == 250
    assert at_once((224, 224, 3)) == 3
    assert at_once((512, 512, 3)) == 1
    assert (halvings((28, 28, 1)), halvings((224, 224, 3))) == (6, 3)


@pytest.mark.parametrize("name", ATTACKS)
def test_whoever_lets_others_ask_in_between_gets_the_same_attack(name):
    taken = []

    class Lock:
        def __enter__(self):
            taken.append(True)

        def __exit__(self, *_):
            taken.append(False)

    own, pictures = classifier(), halves(153, 102, 2)
    asked = Turns(own, Lock())
    wanted = attacked(own, pictures, np.array([0, 0]), 0.11, name, seed=3)
    found = attacked(asked, pictures, np.array([0, 0]), 0.11, name, seed=3)
    np.testing.assert_array_equal(found.images, wanted.images)
    np.testing.assert_array_equal(found.probabilities, wanted.probabilities)
    assert taken == [True, False] * ({"fgsm": 1, "pgd": PGD_STEPS}[name] + 1)
    assert (asked.classes, asked.shape, asked.module) == (own.classes, own.shape, own.module)
    np.testing.assert_array_equal(asked.inputs(pictures), own.inputs(pictures))
