"""Trees that are another classifier in ONNX: as onnxmltools 1.16.0 and CatBoost 1.2.10 write them."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml.importing import graph, trees
from ml.importing.graph import Unusable


def boosted(*after: onnx.NodeProto, out: str = "p", maker: str = "OnnxMLTools", **said: str) -> onnx.ModelProto:
    """One tree for two classes, and what comes after it."""
    tree = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_values=[99.0, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0], class_nodeids=[1, 2], class_ids=[0, 0], class_weights=[-1.0, 2.0],
        classlabels_int64s=[0, 1], post_transform="LOGISTIC",
    )  # fmt: skip
    held = {"second": np.array([1]), "trees": np.array([20], np.float32), "one": np.array([1], np.float32)}
    made = helper.make_graph(
        [tree, *after], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 12])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(values, name) for name, values in held.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name=maker)
    helper.set_model_props(model, said)
    return model


FOREST = (
    helper.make_node("ArrayFeatureExtractor", ["p", "second"], ["column"], domain="ai.onnx.ml"),
    helper.make_node("Div", ["column", "trees"], ["mean"]),
    helper.make_node("Sub", ["one", "mean"], ["rest"]),
    helper.make_node("Concat", ["rest", "mean"], ["q"], axis=1),
)


def test_a_forest_of_lightgbm_is_refused(tmp_path):
    onnx.save(boosted(*FOREST, out="q"), tmp_path / "forest.onnx")
    with pytest.raises(Unusable, match=r"forest\.onnx is a forest of LightGBM .* give what it predicts itself"):
        graph.read(tmp_path / "forest.onnx")
    onnx.save(boosted(), tmp_path / "boosted.onnx")
    assert graph.read(tmp_path / "boosted.onnx").parameters >= 0
    assert not trees.is_forest_of_lightgbm(boosted(*FOREST[:2], out="mean"))


@pytest.mark.parametrize(("loss", "maker", "told"), [
    ("MultiClassOneVsAll", "CatBoost", True), ("MultiClass", "CatBoost", False), ("MultiClassOneVsAll", "me", False),
])  # fmt: skip
def test_one_against_all_of_catboost_is_said(tmp_path, loss, maker, told):
    params = json.dumps({"loss_function": {"type": loss, "params": {}}})
    onnx.save(boosted(maker=maker, params=params), tmp_path / "cat.onnx")
    notes = " ".join(graph.read(tmp_path / "cat.onnx").plain.notes)
    assert ("a yes or no for each class (MultiClassOneVsAll)" in notes) == told


@pytest.mark.parametrize("params", ["", "{", "[1]", '{"loss_function": "MultiClassOneVsAll"}'])
def test_whatever_stands_in_its_place_is_no_loss(params):
    assert trees.notes(boosted(maker="CatBoost", params=params)) == []
