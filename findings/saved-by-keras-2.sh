#!/bin/sh
# Keras 3.15.1 on what Keras 2.15 (TensorFlow 2.15.1) saved: .keras, which both call by this name and by one version of the
# format, and HDF5.
#
# expected: of layers that both know, a .keras or HDF5 file of Keras 2 opens in Keras 3 and predicts the same; or is refused
#   with words about its version.
# seen:
#   tensorflow 2.15.1, keras 3.15.1
#   sequential .keras opens, .h5 opens
#   sequential with batch normalisation .keras TypeError, .h5 opens
#   functional .keras TypeError, .h5 opens
#   a network within another .keras TypeError, .h5 ValueError
#   depthwise convolution .keras TypeError, .h5 TypeError
#   preprocess_input .keras TypeError, .h5 ValueError
#
# Where one opens it predicts the same. Keras 3 looks for functional networks in a module that is gone, takes an axis as a
# number and not as a list, counts the uses of a network within another from 0 and not from 1, and has no layer for arithmetic.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in two three; do python3 -m venv "$folder/$name"; done
"$folder/two/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} tensorflow-cpu==2.15.1 "numpy<2"
"$folder/three/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  keras==3.15.1 torch==2.13.0 h5py==3.16.0 numpy==2.4.6
cd "$folder"
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 two/bin/python -W ignore - 2>said <<'PYTHON' || { tail -5 said; exit 1; }
import numpy as np
import tensorflow as tf

layers, keras = tf.keras.layers, tf.keras
keras.utils.set_random_seed(0)
pixels = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
np.save("pixels.npy", pixels)


def functional(*steps):
    given = found = keras.Input((8, 8, 3))
    for step in steps:
        found = step(found)
    return keras.Model(given, found)


def end():
    return layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")


for name, model in {
    "sequential": keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *end()]),
    "sequential with batch normalisation":
        keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), *end()]),
    "functional": functional(layers.Conv2D(4, 3), *end()),
    "a network within another": functional(keras.Sequential([layers.Conv2D(4, 3)]), *end()),
    "depthwise convolution": keras.Sequential([keras.Input((8, 8, 3)), layers.DepthwiseConv2D(3), *end()]),
    "preprocess_input": functional(keras.applications.mobilenet_v2.preprocess_input, *end()),
}.items():
    for end_of_name in ("keras", "h5"):
        model.save(f"{name}.{end_of_name}")
    np.save(f"{name}.npy", model.predict(pixels, verbose=0))
print("tensorflow", tf.__version__, end=", ")
PYTHON
KERAS_BACKEND=torch KERAS_HOME="$folder" three/bin/python -W ignore - <<'PYTHON'
import sys

import keras
import numpy as np

expected = {
    "sequential": ["opens", "opens"], "sequential with batch normalisation": ["TypeError", "opens"],
    "functional": ["TypeError", "opens"], "a network within another": ["TypeError", "ValueError"],
    "depthwise convolution": ["TypeError", "TypeError"], "preprocess_input": ["TypeError", "ValueError"],
}
print("keras", keras.__version__)
seen = {}
for name in expected:
    for end in ("keras", "h5"):
        try:
            model = keras.saving.load_model(f"{name}.{end}", compile=False)
            apart = np.abs(model.predict(np.load("pixels.npy"), verbose=0) - np.load(f"{name}.npy")).max()
            came = "opens" if apart < 1e-4 else f"opens, and is {apart:.2g} off"
        except (TypeError, ValueError) as error:
            came = type(error).__name__
        seen.setdefault(name, []).append(came)
    print(name, ".keras {}, .h5 {}".format(*seen[name]))
sys.exit(seen != expected)
PYTHON
