"""Where an ONNX graph ends: the product that makes one number a class, what it reads, and what comes after it.

Told by the graph alone, in the process that tries a network; whether it is so, asking shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

PRODUCTS = {"Gemm": 1, "MatMul": 1, "Conv": 1}
"""Operators of a last layer and which of their inputs are the weights."""
AFTER = frozenset((
    "Softmax", "LogSoftmax", "Sigmoid", "Exp", "Log", "Neg", "Identity", "Cast", "Dropout", "Reshape", "Flatten",
    "Squeeze", "Unsqueeze", "Add", "Sub", "Mul", "Div", "Clip", "Min", "Max", "ReduceMax", "ReduceSum", "ReduceMean",
    "Concat", "ZipMap", "Normalizer", "QuantizeLinear", "DequantizeLinear",
))  # fmt: skip
"""Operators that may stand between a last layer's numbers and the answer."""
SQUASHING = frozenset(("Softmax", "LogSoftmax"))
LEARNED = frozenset((
    *PRODUCTS, "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN", "QLinearConv", "QLinearMatMul", "ConvInteger",
))  # fmt: skip
NAMED = ("features", "feature", "embeddings", "embedding")  # outputs that are called so are taken at their word


@dataclass(frozen=True)
class Ends:
    """features: what the last layer reads; logits: what it makes, before any softmax. Names within the graph, '' for
    what is not there."""

    features: str = ""
    logits: str = ""


def ends(model: "onnx.ModelProto", output: str) -> Ends:
    """Of the numbers that a model calls `output`."""
    nodes = list(model.graph.node)
    constant = constants(model)
    made = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    logits = _before_softmax(nodes, made, constant, output)
    waiting = {made[output]} if output in made else set()
    while waiting:
        place = max(waiting)  # nodes stand in the order of computation
        waiting.discard(place)
        node = nodes[place]
        if node.op_type in PRODUCTS and _weighted(node, constant):
            if waiting:
                break  # the answer comes of more than one layer
            features = node.input[0]
            if any(nodes[one].op_type in LEARNED for one in _before(nodes, made, features)):
                return Ends(features, logits)
            break
        if node.op_type not in AFTER:
            break
        waiting |= {made[name] for name in node.input if name in made and name not in constant}
    return Ends("", logits)


def _weighted(node: Any, constant: set[str]) -> bool:
    return len(node.input) > 1 and node.input[1] in constant and node.input[0] not in constant


def _before_softmax(nodes: list[Any], made: dict[str, int], constant: set[str], output: str) -> str:
    """What the softmax reads from which `output` comes with only shapes between; `output` where there is none."""
    name = output
    while name in made:
        node = nodes[made[name]]
        if node.op_type in SQUASHING:
            return str(node.input[0])
        if node.op_type not in ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "ZipMap"):
            break
        name = node.input[0]
    return output


def _before(nodes: list[Any], made: dict[str, int], name: str) -> Iterator[int]:
    """Places of all nodes that a value comes from."""
    seen: set[int] = set()
    waiting = [made[name]] if name in made else []
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        yield place
        waiting += [made[one] for one in nodes[place].input if one in made]


def constants(model: "onnx.ModelProto") -> set[str]:
    """Names of values that are the same for all pictures."""
    fixed = {one.name for one in model.graph.initializer} | {one.values.name for one in model.graph.sparse_initializer}
    fixed.add("")
    for node in model.graph.node:
        if not node.op_type.startswith("Random") and all(name in fixed for name in node.input):
            fixed |= set(node.output)
    return fixed


def exposed(model: "onnx.ModelProto", name: str, output: str) -> None:
    """Make a value of the graph an output too, in place; of the kind of numbers that `output` has."""
    import onnx

    if any(one.name == name for one in model.graph.output):
        return
    kinds = {one.name: one.type.tensor_type.elem_type for one in (*model.graph.value_info, *model.graph.output)}
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(name, kinds.get(name) or kinds.get(output) or onnx.TensorProto.FLOAT, None)
    )
