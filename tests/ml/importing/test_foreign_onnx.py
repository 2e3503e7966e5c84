"""ONNX as exporters of torch, scikit-learn and Keras write it: opened as they answer, or refused in words."""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ml.importing import beginning, plain, trial
from ml.importing.graph import Unusable
from ml.importing.understanding import Wishes
from ml.inference.imported import ImportedClassifier

SIDE, CLASSES = 8, ("bag", "coat", "dress", "shirt")
Shape = tuple[int, int, int]


def pictures(channels: int, classes: int = 4, n: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [n, 8, 8, channels] of which one quarter is brighter by class, with some noise, and int [n]."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    images = rng.integers(0, 110, (n, SIDE, SIDE, channels))
    for i, label in enumerate(labels):
        row, column = divmod(int(label), 2)
        images[i, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 70
    return images.astype(np.uint8), labels


def asked(file: Path, images: np.ndarray, classes: tuple[str, ...] = CLASSES, **wishes: Any) -> tuple[np.ndarray, str]:
    """What the network says of the pictures, and what was understood of it."""
    kept = file.with_suffix(".kept")
    result = trial.examined(file, classes, images[:16], Wishes(**wishes), kept)
    how = trial.Interface.model_validate(json.loads(json.dumps(result["interface"])))
    shape: Shape = images.shape[1:]  # type: ignore[assignment]
    return ImportedClassifier(kept.read_bytes(), how, classes, shape).probabilities(images), "\n".join(result["lines"])


class Net(torch.nn.Module):
    """Trained a little, so that running statistics and weights are none that a new network has."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Dropout(0.5),
            torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
        )  # fmt: skip
        self.head = torch.nn.Linear(32, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(pixels))


@pytest.fixture(scope="module")
def net() -> tuple[Net, np.ndarray, torch.Tensor, np.ndarray]:
    """(network that answers, uint8 pictures, the same as float [n, 3, 8, 8] of 0 to 1, its probabilities)."""
    images, labels = pictures(3)
    pixels = torch.tensor(images).permute(0, 3, 1, 2).float() / 255
    made = Net().train()
    optimiser = torch.optim.Adam(made.parameters(), 0.01)
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(made(pixels), torch.tensor(labels)).backward()
        optimiser.step()
    made.eval()
    with torch.no_grad():
        return made, images, pixels, made(pixels).softmax(1).numpy()


def exported(model: torch.nn.Module, given: tuple[torch.Tensor, ...], file: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, given, file, **({"verbose": False} if options.get("dynamo") else {}), **options)
    return file


FREE = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
TORCH: dict[str, tuple[dict[str, Any], str]] = {
    "dynamo, nothing said of shapes": ({"dynamo": True}, "2 at a time"),
    "dynamo, free": ({"dynamo": True, "dynamic_shapes": ({0: "batch"},)}, "any number at a time"),
    "dynamo, all free": (
        {"dynamo": True, "dynamic_shapes": ({0: "b", 2: "h", 3: "w"},)}, "nchw (assumed: --layout says otherwise)"
    ),
    "dynamo, opset 24": ({"dynamo": True, "dynamic_shapes": ({0: "b"},), "opset_version": 24}, "any number"),
    "traced, fixed": ({"dynamo": False}, "2 at a time"),
    "traced, opset 9": ({"dynamo": False, "opset_version": 9, **FREE}, "any number"),
    "traced, opset 20": ({"dynamo": False, "opset_version": 20, **FREE}, "any number"),
    "weights among inputs": (
        {"dynamo": False, "opset_version": 9, "keep_initializers_as_inputs": True, **FREE}, "any number"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", TORCH)
def test_what_torch_exports_answers_as_torch_does(way, net, tmp_path):
    model, images, pixels, expected = net
    options, words = TORCH[way]
    file = exported(model, (pixels[:2],), tmp_path / "net.onnx", **options)
    assert (tmp_path / "net.onnx.data").exists() == options["dynamo"]  # beside it, even of a few kilobytes
    said, lines = asked(file, images)
    assert np.abs(said - expected).max() < 1e-5
    assert words in lines
    assert "pixels: 0-1 (assumed" in lines  # nothing in such a file says what it was made for


def test_data_of_a_second_export_is_not_taken_for_that_of_the_first(net, tmp_path):
    """torch's exporter names the data after the file; renamed, the first network would compute with second weights."""
    model, images, pixels, expected = net
    options = {"dynamo": True, "dynamic_shapes": ({0: "batch"},)}
    exported(model, (pixels[:2],), tmp_path / "net.onnx", **options)
    (tmp_path / "net.onnx").rename(tmp_path / "first.onnx")
    exported(Net().eval(), (pixels[:2],), tmp_path / "net.onnx", **options)
    plain_session = onnxruntime.InferenceSession(tmp_path / "first.onnx")  # which says nothing of it
    wrong = torch.tensor(plain_session.run(None, {plain_session.get_inputs()[0].name: pixels.numpy()})[0]).softmax(1)
    assert np.abs(wrong.numpy() - expected).max() > 1e-3
    for name in ("first.onnx", "net.onnx"):
        with pytest.raises(Unusable, match="nobody can say of which of the two they are"):
            asked(tmp_path / name, images)


def test_a_network_exported_as_it_learns_is_refused_where_the_file_learns(net, tmp_path):
    """The tracing exporter writes what it was told to. The other one writes a network that answers, with a warning that
    it may not."""
    model, images, pixels, expected = net
    learning = Net()
    learning.load_state_dict(model.state_dict())
    learning.train()
    free = {"dynamo": True, "dynamic_shapes": ({0: "batch"},)}
    said, _ = asked(exported(learning, (pixels[:8],), tmp_path / "new.onnx", **free), images)
    assert np.abs(said - expected).max() < 1e-5
    training = {"dynamo": False, "training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False, **FREE}
    with pytest.raises(Unusable, match="export it as it answers, not as it learns"):
        asked(exported(learning, (pixels[:8],), tmp_path / "old.onnx", **training), images)


class Wrapped(torch.nn.Module):
    def __init__(self, net: Net, around: Callable[[Net, torch.Tensor], Any]) -> None:
        super().__init__()
        self.net, self.around = net, around

    def forward(self, given: torch.Tensor) -> Any:
        return self.around(self.net, given)


def bytes_in(net: Net, given: torch.Tensor) -> torch.Tensor:
    return net(given.permute(0, 3, 1, 2).float() / 255)


INSIDE: dict[str, tuple[Any, Any, str]] = {
    "bytes": (bytes_in, torch.uint8, "uint8, nhwc (by its shape)"),
    "whole numbers": (bytes_in, torch.int32, "int32, for which pixels from 0 to 255 are taken as they are"),
    "0 to 255 within": (lambda net, x: net(x / 255), torch.float32, "pixels: 0-255 (by what it does with them first)"),
    "a mean of 0 to 255": (
        lambda net, x: net((x - torch.tensor([123.0, 116.0, 103.0]).view(3, 1, 1)) / 255 + 0.45), torch.float32,
        "pixels: 0-255 (by what it does with them first)",
    ),
    "logarithms": (lambda net, x: net(x).log_softmax(1), torch.float32, "logarithms of probabilities"),
    "a map of one": (lambda net, x: net(x)[:, :, None, None], torch.float32, "logits"),
    "with features": (
        lambda net, x: {"features": (f := net.body(x)), "logits": net.head(f), "norm": f.norm()}, torch.float32,
        "outputs left alone",
    ),
    "half": (lambda net, x: net(x), torch.float16, "input 'given': float16"),
}  # fmt: skip


@pytest.mark.parametrize("case", INSIDE)
def test_what_is_around_the_network_is_found_out(case, net, tmp_path):
    model, images, pixels, expected = net
    around, kind, words = INSIDE[case]
    copy = Net().eval()
    copy.load_state_dict(model.state_dict())
    of_bytes = kind in (torch.uint8, torch.int32)
    given = torch.tensor(images[:2]) if of_bytes else pixels[:2]
    module = Wrapped(copy.half() if kind == torch.float16 else copy, around)
    options = {"dynamo": True, "dynamic_shapes": ({0: "batch"},)}
    said, lines = asked(exported(module, (given.to(kind),), tmp_path / "net.onnx", **options), images)
    assert words in lines, lines
    if case == "a mean of 0 to 255":
        shifted = (torch.tensor(images).permute(0, 3, 1, 2) - torch.tensor([123.0, 116.0, 103.0]).view(3, 1, 1)) / 255
        with torch.no_grad():
            expected = model(shifted + 0.45).softmax(1).numpy()
    assert np.abs(said - expected).max() < (2e-3 if kind == torch.float16 else 1e-5)


def lifted(net: tuple[Any, ...], tmp_path: Path, change: Callable[[onnx.ModelProto], Any]) -> Path:
    """The traced export, changed."""
    model, _, pixels, _ = net
    file = exported(model, (pixels[:2],), tmp_path / "net.onnx", dynamo=False, **FREE)
    made = onnx.load(file)
    change(made)
    file.write_bytes(made.SerializeToString())
    return file


def set_opset(version: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def without_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.ClearField("shape")


TOO_NEW = {
    "ir": (
        lambda model: setattr(model, "ir_version", 99),
        r"of IR version 99, and onnxruntime here reads at most \d+:",
    ),
    "opset": (set_opset(99), r"of opset 99, and onnxruntime here knows at most \d+: export it with opset_version="),
    "none": (set_opset(0), "operator Conv is not of opset 0"),
}


@pytest.mark.parametrize("case", TOO_NEW)
def test_a_version_that_onnxruntime_does_not_know_is_said_with_what_to_do(case, net, tmp_path):
    change, words = TOO_NEW[case]
    with pytest.raises(Unusable, match=words) as refused:
        asked(lifted(net, tmp_path, change), net[1])
    assert "\n" not in str(refused.value)
    assert "onnxruntime_src" not in str(refused.value)


def test_a_file_that_says_no_shape_is_asked_in_every_layout(net, tmp_path):
    said, _ = asked(lifted(net, tmp_path, without_shape), net[1])
    assert np.abs(said - net[3]).max() < 1e-5


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_numbers_that_onnxruntime_does_not_compute_with_are_named(kind, net, tmp_path):
    model, images, pixels, _ = net
    copy = Net().eval()
    copy.load_state_dict(model.state_dict())
    file = exported(copy.to(kind), (pixels[:2].to(kind),), tmp_path / "net.onnx", dynamo=True)
    with pytest.raises(Unusable, match=r"export it in float32, in torch after model\.float\(\)"):
        asked(file, images)


def test_a_file_made_for_one_machine_or_one_picture_is_refused(net, tmp_path):
    model, images, pixels, _ = net
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "fast.onnx"), 4
    onnxruntime.InferenceSession(exported(model, (pixels[:2],), tmp_path / "net.onnx", dynamo=False, **FREE), options)
    if any(node.domain == "com.microsoft.nchwc" for node in onnx.load(tmp_path / "fast.onnx").graph.node):
        with pytest.raises(Unusable, match="optimised by onnxruntime for one machine: give the file"):
            asked(tmp_path / "fast.onnx", images)
    single = Wrapped(model, lambda net, x: net(x[None])[0])
    with pytest.raises(Unusable, match="takes 3 × 8 × 8, one picture without an axis for how many"):
        asked(exported(single, (pixels[0],), tmp_path / "one.onnx", dynamo=True), images)


def test_scales_that_hang_on_all_pictures_of_one_asking_are_found_and_pictures_asked_one_by_one(net, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    model, images, pixels, expected = net
    exported(model, (pixels[:2],), tmp_path / "net.onnx", dynamo=False, **FREE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_dynamic(str(tmp_path / "net.onnx"), str(tmp_path / "int8.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx")
    alone = np.concatenate([session.run(None, {"x": pixels[i : i + 1].numpy()})[0] for i in range(len(pixels))])
    assert np.abs(session.run(None, {"x": pixels.numpy()})[0] - alone).max() > 1e-3
    said, lines = asked(tmp_path / "int8.onnx", images)
    assert "is asked about one at a time" in lines
    np.testing.assert_allclose(said, torch.tensor(alone).softmax(1).numpy(), atol=1e-6)
    assert (said.argmax(1) == expected.argmax(1)).mean() > 0.9


def test_int8_probabilities_that_do_not_add_up_are_divided_by_their_sum(net, tmp_path):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    model, images, pixels, expected = net

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.parts = iter([{"x": pixels.numpy()}])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.parts, None)

    exported(
        torch.nn.Sequential(model, torch.nn.Softmax(1)), (pixels[:2],), tmp_path / "net.onnx", dynamo=False, **FREE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(str(tmp_path / "net.onnx"), str(tmp_path / "int8.onnx"), Reader())
    raw = onnxruntime.InferenceSession(tmp_path / "int8.onnx").run(None, {"x": pixels.numpy()})[0]
    assert np.abs(raw.sum(1) - 1).max() > 1e-3
    said, lines = asked(tmp_path / "int8.onnx", images)
    assert "each row is divided by its sum" in lines
    assert np.abs(said.sum(1) - 1).max() < 1e-6
    assert np.abs(said - expected).max() < 0.05


def fitted(make: Callable[[], Any], labels: np.ndarray, scale: float = 255, kind: Any = np.float32) -> tuple[Any, Any]:
    """A classifier of scikit-learn on flat pixels, and those."""
    images, _ = pictures(1)
    pixels = (images.reshape(len(images), -1) / scale).astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make().fit(pixels, labels), pixels


def converted(model: Any, pixels: np.ndarray, file: Path, **options: Any) -> Path:
    from skl2onnx import to_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.write_bytes(to_onnx(model, pixels[:1], **options).SerializeToString())
    return file


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, random_state=0)


def regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=50)


def pipeline() -> Any:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), PCA(8), regression())


def perceptron() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((8,), max_iter=20, random_state=0)


def scaled_forest() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), forest())


