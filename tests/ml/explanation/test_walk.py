"""Every number of a walk is what the network itself said, and its arithmetic adds up to it."""

import numpy as np
import pytest
import torch
from torch import nn

from ml.explanation.walk import Added, Bent, Largest, Products, Scaled, arithmetic, stops
from ml.models import MODELS, build


def network(*layers: nn.Module) -> nn.Module:
    """A body of these layers."""
    module = nn.Module()
    module.body = nn.Sequential(*layers)
    return module.eval()


def test_a_convolution_by_hand():
    conv = nn.Conv2d(2, 1, 2, bias=True)
    conv.weight.data = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, -1.0]]]])
    conv.bias.data = torch.tensor([0.5])
    picture = torch.tensor([[[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 3.0, 5.0]]]])
    module = network(conv)
    walked = stops(module, picture)
    assert [(stop.name, stop.kind, stop.inside) for stop in walked] == [("body.0", "Conv2d", False)]
    found = arithmetic(module, walked, 0, 0, 0, 1)
    assert isinstance(found, Products)
    # first map: 0·1 + 2·2 + 1·3 + 0·4 = 7, second: 5·(−1) = −5
    assert found.parts.tolist() == [7.0, -5.0]
    assert found.inputs[0].tolist() == [[0.0, 2.0], [1.0, 0.0]]
    assert (found.value, found.bias, found.window) == (2.5, 0.5, (0, 1, 2, 2))


def test_the_other_layers_by_hand():
    norm = nn.BatchNorm2d(1, eps=0.0)
    norm.running_mean[:], norm.running_var[:] = 2.0, 4.0
    norm.weight.data[:], norm.bias.data[:] = 3.0, 1.0
    picture = torch.tensor([[[[0.0, 2.0], [4.0, -2.0]]]])
    module = network(norm, nn.ReLU(), nn.MaxPool2d(2, 1))
    walked = stops(module, picture)
    assert arithmetic(module, walked, 0, 0, 1, 0) == Scaled(4.0, 4.0, 2.0, 2.0, 3.0, 1.0)
    assert arithmetic(module, walked, 1, 0, 0, 0) == Bent(0.0, -2.0)
    assert [stop.kind for stop in walked] == ["BatchNorm2d", "ReLU"], "one place is no map"
    large = network(nn.MaxPool2d(2, 2))
    found = arithmetic(large, stops(large, picture.tile(1, 1, 2, 2)), 0, 0, 1, 1)
    assert isinstance(found, Largest)
    assert (found.value, found.window, found.inputs.tolist()) == (4.0, (2, 2, 2, 2), [[0.0, 2.0], [4.0, -2.0]])


@pytest.mark.parametrize("name", MODELS)
def test_every_network_can_be_walked_and_adds_up(name):
    torch.manual_seed(0)
    channels, height, width = (1, 24, 28) if name != "small_vit" else (3, 20, 28)
    module = build(name, channels=channels, height=height, width=width, classes=5).eval()
    for layer in module.modules():  # as after training, not as at the start
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.normal_(layer.bias)
    picture = torch.rand(1, channels, height, width)
    walked = stops(module, picture)
    assert not any(module.get_submodule(stop.name)._forward_hooks for stop in walked)
    if name == "mlp":
        assert walked == []
        return
    kinds = {}
    rng = np.random.default_rng(0)
    for place, stop in enumerate(walked):
        assert stop.maps.ndim == 3
        assert stop.maps[0].size > 1
        at = [int(rng.integers(size)) for size in stop.maps.shape]
        for where in (at, [at[0], 0, 0], [at[0], stop.maps.shape[1] - 1, stop.maps.shape[2] - 1]):
            found = arithmetic(module, walked, place, *where)
            assert found.value == stop.maps[tuple(where)]
            close = {"rel": 1e-4, "abs": 1e-4 * max(1.0, float(np.abs(stop.maps).max()))}
            if isinstance(found, Products):
                assert found.parts.sum() + found.bias == pytest.approx(found.value, **close)
                np.testing.assert_allclose(
                    (found.inputs * found.weights).sum((1, 2)), found.parts, rtol=1e-4, atol=1e-3
                )
            elif isinstance(found, Largest):
                assert np.nanmax(found.inputs) == found.value
            elif isinstance(found, Scaled):
                told = (found.given - found.mean) / found.spread * found.gain + found.offset
                assert told == pytest.approx(found.value, **close)
            elif isinstance(found, Added):
                total = found.first + found.second
                assert (max(total, 0) if found.bent else total) == pytest.approx(found.value, **close)
            kinds.setdefault(stop.kind, set()).add(type(found))
    assert kinds["Conv2d"] | kinds.get("Conv2dSame", {Products}) == {Products}
    if name in ("small_resnet", "resnet18"):
        assert kinds["Residual" if name == "small_resnet" else "BasicBlock"] == {Added}
    if name == "small_vit":
        assert walked[-1].maps.shape == (128, 7, 7), "20 × 28 is padded to 28 × 28"
    body = walked[0]
    with torch.no_grad():
        first = module.get_submodule(body.name)(picture)
    np.testing.assert_array_equal(body.maps, first[0].numpy())
