"""An ONNX file made plain: what converters put around a network is taken off; it takes pixels and gives one table.

A list of dictionaries becomes its table, whole numbers are taken as bytes and given as what they stand for, and one
number for two classes becomes two.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.importing import by_answer
from ml.importing.beginning import TREES

if TYPE_CHECKING:
    import onnx

LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")  # attributes of scikit-learn's operators
HELD = "held against"
"""Key of metadata: the framework that says the same, of files that were written here."""
WHOLE = {3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 12: "uint32", 13: "uint64"}
"""Types of whole numbers by ONNX's number that pictures are given as; uint8 is as it should be."""
NOT_BOTH = 0.05  # of the pictures of which a label and the largest number may name different classes: ties


@dataclass(frozen=True)
class Plain:
    """labels: what the file calls its classes, in the order of its numbers, where it says so; notes: sentences;
    changed: whether the file was."""

    labels: tuple[str | int, ...] = ()
    notes: list[str] = field(default_factory=list)
    changed: bool = False


def plain(model: "onnx.ModelProto") -> Plain:
    """Change the model where that is needed, whatever it says of pictures."""
    labels = labels_of(model)
    notes = [*_tables(model), *_bytes(model), *_levels(model)]
    return Plain(labels, [*notes, *_thresholds(model)], changed=bool(notes))


def nodes(model: "onnx.ModelProto") -> Iterator[Any]:
    """Every node, those of functions and of inner graphs too."""
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def labels_of(model: "onnx.ModelProto") -> tuple[str | int, ...]:
    """What its answer is looked up in, else of scikit-learn's operators, which may be parts of an ensemble with classes
    of their own; none where they say different things."""
    from onnx import numpy_helper

    if own := by_answer.labels(model):
        return own
    found: set[tuple[str | int, ...]] = set()
    for node in model.graph.node:
        for one in node.attribute:
            if one.name in LABELS and len(one.strings) + len(one.ints) > 1:
                found.add(tuple(text.decode("utf-8", "replace") for text in one.strings) or tuple(one.ints))
    if not found:
        looked_up = {node.input[0] for node in model.graph.node if node.op_type == "ArrayFeatureExtractor"}
        for one in model.graph.initializer:
            if one.name in looked_up and one.data_type in (6, 7, 8) and len(one.dims) == 1 and one.dims[0] > 1:
                values = numpy_helper.to_array(one).tolist()
                if values == sorted({*values}):  # as NumPy's unique leaves them; others are values of training pictures
                    found.add(tuple(value.decode() if isinstance(value, bytes) else value for value in values))
    return found.pop() if len(found) == 1 else ()


def _thresholds(model: "onnx.ModelProto") -> list[str]:
    """A sentence where pixels are scaled before trees compare them, and nobody held what comes out against anything."""
    makers = {name: node for node in model.graph.node for name in node.output}
    trees = [node for node in model.graph.node if node.op_type in TREES]
    if not trees or any(one.key == HELD for one in model.metadata_props):
        return []
    name = trees[0].input[0]
    while name in makers and makers[name].op_type in ("Cast", "Identity", "Reshape", "Flatten"):
        name = makers[name].input[0]
    if name not in makers:
        return []
    return [
        "pixels are scaled before trees compare them: many lie exactly on a threshold, and the last bit decides, so "
        "that scikit-learn itself may have said other probabilities (a .skops file is held against its ONNX)"
    ]


def _tables(model: "onnx.ModelProto") -> list[str]:
    """Take dictionaries off. onnxruntime makes none of float64, which is what most people's pixels are in NumPy."""
    from onnx import TensorProto, helper

    maps = [node for node in model.graph.node if node.op_type == "ZipMap" and node.domain == "ai.onnx.ml"]
    outputs = {one.name: one for one in model.graph.output}
    taken = []
    for node in maps:
        shown = outputs.get(node.output[0])
        if shown is None or any(node.output[0] in other.input for other in model.graph.node):
            continue
        k = max(len(one.strings) + len(one.ints) for one in node.attribute if one.name in LABELS)
        cast = helper.make_node("Cast", [node.input[0]], [node.output[0]], to=TensorProto.FLOAT)
        cast.name = f"{node.output[0]}_as_a_table"
        labels = [*node.attribute]
        node.CopyFrom(cast)
        # it stays in the file what the columns are: nothing else says so where another operator made them
        _keep_labels(model, labels)
        shown.CopyFrom(helper.make_tensor_value_info(shown.name, TensorProto.FLOAT, [None, k]))
        taken.append(shown.name)
    return [
        f"output {name!r}: its dictionaries (ZipMap) are taken as the table that they are made of" for name in taken
    ]


def _keep_labels(model: "onnx.ModelProto", attributes: Sequence[Any]) -> None:
    said = next((one for one in attributes if one.name in LABELS), None)
    if said is not None and said.strings and not any(one.key == "classes" for one in model.metadata_props):
        model.metadata_props.add(key="classes", value=json.dumps([text.decode() for text in said.strings]))


