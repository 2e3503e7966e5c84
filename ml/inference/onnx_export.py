"""A run's network as one ONNX file, in float32 or in int8: pixels in, logits and features out.

Input `images`: uint8 [n, height, width, channels] for any n, pictures as they are stored; centring, scaling and the
order of channels are inside. Outputs `logits`: float32 [n, classes]; `features`: float32 [n, d], what the last layer
reads. Batch normalisation is folded into the convolutions. The file carries its class names and needs no other file.

What int8 is made with was chosen on validation, over the networks that ship (docs/engines.md): weights symmetric, of
seven bits, of photographs eight, one scale a channel; activations uint8, from the smallest to the largest value seen on
training pictures; QuantizeLinear and DequantizeLinear around ordinary operators (QDQ), which every ONNX runtime
understands.
"""

import copy
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.data.images import AnyImages
from ml.inference.classifier import Classifier
from ml.inference.onnx import CHANGING, need

if TYPE_CHECKING:
    import onnx

OPSET = 17
INPUT, OUTPUTS = "images", ("logits", "features")
CALIBRATION = 1_000  # training pictures that int8 is calibrated on
CALIBRATION_BATCH = 100
FRONT = ("Transpose", "Cast", "Mul", "Sub")  # from pixels to what the first layer reads
LARGE = 96 * 96  # places of a map: few weights make it, and moving it in and out of eight bits costs what it gains
PHOTOGRAPH = 85  # pixels of the shorter side from which pictures are photographs, as ml.explanation.scale has it
DELICATE = ("LayerNormalization", "Softmax")  # lose much and gain little in int8
POOLS = ("Flatten", "Reshape", "GlobalAveragePool", "ReduceMean", "Gather", "Identity")  # between body and features


class Whole(nn.Module):
    """uint8 [n, h, w, c] → logits and features, normalisation included."""

    scale: Tensor
    shift: Tensor

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.net = copy.deepcopy(classifier.folded).to(memory_format=torch.contiguous_format)
        mean, std = torch.tensor(classifier.mean), torch.tensor(classifier.std)
        self.register_buffer("scale", (1 / (255 * std)).view(1, -1, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.net.body(images.permute(0, 3, 1, 2).float() * self.scale - self.shift)
        return self.net.head(features), features


def graph(classifier: Classifier) -> bytes:
    """The network in float32; equal networks are equal bytes. Raises Missing without onnx, ValueError where it has a
    part that ONNX does not know.
    """
    need("onnx")
    import onnx

    written, pictures = io.BytesIO(), torch.zeros(2, *classifier.shape, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode(), _plain_attention():
        # The newer exporter takes 7 s instead of 0.2 and needs onnxscript, and what it makes of a mean over the picture
        # cannot be quantised. Tracing warns of every shape that is read: the test asks for other numbers of pictures.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                Whole(classifier).eval(),
                (pictures,),
                written,  # type: ignore[arg-type]  # files are taken too
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: "n"} for name in (INPUT, *OUTPUTS)},
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ValueError(f"this network cannot be written as ONNX: {str(error).splitlines()[0][:200]}") from error
    model = onnx.load_from_string(written.getvalue())
    return _sealed(model, {"classes": json.dumps(classifier.classes, ensure_ascii=False)})


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as products and sums: ONNX has no word for torch's own fast one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def quantised(graph: bytes, images: AnyImages, seed: int = 0, **options: Any) -> bytes:
    """The same network in int8. images: uint8 [n, h, w, c], training pictures, of which CALIBRATION are drawn by seed.

    options: others than the chosen ones, for onnxruntime's quantize_static. What _kept names stays in
    float32. Raises Missing without onnx and onnxruntime, ValueError without pictures.
    """
    need("onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if not len(images):
        raise ValueError("int8 is calibrated on training pictures, and there are none here")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(images))[:CALIBRATION])
    model = onnx.load_from_string(graph)
    about = {prop.key: prop.value for prop in model.metadata_props}
    with tempfile.TemporaryDirectory() as scratch:
        source, prepared, small = (str(Path(scratch) / name) for name in ("source", "prepared", "small"))
        onnx.save(model, source)
        _optimised(source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
        settings: dict[str, Any] = {
            "quant_format": QuantFormat.QDQ,
            "calibrate_method": CalibrationMethod.MinMax,
            "activation_type": QuantType.QUInt8,
            "weight_type": QuantType.QInt8,
            "per_channel": True,
            # seven bits: processors without VNNI add two products in 16 bits, and eight could overflow there; of
            # photographs the eighth bit is worth more than that (docs/engines.md)
            "reduce_range": min(images.shape[1:3]) < PHOTOGRAPH,
            "nodes_to_exclude": _kept(onnx.load(prepared)),
        }
        quantize_static(prepared, small, _reader(images[drawn]), **{**settings, **options})
        model = onnx.load(small)
    _bare(model, images.shape[1:])
    _without_zeros(model)
    _rename(model)
    calibration = f"{len(drawn)} training pictures, seed {seed}"
    return _sealed(model, {**about, "calibration": calibration})


def _optimised(place: str) -> None:
    """What quant_pre_process would optimise, in place, without what changes answers: it leaves no choice."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = f"{place}.optimised"
    options.log_severity_level = 3
    onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"], disabled_optimizers=CHANGING)
    Path(f"{place}.optimised").replace(place)


def _kept(model: "onnx.ModelProto") -> list[str]:
    """Names of the nodes that stay in float32: the scaling of pixels, DELICATE, convolutions that make maps of LARGE
    places, the last layer, the pooling before."""
    nodes = list(model.graph.node)
    makers = {name: node for node in nodes for name in node.output}
    kept, reached = [node.name for node in nodes if node.op_type in DELICATE], {INPUT}
    for node in nodes:  # in the order of computation
        if node.op_type in FRONT and node.input[0] in reached:
            kept.append(node.name)
            reached |= set(node.output)
    maps = {info.name: info.type.tensor_type.shape.dim for info in model.graph.value_info}
    for node in nodes:
        sides = [side.dim_value for side in maps.get(node.output[0], ())][2:]
        if node.op_type == "Conv" and len(sides) == 2 and sides[0] * sides[1] >= LARGE:
            kept.append(node.name)
    node = makers[OUTPUTS[0]]
    kept.append(node.name)
    while (node := makers.get(node.input[0])) is not None and node.op_type in POOLS:
        kept.append(node.name)
    return kept


def _reader(images: np.ndarray) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Pictures in batches, once."""

        def __init__(self) -> None:
            self.batches: Iterator[np.ndarray] = (
                images[i : i + CALIBRATION_BATCH] for i in range(0, len(images), CALIBRATION_BATCH)
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

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


def _sealed(model: "onnx.ModelProto", about: dict[str, str]) -> bytes:
    """The checked file with what is told of it."""
    import onnx

    used = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used]:
        model.graph.initializer.remove(tensor)
    model.doc_string = "Input: images, uint8 [n, height, width, channels]. Outputs: logits and features, float32."
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)
