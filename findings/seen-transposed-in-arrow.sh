#!/bin/sh
# pyarrow 26.0.1: pictures seen transposed, as PyTorch's permute(0, 2, 3, 1) leaves them, in Arrow's own tensors.
#
# expected: what FixedShapeTensorArray.to_numpy_ndarray gives is what from_numpy_ndarray was given, through parquet too;
#   or that takes no array whose memory is in another order.
# seen:
#   pyarrow 26.0.1 numpy 2.4.6
#   in memory as seen: (2, 5, 6, 3) comes back (2, 5, 6, 3), the same pixels: True
#   a copy of the transposed one: (2, 5, 6, 3) comes back (2, 5, 6, 3), the same pixels: True
#   transposed: (2, 5, 6, 3) comes back (2, 6, 3, 5), the same pixels: False
#   transposed, through parquet: (2, 5, 6, 3) comes back (2, 6, 3, 5), the same pixels: False
# The order is kept the other way round than it is read: [2, 0, 1] where [1, 2, 0] is meant. Where that is its own
# opposite, as rows for columns, nothing is seen of it. numpy.ascontiguousarray before it is the way out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} pyarrow==26.0.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

planes = np.arange(2 * 3 * 5 * 6, dtype=np.uint8).reshape(2, 3, 5, 6)  # two pictures, channels first
pictures = planes.transpose(0, 2, 3, 1)  # the same memory, channels last


def in_memory(array: np.ndarray) -> np.ndarray:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(array).to_numpy_ndarray()


def through_parquet(array: np.ndarray) -> np.ndarray:
    pq.write_table(pa.table({"image": pa.FixedShapeTensorArray.from_numpy_ndarray(array)}), "pictures.parquet")
    return pq.read_table("pictures.parquet")["image"].combine_chunks().to_numpy_ndarray()


print(*(f"{name} {version(name)}" for name in ("pyarrow", "numpy")))
found = []
for name, array, through in (
    ("in memory as seen", pictures.copy(order="C"), in_memory),
    ("a copy of the transposed one", np.ascontiguousarray(pictures), in_memory),
    ("transposed", pictures, in_memory),
    ("transposed, through parquet", pictures, through_parquet),
):
    back = through(array)
    same = np.array_equal(back, array)
    print(f"{name}: {array.shape} comes back {back.shape}, the same pixels: {same}")
    found.append((back.shape, same))
sys.exit(found != [((2, 5, 6, 3), True)] * 2 + [((2, 6, 3, 5), False)] * 2)
PYTHON
