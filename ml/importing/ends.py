"""What a network in ONNX takes and gives in place of pixels and a number for each class: levels of other numbers, and
the largest numbers, or their place, alone. It is taken by the numbers behind them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ml.importing.plain import nodes

if TYPE_CHECKING:
    import onnx

LEVELS: dict[int, Any] = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16}
"""NumPy's type by ONNX's number, of inputs that may be quantised."""
PASSING = ("Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze")
FIRST = ("DequantizeLinear", "QLinearConv", "QLinearMatMul")  # which read a scale and a zero after their first input
PIXELS = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
"""Of which numbers pixels from 0 to 255 are the levels, whatever the network makes of them."""
NEAR = 0.02  # of the width by which ends may be off: a zero point is a whole number


def numbers_in(model: "onnx.ModelProto") -> list[str]:
    """Let an only input of levels take the numbers that they stand for, where those of pixels are others."""
    from onnx import TensorProto, helper, numpy_helper

    held = {one.name: one for one in model.graph.initializer}
    given = [one for one in model.graph.input if one.name not in held]
    kind = LEVELS.get(given[0].type.tensor_type.elem_type) if len(given) == 1 else None
    if kind is None:
        return []
    one, readers = given[0], _readers(model, given[0].name)
    node = readers[0] if len(readers) == 1 else None
    while node is not None and node.op_type in PASSING:
        readers = _readers(model, node.output[0])
        node = readers[0] if len(readers) == 1 else None
    if node is None or node.op_type not in FIRST or not all(name in held for name in node.input[1:3]):
        return []
    scale, zero = (numpy_helper.to_array(held[name]) for name in (*node.input[1:3], node.input[1])[:2])
    if len(node.input) < 3 or scale.size != 1 or zero.dtype != kind or scale.dtype != np.float32:
        return []
    ends = np.iinfo(kind)
    low, high = ((end - float(zero.reshape(-1)[0])) * float(scale.reshape(-1)[0]) for end in (ends.min, ends.max))
    if any(max(abs(low - first), abs(high - last)) <= NEAR * (last - first) for first, last in PIXELS):
        return []
    name, inner = one.name, f"{one.name}_levels"
    _renamed(model, name, inner)
    model.graph.node.insert(0, helper.make_node("QuantizeLinear", [name, *node.input[1:3]], [inner], f"{inner}_made"))
    one.type.tensor_type.elem_type = TensorProto.FLOAT
    return [
        f"input {name!r}: {kind.__name__}, whose levels stand for numbers from {low:.3g} to {high:.3g}, not for pixels "
        "as they are: it is given those numbers"
    ]


def numbers_out(model: "onnx.ModelProto") -> list[str]:
    """Let outputs that are the largest numbers (TopK) be those that they are picked from; where there is nothing else,
    the place of the largest (ArgMax) too."""
    from onnx import TensorProto

    makers = {name: node for node in model.graph.node for name in node.output}
    notes, floats = [], (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    for shown in [*model.graph.output]:
        node = _behind(makers, shown.name, "TopK", 0)
        if node is None:
            continue
        if any(other.name == node.input[0] for other in model.graph.output):
            model.graph.output.remove(shown)
            notes.append(f"output {shown.name!r}: the largest of the numbers of {node.input[0]!r} (TopK), left alone")
            continue
        _given_instead(model, shown, node.input[0])
        notes.append(
            f"output {shown.name!r}: its largest numbers, the largest first (TopK): those that they are picked from "
            "are taken"
        )
    if any(
        one.type.tensor_type.elem_type in floats or not one.type.HasField("tensor_type") for one in model.graph.output
    ):
        return notes
    for shown in model.graph.output:
        node = _behind(makers, shown.name, "ArgMax", 0)
        if node is not None:
            _given_instead(model, shown, node.input[0])
            notes.append(
                f"output {shown.name!r}: which number is the largest (ArgMax): the numbers themselves are taken"
            )
            break
    return notes


def _readers(model: "onnx.ModelProto", name: str) -> list[Any]:
    return [node for node in model.graph.node if name in node.input]


def _behind(makers: dict[str, Any], name: str, kind: str, place: int) -> Any | None:
    """The node of a kind that makes an output at its place, or that of which it is another type or shape."""
    while (node := makers.get(name)) is not None:
        if node.op_type == kind:
            return node if node.output[place] == name else None
        if node.op_type not in ("Cast", *PASSING[1:]):
            return None
        name = node.input[0]
    return None


def _renamed(model: "onnx.ModelProto", name: str, inner: str) -> None:
    for node in nodes(model):
        for place in (node.input, node.output):
            for i, one in enumerate(place):
                if one == name:
                    place[i] = inner


def _given_instead(model: "onnx.ModelProto", shown: Any, name: str) -> None:
    """Make an output the numbers that are called so within, in float32."""
    from onnx import TensorProto, helper

    _renamed(model, shown.name, f"{shown.name}_picked")
    cast = helper.make_node("Cast", [name], [shown.name], f"{shown.name}_whole", to=TensorProto.FLOAT)
    model.graph.node.append(cast)
    shown.CopyFrom(helper.make_tensor_value_info(shown.name, TensorProto.FLOAT, None))
