"""What of a network from elsewhere can be looked into: features where its last layer reads a table."""

import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ml.importing import trial
from ml.importing.understanding import Wishes
from ml.inference import last_layer
from ml.inference.imported import ImportedClassifier, Interface

CLASSES = [f"c{i}" for i in range(5)]
SHAPE = (16, 12, 3)
PICTURES = np.random.default_rng(0).integers(0, 256, (16, *SHAPE), np.uint8)


def body() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
    ).eval()  # fmt: skip


def exported(module: nn.Module, path: Path, *, dynamo: bool = False, shape: tuple[int, int, int] = SHAPE) -> Path:
    """With any number of pictures, by either of torch's exporters."""
    height, width, channels = shape
    example = torch.zeros(2, channels, height, width)
    how = (
        {"dynamic_shapes": ({0: torch.export.Dim("n")},), "verbose": False, "external_data": False}
        if dynamo
        else {"dynamic_axes": {"x": {0: "n"}}, "input_names": ["x"]}
    )
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (example,), str(path), dynamo=dynamo, **how)
    return path


def opened(path: Path, folder: Path, classes: list[str] = CLASSES) -> tuple[ImportedClassifier, list[str]]:
    """As a run has it, and the sentences."""
    kept = folder / "kept.onnx"
    result = trial.examined(path, classes, PICTURES, Wishes(), kept)
    how = Interface.model_validate(result["interface"])
    return ImportedClassifier(kept.read_bytes(), how, classes, SHAPE), result["lines"]


ENDINGS = {
    "linear": lambda: nn.Linear(16, 5),
    "softmax": lambda: nn.Sequential(nn.Linear(16, 5), nn.Softmax(1)),
    "logarithms": lambda: nn.Sequential(nn.Linear(16, 5), nn.LogSoftmax(1)),
    "without bias": lambda: nn.Linear(16, 5, bias=False),
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (16, 1, 1)), nn.Conv2d(16, 5, 1), nn.Flatten()),
    "divided": lambda: Warm(),
}


class Warm(nn.Module):
    """Softmax in its parts, of logits over a temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(16, 5)

    def forward(self, features):
        logits = self.last(features) / 1.7
        large = torch.exp(logits - logits.max(1, keepdim=True).values)
        return large / large.sum(1, keepdim=True)


# of the newer exporter some, which takes seconds each, and whose graph is the same
FORMS = [*((ending, False) for ending in ENDINGS), *((one, True) for one in ("softmax", "linear", "divided"))]


@pytest.mark.parametrize(("ending", "dynamo"), FORMS)
def test_features_are_what_the_last_layer_reads(ending, dynamo, tmp_path):
    front, network = body(), nn.Sequential(body(), ENDINGS[ending]())
    classifier, lines = opened(exported(network, tmp_path / "net.onnx", dynamo=dynamo), tmp_path)
    assert classifier.capabilities == {"probabilities", "features"}
    assert "features: what its last layer reads, 16 numbers" in lines
    probabilities, features = classifier.probabilities_and_features(PICTURES)
    seen = torch.from_numpy(PICTURES / np.float32(255)).permute(0, 3, 1, 2)
    np.testing.assert_allclose(features, front(seen).detach().numpy(), atol=1e-5)
    np.testing.assert_array_equal(features, classifier.features(PICTURES))
    np.testing.assert_allclose(probabilities, classifier.probabilities(PICTURES), atol=1e-7)


class Heads(nn.Module):
    """The mean of two last layers."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.one, self.two = body(), nn.Linear(16, 5), nn.Linear(16, 5)

    def forward(self, pictures):
        features = self.body(pictures)
        return self.one(features) + self.two(features.relu() + 1)


