"""A network as ONNX, made int8: one of ours (ml.inference.onnx_export) or one that was imported as ONNX.

What it is made with was chosen on validation, over the networks that ship (docs/engines.md): weights symmetric, of
seven bits, of photographs eight, one scale a channel; activations uint8, from the smallest to the largest value seen on
training pictures; QuantizeLinear and DequantizeLinear around ordinary operators (QDQ), which every ONNX runtime
understands.
"""

import logging
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.data.images import AnyImages, asked_at_once
from ml.inference.imported import Interface
from ml.inference.onnx import CHANGING, need, words_of
from ml.inference.onnx_export import INPUT, OUTPUTS, sealed

if TYPE_CHECKING:
    import onnx

CALIBRATION = 1_000  # training pictures that int8 is calibrated on
CALIBRATION_BATCH = 100
FRONT = ("Transpose", "Cast", "Mul", "Sub")  # from pixels to what the first layer reads, of ours
THEIRS = (*FRONT, "Add", "Div")  # of those from elsewhere
LARGE = 96 * 96  # places of a map: few weights make it, and moving it in and out of eight bits costs what it gains
PHOTOGRAPH = 85  # pixels of the shorter side from which pictures are photographs, as ml.explanation.scale has it
DELICATE = ("LayerNormalization", "Softmax")  # lose much and gain little in int8
POOLS = ("Flatten", "Reshape", "GlobalAveragePool", "ReduceMean", "Gather", "Identity")  # between body and features
WEIGHING = ("Conv", "Gemm", "MatMul")  # have nearly all weights of a network, and nearly all its work
SMALL = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger")


class Nothing(ValueError):
    """There is nothing to gain, in a sentence."""

    def __init__(self) -> None:
        super().__init__("this network has no convolutions or dense layers but its last one, which stays in float32")


def quantised(graph: bytes, images: AnyImages, seed: int = 0, **options: Any) -> bytes:
    """One of ours in int8. images: uint8 [n, h, w, c], training pictures, of which CALIBRATION are drawn by seed.

    options: others than the chosen ones, for onnxruntime's quantize_static. What _kept names stays in
    float32. Raises Missing without onnx and onnxruntime, ValueError without pictures.
    """
    need("onnx", "onnxruntime")
    import onnx

    drawn = _drawn(images, seed)
    about = {prop.key: prop.value for prop in onnx.load_from_string(graph).metadata_props}
    model = _small(
        graph, INPUT, OUTPUTS[0], FRONT, _parts(images, drawn, CALIBRATION_BATCH), images.shape[1:3], options
    )
    _bare(model, images.shape[1:])
    _without_zeros(model)
    _rename(model)
    return sealed(model, {**about, "calibration": f"{len(drawn)} training pictures, seed {seed}"})


