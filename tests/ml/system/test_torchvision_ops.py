"""torchvision imports beside whatever torch is installed, in a fresh interpreter."""

import json
import subprocess
import sys

import pytest

from ml.system.paths import ROOT

# From an interpreter that knows nothing of torchvision on: nothing declared, then declared, then imported.
STEPS = """
import json
import torch
from ml.system import torchvision_ops

def schemas():
    names = ("torchvision::nms", "torchvision::qnms")
    return [str(one) for one in torch._C._jit_get_all_schemas() if one.name in names]

told = {"before": schemas(), "loaded": []}
real = torch.ops.load_library
torch.ops.load_library = lambda path: told["loaded"].append(path.replace("\\\\", "/").rsplit("/", 1)[-1][:2])
torchvision_ops.declare()
told["left alone"] = schemas()
told["there"] = hasattr(torch.ops.torchvision, "nms")
torch.ops.load_library = real

torchvision_ops.declare()
told["declared"] = schemas()
import torchvision
torchvision_ops.declare()
from torchvision.models import resnet18
told["imported"] = torchvision.models.resnet18 is resnet18
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told():
    """What each step left behind, in one fresh interpreter for which a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEPS], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_torchvision_imports_after_declaring_and_declaring_again_does_no_harm(told):
    assert told["imported"] is True


def test_both_operators_have_the_signature_torchvision_expects(told):
    assert told["before"] == []
    for name in ("nms", "qnms"):
        wanted = f"torchvision::{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        assert any(wanted in one for one in told["declared"])


def test_operators_that_load_are_left_alone(told):
    """As with a torchvision built for this torch: its library defines nms, and nobody defines it again."""
    assert told["loaded"] == ["_C"]
    assert told["left alone"] == []
    assert told["there"] is False
