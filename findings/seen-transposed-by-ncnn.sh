#!/bin/sh
# ncnn 1.0.20261020: a picture whose array is seen transposed, as transpose(2, 0, 1) of [h, w, c] gives it.
#
# expected: ncnn.Mat holds the numbers of the array that it was made of, as Pillow, PyTorch, MNN and OpenVINO take them;
#   or it takes no array whose memory is in another order.
# seen:
#   ncnn 1.0.20261020 numpy 2.4.6
#   Mat of [3, 5, 6] in memory as seen: 90 of 90 numbers are the array's
#   Mat of [3, 5, 6] transposed: 2 of 90 numbers are the array's
#   Mat.from_pixels of [5, 6, 3] in memory as seen: 90 of 90 numbers are the array's
#   Mat.from_pixels of [5, 6, 3] transposed: 2 of 90 numbers are the array's
# It reads the memory from its beginning on in the shape that is seen, and says nothing: a network is asked about noise.
# numpy.ascontiguousarray before it is the way out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} ncnn==1.0.20261020 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import ncnn
import numpy as np

picture = np.random.default_rng(0).permutation(90).reshape(5, 6, 3).astype(np.uint8)  # no two numbers alike
planes = picture.transpose(2, 0, 1)  # the same memory, channels first
turned = np.ascontiguousarray(planes).transpose(1, 2, 0)  # channels last, the memory channels first


def of_numbers(array: np.ndarray) -> np.ndarray:
    return np.array(ncnn.Mat(array).clone())


def of_pixels(array: np.ndarray) -> np.ndarray:
    return np.array(ncnn.Mat.from_pixels(array, ncnn.Mat.PixelType.PIXEL_RGB, 6, 5)).transpose(1, 2, 0)


print(*(f"{name} {version(name)}" for name in ("ncnn", "numpy")))
kept = []
for name, array, made in (
    ("Mat of [3, 5, 6] in memory as seen", np.ascontiguousarray(planes, np.float32), of_numbers),
    ("Mat of [3, 5, 6] transposed", picture.astype(np.float32).transpose(2, 0, 1), of_numbers),
    ("Mat.from_pixels of [5, 6, 3] in memory as seen", picture, of_pixels),
    ("Mat.from_pixels of [5, 6, 3] transposed", turned, of_pixels),
):
    back = made(array)
    kept.append(int((back == array).sum()) if back.shape == array.shape else 0)
    print(f"{name}: {kept[-1]} of {array.size} numbers are the array's")
sys.exit([n == 90 for n in kept] != [True, False, True, False])
PYTHON
