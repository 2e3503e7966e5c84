"""A TorchScript file: opened by torch, asked, and written as ONNX. Such a file does not say what pictures it takes, so
the likely forms are tried.
"""

import contextlib
import dataclasses
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.artifacts.reader import Broken
from ml.importing import checkpoints
from ml.importing.conversion import APART, Opened, Slot, Task, Unconvertible, one_line
from ml.importing.graph import Unusable
from ml.importing.sources import CONFIG_BYTES
from ml.importing.understanding import LAYOUTS
from ml.inference.imported import session_of
from ml.inference.onnx import need
from ml.stats.calibration import softmax
from ml.system.torchvision_ops import declare

INPUT, OPSET = "images", 17
SIDES = (224, 32, 28, 64, 96, 128, 256, 299, 384, 512)  # tried where a network does not take the data set's own size

LARGEST = 4_096  # of a side that an exporter may say


@dataclass(frozen=True)
class Form:
    """How pictures are given: one of LAYOUTS, their height, width and channels, and a type as onnxruntime has it."""

    layout: str
    height: int
    width: int
    channels: int
    type: str

    def shape(self, n: int) -> tuple[int, ...]:
        """Of n pictures."""
        h, w, c = self.height, self.width, self.channels
        return {"nchw": (n, c, h, w), "nhwc": (n, h, w, c), "nhw": (n, h, w), "flat": (n, h * w * c)}[self.layout]

    def example(self, n: int) -> Tensor:
        """Numbers of which none is special."""
        made = torch.rand(self.shape(n), generator=torch.Generator().manual_seed(0))
        return (made * 255).to(torch.uint8) if self.type == "uint8" else made


def opened(task: Task) -> Opened:
    """Raises Unusable where it cannot be read, or takes no pictures as they may be given."""
    declare()  # files of torchvision's networks may name its operators
    try:
        module = torch.jit.load(str(task.path), map_location="cpu").eval()
        kinds = {one.dtype for one in module.parameters() if one.is_floating_point()} - {torch.float32}
        if kinds:  # onnxruntime convolves float32 alone, and a processor is slow with halves
            module = module.float()
    except (RuntimeError, ValueError, OSError) as error:
        raise Unusable(
            f"{task.path.name} is a TorchScript file that torch {torch.__version__} cannot open ({one_line(error)})"
        ) from None
    about, known = beside(task.path), "TorchScript does not say what it takes"
    size: Any = about.get("imgsz")
    told = isinstance(size, list) and len(size) == 2 and all(type(one) is int and 4 <= one < LARGEST for one in size)
    if told and not task.wishes.size:
        task = dataclasses.replace(task, wishes=dataclasses.replace(task.wishes, size=(size[0], size[1])))
        known = "what was kept beside its code says its size"
    found = of_module(module, task, checkpoints.names_in(about), known)
    named = ", ".join(sorted(str(one).removeprefix("torch.") for one in kinds))
    words = (f"its weights are {named}: it is asked in float32",) if kinds else ()
    return dataclasses.replace(found, lines=(*found.lines, *words))


def beside(path: Path) -> dict[str, Any]:
    """What an exporter kept beside the code as JSON, as ultralytics does in extra/config.txt; {} for none."""
    with (
        contextlib.suppress(OSError, ValueError, zipfile.BadZipFile, NotImplementedError),
        zipfile.ZipFile(path) as whole,
    ):
        for one in whole.infolist():
            if "/extra/" in one.filename and one.file_size <= CONFIG_BYTES:
                with contextlib.suppress(ValueError, RecursionError):
                    about = json.loads(whole.read(one))
                    if isinstance(about, dict):
                        return about
    return {}


