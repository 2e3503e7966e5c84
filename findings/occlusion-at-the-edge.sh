#!/bin/sh
# captum 0.9.0, Occlusion: a window that the picture's edge cuts counts like a whole one.
#
# expected: a network that adds up all pixels alike is explained by equal numbers everywhere, where windows do not overlap.
# seen:
#   captum 0.9.0 torch 2.13.0
#   9 9 3
#   9 9 3
#   3 3 1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} torch==2.13.0 captum==0.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from captum.attr import Occlusion

picture = torch.ones(1, 1, 7, 7)  # windows of 3 × 3, side by side: the third of each row and column has one pixel
found = Occlusion(lambda images: images.sum((1, 2, 3))[:, None]).attribute(
    picture, target=0, sliding_window_shapes=(1, 3, 3), strides=(1, 3, 3)
)[0, 0]
print("captum", version("captum"), "torch", torch.__version__.partition("+")[0])
for row in found[[0, 3, 6]][:, [0, 3, 6]].tolist():
    print(*(f"{value:g}" for value in row))
expected = [[9.0, 9.0, 3.0], [9.0, 9.0, 3.0], [3.0, 3.0, 1.0]]
sys.exit(found[[0, 3, 6]][:, [0, 3, 6]].tolist() != expected)
PYTHON
