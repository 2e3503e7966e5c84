"""Imported networks in torch: the answers of onnxruntime, with gradients, whatever form they came in."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ml.explanation.methods import EXPLANATIONS
from ml.importing import inside, trial
from ml.importing.understanding import Wishes
from ml.inference import onnx_export, rebuilt
from ml.inference.classifier import Classifier
from ml.inference.imported import ImportedClassifier, Interface
from ml.models import build
from ml.robustness.attacks import attacked

CLASSES, SHAPE = ["a", "b", "c"], (16, 12, 3)
PICTURES = np.random.default_rng(0).integers(0, 256, (32, *SHAPE), np.uint8)
HOW = {
    "input": "x", "type": "tensor(float)", "layout": "nchw", "height": 16, "width": 12, "channels": 3, "batch": 0,
    "mean": (0.0,), "deviation": (1.0,), "output": "y", "numbers": "logits", "order": (0, 1, 2),
}  # fmt: skip
WEIGHTS = np.random.default_rng(1).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
LAST = np.random.default_rng(2).normal(0, 0.5, (4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(4)
    module = build("quick_cnn", channels=3, height=16, width=12, classes=3).eval()
    form = {"classes": CLASSES, "height": 16, "width": 12, "channels": 3, "mean": [0.4] * 3, "std": [0.3] * 3}
    return Classifier(module, form)


def graph(
    before: list = (), after: list = (), *, end: str = "logits", given: list = ("n", 3, 16, 12),
    kind: int = TensorProto.FLOAT, names: dict[str, str] | None = None,
) -> bytes:  # fmt: skip
    """A convolution, a mean over the picture and a last layer. before: nodes from x to seen; after: from logits on."""
    nodes = [
        *before,
        helper.make_node("Conv", ["seen" if before else "x", "w"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["bent"]),
        helper.make_node("ReduceMean", ["bent", "axes"], ["mean"], keepdims=0),
        helper.make_node("Identity", ["last"], ["turned"]),
        helper.make_node("MatMul", ["mean", "turned"], ["logits"]),
        *after,
    ]
    tensors = [
        numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(LAST, "last"),
        numpy_helper.from_array(np.array([2, 3]), "axes"),
    ]  # fmt: skip
    for i, node in enumerate(nodes):
        node.input[:] = [(names or {}).get(name, name) for name in node.input]
        node.output[:] = [(names or {}).get(name, name) for name in node.output]
        node.name = f"{names['']}{i}" if names else ""
    whole = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, given)],
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, None)], tensors,
    )  # fmt: skip
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


FORMS = {
    "logits": (graph(), {"output": "logits"}),
    "softmax": (
        graph(after=[helper.make_node("Softmax", ["logits"], ["y"], axis=1)], end="y"), {"numbers": "probabilities"}
    ),
    "another order": (graph(), {"output": "logits", "order": (2, 0, 1), "bgr": True}),
    "bytes, channels last": (
        graph([
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["t"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["f", "full"], ["seen"]),
        ], given=["n", 16, 12, 3], kind=TensorProto.UINT8),
        {"output": "logits", "type": "tensor(uint8)", "layout": "nhwc"},
    ),
    "one at a time": (graph(given=[1, 3, 16, 12]), {"output": "logits", "batch": 1}),
    "another size": (
        graph(given=["n", 3, 24, 24]),
        {"output": "logits", "height": 24, "width": 24, "mean": (0.5,), "deviation": (0.25,)},
    ),
}  # fmt: skip


def form(name: str) -> tuple[bytes, Interface]:
    content, how = FORMS[name]
    model = onnx.load_model_from_string(content)
    model.graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), "full"))
    return model.SerializeToString(), Interface(**{**HOW, **how})


@pytest.mark.parametrize("name", FORMS)
def test_answers_agree_and_gradients_are_those_of_the_pixels(name):
    content, how = form(name)
    assert inside.gradients(content, how, PICTURES, CLASSES) == ("", True)
    network = ImportedClassifier(content, how, CLASSES, SHAPE, gradients=True)
    assert "gradients" in network.capabilities
    found = network.differentiable
    inputs = found.inputs(PICTURES[:3])
    with torch.no_grad():
        said = found.pixels(inputs).softmax(1).numpy()
    near = 2e-3 if name == "another size" else 1e-5  # Pillow rounds what it has resized
    np.testing.assert_allclose(said, network.probabilities(PICTURES[:3]), atol=near)
    for way, explanation in EXPLANATIONS.items():
        raw = explanation.raw(found.module, inputs, torch.tensor([0, 1, 2]), "").numpy()
        assert raw.shape == (3, 16, 12), way
        assert raw.any()
        alone = [explanation.raw(found.module, inputs[i : i + 1], torch.tensor([i]), "")[0].numpy() for i in range(3)]
        np.testing.assert_allclose(raw, np.stack(alone), atol=1e-5, err_msg=way)


def test_it_is_explained_and_attacked_as_the_network_it_came_from(trained, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_export.graph(trained))
    result = trial.examined(path, CLASSES, PICTURES, Wishes(), tmp_path / "kept.onnx")
    content = (tmp_path / "kept.onnx").read_bytes()
    result |= trial.looked_into(result, content, CLASSES, PICTURES)
    assert result["lines"][-1] == "gradients: torch computes it to the same answers"
    how = Interface.model_validate(result["interface"])
    network = ImportedClassifier(content, how, CLASSES, SHAPE, gradients=result["gradients"])
    targets = torch.tensor([0, 1, 2, 0])
    for way, near in (("integrated", 1e-4), ("occlusion", 1e-5)):
        mine, theirs = (
            EXPLANATIONS[way].raw(one.module, one.inputs(PICTURES[:4]), targets, "").numpy()
            for one in (network.differentiable, trained)
        )
        np.testing.assert_allclose(mine, theirs, atol=near, err_msg=way)
    classes = trained.probabilities(PICTURES[:6]).argmax(1)
    mine, theirs = (
        attacked(one, PICTURES[:6], classes, 0.05, "pgd", seed=1) for one in (network.differentiable, trained)
    )
    assert (np.abs(mine.images - theirs.images) < 1e-4).mean() > 0.99
    np.testing.assert_allclose(mine.probabilities, theirs.probabilities, atol=1e-3)


def test_names_in_a_file_never_become_a_program(tmp_path):
    """torch writes one from the names within a graph; whatever stands in them is only a name."""
    mark = tmp_path / "ran"
    code = f'x"), open({str(mark)!r}, "w").close(), getattr(self, "'
    names = {
        "": code,
        "maps": code + "maps",
        "bent": f"import os\n{code}",
        "mean": "self.__class__",
        "logits": "a.b['c']",
    }
    content, how = graph(names=names, end=names["logits"]), Interface(**{**HOW, "output": names["logits"]})
    assert inside.gradients(content, how, PICTURES, CLASSES) == ("", True)
    assert not mark.exists()
    network = rebuilt.Logits(content, how).network
    assert all(name.isidentifier() for name, _ in network.named_children())


@pytest.mark.parametrize("where", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("kind", ["Conv", "MaxPool"])
def test_padding_said_by_its_outcome_is_rebuilt(where, kind):
    """As converters of JAX and TensorFlow write it."""
    kernel = {"kernel_shape": [4, 3]} if kind == "MaxPool" else {}
    given = ["x", *(["w3"] if kind == "Conv" else [])]
    first = helper.make_node(kind, given, ["seen"], auto_pad=where, strides=[2, 2], **kernel)
    model = onnx.load_model_from_string(graph([first]))
    model.graph.initializer.append(numpy_helper.from_array(WEIGHTS[:3], "w3"))
    how = Interface(**{**HOW, "output": "logits"})
    assert inside.gradients(model.SerializeToString(), how, PICTURES, CLASSES) == ("", True)


def test_statistics_of_batches_stay_as_they_are():
    """Of a normalisation that no convolution before it takes up, as in pre-activation networks."""
    first = helper.make_node("BatchNormalization", ["x", "scale", "scale", "mean_of", "scale"], ["seen"])
    model = onnx.load_model_from_string(graph([first]))
    for name, value in (("scale", 1.5), ("mean_of", 0.4)):
        model.graph.initializer.append(numpy_helper.from_array(np.full(3, value, np.float32), name))
    how = Interface(**{**HOW, "output": "logits"})
    assert inside.gradients(model.SerializeToString(), how, PICTURES, CLASSES) == ("", True)


REFUSED = {
    "takes 4 pictures at a time": lambda: (graph(given=[4, 3, 16, 12]), {"batch": 4, "output": "logits"}),
    "do not change with single pixels": lambda: (
        graph([helper.make_node("Round", ["x"], ["seen"])]), {"output": "logits"}
    ),
    "onnx2torch cannot rebuild it": lambda: (
        graph([helper.make_node("Mish", ["x"], ["seen"])]), {"output": "logits"}
    ),
    "operators that are not ONNX's own": lambda: (
        graph(after=[helper.make_node("FastGelu", ["logits"], ["y"], domain="com.microsoft")], end="y"), {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_rebuilt_is_said(words, recwarn):
    content, how = REFUSED[words]()
    model = onnx.load_model_from_string(content)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    why, maps = inside.gradients(model.SerializeToString(), Interface(**{**HOW, **how}), PICTURES, CLASSES)
    assert words in why
    assert not maps


def test_other_answers_are_no_gradients(monkeypatch):
    content, how = form("logits")
    real = rebuilt.built

    def other(*given):
        network, squashed = real(*given)
        return torch.nn.Sequential(network, torch.nn.Softplus()), squashed

    monkeypatch.setattr(rebuilt, "built", other)
    why, _ = inside.gradients(content, how, PICTURES, CLASSES)
    assert "its answers in torch are" in why


@pytest.mark.parametrize("size", [(16, 12), (31, 12), (8, 24), (40, 5)])
def test_resizing_is_pillows_but_for_its_rounding(size):
    how = Interface(**{**HOW, "height": 20, "width": 14})
    images = np.random.default_rng(3).integers(0, 256, (3, *size, 1), np.uint8)
    wanted = how.model_copy(update={"channels": 1}).prepared(images)
    rows, columns, ground = rebuilt.resizing(how, *size)
    found = rows @ torch.from_numpy(images[..., 0] / np.float32(255))[:, None] @ columns.T + ground
    assert np.abs(found.numpy() - wanted).max() < 2.5 / 255
    assert rebuilt.resizing(how, 20, 14) == (None, None, None)


def test_the_process_that_tries_a_network_says_whether_it_has_gradients(tmp_path: Path):
    content, _ = form("softmax")
    (tmp_path / "net.onnx").write_bytes(content)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tried = trial.tried(tmp_path / "net.onnx", CLASSES, PICTURES, Wishes(), scratch)
    assert tried.capabilities == ["probabilities", "features", "gradients"]
    assert tried.interface.maps
    assert json.loads((scratch / "result.json").read_text())["gradients"]
