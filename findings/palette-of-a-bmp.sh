#!/bin/sh
# tensorflow-cpu 2.21.0: a BMP of 256 colours, read by tf.io.decode_image, as image_dataset_from_directory of Keras does.
#
# expected: its colours, as of the same picture in a GIF or a PNG with a palette; or an error.
# seen:
#   tensorflow 2.21.0 pillow 12.3.0
#   GIF: (24, 32, 3), colours differ by 0
#   PNG: (24, 32, 3), colours differ by 0
#   BMP: (24, 32, 3), colours differ by 232
#   Keras's folder of BMP: (24, 32, 3), colours differ by 232
# A byte of a BMP is taken for a level of grey, where it is a place in the palette.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} tensorflow-cpu==2.21.0 pillow==12.3.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import io
import os
import sys
from importlib.metadata import version

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

red, green = np.meshgrid(np.arange(32) * 8, np.arange(24) * 10)
picture = Image.fromarray(np.dstack([red, green, (red + green) // 2]).astype(np.uint8)).quantize(64)
colours = np.asarray(picture.convert("RGB")).astype(int)
print("tensorflow", tf.__version__, "pillow", version("pillow"))
found = []
for form in ("GIF", "PNG", "BMP"):
    file = io.BytesIO()
    picture.save(file, form)
    read = tf.io.decode_image(file.getvalue(), channels=3, expand_animations=False).numpy()
    apart = np.abs(read.astype(int) - colours).max()
    print(f"{form}: {read.shape}, colours differ by {apart}")
    found.append(bool(apart > 100))
for name in ("one", "two"):
    os.makedirs(f"set/{name}")
    picture.save(f"set/{name}/1.bmp")
made = keras.utils.image_dataset_from_directory("set", image_size=(24, 32), batch_size=None, verbose=False)
read = next(iter(made))[0].numpy()
apart = np.abs(read - colours).max()
print(f"Keras's folder of BMP: {read.shape}, colours differ by {apart:.0f}")
sys.exit([*found, bool(apart > 100)] != [False, False, True, True])
PYTHON