def _bytes(model: "onnx.ModelProto") -> list[str]:
    """Let an only input of whole numbers take bytes, which pixels are."""
    from onnx import TensorProto, helper

    held = {one.name for one in model.graph.initializer}
    given = [one for one in model.graph.input if one.name not in held]
    if len(given) != 1 or given[0].type.tensor_type.elem_type not in WHOLE:
        return []
    one, kind = given[0], given[0].type.tensor_type.elem_type
    inner = f"{one.name}_whole"
    for node in nodes(model):
        for i, name in enumerate(node.input):
            if name == one.name:
                node.input[i] = inner
    if kind == TensorProto.INT8:  # a byte above 127 would be a negative one
        half, wide = f"{inner}_half", [f"{inner}_wide", f"{inner}_less"]
        model.graph.initializer.append(helper.make_tensor(half, TensorProto.INT32, [], [128]))
        first = [
            helper.make_node("Cast", [one.name], [wide[0]], wide[0], to=TensorProto.INT32),
            helper.make_node("Sub", [wide[0], half], [wide[1]], wide[1]),
        ]
    else:
        first, wide = [], [one.name]
    for node in (helper.make_node("Cast", [wide[-1]], [inner], f"{inner}_cast", to=kind), *reversed(first)):
        model.graph.node.insert(0, node)
    one.type.tensor_type.elem_type = TensorProto.UINT8
    how = "less 128: -128 to 127" if first else "as they are"
    return [f"input {one.name!r}: {WHOLE[kind]}, for which pixels from 0 to 255 are taken {how}"]


def _levels(model: "onnx.ModelProto") -> list[str]:
    """Let outputs that are quantised be what their levels stand for, which the last operator says."""
    from onnx import TensorProto, helper

    makers = {name: node for node in model.graph.node for name in node.output}
    kinds = {one.name: one.data_type for one in model.graph.initializer}
    notes = []
    for shown in model.graph.output:
        node = makers.get(shown.name)
        if node is None or node.op_type != "QuantizeLinear" or kinds.get(node.input[1]) != TensorProto.FLOAT:
            continue
        inner = f"{shown.name}_levels"
        for other in nodes(model):
            for place in (other.input, other.output):
                for i, name in enumerate(place):
                    if name == shown.name:
                        place[i] = inner
        turned = helper.make_node("DequantizeLinear", [inner, *node.input[1:]], [shown.name], f"{inner}_turned")
        turned.attribute.extend(one for one in node.attribute if one.name == "axis")
        model.graph.node.append(turned)
        shown.type.tensor_type.elem_type = TensorProto.FLOAT
        notes.append(f"output {shown.name!r}: its levels are quantised, and taken as the numbers that they stand for")
    return notes


@dataclass(frozen=True)
class Settled:
    """content: the file, changed; notes: sentences."""

    content: bytes
    notes: list[str]


def settled(
    content: bytes, answers: dict[str, Any], classes: int, labels: Sequence[str | int], output: str = "",
    said: str = "",
) -> Settled | None:  # fmt: skip
    """The file with one number a class where its answers have one for two, or two of which each is the other's
    negative; None where nothing is to be done.

    answers: output → what it said of some pictures; labels: as Plain has them; output: the only one that counts, said:
    what its numbers are, where a person said so.
    """
    if classes != 2:
        return None
    tables = {name: table for name, answer in answers.items() if (table := _table(answer)) is not None}
    if output:
        tables = {name: table for name, table in tables.items() if name == output}
    named = _named(answers, labels)
    if any(table.shape[1] == 2 and not _opposite(table) for table in tables.values()):
        return None
    for name, table in tables.items():
        if table.shape[1] == 2 and named is not None:
            return _margins(content, name, table, named)
    singles = [(name, table) for name, table in tables.items() if table.shape[1] == 1]
    if len(singles) != 1 or any(table.shape[1] == 2 for table in tables.values()):
        return None
    name, table = singles[0]
    chances = likely(table, said)
    return Settled(with_two(content, name, chances=chances), [told(name, chances=chances)])


def likely(table: np.ndarray, said: str = "") -> bool:
    """Whether one number a picture is a probability, and not a margin. said: what a person says that it is."""
    if said in ("probabilities", "logits"):
        return said == "probabilities"
    return bool(table.min(initial=0) >= 0 and table.max(initial=0) <= 1)


def told(name: str, *, chances: bool) -> str:
    """The sentence on it."""
    if chances:
        return f"output {name!r}: one number from 0 to 1 for two classes is the second one's probability"
    return f"output {name!r}: one number for two classes is a margin: above 0 it is the second"


