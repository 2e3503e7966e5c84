#!/bin/sh
# Datumaro 1.13.0: a data set of grey pictures of 28 x 28, exported in MNIST's form (idx files).
#
# expected: the head of train-images-idx3-ubyte says how many pictures there are, as the head of the labels does, and
#   how large they are: 6, 28, 28; for pictures of 32 x 32 it says 6, 32, 32, or the export is refused.
# seen:
#   datumaro 1.13.0
#   6 pictures of 28 x 28: the labels' head says 6, the pictures' 4704, 28, 28, with 4704 bytes behind it
#   6 pictures of 32 x 32: the labels' head says 6, the pictures' 6144, 28, 28, with 6144 bytes behind it
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} datumaro==1.13.0
cat > "$folder/idx.py" <<'PYTHON'
import gzip
import struct
import sys
from importlib.metadata import version

import numpy as np
from datumaro.components.annotation import Label
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

print("datumaro", version("datumaro"))
as_written = True
for side in (28, 32):
    pictures = [Image.from_numpy(data=np.full((side, side), 40 * i, np.uint8)) for i in range(6)]
    items = [DatasetItem(str(i), subset="train", media=one, annotations=[Label(i % 2)]) for i, one in enumerate(pictures)]
    place = f"{sys.argv[1]}/{side}"
    Dataset.from_iterable(items, categories=["even", "odd"]).export(place, "mnist", save_media=True)
    with gzip.open(f"{place}/train-labels-idx1-ubyte.gz") as file:
        _, labels = struct.unpack(">II", file.read(8))
    with gzip.open(f"{place}/train-images-idx3-ubyte.gz") as file:
        _, count, height, width = struct.unpack(">IIII", file.read(16))
        rest = len(file.read())
    print(f"6 pictures of {side} x {side}: the labels' head says {labels}, the pictures' {count}, {height}, {width}, "
          f"with {rest} bytes behind it")
    as_written &= (labels, count, height, rest) == (6, 6 * side * side, 28, 6 * side * side)
sys.exit(not as_written)
PYTHON
"$folder/venv/bin/python" "$folder/idx.py" "$folder"