PLAIN = {"options": {"zipmap": False}}
WORDS = np.array(CLASSES)
LEARNED: dict[str, tuple[Any, Any, float, Any, dict[str, Any], str]] = {
    # what, labels by class, pixels divided by, their type, options, words
    "regression, dictionaries": (regression, np.arange(4), 255, np.float32, {}, "its dictionaries (ZipMap) are taken"),
    "regression, table": (regression, np.arange(4), 255, np.float32, PLAIN, "output 'probabilities'"),
    "regression, float64": (regression, np.arange(4), 255, np.float64, {}, "input 'X': double"),
    "regression, names": (regression, WORDS, 255, np.float32, {}, "by their names in the file, in the order"),
    "regression, names, table": (regression, WORDS, 255, np.float32, PLAIN, "by their names in the file, in the order"),
    "perceptron, names, table": (perceptron, WORDS, 255, np.float32, PLAIN, "by their names in the file, in the order"),
    "numbered from 1": (regression, np.arange(1, 5), 255, np.float32, {}, "the file's classes are 1, 2, 3, 4"),
    "pipeline of 0 to 1": (pipeline, np.arange(4), 255, np.float32, {}, "pixels: 0-1 (by what it does with"),
    "pipeline of 0 to 255": (pipeline, np.arange(4), 1, np.float32, {}, "pixels: 0-255 (by what it does"),
    "forest of 0 to 1": (forest, np.arange(4), 255, np.float32, PLAIN, "pixels: 0-1 (by what it does"),
    "forest of 0 to 255": (forest, WORDS, 1, np.float32, {}, "pixels: 0-255 (by what it does with them first)"),
    "forest of whole numbers": (forest, np.arange(4), 1, np.int64, {}, "int64, for which pixels from 0 to 255"),
}  # fmt: skip


