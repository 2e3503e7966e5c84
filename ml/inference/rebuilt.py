"""An imported ONNX network computed by torch, so that it has gradients: what explanations and attacks ask.

onnx2torch builds it from the file, and torch writes a program from the names within a graph: every name is therefore
made anew first, and nothing but standard operators without inner graphs is taken. That its answers are those of
onnxruntime is seen when the network is imported, in a process of its own (ml.importing.inside).
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.artifacts.reader import Missing
from ml.inference import last_layer
from ml.inference.contract import check
from ml.system import torchvision_ops

if TYPE_CHECKING:
    import onnx

Interface: TypeAlias = Any  # of ml.inference.imported, which opens this

OPSET = 17  # the last that onnx2torch knows
REDUCING = frozenset(("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"))
LEAST = 1e-12  # probability of which a logarithm is taken
NEVER = -1e4  # the logit of a class that the network does not know
PROBED = 64  # pictures resized at a time to learn how a size is made another


class NoGradients(ValueError):
    """The network cannot be rebuilt; the message says why."""


class Rebuilt:
    """classes, shape: as of the run; module: float32 [n, c, h, w], pixels in 0..1 → logits float32 [n, classes]."""

    def __init__(self, graph: bytes, how: Interface, classes: Sequence[str], shape: tuple[int, int, int]) -> None:
        """Raises NoGradients, Missing without onnx2torch."""
        self.classes, self.shape = tuple(classes), shape
        self.module = Pixels(Logits(graph, how), how, shape).eval()

    @property
    def pixels(self) -> nn.Module:
        """What attacks change: the same module."""
        return self.module

    def inputs(self, images: np.ndarray) -> Tensor:
        """images: uint8 [n, h, w, c] → float32 [n, c, h, w] in 0..1."""
        check(images, self.shape)
        return torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()


class Logits(nn.Module):
    """float32 [n, c, height, width] of the network's own size, channels and scale → logits float32 [n, classes]."""

    order: Tensor
    known: Tensor

    def __init__(self, graph: bytes, how: Interface) -> None:
        super().__init__()
        self.how = how
        if how.batch not in (0, 1):
            raise NoGradients(f"it takes {how.batch} pictures at a time")
        self.network, self.squashed = built(graph, how.output)
        order = torch.tensor(how.order)
        self.register_buffer("order", order.clamp(min=0))
        self.register_buffer("known", order >= 0)

    def forward(self, images: Tensor) -> Tensor:
        layout, dtype = self.how.layout, self.how.type
        values = images if layout in ("nchw", "flat-chw") else images.permute(0, 2, 3, 1)
        values = values[..., 0] if layout == "nhw" else values.flatten(1) if layout.startswith("flat") else values
        values = (
            values.double() if dtype == "tensor(double)" else values.half() if dtype == "tensor(float16)" else values
        )
        parts = values.split(1) if self.how.batch else (values,)
        said = torch.cat([self.network(part).flatten(1) for part in parts]).float()
        numbers: str = self.how.numbers
        if not self.squashed and numbers == "percent":
            said = said / 100
        if numbers == "doubled" or (not self.squashed and numbers in ("probabilities", "percent", "scores")):
            said = said.clamp(min=LEAST).log()
        return torch.where(self.known, said[:, self.order], torch.tensor(NEVER))


