import pytest
import torch

from ml.data import synthetic
from ml.models import MODELS, build, parameter_count
from ml.training.config import TrainConfig
from ml.training.loop import fit

FASHION = {"channels": 1, "height": 28, "width": 28, "classes": 10}
WIDE = {"channels": 3, "height": 40, "width": 32, "classes": 13}


@pytest.mark.parametrize(("name", "count"), [("fashion_cnn", 896_906), ("compact_cnn", 38_154)])
def test_parameters_to_the_letter(name, count):
    assert parameter_count(build(name, **FASHION)) == count


def test_fashion_cnn_layers_to_the_letter():
    kinds = [type(layer).__name__ for layer in build("fashion_cnn", **FASHION).body]
    block = ["Conv2d", "ReLU", "MaxPool2d", "Dropout"]
    assert kinds == [*block, *block, "Conv2d", "ReLU", "Dropout", "Flatten", "Linear", "ReLU", "Dropout"]
    drops = [layer.p for layer in build("fashion_cnn", **FASHION).body if isinstance(layer, torch.nn.Dropout)]
    assert drops == [0.25, 0.25, 0.4, 0.3]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", [FASHION, WIDE])
def test_shapes_follow_the_data(name, form):
    model = build(name, **form)
    images = torch.zeros(2, form["channels"], form["height"], form["width"])
    assert model(images).shape == (2, form["classes"])
    assert torch.equal(model.eval()(images), model.head(model.body(images)))


@pytest.mark.parametrize("name", MODELS)
def test_loss_falls_on_synthetic(name):
    data = synthetic.load("synthetic-4-28x28x1", train=192, validation=16, test=16)
    torch.manual_seed(0)
    config = TrainConfig(model=name, epochs=3, batch_size=32, augment=(), threads=1)
    epochs = list(fit(build(name, channels=1, height=28, width=28, classes=4), data, config))
    assert epochs[-1].train_loss < 0.8 * epochs[0].train_loss


def test_unknown_and_too_small():
    with pytest.raises(KeyError, match="compact_cnn"):
        build("resnet_900", **FASHION)
    with pytest.raises(ValueError, match="22 × 22"):
        build("compact_cnn", channels=1, height=20, width=28, classes=2)
