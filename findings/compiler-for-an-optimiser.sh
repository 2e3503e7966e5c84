#!/bin/sh
# torch 2.13.0: making an optimiser loads torch's whole compiler, which nothing then uses.
#
# expected: an optimiser that is made, and a step of it, nothing compiled, load nothing of torch._dynamo.
# seen: modules of torch._dynamo
#   torch 2.13.0
#   after import torch 0, after backward 0, once SGD is made 93, after its step 93
#
# Methods of an optimiser are marked so that the compiler keeps away from them, and the mark is made by loading it, the first
# time one is called: about a second of each process that trains, however short the training is.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch


def loaded():
    return sum(name.split(".")[:2] == ["torch", "_dynamo"] for name in sys.modules)


imported = loaded()
weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
(weight**2).sum().backward()
backward = loaded()
optimiser = torch.optim.SGD([weight], lr=0.1)
made = loaded()
optimiser.step()
print(f"torch {torch.__version__.partition('+')[0]}")
print(f"after import torch {imported}, after backward {backward}, once SGD is made {made}, after its step {loaded()}")
sys.exit(not (imported == backward == 0 and made > 50))
PYTHON