class Pixels(nn.Module):
    """Pixels in 0..1 of a data set's pictures, float32 [n, c, h, w] → logits; resizing is the sum of rows and columns
    that Pillow makes of it, without its rounding."""

    rows: Tensor
    columns: Tensor
    ground: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, network: Logits, how: Interface, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network, self.how = network, how
        self.turned, self.inverted = bool(getattr(how, "transposed", False)), bool(getattr(how, "inverted", False))
        scale = 255.0 if how.type == "tensor(uint8)" else 1.0
        self.register_buffer("mean", torch.tensor(how.mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(how.deviation, dtype=torch.float32).view(1, -1, 1, 1) / scale)
        size = (shape[1], shape[0]) if self.turned else shape[:2]
        rows, columns, ground = resizing(how, *size)
        self.framed = rows is not None
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)
        self.register_buffer("ground", ground)
        self.convolutions = [f"network.network.{name}" for name in mapped(network, how)]

    def forward(self, images: Tensor) -> Tensor:
        values = images.transpose(2, 3) if self.turned else images
        if self.framed:
            values = self.rows @ values @ self.columns.T + self.ground
        if values.shape[1] == 1 and self.how.channels == 3:
            values = values.expand(-1, 3, -1, -1)
        values = 1 - values if self.inverted else values
        values = values.flip(1) if self.how.bgr else values
        return self.network((values - self.mean) / self.deviation)

    def laid_back(self, maps: Tensor) -> Tensor:
        """float [n, 1, rows, columns] of a layer → [n, h, w], where in the data set's picture each place lies."""
        maps = functional.interpolate(maps, (self.how.height, self.how.width), mode="bilinear")
        if self.framed:
            whole = self.rows.T @ torch.ones_like(maps) @ self.columns
            maps = (self.rows.T @ maps @ self.columns) / whole.clamp(min=1e-6)
        return (maps.transpose(2, 3) if self.turned else maps)[:, 0]


