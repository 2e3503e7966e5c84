#!/bin/sh
# Pillow 13.0.0: a TIFF file of red, green and blue in 16 bits that lie one after the other (planar), as tifffile and
# imageio write an array of [3, h, w] and rasterio with interleave="band".
#
# expected: the picture in eight bits, the upper half of each level, as of the same file with its channels side by side
#   or packed; or that it cannot be identified.
# seen:
#   pillow 13.0.0 tifffile 2026.3.3 rasterio 1.4.4
#   tifffile, [3, h, w]: RGB, 8 levels of 768 right
#   tifffile, [3, h, w], packed: RGB, 768 levels of 768 right
#   rasterio, interleave="band": RGB, 8 levels of 768 right
#   rasterio, interleave="pixel": RGB, 768 levels of 768 right
# Each byte of a channel is read as a level of its own, from the upper half of the rows; nothing is said. Packed files
# are read by libtiff, which does it right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} pillow==13.0.0 tifffile==2026.3.3 rasterio==1.4.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import rasterio
import tifffile
from PIL import Image

warnings.simplefilter("ignore")
picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
planes = np.moveaxis(picture, -1, 0).astype(np.uint16) * 257
print("pillow", version("pillow"), "tifffile", version("tifffile"), "rasterio", version("rasterio"))


def by_rasterio(interleave: str) -> None:
    about = {"driver": "GTiff", "height": 16, "width": 16, "count": 3, "dtype": "uint16", "photometric": "RGB"}
    with rasterio.open("one.tif", "w", interleave=interleave, **about) as file:
        file.write(planes)


found = []
for name, write in (
    ("tifffile, [3, h, w]", lambda: tifffile.imwrite("one.tif", planes, photometric="rgb")),
    ("tifffile, [3, h, w], packed", lambda: tifffile.imwrite("one.tif", planes, photometric="rgb", compression="zlib")),
    ('rasterio, interleave="band"', lambda: by_rasterio("band")),
    ('rasterio, interleave="pixel"', lambda: by_rasterio("pixel")),
):
    write()
    with Image.open("one.tif") as image:
        pixels = np.asarray(image)
    right = int((pixels == picture).sum())
    print(f"{name}: {image.mode}, {right} levels of {picture.size} right")
    found.append(right == picture.size)
sys.exit(found != [False, True, False, True])
PYTHON
