"""A network that answers by a picture and its mirror image: the mean of two answers, wherever it is asked."""

import numpy as np
import pytest
import torch

from ml import models
from ml.explanation import grad_cam, gradients, integrated, occlusion
from ml.explanation.walk import stops
from ml.inference.classifier import Classifier
from ml.models import MODELS

SIZES = {"channels": 1, "height": 28, "width": 28, "classes": 4}
ABOUT = {
    "classes": [f"class {i}" for i in range(4)], "height": 28, "width": 28, "channels": 1, "mean": [0.3], "std": [0.35],
}  # fmt: skip


def pair(name="quick_cnn"):
    """The same weights, looking once and twice."""
    torch.manual_seed(0)
    once = models.build(name, **SIZES).eval()
    for layer in once.modules():  # as after training, not as made
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    once.head.weight.data.normal_(0, 0.1)  # the transformer's begins with zeros
    both = models.build(name, **SIZES, mirrored=True).eval()
    both.load_state_dict(once.state_dict())
    return once, both


def inputs(n=3):
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def pictures(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_is_the_mean_of_two(name):
    if name.startswith("efficientnet"):
        pytest.importorskip("timm")
    once, both = pair(name)
    with torch.inference_mode():
        x = inputs()
        assert both(x).numpy() == pytest.approx((once(x) + once(x.flip(-1))).numpy() / 2, abs=2e-5)
        assert both(x.flip(-1)).numpy() == pytest.approx(both(x).numpy(), abs=2e-5)
        assert both.body(x).shape == once.body(x).shape


def test_in_training_it_looks_once():
    once, both = pair("fashion_cnn")
    once.train(), both.train()
    for network in (once, both):
        torch.manual_seed(3)
        network.made = network(inputs())
    assert torch.equal(once.made, both.made)


def test_features_and_what_layers_say_are_of_both_looks():
    once, both = (Classifier(network, ABOUT) for network in pair())
    shown = pictures()
    turned = np.ascontiguousarray(shown[:, :, ::-1])
    features = (once.features(shown) + once.features(turned)) / 2
    logits, said = both.logits_and_features(shown)
    assert said == pytest.approx(features, abs=1e-5)
    assert logits == pytest.approx(
        (once.logits_and_features(shown)[0] + once.logits_and_features(turned)[0]) / 2, abs=1e-5
    )
    assert both.statistics(shown) == pytest.approx((once.statistics(shown) + once.statistics(turned)) / 2, abs=1e-5)
    probabilities, features, statistics = both.everything(shown)
    assert features.shape == said.shape
    assert probabilities == pytest.approx(both.probabilities(shown), abs=1e-6)
    assert both.breadth() == once.breadth() == statistics.shape[1]
    assert both.layers() == once.layers()


def test_onnx_and_int8_look_twice_too():
    pytest.importorskip("onnx", reason="pip install -r requirements-onnx.txt")
    from ml.inference import int8, onnx_export
    from ml.inference.onnx import OnnxClassifier

    both = Classifier(pair("wide_resnet")[1], ABOUT)
    graph = onnx_export.graph(both)
    for n in (1, 5):
        assert OnnxClassifier(graph, ABOUT).probabilities(pictures(n)) == pytest.approx(
            both.probabilities(pictures(n)), abs=1e-5
        )
    small = OnnxClassifier(int8.quantised(graph, pictures(64)), ABOUT)
    turned = np.ascontiguousarray(pictures()[:, :, ::-1])
    assert small.probabilities(turned) == pytest.approx(small.probabilities(pictures()), abs=1e-5)
    assert small.probabilities(pictures()) == pytest.approx(both.probabilities(pictures()), abs=0.1)


@pytest.mark.parametrize("way", [gradients, integrated, occlusion, grad_cam], ids=lambda way: way.__name__[15:])
@pytest.mark.parametrize("name", ["quick_cnn", "wide_resnet", "small_vit"])
def test_a_picture_and_its_mirror_image_are_explained_alike(way, name):
    """What a look on the mirror image finds is laid back where it lies in the picture."""
    _, both = pair(name)
    x, targets = inputs(), torch.tensor([0, 1, 2])
    maps = way.raw(both, x, targets, "")
    assert maps.amax() > 0
    turned = way.raw(both, x.flip(-1), targets, "").flip(-1)
    assert maps.numpy() == pytest.approx(turned.numpy(), abs=1e-4 * float(maps.amax()))


def test_layers_are_shown_as_of_the_picture_that_stands_there():
    once, both = pair("quick_cnn")
    x = inputs(1)
    for one, other in zip(stops(once, x), stops(both, x), strict=True):
        assert one.name == other.name
        assert other.maps == pytest.approx(one.maps, abs=1e-5)