def resizing(how: Interface, height: int, width: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """How pictures [height, width] become those of the network: float32 [H, height] and [W, width], products from both
    sides, and what is added, [H, W]; None where nothing is changed. Learned from pictures of which one row, or column,
    is light or dark."""
    plain: dict[str, Any] = {
        "layout": "nchw",
        "type": "tensor(float)",
        "mean": (0.0,),
        "deviation": (1.0,),
        "bgr": False,
    }
    off: dict[str, Any] = {name: False for name in ("inverted", "transposed") if name in type(how).model_fields}
    probe = how.model_copy(update={**plain, **off, "channels": 1})

    def made(images: np.ndarray) -> np.ndarray:
        return probe.prepared(images[..., None])[:, 0]

    noise = np.random.default_rng(0).integers(0, 256, (1, height, width), np.uint8)
    if (height, width) == (how.height, how.width) and np.array_equal(made(noise)[0], noise[0] / np.float32(255)):
        return None, None, None
    ground = made(np.zeros((1, height, width), np.uint8))[0]
    full = made(np.full((1, height, width), 255, np.uint8))[0] - ground
    sides = []
    for axis, length in enumerate((height, width)):
        parts = []
        for start in range(0, length, PROBED):
            places = range(start, min(start + PROBED, length))
            images = np.full((2, len(places), height, width), 128, np.uint8)
            for i, place in enumerate(places):
                line = (slice(None), place) if axis else (place, slice(None))
                images[0, i][line], images[1, i][line] = 255, 1
            light, dark = (made(some) for some in images)
            middle = light.shape[2 - axis] // 2
            parts.append((light - dark).take(middle, axis=2 - axis) * 255 / 254)
        side = np.concatenate(parts).T  # [of the network, of the picture]
        wanted, sums = full.take(full.shape[1 - axis] // 2, axis=1 - axis), side.sum(1)
        scale = np.divide(wanted, sums, out=np.zeros_like(sums), where=np.abs(sums) > 0.5)
        sides.append(torch.from_numpy((side * scale[:, None]).astype(np.float32)))
    return sides[0], sides[1], torch.from_numpy(ground)


def load() -> None:
    """onnx2torch, which takes a second, for torchvision comes with it. Raises ImportError."""
    torchvision_ops.declare()
    import onnx2torch  # noqa: F401


def built(graph: bytes, output: str) -> tuple[nn.Module, bool]:
    """The graph in torch as far as its logits, and whether a softmax was left out. Raises NoGradients, Missing."""
    absent = [name for name in ("onnx", "onnx2torch") if find_spec(name) is None]
    if absent:
        raise Missing(f"{' and '.join(absent)} is not installed.", "pip install -r requirements-networks.txt")
    import onnx

    load()
    from onnx2torch import convert

    model = onnx.load_model_from_string(graph)
    strange = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    inner = any(one.HasField("g") or one.graphs for node in model.graph.node for one in node.attribute)
    if strange or inner or model.functions:
        raise NoGradients("it has operators that are not ONNX's own" if strange else "it has graphs within its graph")
    logits = last_layer.ends(model, output).logits
    try:
        module = convert(plain(padded(model), logits)).eval()  # else the first probe moves its batch statistics
    except (NotImplementedError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise NoGradients(f"onnx2torch cannot rebuild it ({' '.join(str(error).split())[:120]})") from error
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module, logits != output


def padded(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The same with padding in numbers where it is said by its outcome (auto_pad SAME), as converters of TensorFlow and
    JAX write it and onnx2torch does not read it; what is of no known size stays."""
    import onnx
    from onnx import helper

    def said(node: Any, key: str, without: Any) -> Any:
        return next((helper.get_attribute_value(one) for one in node.attribute if one.name == key), without)

    same = [node for node in model.graph.node if said(node, "auto_pad", b"").startswith(b"SAME")]
    if not same:
        return model
    described = onnx.shape_inference.infer_shapes(model).graph
    values = [*described.input, *described.value_info]
    sizes = {one.name: [side.dim_value for side in one.type.tensor_type.shape.dim][2:] for one in values}
    kernels = {one.name: list(one.dims)[2:] for one in model.graph.initializer}
    for node in same:
        size = sizes.get(node.input[0], [])
        window = said(node, "kernel_shape", None) or (kernels.get(node.input[1], []) if len(node.input) > 1 else [])
        if not size or 0 in size or len(window) != len(size):
            continue
        steps, gaps = said(node, "strides", [1] * len(size)), said(node, "dilations", [1] * len(size))
        more = [
            max(0, (-(-side // step) - 1) * step + (width - 1) * gap + 1 - side)
            for side, width, step, gap in zip(size, window, steps, gaps, strict=True)
        ]
        first = [(one + (said(node, "auto_pad", b"") == b"SAME_LOWER")) // 2 for one in more]
        kept = [one for one in node.attribute if one.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        pads = [*first, *(one - before for one, before in zip(more, first, strict=True))]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads)])
    return model


def plain(model: "onnx.ModelProto", output: str) -> "onnx.ModelProto":
    """A copy that ends with `output`, of operators as OPSET has them, with names of our own."""
    import onnx
    from onnx import helper, numpy_helper

    made = {name: node for node in model.graph.node for name in node.output if name}
    needed, waiting = set(), [output]
    while waiting:
        name = waiting.pop()
        if name and name not in needed:
            needed.add(name)
            waiting += made[name].input if name in made else ()
    arrays = {one.name: one for one in model.graph.initializer if one.name in needed}
    inputs = [one for one in model.graph.input if one.name in needed and one.name not in arrays]
    names: dict[str, str] = {"": ""}

    def own(name: str) -> str:
        return names.setdefault(name, f"t{len(names)}")

    values = {
        name: numpy_helper.to_array(one) for name, one in arrays.items() if one.data_type == onnx.TensorProto.INT64
    }
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    nodes: list[Any] = []
    for node in model.graph.node:
        if needed.isdisjoint(node.output):
            continue
        if node.op_type == "Identity":  # of weights too, which onnx2torch does not look for there
            names[node.output[0]] = own(node.input[0])
            continue
        for one in older(node, values, arrays, own):
            one.name = f"n{len(nodes)}"
            nodes.append(one)
    tensors = []
    for name, one in arrays.items():
        copy = onnx.TensorProto()
        copy.CopyFrom(one)
        copy.name = own(name)
        tensors.append(copy)
    described = []
    for one in inputs:
        value = onnx.ValueInfoProto()
        value.CopyFrom(one)
        value.name = own(one.name)
        described.append(value)
    ending = [helper.make_tensor_value_info(own(output), onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", described, ending, tensors)
    version = min(OPSET, next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), OPSET))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def older(node: Any, values: dict[str, np.ndarray], arrays: dict[str, Any], own: Any) -> list[Any]:
    """A node as OPSET has it, under names of our own: what newer versions made inputs is attributes again."""
    import onnx
    from onnx import helper, numpy_helper

    inputs = [*node.input]
    if node.op_type == "Gelu" and not any(one.name == "approximate" and one.s == b"tanh" for one in node.attribute):
        parts = {"root": 0.5**0.5, "one": 1.0, "half": 0.5}
        for name, number in parts.items():
            arrays.setdefault(f"\0{name}", numpy_helper.from_array(np.array(number, np.float32), f"\0{name}"))
        x, out = inputs[0], node.output[0]
        steps = [("Mul", (x, "\0root"), "a"), ("Erf", (f"{out}\0a",), "b"), ("Add", (f"{out}\0b", "\0one"), "c"),
                 ("Mul", (x, f"{out}\0c"), "d")]  # fmt: skip
        made = [helper.make_node(op, [*map(own, given)], [own(f"{out}\0{to}")]) for op, given, to in steps]
        return [*made, helper.make_node("Mul", [own(f"{out}\0d"), own("\0half")], [own(out)])]
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.domain = ""
    if node.op_type in REDUCING and len(inputs) > 1:
        axes = values.get(inputs[1])
        inputs = inputs[:1]
        if axes is not None:
            copy.attribute.append(helper.make_attribute("axes", [int(one) for one in axes]))
    dropped = {"Reshape": ("allowzero",), "Split": ("num_outputs",)}.get(node.op_type, ())
    if node.op_type in REDUCING:
        dropped = ("noop_with_empty_axes",)
    kept = [one for one in copy.attribute if one.name not in dropped]
    del copy.attribute[:]
    copy.attribute.extend(kept)
    copy.input[:] = [own(name) for name in inputs]
    copy.output[:] = [own(name) for name in node.output]
    return [copy]


def mapped(network: Logits, how: Interface) -> list[str]:
    """Names of the convolutions that make maps, in the order in which they answer, and after the last one what still
    has its size and channels: what an activation or a sum of a block hands on, in maps or, of attention, in words."""
    seen: list[tuple[str, tuple[int, ...], bool]] = []
    words: list[tuple[str, tuple[int, ...]]] = []

    def watch(name: str) -> Any:
        def look(module: nn.Module, given: Any, out: Any) -> None:
            if isinstance(module, nn.Conv2d):
                words.clear()  # those of before it
            if isinstance(out, Tensor) and out.ndim == 3 and out.is_floating_point() and len(given) == 2:
                alike = all(isinstance(one, Tensor) and one.shape == out.shape for one in given)
                words.extend([(name, tuple(out.shape))] if alike else [])  # the sum that a block ends with
            if (
                isinstance(out, Tensor)
                and out.ndim == 4
                and out.shape[2] * out.shape[3] > 1
                and out.is_floating_point()
            ):
                seen.append((name, tuple(out.shape), isinstance(module, nn.Conv2d)))

        return look

    children = [(name, part) for name, part in network.network.named_children() if name != "initializers"]
    hooks = [part.register_forward_hook(watch(name)) for name, part in children]
    try:
        with torch.no_grad():
            network(torch.zeros(1, how.channels, how.height, how.width))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise NoGradients(
            f"torch cannot compute what onnx2torch rebuilt ({' '.join(str(error).split())[:120]})"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    found = [name for name, _, convolution in seen if convolution]
    if found:
        start = next(i for i in reversed(range(len(seen))) if seen[i][2])
        alike = [name for name, shape, _ in seen[start:] if shape == seen[start][1] and not _turns(network, name)]
        found += [alike[-1]] if alike[-1] != found[-1] else []
    return found + [name for name, shape in words if shape == words[0][1]]


def _turns(network: Logits, name: str) -> bool:
    return "Transpose" in type(network.network.get_submodule(name)).__name__
