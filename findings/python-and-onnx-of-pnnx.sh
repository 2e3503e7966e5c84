#!/bin/sh
# pnnx 20261020: what it writes beside its own files of an nn.Sequential, NAME_pnnx.py and NAME.pnnx.onnx, is neither Python
# nor ONNX.
#
# expected: the Python file is the network, as it is for one whose layers have names; NAME.pnnx.onnx can be opened by
#   onnxruntime, or at least passes onnx's checker, since it is written of a network of ONNX's own operators.
# seen:
#   pnnx 20261020 torch 2.13.0 onnx 1.23.2
#   layers with names: Python yes, ONNX operators pnnx.Input nn.Conv2d F.relu, opsets 0
#   nn.Sequential: Python no (self.0 = nn.Conv2d), ONNX operators pnnx.Input nn.Conv2d nn.ReLU, opsets 0
#
# The ONNX is pnnx's own graph in ONNX's envelope, to be looked at.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  pnnx==20261020 torch==2.13.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version

import onnx
import torch
from torch import nn


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)

    def forward(self, pixels):
        return torch.relu(self.first(pixels))


print("pnnx", version("pnnx"), "torch", torch.__version__.partition("+")[0], "onnx", version("onnx"))
seen = []
for name, words, net in (("named", "layers with names", Named()),
                         ("row", "nn.Sequential", nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))):
    torch.jit.trace(net.eval(), torch.rand(1, 3, 8, 8)).save(f"{name}.pt")
    subprocess.run(["pnnx", f"{name}.pt", "inputshape=[1,3,8,8]"], check=True, capture_output=True)
    try:
        compile(open(f"{name}_pnnx.py").read(), name, "exec")
        python = "yes"
    except SyntaxError as error:
        python = f"no ({error.text.split('(')[0].strip()})"
    graph = onnx.load(f"{name}.pnnx.onnx")
    steps = [node.op_type for node in graph.graph.node][:3]
    print(f"{words}: Python {python}, ONNX operators {' '.join(steps)}, opsets {len(graph.opset_import)}")
    seen.append((python[:2], "nn.Conv2d" in steps, len(graph.opset_import)))
sys.exit(seen != [("ye", True, 0), ("no", True, 0)])
PYTHON
