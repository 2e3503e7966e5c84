"""A network as ONNX and in int8 against the network itself."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from ml import models
from ml.artifacts.reader import Library, Missing
from ml.inference import int8, onnx_export
from ml.inference.classifier import Classifier
from ml.inference.onnx import OnnxClassifier
from ml.models.efficientnet_lite import Conv2dSame

onnx = pytest.importorskip("onnx", reason="pip install -r requirements-onnx.txt")


def data(height=28, width=28, channels=1, classes=4):
    """What a manifest says of its data set; every channel scaled by numbers of its own."""
    mean, std = [0.29, 0.4, 0.5][:channels], [0.35, 0.3, 0.25][:channels]
    names = [f"class {i}" for i in range(classes)]
    return {"classes": names, "height": height, "width": width, "channels": channels, "mean": mean, "std": std}


def untrained(model, **shape):
    about = data(**shape)
    torch.manual_seed(0)
    sizes = {key: about[key] for key in ("height", "width", "channels")}
    return Classifier(models.build(model, classes=len(about["classes"]), **sizes), about), about


def pictures(n, about, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, about["height"], about["width"], about["channels"]), dtype=np.uint8)


@pytest.fixture(scope="module")
def library(toy_home):
    return Library(toy_home, toy_home)


@pytest.fixture(scope="module")
def toy(library):
    """The toy run's network, and its pictures by split."""
    run = library.open("toy")
    about = run.manifest["dataset"]
    return Classifier.open(run), about, {s: library.pictures(about["name"], s) for s in ("reference", "test")}


@pytest.fixture(scope="module")
def graph(toy):
    return onnx_export.graph(toy[0])


@pytest.fixture(scope="module")
def small(toy, graph):
    return int8.quantised(graph, toy[2]["reference"].images)


def kinds(graph):
    return [node.op_type for node in onnx.load_from_string(graph).graph.node]


@pytest.mark.parametrize("n", [1, 3, 260])
def test_onnx_says_what_torch_says(toy, graph, n):
    classifier, about, splits = toy
    images = splits["test"].images[:n]
    served = OnnxClassifier(graph, about)
    assert np.abs(served.probabilities(images) - classifier.probabilities(images)).max() < 1e-5
    logits, features = served.logits_and_features(images)
    assert np.allclose(logits, classifier.logits_and_features(images)[0], atol=1e-4)
    assert np.allclose(features, classifier.features(images), atol=1e-4)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("small_resnet", {"channels": 3}),  # batch normalisation and shortcuts
        ("small_vit", {"height": 30, "width": 26}),  # attention, padding
        ("patch_cnn", {"height": 18, "channels": 3}),  # maps flattened place by place, a dense layer's normalisation
        ("mlp", {"height": 9, "width": 7, "channels": 3, "classes": 2}),
    ],
)
def test_other_networks_and_pictures_too(model, shape):
    classifier, about = untrained(model, **shape)
    served = OnnxClassifier(onnx_export.graph(classifier), about)
    for n in (1, 5):
        images = pictures(n, about)
        for one, other in zip(
            served.logits_and_features(images), classifier.logits_and_features(images), strict=True
        ):  # fmt: skip
            assert np.abs(one - other).max() < 1e-4


def test_uneven_padding_is_that_of_the_network():
    net = nn.Sequential()
    net.body = nn.Sequential(Conv2dSame(1, 3, 3, 2), Conv2dSame(3, 2, 5, 2), nn.Flatten())
    net.head = nn.Linear(2 * 3 * 3, 4)
    net.forward = lambda images: net.head(net.body(images))
    about = data(height=9, width=11)
    classifier = Classifier(net, about)
    images = pictures(2, about)
    served = OnnxClassifier(onnx_export.graph(classifier), about)
    assert np.abs(served.probabilities(images) - classifier.probabilities(images)).max() < 1e-5


def test_the_file_says_what_it_takes_and_means(toy, graph, small):
    for file in (graph, small):
        model = onnx.load_from_string(file)
        told = {prop.key: prop.value for prop in model.metadata_props}
        assert tuple(json.loads(told["classes"])) == toy[0].classes
        assert [(part.domain, part.version) for part in model.opset_import if not part.domain] == [
            ("", onnx_export.OPSET)
        ]
        (entry,) = model.graph.input
        assert entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert [part.dim_param or part.dim_value for part in entry.type.tensor_type.shape.dim] == ["n", 28, 28, 1]
        assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert told["calibration"].endswith("training pictures, seed 0")


def test_equal_networks_are_equal_bytes(toy, graph, small):
    assert onnx_export.graph(toy[0]) == graph
    assert int8.quantised(graph, toy[2]["reference"].images) == small


