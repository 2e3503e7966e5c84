#!/bin/sh
# Keras 3.15.1: a network with layers of augmentation in it changes pictures at random when it is called, and so it cannot be
# exported as ONNX, though predict leaves them as they are.
#
# expected: model(pictures) says what model.predict(pictures) says, since augmentation, like dropout, is for fit alone; and
#   what is exported is what predict says.
# seen:
#   keras 3.15.1 torch 2.13.0
#   Dropout: called and predict differ by 0.000, called twice by 0.000; its ONNX says what predict says
#   RandomFlip: called and predict differ by 0.208, called twice by 0.274; no ONNX: SymbolicValueError
#   RandomFlip, training=False said: called and predict differ by 0.000, called twice by 0.000
#
# Such a layer's `training` is True where nobody says otherwise, that of others is not. The export calls as anybody does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  keras==3.15.1 torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=torch KERAS_HOME="$folder" "$folder/venv/bin/python" -W ignore - 2>"$folder/said" <<'PYTHON'
import sys

import keras
import numpy as np
import onnxruntime
import torch
from keras import layers

keras.utils.set_random_seed(0)
print(f"keras {keras.__version__} torch {torch.__version__.partition('+')[0]}")
pictures = np.random.default_rng(0).uniform(0, 1, (8, 6, 6, 3)).astype("float32")


def differ(model, **told):
    first, second = (model(pictures, **told).detach().numpy() for _ in range(2))
    apart = np.abs(first - model.predict(pictures, verbose=0)).max()
    return apart, f"called and predict differ by {apart:.3f}, called twice by {np.abs(first - second).max():.3f}"


def exported(model):
    try:
        model.export("net.onnx", format="onnx", verbose=False)
    except Exception as error:
        return f"no ONNX: {type(error).__name__}"
    session = onnxruntime.InferenceSession("net.onnx")
    said = session.run(None, {session.get_inputs()[0].name: pictures})[0]
    same = np.abs(said - model.predict(pictures, verbose=0)).max() < 1e-5
    return f"its ONNX says {'what' if same else 'something else than'} predict says"


def network(layer):
    return keras.Sequential([keras.Input((6, 6, 3)), layer, layers.Flatten(), layers.Dense(3, activation="softmax")])


dropout, augmented = network(layers.Dropout(0.5)), network(layers.RandomFlip())
plain, words = differ(dropout)
print(f"Dropout: {words}; {exported(dropout)}")
called, words = differ(augmented)
export = exported(augmented)
print(f"RandomFlip: {words}; {export}")
told, words = differ(augmented, training=False)
print(f"RandomFlip, training=False said: {words}")
sys.exit(not (plain < 1e-6 and told < 1e-6 and called > 0.01 and export.startswith("no ONNX")))
PYTHON
