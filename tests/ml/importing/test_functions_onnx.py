"""ONNX with functions of its own, numbers as attributes, and trees of ai.onnx.ml 5: what pixels they take is found."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import FLOAT, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

from ml.importing import graph
from tests.ml.importing.test_foreign_onnx import asked, pictures

RNG = np.random.default_rng(0)
FIRST, LAST = RNG.normal(0, 0.5, (6, 3, 3, 3)).astype(np.float32), RNG.normal(0, 2, (6, 4)).astype(np.float32)
KERNELS, WEIGHTS = numpy_helper.from_array(FIRST, "kernels"), numpy_helper.from_array(LAST, "weights")
MEAN, DEVIATION = 120.0, 60.0


def answers(pixels: np.ndarray) -> np.ndarray:
    """What the network says of float [n, h, w, 3] that are scaled already."""
    seen = torch.nn.functional.conv2d(torch.tensor(pixels).permute(0, 3, 1, 2).float(), torch.tensor(FIRST)).relu()
    return (seen.mean((2, 3)) @ torch.tensor(LAST)).softmax(1).numpy()


own = Opset("ours", 1)


@script(own, default_opset=op)
def scaled(x):  # type: ignore[no-untyped-def]
    return op.Div(x, op.Constant(value_float=255.0))


@script(own, default_opset=op)
def seen(x, kernels):  # type: ignore[no-untyped-def]
    return op.ReduceMean(op.Relu(op.Conv(x, kernels)), op.Constant(value_ints=[2, 3]), keepdims=0)


@script(default_opset=op)
def of_functions(images: FLOAT["n", 3, 8, 8]) -> FLOAT["n", 4]:  # type: ignore[name-defined,no-untyped-def] # noqa: F821
    table = seen(scaled(images), op.Constant(value=KERNELS))
    return op.Softmax(op.MatMul(table, op.Constant(value=WEIGHTS)))


@script(default_opset=op)
def of_numbers(images: FLOAT["n", 3, 8, 8]) -> FLOAT["n", 4]:  # type: ignore[name-defined,no-untyped-def] # noqa: F821
    centred = op.Sub(images, op.Constant(value_floats=[MEAN]))
    maps = op.Relu(op.Conv(op.Div(centred, op.Constant(value_float=DEVIATION)), op.Constant(value=KERNELS)))
    table = op.ReduceMean(maps, op.Constant(value_ints=[2, 3]), keepdims=0)
    return op.Softmax(op.MatMul(table, op.Constant(value=WEIGHTS)))


@pytest.mark.parametrize(
    ("made", "scaling"),
    [(of_functions, lambda x: x / 255), (of_numbers, lambda x: (x - MEAN) / DEVIATION)],
    ids=["in a function", "by numbers as attributes"],
)
def test_what_scales_pixels_is_found(made: Any, scaling: Any, tmp_path: Path) -> None:
    images, _ = pictures(3)
    file = tmp_path / "net.onnx"
    onnx.save(made.to_model_proto(), file)
    said, words = asked(file, images)
    assert "pixels: 0-255 (by what it does with them first)" in words
    assert np.abs(said - answers(scaling(images))).max() < 1e-5


def test_functions_are_put_in_their_place(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    onnx.save(of_functions.to_model_proto(), file)
    assert len(onnx.load(file).functions) == 2
    read = onnx.load_model_from_string(graph.read(file).content)
    assert not read.functions
    assert {node.domain for node in read.graph.node} == {""}


@pytest.mark.parametrize(("most", "words"), [(255, "pixels: 0-255"), (1, "pixels: 0-1 (by what")])
def test_thresholds_of_trees_whose_leaves_are_apart_tell_the_pixels(most: int, words: str, tmp_path: Path) -> None:
    """Two trees of one branch each, as TreeEnsemble of ai.onnx.ml 5 has them."""
    images, _ = pictures(3)
    places, levels = [5, 100], np.array([90.5, 60.5], np.float32) * most / 255
    trees = helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=4, aggregate_function=1, post_transform=0,
        tree_roots=[0, 1], nodes_featureids=places, nodes_truenodeids=[0, 2], nodes_falsenodeids=[1, 3],
        nodes_trueleafs=[1, 1], nodes_falseleafs=[1, 1], leaf_targetids=[0, 1, 2, 3],
        nodes_splits=numpy_helper.from_array(levels, "splits"),
        nodes_modes=numpy_helper.from_array(np.zeros(2, np.uint8), "modes"),
        leaf_weights=numpy_helper.from_array(np.full(4, 0.5, np.float32), "weights"),
    )  # fmt: skip
    given, answer = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 192), ("y", 4))
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    file = tmp_path / "trees.onnx"
    onnx.save(
        helper.make_model(helper.make_graph([trees], "g", [given], [answer]), opset_imports=opsets, ir_version=10), file
    )
    said, lines = asked(file, images)
    assert words in lines
    flat = images.reshape(len(images), -1)
    right = np.zeros_like(said)
    for tree, (place, level) in enumerate(zip(places, (90.5, 60.5), strict=True)):
        right[np.arange(len(flat)), 2 * tree + (flat[:, place] > level)] += 0.5
    assert np.array_equal(said, right)
