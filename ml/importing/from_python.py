"""A Python file with one function, for whatever nothing else opens: `probabilities(images)`, or `load()`."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ml.importing.conversion import Opened, Slot, Task, Unconvertible, one_line
from ml.importing.graph import Unusable

WANTED = (
    "def probabilities(images), of uint8 [n, height, width, channels] → [n, classes], or def load(), which gives a "
    "torch module that takes [n, channels, height, width]"
)


def opened(task: Task) -> Opened:
    """Raises Unusable where it fails, or has neither function."""
    module = run(task.path)
    names = tuple(map(str, getattr(module, "CLASSES", ())))
    if callable(getattr(module, "load", None)):
        from ml.importing import from_torchscript

        network = called(task.path, module.load)
        if not hasattr(network, "eval") or not callable(network):
            raise Unusable(f"load() of {task.path.name} gives {type(network).__name__}, and a torch module is wanted")
        return from_torchscript.of_module(network.eval(), task, names, "load() does not say what its network takes")
    if not callable(getattr(module, "probabilities", None)):
        raise Unusable(f"{task.path.name} has neither function that is asked for: {WANTED}")

    def answer(images: np.ndarray) -> list[np.ndarray]:
        said = module.probabilities(images)
        said = said.detach().cpu().numpy() if hasattr(said, "detach") else said
        values = np.asarray(said, dtype=np.float32)
        return [values[:, None] if values.ndim == 1 else values]  # one number a picture, of two classes

    def write(target: Path) -> None:
        raise Unconvertible("probabilities() is Python")

    return Opened(
        framework=f"Python {sys.version.split()[0]}",
        input=Slot("images", "tensor(uint8)", (0, *task.pictures.shape[1:])),
        outputs=("probabilities",),
        answer=answer,
        write=write,
        names=names,
    )


def run(path: Path) -> Any:
    """The file's module. It may import what lies beside it. Raises Unusable."""
    spec = importlib.util.spec_from_file_location("their_network", path)
    if spec is None or spec.loader is None:
        raise Unusable(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    loader = spec.loader
    called(path, lambda: loader.exec_module(module))
    return module


def called(path: Path, work: Any) -> Any:
    """What it gives. Raises Unusable where it fails, with the line of the file."""
    try:
        return work()
    except BaseException as error:  # whatever their code does, sys.exit too
        lines, here = [], error.__traceback__
        while here is not None:
            if here.tb_frame.f_code.co_filename == str(path):
                lines.append(here.tb_lineno)
            here = here.tb_next
        where = f" in line {lines[-1]}" if lines else ""
        raise Unusable(f"{path.name} fails{where} ({type(error).__name__}: {one_line(error)})") from None
