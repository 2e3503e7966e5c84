"""What a network in ONNX calls its classes, by the array in which its own answer is looked up."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

ALIKE = (
    "Cast",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Identity",
)  # that change nothing about which class it is
NAMES = (6, 7, 8)  # int32, int64 and texts, as ONNX numbers its types


def labels(model: "onnx.ModelProto") -> tuple[str | int, ...]:
    """Of the array that the place of the largest number is looked up in, and what is found is an output; () where there
    is none, or several say different things."""
    from onnx import numpy_helper

    makers = {name: node for node in model.graph.node for name in node.output}
    held = {one.name: one for one in model.graph.initializer}

    def behind(name: str) -> "onnx.NodeProto | None":
        node = makers.get(name)
        while node is not None and node.op_type in ALIKE and node.input:
            node = makers.get(node.input[0])
        return node

    found: set[tuple[str | int, ...]] = set()
    for output in model.graph.output:
        node = behind(output.name)
        if node is None or node.op_type != "ArrayFeatureExtractor" or node.input[0] not in held:
            continue
        place, array = behind(node.input[1]), held[node.input[0]]
        if place is not None and place.op_type == "ArgMax" and array.data_type in NAMES:
            values = numpy_helper.to_array(array).ravel().tolist()
            found.add(tuple(value.decode() if isinstance(value, bytes) else value for value in values))
    return found.pop() if len(found) == 1 else ()
