"""Let torchvision import beside a CPU-only torch.

torchvision's wheel on the package index is built for CUDA. Beside a CPU build of torch its compiled operators cannot
load, and importing it fails with "operator torchvision::nms does not exist", because it registers fake kernels for
operators nobody defined. Declaring the two it looks for is enough: this project calls neither of them. Where the
wheel's own operators do load, nothing may be declared, or theirs would be a second definition.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch


def declare() -> None:
    """Call before the first torchvision import: declares torchvision::nms and qnms where its own cannot load."""
    if "torchvision" in sys.modules or _own_load():
        return
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def _own_load() -> bool:
    """Whether the operators compiled into torchvision load beside this torch; they are then in use."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for library in Path(spec.origin).parent.glob("_C*.*"):
        if library.suffix in (".so", ".pyd", ".dylib"):
            try:
                torch.ops.load_library(str(library))
            except OSError:
                continue
            return True
    return False