def of_module(module: Any, task: Task, classes: tuple[str, ...], words: str) -> Opened:
    """A torch module that does not say what it takes, in evaluation mode. classes: as Opened.names. Raises Unusable."""
    form, batch, names, others = accepted(module, task)
    whole = ", whole numbers" if form.type == "uint8" else ""
    lines = [f"{words}: {form.layout} of {form.height} × {form.width}{whole} is what it answers to"]
    if others:
        lines.append(f"it answers to {', '.join(others)} as well: --layout says which is right")
    return Opened(
        framework=f"torch {torch.__version__}",
        input=Slot(INPUT, f"tensor({form.type})", (batch, *form.shape(1)[1:])),
        outputs=names,
        answer=lambda values: [
            one.float().numpy() for one in tensors(asked(module, torch.from_numpy(values))).values()
        ],
        write=lambda target: write(module, form, batch, names, target),
        names=classes,
        lines=tuple(lines),
    )


def accepted(module: nn.Module, task: Task) -> tuple[Form, int, tuple[str, ...], list[str]]:
    """The first form of pictures that it answers to with a number for each class, or else of other classes, how many at
    a time (0 for any), names of its outputs, and other layouts that it takes, too. Raises Unusable."""
    n, problem, widths = len(task.pictures), "", set()
    other: tuple[Form, int, tuple[str, ...], list[str]] | None = None
    for height, width in sides(task):
        fit: list[tuple[Form, int, tuple[str, ...]]] = []
        for form in forms(task, module, height, width):
            if fit and form.type != fit[0][0].type:
                continue
            for batch in (0, 1):
                count = batch or max(n, 2)
                try:
                    said = tensors(asked(module, form.example(count)))
                except Exception as error:  # whatever its code raises
                    problem = problem or " ".join(str(error).split())[-200:]
                    continue
                given = {one[0].numel() for one in said.values() if one.ndim in (1, 2) and len(one) == count}
                widths |= given
                if len(task.classes) in given or (len(task.classes) == 2 and 1 in given):
                    fit.append((form, batch, tuple(said)))
                    break
                if other is None and max(given, default=0) > 1:
                    other = form, batch, tuple(said), []
        if fit:
            form, batch, names = fit[0]
            others = [one.layout for one, _, _ in fit[1:] if one.channels > 1]  # of one channel they are the same
            return form, batch, names, others
        if other is not None:
            return other  # of other classes at any size, which names may tell
    if widths:
        raise Unusable(
            f"{task.path.name} gives {', '.join(map(str, sorted(widths)))} numbers a picture, and the data set has "
            f"{len(task.classes)} classes: choose the data set that it was trained for"
        )
    raise Unusable(
        f"{task.path.name} does not answer to pictures in any of the forms that are tried ({problem}): give an ONNX"
    )


def sides(task: Task) -> Iterator[tuple[int, int]]:
    """Heights and widths to try: the data set's, then common ones."""
    own = task.pictures.shape[1:3]
    if task.wishes.size:
        yield task.wishes.size[0], task.wishes.size[1]
        return
    yield own
    yield from ((side, side) for side in SIDES if (side, side) != own)


def forms(task: Task, module: nn.Module, height: int, width: int) -> Iterator[Form]:
    """The likeliest first."""
    channels = task.pictures.shape[3]
    for dtype in ("uint8", "float") if casts(module) else ("float", "uint8"):
        for layout in [task.wishes.layout] if task.wishes.layout else LAYOUTS:
            for deep in (channels, 3) if channels == 1 else (channels,):
                if layout != "nhw" or deep == 1:
                    yield Form(layout, height, width, deep, dtype)


PASSED = ("aten::permute", "aten::transpose", "aten::contiguous", "aten::unsqueeze", "aten::detach", "aten::view")


