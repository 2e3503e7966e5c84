#!/bin/sh
# gradio 6.31.0, pillow 12.3.0: a picture of 16 bits reaches an Image component's function white, a transparent one as
# what lies under its transparency.
#
# expected: a grey PNG of 16 bits whose levels rise from 0 to 65,535 arrives as 0 to 255; a black shape on a
# transparent ground, whose hidden pixels are black too, arrives as it looks in the form, on white.
# seen:
#   gradio 6.31.0 pillow 12.3.0
#   plain: (28, 28, 3), mean 128, white 4%, black 4%
#   deep: (28, 28, 3), mean 246, white 96%, black 4%
#   shape: (28, 28, 3), mean 0, white 0%, black 100%
# plain is the same picture as deep in 8 bits. Every picture is turned to image_mode ("RGB") by Pillow's convert, which
# cuts levels at 255 and leaves transparency out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} gradio==6.31.0 numpy==2.4.6 pillow==12.3.0
cd "$folder"
GRADIO_ANALYTICS_ENABLED=False "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import gradio
import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

rising = np.linspace(0, 65535, 28).round().astype(np.uint16)
Image.fromarray(np.tile(rising, (28, 1))).save("deep.png")
Image.fromarray(np.tile((rising >> 8).astype(np.uint8), (28, 1))).save("plain.png")
shape = np.zeros((28, 28, 4), np.uint8)
shape[8:20, 8:20, 3] = 255
Image.fromarray(shape).save("shape.png")


def told(picture: np.ndarray) -> str:
    grey = picture[..., 0]
    return f"{picture.shape}, mean {grey.mean():.0f}, white {(grey == 255).mean():.0%}, black {(grey == 0).mean():.0%}"


form = gradio.Interface(told, gradio.Image(type="numpy"), "text", api_name="told")
_, address, _ = form.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
client = Client(address, verbose=False)
print("gradio", version("gradio"), "pillow", version("pillow"))
found = {name: client.predict(handle_file(f"{name}.png"), api_name="/told") for name in ("plain", "deep", "shape")}
for name, said in found.items():
    print(f"{name}: {said}")
form.close()
sys.exit(not ("white 96%" in found["deep"] and "black 100%" in found["shape"] and "white 4%" in found["plain"]))
PYTHON