@pytest.mark.parametrize("case", LEARNED)
def test_what_skl2onnx_writes_answers_as_scikit_learn_does(case, tmp_path):
    make, names, scale, kind, options, words = LEARNED[case]
    images, labels = pictures(1)
    model, pixels = fitted(make, names[labels], scale, kind)
    said, lines = asked(converted(model, pixels, tmp_path / "net.onnx", **options), images)
    assert words in lines, lines
    columns = [list(model.classes_).index(name) for name in (WORDS if names.dtype.kind == "U" else names)]
    assert np.abs(said - model.predict_proba(pixels)[:, columns]).max() < 1e-5


def binary(name: str) -> tuple[Any, dict[str, Any]]:
    from sklearn.linear_model import RidgeClassifier, SGDClassifier
    from sklearn.svm import SVC, LinearSVC, NuSVC

    raw = {"options": {"zipmap": False, "raw_scores": True}}
    return {
        "LinearSVC": (LinearSVC, {}), "RidgeClassifier": (RidgeClassifier, PLAIN), "SVC": (SVC, PLAIN),
        "NuSVC": (NuSVC, {}), "SGDClassifier": (lambda: SGDClassifier(random_state=0), PLAIN),
        "LogisticRegression": (regression, raw),
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["LinearSVC", "RidgeClassifier", "SVC", "NuSVC", "SGDClassifier", "LogisticRegression"]
)
def test_a_margin_of_two_classes_is_taken_once_and_the_right_way_round(name, tmp_path):
    """LinearSVC writes one column called probabilities, RidgeClassifier declares two and gives one, SVC writes
    margin and negative in that order, all others the other way round."""
    make, options = binary(name)
    images, labels = pictures(1)
    model, pixels = fitted(make, labels % 2)
    file = converted(model, pixels, tmp_path / "net.onnx", **options)
    said, lines = asked(file, images, ("even", "odd"))
    assert (said.argmax(1) == model.predict(pixels)).all()
    margin = model.decision_function(pixels)
    assert np.abs(said[:, 1] - 1 / (1 + np.exp(-margin))).max() < 1e-5
    assert ("turned round" in lines) == (name in ("SVC", "NuSVC")), lines


