"""A network that was imported as ONNX in int8: made on demand, asked as its own file is, or refused in a sentence."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml import pipeline
from ml.__main__ import main
from ml.artifacts import schema
from ml.artifacts.reader import Library, Missing
from ml.data import load
from ml.evaluation import engines
from ml.inference import int8, onnx_export
from ml.inference.classifier import Classifier
from ml.inference.engines import offered, open_run
from ml.inference.imported import ImportedClassifier, Interface
from tests import own_networks
from tests.conftest import TOY, TOY_RUN

SIDE, CLASSES = 12, ("a", "b", "c")


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def network(*, taken=("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE]), before=(), after=(), given="logits", more=None):
    """A convolution, ReLU, mean over the picture and a dense layer, from 'x' to 'logits'."""
    nodes = [
        *before,
        helper.make_node("Conv", ["x", "kernel", "shift"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["seen"]),
        helper.make_node("GlobalAveragePool", ["seen"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
        helper.make_node("Gemm", ["features", "dense", "bias"], ["logits"], transB=1),
        *after,
    ]
    batch = taken[2][0]
    arrays = {
        "kernel": weights(16, 3, 3, 3), "shift": weights(16, 1)[:, 0], "dense": 40 * weights(3, 16, seed=1),
        "bias": np.zeros(3, np.float32), **(more or {}),
    }  # fmt: skip
    outputs = [helper.make_tensor_value_info(given, TensorProto.FLOAT, [batch, 3])]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info(*taken)], outputs,
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def asked(**more) -> Interface:
    usual = {
        "input": "x", "type": "tensor(float)", "layout": "nchw", "height": SIDE, "width": SIDE, "channels": 3,
        "batch": 0, "mean": (0.5,), "deviation": (0.25,), "output": "logits", "numbers": "logits", "order": (2, 0, 1),
    }  # fmt: skip
    return Interface(**{**usual, **more})


def bytes_in() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["f", "whole"], ["s"]),
        helper.make_node("Transpose", ["s"], ["x"], perm=[0, 3, 1, 2]),
    ]


FORMS = {
    "float": (network(), asked()),
    "four at a time": (network(taken=("x", TensorProto.FLOAT, [4, 3, SIDE, SIDE])), asked(batch=4)),
    "bytes": (
        network(
            taken=("images", TensorProto.UINT8, ["n", SIDE, SIDE, 3]), before=bytes_in(),
            more={"whole": np.float32(255)},
        ),
        asked(input="images", type="tensor(uint8)", layout="nhwc", mean=(0.0,), deviation=(1.0,)),
    ),
    "probabilities": (
        network(after=[helper.make_node("Softmax", ["logits"], ["p"], axis=1)], given="p"),
        asked(output="p", numbers="probabilities"),
    ),
}  # fmt: skip


def pictures(n: int, size: int = SIDE) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [SIDE, 20])
def test_it_is_asked_as_its_own_file_is_and_says_nearly_the_same(form, size):
    model, how = FORMS[form]
    graph, shape = model.SerializeToString(), (size, size, 3)
    small = int8.of_imported(graph, how, pictures(90, size))
    assert small == int8.of_imported(graph, how, pictures(90, size)), "equal bytes"
    own = ImportedClassifier(graph, how, CLASSES, shape)
    less = own.replaced(small)
    seen = np.concatenate([pictures(101, size), np.zeros((1, *shape), np.uint8)])
    said, expected = (one.probabilities(seen) for one in (less, own))
    assert 0 < np.abs(said - expected).max() < 0.15
    assert (said.argmax(1) == expected.argmax(1)).mean() > 0.9
    assert not less.capabilities - {"probabilities"}


def test_what_answers_and_what_scales_pixels_stays_as_it_is():
    nodes = onnx.load_from_string(
        int8.of_imported(FORMS["bytes"][0].SerializeToString(), FORMS["bytes"][1], pictures(9))
    )
    makers = {name: node for node in nodes.graph.node for name in node.output}
    gemm = next(node for node in nodes.graph.node if node.op_type == "Gemm")
    conv = next(node for node in nodes.graph.node if node.op_type == "Conv")
    assert "dense" in gemm.input, "in float32"
    assert {makers[name].op_type for name in conv.input if name in makers} == {"DequantizeLinear"}
    assert any(node.op_type == "Div" for node in nodes.graph.node)


def half() -> onnx.ModelProto:
    model = network()
    for tensor in list(model.graph.initializer):
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        )
    return model


def bare() -> onnx.ModelProto:
    nodes = [helper.make_node("ReduceMean", ["x"], ["logits"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def small() -> onnx.ModelProto:
    return onnx.load_from_string(int8.of_imported(network().SerializeToString(), asked(), pictures(9)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (half, "float32"),
        (bare, "no convolutions or dense layers"),
        (small, "already"),
    ],
)  # fmt: skip
def test_where_nothing_is_to_be_gained_it_is_said(model, words):
    with pytest.raises(ValueError, match=words):
        int8.of_imported(model().SerializeToString(), asked(), pictures(9))
    with pytest.raises(ValueError, match="none here"):
        int8.of_imported(network().SerializeToString(), asked(), pictures(0))


def test_a_last_layer_alone_is_left(own_home, tmp_path):
    """It answers, so it stays in float32, and there is nothing else."""
    place = own_networks.network(load(TOY, home=own_home), tmp_path / "net.onnx")
    how = asked(input="pixels", height=28, width=28, channels=1, order=(0, 1, 2, 3))
    with pytest.raises(ValueError, match="but its last one"):
        int8.of_imported(place.read_bytes(), how, pictures(9, 28)[..., :1])


def test_an_imported_run_is_measured_and_answers_by_it(own_home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engines, "ROUNDS", 1)
    library = Library(own_home / "none", own_home)
    (tmp_path / "net.onnx").write_bytes(onnx_export.graph(Classifier.open(library.open(TOY_RUN))))
    assert main(["runs", "add", "theirs", "--data", TOY, "--network", str(tmp_path / "net.onnx"), "--as-stated"]) == 0
    run = library.open("theirs")
    assert offered(run.manifest) == {"torch": "onnxruntime", "int8": "int8"}
    with pytest.raises(Missing) as missing:
        open_run(run, "int8")
    assert missing.value.command == "python -m ml evaluate theirs --only int8"
    assert pipeline.evaluate(library, "theirs", ["engines"]) == ["engines"]
    run = library.open("theirs")
    table = run.table("engines")
    schema.NOUNS["engines"].check(table)
    assert table["engine"].tolist() == ["onnx", "int8"]
    assert table["bytes"].tolist() == [len(run.network()), len(run.graph("int8"))]
    assert table["agreement"].tolist()[0] == 1 > table["difference"].tolist()[1] > 0
    assert table["agreement"].tolist()[1] > 0.9
    capsys.readouterr()
    images = np.asarray(load(TOY, home=own_home)["test"].images[:20])
    said, expected = (open_run(run, name).probabilities(images) for name in ("int8", "torch"))
    assert 0 < np.abs(said - expected).max() <= table["difference"].tolist()[1] + 1e-6