def of_imported(graph: bytes, how: Interface, images: AnyImages, seed: int = 0) -> bytes:
    """A network from elsewhere in int8, asked as before. images, seed: as of `quantised`.

    Raises Missing without onnx and onnxruntime, ValueError, in a sentence, where nothing is to be gained or onnxruntime
    cannot.
    """
    need("onnx", "onnxruntime")
    import onnx

    model = onnx.load_from_string(graph)
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {*SMALL} or any(kind.startswith("QLinear") for kind in kinds):
        raise ValueError("this network computes with small integers already")
    if not kinds & {*WEIGHING}:
        raise Nothing
    wide = [
        part
        for part in model.graph.initializer
        if part.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    ]
    if wide or how.type in ("tensor(float16)", "tensor(double)"):
        raise ValueError("int8 is made of networks in float32, and this one has weights or pictures of another kind")
    drawn = _drawn(images, seed)
    size = how.batch or min(CALIBRATION_BATCH, asked_at_once(how.shape))
    if how.batch:  # the last ones are filled up with the first
        drawn = np.resize(drawn, -(-len(drawn) // size) * size)
    parts = _parts(images, drawn, size, how.prepared)
    try:
        small = _small(graph, how.input, how.output, THEIRS, parts, how.shape[:2])
    except Nothing:
        raise
    except Exception as error:  # onnxruntime's own kinds of error, and those of its quantiser, share no other base
        raise ValueError(
            f"onnxruntime cannot make this network int8 ({type(error).__name__}: {words_of(error)})"
        ) from error
    _without_zeros(small)
    return small.SerializeToString(deterministic=True)


def _drawn(images: AnyImages, seed: int) -> np.ndarray:
    if not len(images):
        raise ValueError("int8 is calibrated on training pictures, and there are none here")
    return np.sort(np.random.default_rng(seed).permutation(len(images))[:CALIBRATION])


def _parts(
    images: AnyImages, rows: np.ndarray, size: int, prepared: Callable[[np.ndarray], np.ndarray] | None = None
) -> Iterator[np.ndarray]:
    """Pictures of these rows, as the network reads them."""
    for start in range(0, len(rows), size):
        part = images[rows[start : start + size]]
        yield part if prepared is None else prepared(part)


def _small(
    graph: bytes,
    taken: str,
    answered: str,
    front: Collection[str],
    parts: Iterator[np.ndarray],
    sides: tuple[int, ...],
    options: dict[str, Any] | None = None,
) -> "onnx.ModelProto":
    """The graph quantised. taken, answered: names of its input and of the output that answers; front: operators that
    scale pixels; sides: of the pictures it takes."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as scratch:
        source, prepared, small = (str(Path(scratch) / name) for name in ("source", "prepared", "small"))
        onnx.save(onnx.load_from_string(graph), source)
        _optimised(source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
        model = onnx.load(prepared)
        for number, node in enumerate(model.graph.node):  # what stays is told by names, and not all have one of theirs
            node.name = f"{number} {node.name}"
        onnx.save(model, prepared)
        kept = _kept(model, taken, answered, front)
        if not any(node.op_type in WEIGHING and node.name not in kept for node in model.graph.node):
            raise Nothing
        settings: dict[str, Any] = {
            "quant_format": QuantFormat.QDQ,
            "calibrate_method": CalibrationMethod.MinMax,
            "activation_type": QuantType.QUInt8,
            "weight_type": QuantType.QInt8,
            "per_channel": True,
            # seven bits: processors without VNNI add two products in 16 bits, and eight could overflow there; of
            # photographs the eighth bit is worth more than that (docs/engines.md)
            "reduce_range": min(sides[:2]) < PHOTOGRAPH,
            "nodes_to_exclude": kept,
        }
        with _unsaid():
            quantize_static(prepared, small, _reader(taken, parts), **{**settings, **(options or {})})
        return onnx.load(small)


@contextmanager
def _unsaid() -> Iterator[None]:
    """onnxruntime 1.31 warns of each weight of a normalisation that it has no axis for a scale a channel; it then takes
    one scale for all of it."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Axis ")

    log = logging.getLogger()
    log.addFilter(other)
    try:
        yield
    finally:
        log.removeFilter(other)


def _optimised(place: str) -> None:
    """What quant_pre_process would optimise, in place, without what changes answers: it leaves no choice."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = f"{place}.optimised"
    options.log_severity_level = 3
    onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"], disabled_optimizers=CHANGING)
    Path(f"{place}.optimised").replace(place)


def _kept(model: "onnx.ModelProto", taken: str, answered: str, front: Collection[str]) -> list[str]:
    """Names of the nodes that stay in float32: the scaling of pixels, DELICATE, convolutions that make maps of LARGE
    places, the last layer and what follows it, the pooling before."""
    nodes = list(model.graph.node)
    makers = {name: node for node in nodes for name in node.output}
    kept, reached = [node.name for node in nodes if node.op_type in DELICATE], {taken}
    for node in nodes:  # in the order of computation
        if node.op_type in front and {*node.input} & reached:
            kept.append(node.name)
            reached |= set(node.output)
    maps = {info.name: info.type.tensor_type.shape.dim for info in model.graph.value_info}
    for node in nodes:
        sides = [side.dim_value for side in maps.get(node.output[0], ())][2:]
        if node.op_type == "Conv" and len(sides) == 2 and sides[0] * sides[1] >= LARGE:
            kept.append(node.name)
    node = makers[answered]
    kept.append(node.name)
    while node.op_type not in WEIGHING and (before := _before(node, makers)) is not None:
        node = before
        kept.append(node.name)
    while (node := _before(node, makers)) is not None and node.op_type in POOLS:
        kept.append(node.name)
    return kept


def _before(node: Any, makers: dict[str, Any]) -> Any:
    """What makes its first input that is computed; None for nothing."""
    return next((makers[name] for name in node.input if name in makers and makers[name].op_type != "Constant"), None)


def _reader(taken: str, parts: Iterator[np.ndarray]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Pictures in batches, once."""

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(parts, None)
            return None if batch is None else {taken: batch}

    return Reader()


def _bare(model: "onnx.ModelProto", shape: tuple[int, ...]) -> None:
    """Leave out the scaling of pixels where it only leads back to the pixels, in place.

    Calibrated from 0 to 255, the quantisation of scaled pixels is the pixel: whether it is for every level of every
    channel is asked of onnxruntime, since it is not where channels are scaled by different numbers.
    """
    import onnx
    import onnxruntime

    nodes = list(model.graph.node)
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    chain, name = [], INPUT
    while len(readers.get(name, [])) == 1 and readers[name][0].op_type in (*FRONT, "QuantizeLinear"):
        chain.append(readers[name][0])
        name = chain[-1].output[0]
        if chain[-1].op_type == "QuantizeLinear":
            break
    kinds = [node.op_type for node in chain]
    if kinds[-1:] != ["QuantizeLinear"] or kinds[:1] != ["Transpose"] or "Transpose" in kinds[1:]:
        return
    height, width, channels = shape
    count = -(-256 // (height * width))
    levels = np.resize(np.arange(256, dtype=np.uint8), (count, height, width, 1)).repeat(channels, axis=3)
    read = {name for node in chain for name in node.input}
    part = onnx.helper.make_graph(
        chain,
        "scaling",
        [onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, [None] * 4)],
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [None] * 4)],
        [tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    alone = onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = onnxruntime.InferenceSession(alone.SerializeToString(), providers=["CPUExecutionProvider"])
    if not np.array_equal(session.run([name], {INPUT: levels})[0], levels.transpose(0, 3, 1, 2)):
        return
    for node in chain[1:]:
        model.graph.node.remove(node)
    for reader in readers[name]:
        reader.input[list(reader.input).index(name)] = chain[0].output[0]
    for info in [info for info in model.graph.value_info if info.name == chain[0].output[0]]:
        model.graph.value_info.remove(info)


def _without_zeros(model: "onnx.ModelProto") -> None:
    """Leave out zero points of weights that are zero, as they are without being said, in place: 3 % of the file."""
    from onnx import numpy_helper

    known = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or len(node.input) < 3:
            continue
        value, _, zero = node.input
        if {value, zero} <= known.keys() and not numpy_helper.to_array(known[zero]).any():
            del node.input[2]


def _rename(model: "onnx.ModelProto") -> None:
    """Short names for what lies between input and outputs, in place: in a small network they are 7 % of the file."""
    inside: dict[str, str] = {name: name for name in ("", INPUT, *OUTPUTS)}

    def short(name: str) -> str:
        return inside.setdefault(name, f"t{len(inside)}")

    for tensor in model.graph.initializer:
        tensor.name = short(tensor.name)
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
    del model.graph.value_info[:]