def test_scores_that_contradict_the_networks_own_label_are_refused(tmp_path):
    """SVC of three classes, one against each other: three numbers, which are no scores of the classes."""
    from sklearn.svm import SVC

    images, labels = pictures(1)
    model, pixels = fitted(lambda: SVC(decision_function_shape="ovo"), labels % 3)
    file = converted(model, pixels, tmp_path / "net.onnx", **PLAIN)
    with pytest.raises(Unusable, match=r"names another class than the largest number .* of \d+ of 16 pictures"):
        asked(file, images, CLASSES[:3])


def test_an_onnx_that_scales_before_trees_is_asked_as_it_is_which_is_said(tmp_path):
    """Its rounding puts pixels on other sides of thresholds than scikit-learn's own."""
    images, labels = pictures(1, n=400)
    pixels = images.reshape(400, -1) / 255
    model = scaled_forest().fit(pixels[:96], labels[:96])
    said, lines = asked(converted(model, pixels.astype(np.float32), tmp_path / "net.onnx", **PLAIN), images)
    assert "scikit-learn itself may have said other probabilities" in lines
    assert (np.abs(said - model.predict_proba(pixels)).max(1) > 1e-4).any()
    alone, pixels = fitted(forest, labels[:96])
    assert "other probabilities" not in asked(converted(alone, pixels, tmp_path / "alone.onnx", **PLAIN), images)[1]


