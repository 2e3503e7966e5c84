import pytest
import torch

from ml.training import mixing

N, CLASSES = 400, 7


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def given():
    """Plain pictures whose gray tells their class: 10, 20, … 70."""
    labels = torch.arange(N) % CLASSES
    return ((labels + 1) * 10).to(torch.uint8).view(N, 1, 1, 1).expand(N, 3, 12, 10).contiguous(), labels


def test_without_a_way_to_mix_pictures_and_labels_are_what_they_were_and_no_chance_is_taken(given):
    images, labels = given
    chance = generator()
    found, targets = mixing.mix(images, labels, ("flip", "erase"), CLASSES, chance)
    assert found is images
    assert targets is labels
    assert torch.equal(chance.get_state(), generator().get_state())


@pytest.mark.parametrize("names", [("mixup",), ("cutmix",), ("flip", "mixup", "cutmix")])
def test_a_target_tells_what_share_of_the_picture_is_of_which_class(given, names):
    images, labels = given
    found, targets = mixing.mix(images, labels, names, CLASSES, generator(3))
    assert found.dtype == images.dtype
    assert found.shape == images.shape
    torch.testing.assert_close(targets.sum(1), torch.ones(N))
    grays = torch.arange(10, 80, 10).float()
    torch.testing.assert_close(found.float().mean((1, 2, 3)), targets @ grays, atol=0.51, rtol=0)
    mixed = targets.max(1).values < 1
    assert 100 < mixed.sum() < 220, "half of them, less those that met their own class"
    whole = targets[torch.arange(N), labels] == 1
    assert torch.equal(found[whole], images[whole])
    assert whole.sum() > 0.4 * N


def test_cutmix_takes_a_rectangle_at_its_place_that_grows_to_the_whole():
    ramp = torch.arange(120, dtype=torch.uint8).view(1, 1, 12, 10).expand(N, 1, 12, 10).contiguous()
    found, _ = mixing.cutmix(ramp, ramp + 120, torch.ones(N, dtype=torch.bool), generator())
    hole = found[:, 0] >= 120
    assert torch.equal(found - 120 * hole[:, None].to(torch.uint8), ramp), (
        "whatever is in a hole was there in the other"
    )
    for one in hole[:60]:
        assert torch.equal(one, one.any(1)[:, None] & one.any(0)[None, :])
    parts = hole.float().mean((1, 2))
    assert 0.2 < parts.mean() < 0.45
    assert parts.max() > 0.7


def test_shares_of_mixup_are_a_beta_distribution():
    shares = mixing._beta(20_000, generator())
    wanted = torch.distributions.Beta(mixing.ALPHA, mixing.ALPHA)
    assert abs(shares.mean() - 0.5) < 0.01
    assert abs(shares.var() - wanted.variance) < 0.004
    low, high = ((shares < 0.05).float().mean(), (shares > 0.95).float().mean())
    assert abs(low - high) < 0.02


def test_a_seed_means_the_same(given):
    once, again = (mixing.mix(*given, ("mixup", "cutmix"), CLASSES, generator(5)) for _ in range(2))
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1], again[1])
