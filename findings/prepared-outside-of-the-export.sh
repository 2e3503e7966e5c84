#!/bin/sh
# KerasHub 0.32.0 on Keras 3.15.1: a classifier with its preprocessor, predicted with, and its own export to ONNX.
#
# expected: model.export(format='onnx') writes what model.predict says of pictures, as Keras' Rescaling layers go with the network.
# seen:
#   keras-hub 0.32.0 keras 3.15.1 torch 2.13.0+cpu onnxruntime 1.31.1
#   predict and the ONNX, the same pixels of 0 to 255: answers are 67 apart
#   predict of pixels of 0 to 255, the ONNX of the same divided by 255: 1e-07 apart
#   export while it can be trained: RuntimeError
#   (what a preset's image_converter.json does with pixels is done by predict outside of the network; with torch behind it, export
#   works after model.trainable = False within torch.no_grad())
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  keras-hub==0.32.0 keras==3.15.1 torch==2.13.0 grain onnx==1.23.2 onnxruntime==1.31.1 onnxscript==0.7.2
cd "$folder"
KERAS_BACKEND=torch "$folder/venv/bin/python" -W ignore - 2>"$folder/errors" <<'PYTHON' || { tail -n 5 "$folder/errors"; exit 1; }
import sys
from importlib.metadata import version

import keras
import keras_hub
import numpy as np
import onnxruntime
import torch

print(*(f"{name} {version(name)}" for name in ("keras-hub", "keras", "torch", "onnxruntime")))
keras.utils.set_random_seed(0)
body = keras_hub.models.ResNetBackbone(
    input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64, 64], stackwise_num_blocks=[1, 1],
    stackwise_num_strides=[1, 2], block_type="basic_block", image_shape=(32, 32, 3),
)
converter = keras_hub.layers.ResNetImageConverter(image_size=(32, 32), scale=1 / 255)
made = keras_hub.models.ResNetImageClassifier(
    backbone=body, num_classes=4,
    preprocessor=keras_hub.models.ResNetImageClassifierPreprocessor(image_converter=converter),
)
made.save_to_preset("preset")
model = keras_hub.models.ImageClassifier.from_preset("preset")
pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("float32")
said = model.predict(pixels, verbose=0)
try:
    model.export("trainable.onnx", format="onnx", verbose=False)
    first = "works"
except Exception as error:
    first = type(error).__name__
model.trainable = False
with torch.no_grad():
    model.export("net.onnx", format="onnx", verbose=False)
session = onnxruntime.InferenceSession("net.onnx")
name = session.get_inputs()[0].name
apart = [float(np.abs(session.run(None, {name: given})[0] - said).max()) for given in (pixels, pixels / 255)]
print(f"predict and the ONNX, the same pixels of 0 to 255: answers are {apart[0]:.2g} apart")
print(f"predict of pixels of 0 to 255, the ONNX of the same divided by 255: {apart[1]:.2g} apart")
print(f"export while it can be trained: {first}")
sys.exit(0 if apart[0] > 1 and apart[1] < 1e-4 and first == "RuntimeError" else 1)
PYTHON