def test_names_in_the_file_are_found_in_a_data_set_of_another_order(tmp_path):
    images, labels = pictures(1)
    classes = ("shirt", "coat", "bag", "dress")  # scikit-learn sorts names, whatever the data set's order is
    model, pixels = fitted(regression, np.array(classes)[labels])
    said, lines = asked(converted(model, pixels, tmp_path / "net.onnx", **PLAIN), images, classes)
    assert "in another order than of the data set" in lines
    assert (said.argmax(1) == labels).mean() > 0.9
    with pytest.raises(Unusable, match="'dress', 'shirt' among them, which are not those of the data set"):
        asked(tmp_path / "net.onnx", images, ("bag", "coat", "gown", "blouse"))


def test_columns_apart_are_refused_with_the_option_that_helps(tmp_path):
    images, labels = pictures(1)
    model, pixels = fitted(regression, labels)
    file = converted(model, pixels, tmp_path / "net.onnx", options={"zipmap": "columns"})
    with pytest.raises(Unusable, match=r"outputs of one number a picture .* options=\{'zipmap': False\}"):
        asked(file, images)


def test_what_a_graph_does_first_is_followed_by_hand():
    def told(*nodes: Any, **arrays: np.ndarray) -> str:
        graph = helper.make_graph(
            [*nodes, helper.make_node("Identity", [nodes[-1].output[0]], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
            [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()],
        )  # fmt: skip
        return beginning.range_of(helper.make_model(graph))

    node = helper.make_node
    assert told(node("Div", ["x", "a"], ["b"]), a=255) == "0-255"
    assert told(node("Mul", ["x", "a"], ["b"]), node("Add", ["b", "m"], ["c"]), a=1 / 127.5, m=-1) == "0-255"
    assert told(node("Sub", ["x", "a"], ["b"]), a=[103.9, 116.8, 123.7, 0]) == "0-255"
    assert told(node("Sub", ["x", "a"], ["b"]), node("Div", ["b", "d"], ["c"]), a=0.45, d=0.225) == "0-1"
    assert told(node("Mul", ["x", "a"], ["b"]), node("Sub", ["b", "m"], ["c"]), a=255, m=116) == "0-1"
    assert told(node("Relu", ["x"], ["b"])) == told(node("Mul", ["x", "a"], ["b"]), a=1) == ""
    norm = node("BatchNormalization", ["x", "s", "o", "m", "v"], ["b"])
    assert told(norm, s=[1] * 4, o=[0] * 4, m=[120] * 4, v=[3_600] * 4) == "0-255"
    assert told(norm, s=[1] * 4, o=[0] * 4, m=[0.5] * 4, v=[0.04] * 4) == "0-1"
    assert told(node("Mul", ["x", "a"], ["b"]), a=[0, 1, 1, 1]) == ""  # of a pixel that is thrown away nothing is known


def test_labels_are_read_where_one_list_of_them_is_in_the_file():
    def labels(*attributes: dict[str, Any]) -> tuple[Any, ...]:
        nodes = [helper.make_node("LinearClassifier", ["x"], [f"l{i}", f"s{i}"], domain="ai.onnx.ml", **one)
                 for i, one in enumerate(attributes)]  # fmt: skip
        graph = helper.make_graph(nodes, "g", [], [])
        return plain.labels_of(helper.make_model(graph))

    assert labels({"classlabels_strings": ["a", "b"]}) == ("a", "b")
    assert labels({"classlabels_ints": [3, 5]}) == (3, 5)
    assert labels({"classlabels_ints": [3, 5]}, {"classlabels_strings": ["a", "b"]}) == labels() == ()


@pytest.fixture
def keras() -> Any:
    import keras

    assert keras.backend.backend() == "torch", "KERAS_BACKEND must be torch before keras is imported"
    keras.utils.set_random_seed(3)
    return keras


def test_what_keras_exports_takes_pixels_as_its_rescaling_says(keras, tmp_path):
    images, _ = pictures(3)
    layers = keras.layers
    inner = keras.Sequential([
        layers.Rescaling(1 / 127.5, offset=-1), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(),
    ])  # fmt: skip
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), inner, layers.Dropout(0.5), layers.Dense(4, activation="softmax")]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(model.predict(images.astype(np.float32), verbose=0))
        model.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    said, lines = asked(tmp_path / "net.onnx", images)
    assert "nhwc (by its shape), any number at a time" in lines
    assert "pixels: 0-255 (by what it does with them first)" in lines
    assert np.abs(said - expected).max() < 1e-5
    other, lines = asked(tmp_path / "net.onnx", images, range="0-1")  # what a person says counts
    assert "pixels: 0-1 (as was said)" in lines
    assert np.abs(other - expected).max() > 1e-3


