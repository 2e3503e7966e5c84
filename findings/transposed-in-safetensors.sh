#!/bin/sh
# safetensors 0.8.0: an array that is not laid out row by row is written in another order, without a word.
#
# expected: what save_file writes, load_file reads, whatever lies behind an array: a transposed one, or a weight of torch in
#           channels-last memory as numpy sees it. safetensors.torch refuses such tensors and says why.
# seen:
#   safetensors 0.8.0, numpy 2.4.6, torch 2.13.0
#   a transposed array comes back as it was: False
#   a convolution's weight in channels-last memory comes back as it was: False
#   safetensors.torch refuses a transposed tensor: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} safetensors==0.8.0 numpy==2.4.6 torch==2.13.0
cat > "$folder/write.py" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_tensors


def same(array, file):
    save_file({"a": array}, file)
    return bool(np.array_equal(load_file(file)["a"], array))


if __name__ == "__main__":
    file = f"{sys.argv[1]}/a.safetensors"
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    weight = torch.nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last).weight.detach()
    try:
        save_tensors({"a": torch.arange(6.0).reshape(2, 3).T}, file)
        refused = False
    except ValueError:
        refused = True
    seen = [same(transposed, file), same(weight.numpy(), file), refused]
    print(", ".join(f"{name} {version(name)}" for name in ("safetensors", "numpy", "torch")))
    print("a transposed array comes back as it was:", seen[0])
    print("a convolution's weight in channels-last memory comes back as it was:", seen[1])
    print("safetensors.torch refuses a transposed tensor:", seen[2])
    sys.exit(seen != [False, False, True])
PYTHON
"$folder/venv/bin/python" "$folder/write.py" "$folder"
