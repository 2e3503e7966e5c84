"""torchvision imports beside whatever torch is installed, in a fresh interpreter each time."""

import subprocess
import sys

from ml.system.paths import ROOT

REPORT = """
names = ("torchvision::nms", "torchvision::qnms")
print([str(s) for s in torch._C._jit_get_all_schemas() if s.name in names])
"""


def fresh(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_imports_after_declaring_and_declaring_again_does_no_harm():
    out = fresh(
        "from ml.system.torchvision_ops import declare\n"
        "declare()\nimport torchvision\ndeclare()\nfrom torchvision.models import resnet18\nprint('imported')"
    )
    assert out.strip() == "imported"


def test_both_operators_have_the_signature_torchvision_expects():
    out = fresh(f"import torch\nfrom ml.system.torchvision_ops import declare\ndeclare()\n{REPORT}")
    for name in ("nms", "qnms"):
        assert f"torchvision::{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" in out


def test_operators_that_load_are_left_alone():
    """As with a torchvision built for this torch: its library defines nms, and nobody defines it again."""
    out = fresh(
        "import torch\nfrom ml.system import torchvision_ops\n"
        "def load(path):\n    print('loaded', path.rsplit('/', 1)[-1].rsplit('\\\\', 1)[-1][:2])\n"
        "torch.ops.load_library = load\n"
        "torchvision_ops.declare()\n"
        "print(hasattr(torch.ops.torchvision, 'nms'))"
    )
    assert out.split() == ["loaded", "_C", "False"]