def test_one_sigmoid_for_two_classes_is_the_second_ones_probability(keras, tmp_path):
    images, _ = pictures(3)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(model.predict(images.astype(np.float32), verbose=0))[:, 0]
        model.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    said, lines = asked(tmp_path / "net.onnx", images, ("cat", "dog"))
    assert "one number from 0 to 1 for two classes is the second one's probability" in lines
    assert np.abs(said[:, 1] - expected).max() < 1e-5
    with pytest.raises(Unusable, match="gives 1 numbers a picture"):
        asked(tmp_path / "net.onnx", images)


def test_zeros_before_a_maximum_count(tmp_path):
    """As BiT and Keras' ResNetV2 have them, after a convolution whose numbers may all be negative."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ConstantPad2d(1, 0.0), torch.nn.MaxPool2d(2, 2), torch.nn.Flatten(),
        torch.nn.Linear(128, 4),
    ).eval()  # fmt: skip
    net[0].bias.data -= 2
    images, _ = pictures(3)
    values = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (values[:2],), tmp_path / "net.onnx", dynamo=False, input_names=["x"],
                          output_names=["logits"], dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}})  # fmt: skip
    said, _ = asked(tmp_path / "net.onnx", images)
    with torch.no_grad():
        assert np.abs(said - torch.softmax(net(values), 1).numpy()).max() < 1e-5