def test_int8_is_small_and_says_nearly_the_same(toy, graph, small):
    classifier, about, splits = toy
    images = splits["test"].images
    held, said = classifier.probabilities(images), OnnxClassifier(small, about).probabilities(images)
    assert len(small) < 0.4 * len(graph)  # 38,000 weights; names and scales weigh more here than in a real network
    assert (said.argmax(1) == held.argmax(1)).mean() > 0.98
    assert 0 < np.abs(said - held).mean() < 0.02
    assert kinds(small).count("Conv") == 3


def test_int8_weights_are_symmetric_one_scale_a_channel_and_seven_bits(small):
    model = onnx.load_from_string(small)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weights, scale = (tensors[name] for name in makers[node.input[1]].input)  # a zero point of zero is unsaid
            assert weights.dtype == np.int8
            assert np.abs(weights.astype(int)).max() <= 64
            assert scale.shape == (len(weights),)


def test_pixels_go_in_as_they_are_where_that_changes_nothing(toy, small, monkeypatch):
    classifier, about, splits = toy
    images = splits["test"].images
    assert not {"Cast", "Sub", "Mul"} & set(kinds(small))
    said = OnnxClassifier(small, about).logits_and_features(images)
    monkeypatch.setattr(int8, "_bare", lambda *_: None)
    longer = int8.quantised(onnx_export.graph(classifier), splits["reference"].images)
    assert {"Cast", "Sub", "Mul"} <= set(kinds(longer))
    for one, other in zip(said, OnnxClassifier(longer, about).logits_and_features(images), strict=True):
        assert np.array_equal(one, other)


def test_channels_of_different_scales_are_scaled_before():
    classifier, about = untrained("mlp", height=8, width=8, channels=3)
    graph = onnx_export.graph(classifier)
    small = int8.quantised(graph, pictures(64, about))
    assert {"Cast", "Sub", "Mul"} <= set(kinds(small))
    images = pictures(50, about, seed=1)
    held = classifier.probabilities(images)
    assert np.abs(OnnxClassifier(small, about).probabilities(images) - held).max() < 0.05


def test_what_cannot_be_done_is_said(toy, graph, monkeypatch):
    with pytest.raises(ValueError, match="training pictures"):
        int8.quantised(graph, toy[2]["test"].images[:0])

    class Strange(nn.Module):
        def forward(self, images):
            return torch.special.bessel_j0(images.flatten(1))

    net = nn.Sequential()
    net.body, net.head = Strange(), nn.Linear(784, 4)
    net.forward = lambda images: net.head(net.body(images))
    with pytest.raises(ValueError, match="cannot be written as ONNX"):
        onnx_export.graph(Classifier(net, data()))
    monkeypatch.setattr("ml.inference.onnx.find_spec", lambda name: None)
    with pytest.raises(Missing, match="onnx is not installed") as missing:
        onnx_export.graph(toy[0])
    assert missing.value.command == "pip install -r requirements-onnx.txt"


def test_zeros_before_a_maximum_count_in_int8_too(tmp_path):
    """What onnxruntime's own preparation would fold away; see findings/zeros-around-a-maximum.sh."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    from ml.inference.onnx import CHANGING

    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"]), helper.make_node("MaxPool", ["padded"], ["y"],
                                                                              kernel_shape=[2, 2], strides=[2, 2])
    ]  # fmt: skip
    slots = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 2, 2]) for name in "xy"]
    pads = helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1])
    made = helper.make_graph(nodes, "g", slots[:1], slots[1:], [pads])
    place = str(tmp_path / "net.onnx")
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), place)
    int8._optimised(place)
    session = onnxruntime.InferenceSession(place, providers=["CPUExecutionProvider"], disabled_optimizers=CHANGING)
    assert not session.run(None, {"x": -np.ones((1, 1, 2, 2), np.float32)})[0].any()


def test_convolutions_of_large_maps_stay_in_float32():
    """What they make is 96 × 96 and more; the rest is in eight bits."""
    about = {"classes": ["a", "b"], "height": 100, "width": 100, "channels": 1, "mean": [0.5], "std": [0.25]}
    torch.manual_seed(0)
    module = models.build("small_vgg", channels=1, height=100, width=100, classes=2)
    images = np.random.default_rng(0).integers(0, 256, (8, 100, 100, 1), dtype=np.uint8)
    model = onnx.load_from_string(int8.quantised(onnx_export.graph(Classifier(module, about)), images))
    makers = {node.output[0]: node.op_type for node in model.graph.node}
    eight = [makers.get(node.input[1]) == "DequantizeLinear" for node in model.graph.node if node.op_type == "Conv"]
    assert eight == [False, False, True, True, True, True]
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = [value for value in tensors.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(weights) == 4
    assert all(np.abs(value.astype(int)).max() > 64 for value in weights), "of photographs all eight bits are used"
