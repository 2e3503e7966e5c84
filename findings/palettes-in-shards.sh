#!/bin/sh
# mosaicml-streaming 0.13.0, litdata 0.2.76: a PNG with a palette, and a photograph that EXIF turns, in their shards.
#
# expected: what comes out of a shard looks like what went in: the PNG in its colours, the photograph upright or with
#   its EXIF; or writing is refused.
# seen:
#   mosaicml-streaming 0.13.0 litdata 0.2.76 pillow 12.3.0
#   streaming, column "pil": P, colours differ by 232; EXIF 6 becomes None
#   streaming, column "png": P, colours differ by 0; EXIF 6 becomes None
#   litdata, a picture as it is: P, colours differ by 232; EXIF 6 becomes None
# Mode, size and pixels are written, and no palette: what were places in the palette are levels of grey. A photograph
# comes out lying on its side, with nothing that says so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} mosaicml-streaming==0.13.0 litdata==0.2.76 pillow==12.3.0 torch==2.13.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
from importlib.metadata import version

import torch

try:
    import torchvision
except RuntimeError:  # built for CUDA beside a torch that is not: two operators are missing, which nothing here calls
    missing = torch.library.Library("torchvision", "DEF")
    missing.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    missing.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401

import numpy as np
from litdata.streaming.serializers import PILSerializer
from PIL import Image
from streaming import LocalDataset, MDSWriter

red, green = np.meshgrid(np.arange(32) * 8, np.arange(24) * 10)
colours = Image.fromarray(np.dstack([red, green, (red + green) // 2]).astype(np.uint8))


def opened(image: Image.Image, form: str, **more: object) -> Image.Image:
    file = io.BytesIO()
    image.save(file, form, **more)
    return Image.open(io.BytesIO(file.getvalue()))


exif = Image.Exif()
exif[0x0112] = 6
palette = opened(colours.quantize(64), "PNG")
turned = opened(colours, "PNG", exif=exif)


def by_streaming(column: str, image: Image.Image) -> Image.Image:
    place = f"{column}-{image.mode}"
    with MDSWriter(out=place, columns={"image": column, "label": "int"}) as writer:
        writer.write({"image": image, "label": 1})
    return LocalDataset(place)[0]["image"]


def by_litdata(image: Image.Image) -> Image.Image:
    return PILSerializer().deserialize(PILSerializer().serialize(image)[0])


print(*(f"{name} {version(name)}" for name in ("mosaicml-streaming", "litdata", "pillow")))
found = []
for name, through in (
    ('streaming, column "pil"', lambda image: by_streaming("pil", image)),
    ('streaming, column "png"', lambda image: by_streaming("png", image)),
    ("litdata, a picture as it is", by_litdata),
):
    out = through(palette)
    apart = np.abs(np.asarray(out.convert("RGB")).astype(int) - np.asarray(palette.convert("RGB"))).max()
    kept = through(turned).getexif().get(0x0112)
    print(f"{name}: {out.mode}, colours differ by {apart}; EXIF {turned.getexif()[0x0112]} becomes {kept}")
    found.append((apart > 100, kept))
sys.exit(found != [(True, None), (False, None), (True, None)])
PYTHON
