"""Let torchvision import beside a CPU-only torch.

torchvision's wheel on the package index is built for CUDA. Beside a CPU build of torch its compiled operators cannot
load, and importing it fails with "operator torchvision::nms does not exist", because it registers fake kernels for
operators nobody defined. Declaring the two it looks for is enough: this project calls neither of them.
"""

import torch


def declare() -> None:
    """Declare torchvision::nms and torchvision::qnms where nothing has; call before the first torchvision import."""
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
