"""torch without what only tracing needs: there sooner, and whole when it is asked for."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_answers_and_gradients_need_no_kernels_for_shapes_and_tracing_gets_them():
    said = run("""
import sys
from ml.system import torch_soon
torch_soon.load()
assert torch_soon.SHAPES not in sys.modules
import torch
assert torch.get_num_threads() == 1
image = torch.rand(2, 1, 8, 8, requires_grad=True)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Flatten())
net.eval()(image).sum().backward()
assert image.grad.abs().sum() > 0
torch_soon.load()
torch_soon.whole()
assert torch_soon.SHAPES in sys.modules
shape = torch.nn.functional.conv2d(torch.zeros(1, 1, 8, 8, device="meta"), torch.zeros(1, 1, 3, 3, device="meta")).shape
print(tuple(shape), torch._meta_registrations.__name__)
""")
    assert said.split("\n")[0] == "(1, 1, 6, 6) torch._meta_registrations"


def test_torchvision_comes_beside_it():
    assert "ok" in run("""
from ml.system import torch_soon
torch_soon.load()
from ml.system.torchvision_ops import declare
declare()
import torchvision.models
print("ok")
""")