NONE = {
    "pixels alone": lambda: nn.Sequential(nn.Flatten(), nn.Linear(16 * 12 * 3, 5)),
    "two last layers": Heads,
    "maps at the end": lambda: nn.Sequential(body()[:6], nn.Conv2d(16, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
}


@pytest.mark.parametrize("case", NONE)
def test_where_no_last_layer_reads_a_table_that_is_said_and_the_file_stays(case, tmp_path):
    path = exported(NONE[case](), tmp_path / "net.onnx")
    classifier, lines = opened(path, tmp_path)
    assert classifier.capabilities == {"probabilities"}
    assert [line for line in lines if line.startswith("features: none found")]
    assert (tmp_path / "kept.onnx").read_bytes() == path.read_bytes()
    with pytest.raises(ValueError, match="no features"):
        classifier.features(PICTURES)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = body(), NONE["maps at the end"]()

    def forward(self, pictures):
        return self.head(pictures), self.body(pictures)


def test_an_output_that_is_called_so_is_taken_and_one_that_is_no_table_is_not(tmp_path):
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Named().eval(), (torch.zeros(1, 3, 16, 12),), str(path), dynamo=False, input_names=["x"],
            output_names=["logits", "embedding"],
        )  # fmt: skip
    classifier, lines = opened(path, tmp_path)  # one picture at a time
    assert "features: output 'embedding', 16 numbers" in lines
    seen = torch.from_numpy(PICTURES / np.float32(255)).permute(0, 3, 1, 2)
    np.testing.assert_allclose(classifier.features(PICTURES), body()(seen).detach().numpy(), atol=1e-5)
    model = onnx.load(path)
    model.graph.output[1].name = "features"
    model.graph.node.append(helper.make_node("ReduceMean", ["embedding"], ["features"], keepdims=0))
    onnx.save(model, path)
    classifier, lines = opened(path, tmp_path)
    assert classifier.capabilities == {"probabilities"}


def test_a_layer_inside_a_function_of_the_file_is_found(tmp_path):
    """As exporters that keep their parts apart write it."""
    rng = np.random.default_rng(1)
    weights = {
        name: numpy_helper.from_array(rng.normal(size=size).astype(np.float32), name)
        for name, size in (("w1", (576, 7)), ("w2", (7, 5)))
    }
    dense = helper.make_function(
        "parts", "Dense", ["x", "w"], ["y"], [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Dense", ["flat", "w1"], ["hidden"], domain="parts"),
        helper.make_node("Relu", ["hidden"], ["bent"]),
        helper.make_node("Dense", ["bent", "w2"], ["logits"], domain="parts"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 16, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 5])], [*weights.values()],
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("parts", 1)], functions=[dense],
        ir_version=9,
    )  # fmt: skip
    onnx.save(model, tmp_path / "net.onnx")
    classifier, _ = opened(tmp_path / "net.onnx", tmp_path)
    flat = (PICTURES / np.float32(255)).transpose(0, 3, 1, 2).reshape(16, -1)
    hidden = np.maximum(flat @ numpy_helper.to_array(weights["w1"]), 0)
    np.testing.assert_allclose(classifier.features(PICTURES), hidden, rtol=1e-4, atol=1e-4)


def test_what_the_softmax_reads_is_told_from_what_is_inside():
    network = [
        helper.make_node("Softmax", ["attention"], ["shares"]),
        helper.make_node("MatMul", ["shares", "w"], ["numbers"]),
        helper.make_node("Softmax", ["numbers"], ["rows"]),
        helper.make_node("Reshape", ["rows", "size"], ["answer"]),
    ]
    weights = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    size = numpy_helper.from_array(np.array([-1, 3]), "size")
    model = helper.make_model(helper.make_graph(network, "g", [], [], [weights, size]))
    assert last_layer.ends(model, "answer").logits == "numbers"
    assert last_layer.ends(model, "numbers").logits == "numbers"


@pytest.mark.filterwarnings("ignore")
def test_keras_and_scikit_learn_give_theirs(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras, skl2onnx = pytest.importorskip("keras"), pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    network = keras.Sequential([
        keras.Input(SHAPE), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(6, activation="relu"), keras.layers.Dense(5, activation="softmax"),
    ])  # fmt: skip
    network(np.zeros((1, *SHAPE), np.float32))
    network.export(str(tmp_path / "keras.onnx"), format="onnx", verbose=False)
    classifier, lines = opened(tmp_path / "keras.onnx", tmp_path)
    assert "features: what its last layer reads, 6 numbers" in lines
    inner = keras.Model(network.inputs, network.layers[-2].output)
    expected = keras.ops.convert_to_numpy(inner(PICTURES / np.float32(255)))
    np.testing.assert_allclose(classifier.features(PICTURES), expected, atol=1e-5)

    rows = (PICTURES / np.float32(255)).reshape(16, -1)
    labels = np.arange(16) % 5
    for model, found in ((MLPClassifier((7,), max_iter=3), 7), (LogisticRegression(max_iter=5), 0)):
        graph = skl2onnx.to_onnx(model.fit(rows, labels), rows, options={"zipmap": False})
        (tmp_path / "sk.onnx").write_bytes(graph.SerializeToString())
        classifier, lines = opened(tmp_path / "sk.onnx", tmp_path)
        assert ("features" in classifier.capabilities) == bool(found), lines
        if found:
            hidden = np.maximum(rows @ model.coefs_[0] + model.intercepts_[0], 0)
            np.testing.assert_allclose(classifier.features(PICTURES), hidden, atol=1e-4)
