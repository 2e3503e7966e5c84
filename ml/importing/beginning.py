"""What an ONNX file does with pixels first: which numbers it was made for shows in what it takes off and divides by.

Keras keeps a Rescaling layer within the network, scikit-learn a scaler before it, and a forest its thresholds. What is
quantised says which numbers it has levels for. TensorFlow Lite multiplies the first weights by what pixels were to be
divided by, and leaves the division out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

PASSING = ("Cast", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Resize", "Pad")
TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
MEMBER = 6  # of TreeEnsemble's ways to branch the one that compares with no number
STEPS = 40  # of a graph that are followed
LARGE = 20_000_000  # numbers of an array that is not looked at
SMALL = 200_000  # of one that pixels are scaled by
BEYOND = 2.0  # what pixels from 0 to 1 are never compared with, nor centred at
WIDE = 20.0  # what pixels from 0 to 1 are never divided by
PRODUCTS = ("Conv", "Gemm", "MatMul")
FAINT, FAINTEST = 0.3, 0.03  # of the first weights' lengths, largest and middle one: below them nothing is seen of 0-1


@dataclass
class Line:
    """by · x + plus, what was made of pixels x so far; numbers or arrays of one a channel or pixel."""

    by: np.ndarray
    plus: np.ndarray


def range_of(model: "onnx.ModelProto") -> str:
    """'0-255' or '0-1' by what the graph does first with its only input, '' where that does not tell."""
    held = {one.name for one in model.graph.initializer}
    given = [one.name for one in model.graph.input if one.name not in held]
    if len(given) != 1:
        return ""
    constants = _constants(model)
    consumers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in {*node.input}:
            consumers.setdefault(name, []).append(node)
    line, name, touched = Line(np.ones(1), np.zeros(1)), given[0], False
    for _ in range(STEPS):
        nodes = [node for node in consumers.get(name, []) if node.op_type != "Shape"]
        if len(nodes) != 1:
            break
        node = nodes[0]
        if node.op_type in TREES:
            # as they are compared after what came before: pixels from 0 to 1 are compared with nothing above 1
            most = (np.abs(_thresholds(node)) - line.plus.max()) / np.abs(line.by).min()
            return "0-255" if most.max(initial=0) > BEYOND else "0-1" if len(most) else ""
        if node.op_type == "QuantizeLinear" and not touched:
            return _levels_for(model, node)
        if node.op_type in PRODUCTS and not touched:
            return "0-255" if _faint(model, node, name, consumers) else ""
        if node.op_type not in PASSING:
            step = _step(node, name, constants)
            if step is None:
                break
            try:
                line, touched = Line(line.by * step.by, line.plus * step.by + step.plus), True
            except ValueError:  # of shapes that do not go together after what was passed
                break
            if node.op_type == "BatchNormalization":
                break
        name = node.output[0]
    return _told(line) if touched else ""


def _told(line: Line) -> str:
    by = np.abs(line.by)
    if not (by > 0).all() or not np.isfinite(line.plus).all():
        return ""
    centre, width = float((-line.plus / line.by).max()), float((1 / by).max())
    if centre > BEYOND or width > WIDE:
        return "0-255"
    untouched = np.allclose(line.by, 1) and np.allclose(line.plus, 0)
    return "0-1" if width <= 1 + 1e-3 and not untouched else ""


def _levels_for(model: "onnx.ModelProto", node: Any) -> str:
    """By the numbers that the pixels' levels stand for. Levels on both sides of 0 are for others, too, which are not
    as many: only what is far too wide tells."""
    scale, zero = (_held(model, name) for name in (*node.input[1:3], "")[:2])
    if scale is None or zero is None or scale.size != 1 or zero.dtype not in (np.uint8, np.int8):
        return ""
    ends = np.iinfo(zero.dtype)
    low, high = ((end - float(zero.reshape(-1)[0])) * float(scale.reshape(-1)[0]) for end in (ends.min, ends.max))
    if high - low > WIDE:
        return "0-255"
    return "0-1" if low > -0.01 and 0.5 < high < BEYOND / 2 + 0.1 else ""


def _faint(model: "onnx.ModelProto", node: Any, name: str, consumers: dict[str, list[Any]]) -> bool:
    """Whether its weights are so small that pixels from 0 to 1 would make no difference, nothing makes what comes of
    them larger, and it is not the answer itself, which may be faint."""
    later = consumers.get(node.output[0], [])
    last = sum(one.op_type in PRODUCTS for one in model.graph.node) < 2
    if node.input[0] != name or last or any(one.op_type == "BatchNormalization" for one in later):
        return False
    weights = _held(model, node.input[1])
    if weights is None or weights.ndim < 2 or not np.isfinite(weights).all():
        return False
    turned = node.op_type == "MatMul" or (
        node.op_type == "Gemm" and not any(one.name == "transB" and one.i for one in node.attribute)
    )
    rows = weights.T if turned and weights.ndim == 2 else weights
    lengths = np.linalg.norm(rows.reshape(len(rows), -1), axis=1)
    return bool(0 < lengths.max() < FAINT and np.median(lengths) < FAINTEST)


def _held(model: "onnx.ModelProto", name: str) -> np.ndarray | None:
    """An array of the file, what its levels stand for where it is quantised; None where it is none, or a large one."""
    from onnx import numpy_helper

    for node in model.graph.node:
        if name and name in node.output and node.op_type == "DequantizeLinear" and len(node.input) > 2:
            levels, scale, zero = (_held(model, one) for one in node.input)
            if levels is None or scale is None or zero is None:
                return None
            axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
            if scale.size > 1:
                shape = [-1 if i == axis % levels.ndim else 1 for i in range(levels.ndim)]
                scale, zero = scale.reshape(shape), zero.reshape(shape)
            return np.asarray((levels.astype(np.float64) - zero) * scale)
        if name and name in node.output and node.op_type == "Constant":
            return _constant(node)
    for tensor in model.graph.initializer:
        if tensor.name == name and np.prod(tensor.dims, dtype=np.int64) <= LARGE:
            return np.asarray(numpy_helper.to_array(tensor))
    return None


def _constant(node: Any) -> np.ndarray | None:
    """What a Constant stands for: an array, or a number or several, as onnxscript writes them; None for anything
    else."""
    from onnx import numpy_helper

    for one in node.attribute:
        if one.name == "value":
            return np.asarray(numpy_helper.to_array(one.t))
        if one.name in ("value_float", "value_floats"):
            return np.array(one.f if one.name == "value_float" else one.floats, np.float32)
    return None


def _step(node: Any, name: str, constants: dict[str, np.ndarray]) -> Line | None:
    """One step as a line, None where it is none."""
    if node.op_type == "Scaler":
        said = {one.name: np.array(one.floats, np.float64) for one in node.attribute}
        offset, scale = said.get("offset", np.zeros(1)), said.get("scale", np.ones(1))
        return Line(scale, -offset * scale)
    if node.op_type == "BatchNormalization" and len(node.input) >= 5 and node.input[0] == name:
        mean, variance = constants.get(node.input[3]), constants.get(node.input[4])
        if mean is None or variance is None:
            return None
        deviation = np.sqrt(np.maximum(variance, 0) + 1e-5)  # what it learned of its input, whatever it makes of that
        return Line(1 / deviation, -mean / deviation)
    if node.op_type not in ("Mul", "Div", "Add", "Sub") or len(node.input) != 2:
        return None
    first = node.input[0] == name
    other = constants.get(node.input[1 if first else 0])
    if other is None or not other.size or not np.isfinite(other).all():
        return None
    one, none = np.ones(1), np.zeros(1)
    if node.op_type == "Mul":
        return Line(other, none)
    if node.op_type == "Div":
        return Line(1 / other, none) if first and (other != 0).all() else None
    if node.op_type == "Add":
        return Line(one, other)
    return Line(one, -other) if first else Line(-one, other)


def _constants(model: "onnx.ModelProto") -> dict[str, np.ndarray]:
    """Small arrays of the file by name, float64, flat: of shapes that differ in axes of one alone, the same."""
    from onnx import numpy_helper

    small = {}
    for one in model.graph.initializer:
        if one.data_type in (1, 10, 11) and np.prod(one.dims, dtype=np.int64) <= SMALL:
            small[one.name] = numpy_helper.to_array(one).astype(np.float64).reshape(-1)
    for node in model.graph.node:
        array = _constant(node) if node.op_type == "Constant" else None
        if array is not None and array.dtype.kind == "f" and array.size <= SMALL:
            small[node.output[0]] = array.astype(np.float64).reshape(-1)
    for node in model.graph.node:  # exporters put these between
        if node.op_type in ("Identity", "Cast") and node.input and node.input[0] in small:
            small[node.output[0]] = small[node.input[0]]
    return small


def _thresholds(node: Any) -> np.ndarray:
    """What its branches compare with, leaves left out; none where they are kept in another way."""
    from onnx import numpy_helper

    said = {one.name: one for one in node.attribute}
    if node.op_type == "TreeEnsemble" and {"nodes_splits", "nodes_modes"} <= {*said}:  # whose leaves are apart
        splits, modes = (numpy_helper.to_array(said[name].t) for name in ("nodes_splits", "nodes_modes"))
        return splits[modes < MEMBER].astype(np.float64) if splits.shape == modes.shape else np.zeros(0)
    if "nodes_values" not in said or "nodes_modes" not in said:
        return np.zeros(0)
    branches = np.array([mode != b"LEAF" for mode in said["nodes_modes"].strings], bool)
    values = np.array(said["nodes_values"].floats, np.float64)
    return values[branches] if len(values) == len(branches) else np.zeros(0)
