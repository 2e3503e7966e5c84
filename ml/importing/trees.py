"""Trees that become another classifier in ONNX without a word: told by their makers' own files, and by the ONNX."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ml.importing.beginning import TREES

if TYPE_CHECKING:
    import onnx

READ = 64 * 2**20  # bytes of a file
BOOSTED = (
    "write it as ONNX where it was made, "
    "onnxmltools.convert_{}(model, initial_types=[('pixels', FloatTensorType([None, n]))])"
)
PREDICTED = (
    "onnxmltools 1.16 makes another classifier of it, without a word; give what it predicts itself, with --predictions"
)
NOT_WRITTEN = "onnxmltools 1.16 writes no ONNX of it; give what it predicts itself, with --predictions"
CATBOOST = "model.save_model('net.onnx', format='onnx') writes its ONNX, where it was made"
EACH = "MultiClassOneVsAll"
SOFTENED = (
    "its ONNX takes a softmax where CatBoost takes a yes or no for each class, so that its probabilities are others; "
    "give what it predicts itself, with --predictions"
)
COUNTS = re.compile(rb"(num_parallel_tree|num_class)\D{1,16}(\d+)")
BOOSTER = re.compile(rb'"?name"?[\s:"SL\x00-\x08]{1,16}(dart|gblinear)')
LOSS = re.compile(rb'"loss_function"\s*:\s*\{.{0,200}?"' + EACH.encode() + rb'"', re.DOTALL)
OF_CATBOOST = re.compile(rb'\s*\{\s*"(?:features_info|ctr_data|model_info)"')
FOREST = "a forest of LightGBM (boosting_type='rf')"


def of_file(path: Path, begin: bytes) -> tuple[str, str] | None:
    """What a maker's own file is, and what to do; None for what is no file of trees. begin: its first bytes."""
    xgboost = (begin.startswith(b"{L") and b"learner" in begin) or re.match(rb'\s*\{\s*"learner"', begin)
    lightgbm = begin.startswith(b"tree\nversion=")
    catboost = begin.startswith(b"CBM1") or OF_CATBOOST.match(begin)
    if not xgboost and not lightgbm and not catboost:
        return None
    with path.open("rb") as file:
        whole = file.read(READ)
    return _xgboost(whole) if xgboost else _lightgbm(whole) if lightgbm else _catboost(whole)


def _xgboost(whole: bytes) -> tuple[str, str]:
    counts = {word: max(int(n) for key, n in COUNTS.findall(whole) if key == word) for word, _ in COUNTS.findall(whole)}
    if counts.get(b"num_parallel_tree", 1) > 1 and counts.get(b"num_class", 1) > 2:
        return "a forest of XGBoost for several classes", PREDICTED
    if booster := BOOSTER.search(whole):
        return f"a model of XGBoost with booster='{booster[1].decode()}'", NOT_WRITTEN
    return "a model of XGBoost", BOOSTED.format("xgboost")


def _lightgbm(whole: bytes) -> tuple[str, str]:
    for mark, what in (
        (b"\nobjective=multiclassova", "a model of LightGBM that answers yes or no for each class"),
        (b"\naverage_output\n", FOREST),
        (b"\nis_linear=1", "a model of LightGBM with linear trees"),
    ):
        if mark in whole:
            return what, PREDICTED
    return "a model of LightGBM", BOOSTED.format("lightgbm")


def _catboost(whole: bytes) -> tuple[str, str]:
    if LOSS.search(whole):
        return f"a model of CatBoost that answers yes or no for each class ({EACH})", SOFTENED
    return "a model of CatBoost", CATBOOST


def is_forest_of_lightgbm(model: "onnx.ModelProto") -> bool:
    """Whether it is what onnxmltools and skl2onnx make of one: of what the trees say the second number alone is
    divided, and taken off 1, whatever the number of classes."""
    makers = {name: node for node in model.graph.node for name in node.output}
    held = {one.name for one in model.graph.initializer if list(one.dims) in ([], [1])}
    taken_off = {node.input[1] for node in model.graph.node if node.op_type == "Sub" and node.input[0] in held}
    for node in model.graph.node:
        if node.op_type != "Div" or node.input[1] not in held or node.output[0] not in taken_off:
            continue
        column = makers.get(node.input[0])
        trees = (
            makers.get(column.input[0]) if column is not None and column.op_type == "ArrayFeatureExtractor" else None
        )
        if trees is not None and trees.op_type in TREES:
            return True
    return False


def notes(model: "onnx.ModelProto") -> list[str]:
    """A sentence where CatBoost says in the file that it took a yes or no for each class, and the file a softmax."""
    said = next((one.value for one in model.metadata_props if one.key == "params"), "")
    try:
        params = json.loads(said) if model.producer_name == "CatBoost" else {}
    except (ValueError, RecursionError):
        return []
    loss = params.get("loss_function") if isinstance(params, dict) else None
    if not isinstance(loss, dict) or loss.get("type") != EACH:
        return []
    return [
        f"CatBoost learned it as a yes or no for each class ({EACH}): classes are CatBoost's own, and probabilities "
        f"are not; {SOFTENED}"
    ]