def _margins(content: bytes, name: str, table: np.ndarray, named: np.ndarray) -> Settled | None:
    """Two numbers, each the other's negative, as scikit-learn's margins are written: some the other way round."""
    agree = float((table.argmax(1) == named).mean())
    if NOT_BOTH < agree < 1 - NOT_BOTH:
        return None
    turned = agree <= NOT_BOTH
    notes = [f"output {name!r}: its two numbers are one margin and its negative, taken once"]
    if turned:
        notes.append("the larger of the two is never the class that its own label names: they are turned round")
    return Settled(_halved(content, name, turned=turned), notes)


def disagreement(answers: dict[str, Any], table: np.ndarray, labels: Sequence[str | int]) -> tuple[int, int]:
    """Of how many pictures the network's own label is not its largest number, and of how many it says one; (0, 0) where
    it has none. table: float [n, outputs] in the order of labels."""
    named = _named(answers, labels)
    if named is None or len(labels) != table.shape[1]:
        return 0, 0
    return int((table.argmax(1) != named).sum()), len(named)


def _named(answers: dict[str, Any], labels: Sequence[str | int]) -> np.ndarray | None:
    """int [n]: where among labels the network's own label stands, None where it says none."""
    place = {label: i for i, label in enumerate(labels)}
    for answer in answers.values():
        values = np.asarray(answer) if not isinstance(answer, list) else np.array(answer, object)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 1 and values.dtype.kind in "iuOUSb" and place:
            found = [place.get(one if isinstance(one, str) else int(one), -1) for one in values.tolist()]
            if min(found, default=-1) >= 0:
                return np.array(found)
    return None


def _table(answer: Any) -> np.ndarray | None:
    """float [n, k], k 1 or 2."""
    if isinstance(answer, list):
        return None
    values = np.asarray(answer)
    if values.dtype.kind != "f" or not values.ndim or not len(values) or not np.isfinite(values).all():
        return None
    values = values.reshape(len(values), -1)
    return values.astype(np.float64) if values.shape[1] in (1, 2) else None


def _opposite(table: np.ndarray) -> bool:
    return bool((table[:, 0] == -table[:, 1]).all() and table.any())


def both(table: np.ndarray, *, chances: bool) -> np.ndarray:
    """What `settled` makes of one column: float [n, 1] → [n, 2], 1 - p and p of probabilities, else half the margin
    with either sign."""
    if chances:
        return np.concatenate([1 - table, table], axis=1)
    return np.concatenate([-table / 2, table / 2], axis=1)


def with_two(content: bytes, name: str, *, chances: bool) -> bytes:
    """One column → two: 1 - p and p, or half the margin with either sign, whose softmax is the margin's sigmoid."""
    from onnx import helper, numpy_helper

    def steps(given: str, made: str, kind: Any) -> tuple[list[Any], list[Any]]:
        constant = numpy_helper.from_array(np.array(1 if chances else 0.5, kind), f"{name}_constant")
        shape = numpy_helper.from_array(np.array([-1, 1]), f"{name}_shape")
        second = f"{name}_second"
        first = (
            [
                helper.make_node("Sub", [constant.name, f"{name}_column"], [f"{name}_first"]),
                helper.make_node("Identity", [f"{name}_column"], [second]),
            ]
            if chances
            else [
                helper.make_node("Mul", [f"{name}_column", constant.name], [second]),
                helper.make_node("Neg", [second], [f"{name}_first"]),
            ]
        )
        column = helper.make_node("Reshape", [given, shape.name], [f"{name}_column"])
        return [column, *first, helper.make_node("Concat", [f"{name}_first", second], [made], axis=1)], [
            constant,
            shape,
        ]

    return _followed(content, name, steps)


def _halved(content: bytes, name: str, *, turned: bool) -> bytes:
    """Two numbers ±margin → half of each, which softmax makes the margin's sigmoid."""
    from onnx import helper, numpy_helper

    def steps(given: str, made: str, kind: Any) -> tuple[list[Any], list[Any]]:
        half = numpy_helper.from_array(np.array(-0.5 if turned else 0.5, kind), f"{name}_half")
        return [helper.make_node("Mul", [given, half.name], [made])], [half]

    return _followed(content, name, steps)


def _followed(content: bytes, name: str, steps: Any) -> bytes:
    """The file with nodes after an output, which keeps its name. steps: (its old name, its new one, a NumPy type) →
    nodes and arrays."""
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(content)
    inner = f"{name}_before"
    for node in nodes(model):
        for place in (node.input, node.output):
            for i, one in enumerate(place):
                if one == name:
                    place[i] = inner
    shown = next(one for one in model.graph.output if one.name == name)
    kind = shown.type.tensor_type.elem_type
    more, arrays = steps(inner, name, helper.tensor_dtype_to_np_dtype(kind))
    model.graph.node.extend(more)
    model.graph.initializer.extend(arrays)
    shown.CopyFrom(helper.make_tensor_value_info(name, kind, [None, 2]))
    return model.SerializeToString()
