"""A first layer made of patches of the training pictures, and what training does with it."""

import pytest
import torch

from ml.data import synthetic
from ml.models import build
from ml.models.patch_cnn import FLAT, Flatten, whitening
from ml.training.config import TrainConfig
from ml.training.loop import fit


@pytest.fixture(scope="module")
def data():
    return synthetic.load("synthetic-4-16x12x3", train=96, validation=12, test=8)


def network():
    torch.manual_seed(2)
    return build("patch_cnn", channels=3, height=16, width=12, classes=4)


def config(**changes):
    choices = {"model": "patch_cnn", "optimiser": "muon", "epochs": 2, "batch_size": 32, "threads": 1}
    return TrainConfig(**{**choices, **changes})


def test_what_the_kernels_say_varies_alike_and_of_its_own():
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(4000, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 3
    kernels = whitening(patches, 12)
    assert torch.equal(kernels[6:], -kernels[:6]), "both signs, since a ReLU follows"
    variances = torch.linalg.eigvalsh(patches.T.cov(correction=0)).flip(0)
    expected = torch.diag(variances / (variances + FLAT))
    torch.testing.assert_close((patches @ kernels[:6].T).T.cov(correction=0), expected, atol=2e-3, rtol=2e-3)
    main = whitening(patches, 4)
    torch.testing.assert_close(main[:2].abs(), kernels[:2].abs())


def test_pictures_of_one_colour_make_kernels_all_the_same():
    kernels = whitening(torch.full((50, 16), 0.3), 32)
    assert kernels.isfinite().all()
    assert kernels.norm(dim=1).tolist() == pytest.approx([FLAT**-0.5] * 32)


def test_training_makes_the_first_layer_and_leaves_it(data):
    models = [network(), network()]
    assert not models[0].learned
    weights = []
    for model, epochs in zip(models, (1, 2), strict=True):
        list(fit(model, data, config(epochs=epochs)))
        assert model.learned
        weights.append(model.computed.weight.detach().clone())
    assert torch.equal(*weights), "the longer training moved it"
    assert not torch.equal(weights[0], network().computed.weight)
    assert not torch.equal(models[0].body[3].weight, models[1].body[3].weight)
    assert all(value.requires_grad for value in models[0].parameters()), "for counts and for the next training"


def test_a_training_that_starts_from_another_keeps_its_first_layer(data):
    first, second = network(), network()
    list(fit(first, data, config(seed=1)))
    second.load_state_dict(first.state_dict())
    list(fit(second, data, config(seed=9)))
    assert torch.equal(first.computed.weight, second.computed.weight)
    other = network()
    list(fit(other, data, config(seed=9)))
    assert not torch.equal(first.computed.weight, other.computed.weight), "patches are drawn by the seed"


def test_a_dense_layer_reads_places_in_the_order_of_memory():
    maps = torch.arange(2 * 3 * 2 * 2).view(2, 3, 2, 2)
    flat = Flatten()(maps)
    assert flat.shape == (2, 12)
    assert flat[0, :3].tolist() == maps[0, :, 0, 0].tolist()
    inner = maps.contiguous(memory_format=torch.channels_last)
    assert Flatten()(inner).data_ptr() == inner.data_ptr()


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="8 × 8"):
        build("patch_cnn", channels=1, height=7, width=28, classes=2)
