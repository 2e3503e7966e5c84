import pytest
import torch
from torch import nn

from ml.models import build
from ml.training.config import TrainConfig
from ml.training.presets import PRESETS

FORM = {"channels": 1, "height": 28, "width": 28, "classes": 4}


@pytest.mark.parametrize("name", ["fashion_cnn", "batchnorm_cnn", "mlp"])
def test_dropout_is_one_number_everywhere(name):
    drops = [layer.p for layer in build(name, **FORM, dropout=0.15).modules() if isinstance(layer, nn.Dropout)]
    assert drops
    assert set(drops) == {0.15}


@pytest.mark.parametrize("name", ["small_resnet", "quick_cnn", "batchnorm_cnn"])
def test_without_batch_norm_convolutions_have_offsets(name):
    model = build(name, **FORM, batch_norm=False)
    assert not any(isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d) for layer in model.modules())
    assert all(layer.bias is not None for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 4)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_recipes(name):
    config = TrainConfig(**PRESETS[name])
    assert build(config.model, **FORM) is not None