def casts(module: Any) -> bool:
    """Whether it makes fractions of its pictures first of all, as one does that takes whole numbers. It takes fractions
    all the same: without this a network of pixels from 0 to 255 would get them from 0 to 1."""
    try:
        graph = module.inlined_graph
        picture = {list(graph.inputs())[1].debugName()}
        for node in graph.nodes():
            given = [one.debugName() for one in node.inputs()]
            if given and given[0] in picture:
                if node.kind() == "aten::to" and isinstance(list(node.inputs())[1].toIValue(), int):
                    return True
                if node.kind() in PASSED:
                    picture |= {one.debugName() for one in node.outputs()}
    except (AttributeError, IndexError, RuntimeError):
        return False
    return False


@torch.inference_mode()
def asked(module: nn.Module, values: Tensor) -> Any:
    return module(values)


def tensors(answer: Any) -> dict[str, Tensor]:
    """Name → tensor of whatever a network gives: one, several, or named ones."""
    if isinstance(answer, Tensor):
        return {"output": answer}
    if isinstance(answer, dict):
        return {str(name): one for name, one in answer.items() if isinstance(one, Tensor)}
    if isinstance(answer, Sequence):
        names = getattr(answer, "_fields", None) or [f"output_{i}" for i in range(len(answer))]
        return {name: one for name, one in zip(names, answer, strict=True) if isinstance(one, Tensor)}
    return {}


class Flat(nn.Module):
    """The same network, all outputs as a tuple."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(one.float() if one.is_floating_point() else one for one in tensors(self.module(images)).values())


def write_either(module: nn.Module, form: Form, name: str, target: Path) -> None:
    """A network that is no TorchScript, of one output, by either of torch's exporters: each writes networks that the
    other does not, or of which it writes something else. Raises Unconvertible."""
    problem = ""
    for way in (write, write_anew):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch's own ways, one of which it gives up
                way(module, form, 0, (name,), target)
            images = form.example(3)
            said = session_of(target.read_bytes()).run(None, {INPUT: images.numpy()})[0]
            apart = float(np.abs(softmax(said) - softmax(asked(module, images).float().numpy())).max())
            if apart <= APART:
                return
            problem = problem or f"its ONNX says something else of the same pictures, by {apart:.2g}"
        except (Unconvertible, Broken) as error:
            problem = problem or str(error)
        except Exception as error:  # of onnxruntime, about a network that was written for two pictures
            problem = problem or f"its ONNX cannot be asked: {one_line(error)}"
    raise Unconvertible(problem)


def write_anew(module: nn.Module, form: Form, batch: int, names: Sequence[str], target: Path) -> None:
    """By torch.export, which does not see other code than the network itself runs. Raises Unconvertible."""
    need("onnx")
    need("onnxscript")
    import onnx

    try:
        with TemporaryDirectory() as folder, contextlib.redirect_stdout(None), torch.no_grad():
            file = Path(folder) / "network.onnx"
            torch.onnx.export(
                Flat(module).eval(), (form.example(batch or 2),), file, dynamo=True, verbose=False,
                input_names=[INPUT], output_names=[*names], dynamic_shapes=None if batch else ({0: "n"},),
            )  # fmt: skip
            target.write_bytes(onnx.load(file).SerializeToString())  # with the data that may lie beside it
    except Exception as error:
        raise Unconvertible(f"torch says: {one_line(error)}") from error


def write(module: nn.Module, form: Form, batch: int, names: Sequence[str], target: Path) -> None:
    """By tracing, as TorchScript is written. Raises Unconvertible."""
    content: Any = io.BytesIO()  # which the exporter takes, other than its types say
    try:
        with torch.inference_mode():
            torch.onnx.export(
                torch.jit.trace(Flat(module), form.example(batch or 2), check_trace=False),
                (form.example(batch or 2),), content, dynamo=False, opset_version=OPSET, input_names=[INPUT],
                output_names=[*names], dynamic_axes=None if batch else {name: {0: "n"} for name in (INPUT, *names)},
            )  # fmt: skip
    except Exception as error:  # of torch's exporter, or of the network's own code
        raise Unconvertible(f"torch says: {one_line(error)}") from error
    target.write_bytes(content.getvalue())
