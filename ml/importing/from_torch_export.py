"""A program of torch.export (.pt2): opened by torch, asked, and written as ONNX. It says itself what it takes."""

import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.importing.conversion import Opened, Slot, Task, Unconvertible, one_line
from ml.importing.from_torchscript import tensors
from ml.importing.graph import Unusable
from ml.inference.onnx import need
from ml.system.damage import DAMAGED
from ml.system.torchvision_ops import declare

TYPES = {torch.float32: "float", torch.float64: "double", torch.float16: "float16", torch.uint8: "uint8"}
CALLED = re.compile(rb'"target": ?"torch\.ops\.(\w{1,60})\.')
TEXT_BYTES = 256 * 2**20  # of a program's description; those of networks have some MB


def load() -> None:
    """What opening and writing such a program needs, which takes seconds: what pt2e quantises with is of torch, and
    known once it is imported. Raises Missing, ImportError."""
    need("onnxscript")
    declare()
    import torch.ao.quantization.fx._decomposed
    import torch.export.pt2_archive  # noqa: F401


def opened(task: Task) -> Opened:
    """Raises Unusable where it cannot be read or takes something else than pictures, Missing without onnxscript."""
    load()
    name = task.path.name
    try:
        program = torch.export.load(task.path)
    except Exception as error:  # of whatever is within
        if others := strangers(task.path, error):
            raise Unusable(
                f"{name} needs operators or types of {', '.join(others[:3])}, which are not torch's own and not in the "
                "file: export the network without them (of torchao, from before quantize_), or bring what it predicts, "
                "with --predictions"
            ) from None
        raise Unusable(
            f"{name} is a program of torch.export that torch {torch.__version__} cannot open ({one_line(error)}): "
            "export it with this version, or give an ONNX"
        ) from None
    module: Any = program.module()  # as it was exported: .eval() is not for it
    given = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
    pictures = [node.meta.get("val") for node in given]
    if len(pictures) != 1 or not isinstance(pictures[0], torch.Tensor):
        raise Unusable(
            f"{name} takes {len(pictures)} inputs, and a classifier of pictures one: export it with those alone"
        )
    one = pictures[0]
    if one.dtype not in TYPES:
        raise Unusable(f"{name} takes {one.dtype}: pictures are given as float32, float64, float16 or uint8")
    least, most = limits(program, one)
    shape = [side if isinstance(side, int) else 0 for side in one.shape]
    ask = Chunked(module, least, most)
    try:
        example = np.zeros([side or least for side in shape], "uint8" if one.dtype == torch.uint8 else "float32")
        names = [*tensors(ask.module(torch.from_numpy(example).to(one.dtype)))]
    except Exception as error:
        raise Unusable(f"{name} cannot be asked ({one_line(error)})") from None
    return Opened(
        framework=f"torch {torch.__version__}",
        input=Slot(given[0].name, f"tensor({TYPES[one.dtype]})", shape),
        outputs=tuple(names),
        answer=ask,
        write=lambda target: write(program, names, target),
    )


def strangers(path: Path, error: Exception) -> list[str]:
    """Whose operators the program calls that this torch has not, and what it wanted to import."""
    missing = {str(error.name).partition(".")[0]} if isinstance(error, ModuleNotFoundError) else set()
    known = {name.partition("::")[0] for name in torch._C._dispatch_get_all_op_names()}
    try:
        with zipfile.ZipFile(path) as archive:
            programs = [one for one in archive.infolist() if "models/" in one.filename and one.file_size < TEXT_BYTES]
            texts = [archive.read(one) for one in programs if one.filename.endswith(".json")]
    except DAMAGED:
        return sorted(missing)
    called = {name.decode() for text in texts for name in CALLED.findall(text)}
    return sorted(missing | {name for name in called - known if name != "higher_order"})


def limits(program: Any, given: torch.Tensor) -> tuple[int, int]:
    """Of how many pictures it takes at a time: what torch.export.Dim said of it."""
    first: Any = given.shape[0] if given.ndim else 1
    if isinstance(first, int):
        return first, first
    held = program.range_constraints.get(first.node.expr)
    if held is None:
        return 1, 2**31
    low, high = int(held.lower), held.upper
    return max(1, low), int(high) if math.isfinite(float(high)) else 2**31


class Chunked:
    """Asks for as many pictures as the program takes at a time: the last ones are filled up."""

    def __init__(self, module: Any, least: int, most: int) -> None:
        self.module, self.least, self.most = module, least, most

    @torch.inference_mode()
    def __call__(self, values: np.ndarray) -> Sequence[np.ndarray]:
        parts: list[list[np.ndarray]] = []
        for start in range(0, len(values), self.most):
            part = values[start : start + self.most]
            count = len(part)
            if count < self.least:
                part = np.concatenate([part, np.repeat(part[-1:], self.least - count, axis=0)])
            said = tensors(self.module(torch.from_numpy(part)))
            parts.append([one.float().numpy()[:count] for one in said.values()])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def write(program: Any, names: Sequence[str], target: Path) -> None:
    """Raises Unconvertible."""
    try:
        made = torch.onnx.export(program, dynamo=True, verbose=False, output_names=[*names])
        assert made is not None
        made.save(str(target), include_initializers=True, external_data=False)
    except Exception as error:  # of torch's exporter
        raise Unconvertible(f"torch says: {one_line(error)}") from error
