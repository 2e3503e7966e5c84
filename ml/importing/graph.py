"""An ONNX file taken apart before anything runs it: whole in itself, of known operators, no file outside its folder.

Read in the process that tries it (ml.importing.trial) and nowhere else.
"""

import ast
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ml.artifacts.inspection import GRAPH_BYTES, MB
from ml.importing import by_skl2onnx, ends, trees
from ml.importing.beginning import range_of
from ml.importing.plain import Plain, nodes, plain
from ml.inference.onnx import need

if TYPE_CHECKING:
    import onnx

KNOWN = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Domains of operators that onnxruntime itself computes; a function that the file defines is made of these."""
MACHINES = {"com.microsoft.nchwc", "com.ms.internal.nhwc"}
"""Domains that onnxruntime writes where its fully optimised form of a network is saved."""
NEIGHBOURS = 20  # other ONNX files of the folder that are looked into, for a data file that is theirs too
NEIGHBOUR_BYTES = 64 * MB


class Unusable(ValueError):
    """A network that is not taken in; the message is one sentence that says why, and what to do. classes: its names of
    classes that are none of the data set's → the one that each may mean, '' for none."""

    def __init__(self, words: str, classes: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(words)
        self.classes = dict(classes)


@dataclass(frozen=True)
class Read:
    """content: the file, with the data that lay beside it; names: its classes in the order of its outputs, where its
    metadata or its own operators say; said: metadata by key, and BEGINS; data: names of the files beside it; plain:
    what was taken off."""

    content: bytes
    parameters: int
    names: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    plain: Plain = field(default_factory=Plain)


BEGINS = "what it does with pixels first"
"""Key of Read.said: a name of ml.inference.imported.RANGES, as ml.importing.beginning tells it."""


def read(path: Path) -> Read:
    """Raises Unusable, and Missing without the package onnx."""
    need("onnx")
    import onnx
    import onnx.inliner
    from google.protobuf.message import DecodeError

    raw = path.read_bytes()
    try:
        model = onnx.load_model_from_string(raw)
    except DecodeError:
        raise Unusable(f"{path.name} is no ONNX file: export the network as ONNX and give that file") from None
    if not model.graph.node:
        raise Unusable(f"{path.name} is no ONNX file, or one without any operator: export the network as ONNX")
    strange = {node.domain for node in nodes(model)} - {*KNOWN, *(one.domain for one in model.functions)}
    if strange:
        named = sorted({f"{n.domain}.{n.op_type}" for n in nodes(model) if n.domain in strange})
        if strange <= MACHINES:
            raise Unusable(
                f"{path.name} was optimised by onnxruntime for one machine: give the file that it was made from"
            )
        raise Unusable(
            f"{path.name} uses operators of its own ({', '.join(named[:3])}), whose code is not in the file: export it "
            "with standard ONNX operators alone"
        )
    if trees.is_forest_of_lightgbm(model):
        raise Unusable(f"{path.name} is {trees.FOREST} in ONNX: {trees.PREDICTED}")
    if by_skl2onnx.is_rest_of_margins(model):
        raise Unusable(f"{path.name} is {by_skl2onnx.MARGINS} in ONNX: {by_skl2onnx.OTHER_SIGN}")
    inlined = bool(model.functions)
    if inlined:  # what is looked for in graphs would be hidden in them
        model = onnx.inliner.inline_local_functions(model)
    data = outside(model, path)
    if data:
        onnx.load_external_data_for_model(model, str(path.parent))
    ended = [*ends.numbers_in(model), *ends.numbers_out(model)]
    made = plain(model)
    made.notes.extend([*ended, *trees.notes(model), *by_skl2onnx.notes(model)])
    if data or inlined or ended or made.changed:
        raw = model.SerializeToString()
    if len(raw) > GRAPH_BYTES:
        raise Unusable(
            f"{path.name} has {len(raw) / MB:,.0f} MiB with its data; at most {GRAPH_BYTES / MB:,.0f} are taken"
        )
    said = {one.key: one.value for one in model.metadata_props}
    names = names_of(said) or tuple(one for one in made.labels if isinstance(one, str))
    said |= {BEGINS: begins} if (begins := range_of(model)) else {}
    return Read(raw, parameters(model), names, said, tuple(data), made)


def tensors(model: "onnx.ModelProto") -> Iterator[Any]:
    """Every tensor that the file holds or names, in graphs, inner ones and attributes."""
    waiting: list[Any] = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for one in node.attribute:
                waiting += [*([one.g] if one.HasField("g") else []), *one.graphs]
    for node in nodes(model):
        for one in node.attribute:
            yield from [*([one.t] if one.HasField("t") else []), *one.tensors]
            for sparse in [*([one.sparse_tensor] if one.HasField("sparse_tensor") else []), *one.sparse_tensors]:
                yield from (sparse.values, sparse.indices)


def outside(model: "onnx.ModelProto", path: Path) -> list[str]:
    """Names of the data files beside it. Raises Unusable where one is elsewhere, absent, or another network's too."""
    names = sorted(locations(model))
    for name in names:
        place = PurePosixPath(name.replace("\\", "/"))
        if not name or place.is_absolute() or ".." in place.parts or ":" in name:
            raise Unusable(
                f"{path.name} wants data from {name[:80]!r}, outside its folder: export it again as one file"
            )
        file = path.parent / name
        if not file.is_file():
            raise Unusable(f"{path.name} keeps its weights in {name[:80]!r}, which is not beside it: put it there")
        if not file.resolve().is_relative_to(path.parent.resolve()):
            raise Unusable(f"{name[:80]!r} beside {path.name} is a link out of its folder: put the file itself there")
    if names:
        for other in [one for one in sorted(path.parent.glob("*.onnx")) if one.name != path.name][:NEIGHBOURS]:
            if shared := sorted({*names} & _of_neighbour(other)):
                raise Unusable(
                    f"{shared[0][:80]!r} holds the weights of {path.name} and of {other.name}: nobody can say of which "
                    "of the two they are. Export the network again into an empty folder"
                )
    return names


def _of_neighbour(path: Path) -> set[str]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if not path.is_file() or path.stat().st_size > NEIGHBOUR_BYTES:
            return set()
        return locations(onnx.load_model_from_string(path.read_bytes()))
    except (OSError, DecodeError):
        return set()


def locations(model: "onnx.ModelProto") -> set[str]:
    """Where tensors lie that are not in the file itself."""
    import onnx

    return {
        next((one.value for one in tensor.external_data if one.key == "location"), "")
        for tensor in tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }


def parameters(model: "onnx.ModelProto") -> int:
    """Numbers that were learned, as far as a file tells: those of its arrays, single ones left out."""
    import onnx

    kinds = onnx.TensorProto
    learned = {kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE, kinds.INT8, kinds.UINT8}
    return sum(math.prod(one.dims) for one in model.graph.initializer if one.data_type in learned and len(one.dims))


def names_of(said: dict[str, str]) -> tuple[str, ...]:
    """Classes as metadata write them: a list in JSON, or number → name as in {0: 'cat', 1: 'dog'}."""
    for key in ("classes", "names", "labels", "class_names"):
        found: Any = None
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(said.get(key, ""))
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
        if isinstance(found, dict):
            found = [found[i] for i in sorted(found, key=int)] if all(str(i).isdigit() for i in found) else None
        if isinstance(found, list) and len(found) > 1 and all(isinstance(one, str) for one in found):
            return tuple(found)
    return ()
