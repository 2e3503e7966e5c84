#!/bin/sh
# TensorFlow Lite (tensorflow 2.21.0), read by tf2onnx 1.17.0: a network's own division of pixels by 255 is nowhere in the file.
#
# expected: Keras' Rescaling(1/255) is an operator of the TensorFlow Lite file, as it is one of the SavedModel, so that whoever
#   reads the file sees that it takes pixels from 0 to 255.
# seen:
#   tensorflow 2.21.0 tf2onnx 1.17.0
#   by way of SavedModel: Mul Add Transpose Conv …, lengths of the first filters 0.45 to 0.6, numbers in float32
#   by way of TensorFlow Lite: Transpose Conv …, lengths of the first filters 0.0018 to 0.0023, numbers in float32
#   by way of TensorFlow Lite, int8: Transpose DequantizeLinear …, pixels from -128 to 127, numbers in int8
#
# The converter multiplies the first weights by 1/255. Given pixels from 0 to 1 such a network sees black pictures.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.21.0 numpy==2.4.6
cd "$folder"
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - 2>"$folder/said" <<'PYTHON' || { tail -5 "$folder/said"; exit 1; }
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

print("tensorflow", tf.__version__, "tf2onnx", version("tf2onnx"))
tf.keras.utils.set_random_seed(0)
layers = tf.keras.layers
model = tf.keras.Sequential([
    layers.Input((24, 24, 3)), layers.Rescaling(1 / 255), layers.Conv2D(16, 3, padding="same", activation="relu"),
    layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax"),
])
model.export("saved", verbose=False)
pictures = np.random.default_rng(0).integers(0, 256, (20, 1, 24, 24, 3)).astype(np.float32)


def lite(name, **options):
    converter = tf.lite.TFLiteConverter.from_saved_model("saved")
    for key, value in options.items():
        setattr(converter, key, value)
    with open(name, "wb") as file:
        file.write(converter.convert())


def looked(way, *given):
    subprocess.run([sys.executable, "-m", "tf2onnx.convert", *given, "--output", "net.onnx", "--opset", "17"],
                   check=True, capture_output=True)
    net = onnx.load("net.onnx")
    steps = [node.op_type for node in net.graph.node]
    kind = onnx.TensorProto.DataType.Name(net.graph.output[0].type.tensor_type.elem_type).lower().replace("float", "float32")
    held = {one.name: numpy_helper.to_array(one) for one in net.graph.initializer}
    first = next((held[node.input[1]] for node in net.graph.node if node.op_type == "Conv" and node.input[1] in held), None)
    if first is None:
        low = "-128 to 127" if net.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT8 else "?"
        print(f"by way of {way}: {' '.join(steps[:2])} …, pixels from {low}, numbers in {kind}")
        return steps, low, kind
    lengths = np.linalg.norm(first.reshape(len(first), -1), axis=1)
    print(f"by way of {way}: {' '.join(steps[: steps.index('Conv') + 1])} …, lengths of the first filters "
          f"{lengths.min():.2g} to {lengths.max():.2g}, numbers in {kind}")
    return steps, lengths, kind


plain, large, _ = looked("SavedModel", "--saved-model", "saved")
lite("net.tflite")
folded, small, _ = looked("TensorFlow Lite", "--tflite", "net.tflite")
lite("int8.tflite", optimizations=[tf.lite.Optimize.DEFAULT], representative_dataset=lambda: ([one] for one in pictures),
     inference_input_type=tf.int8, inference_output_type=tf.int8)
_, low, kind = looked("TensorFlow Lite, int8", "--tflite", "int8.tflite")
same = np.allclose(sorted(large / 255), sorted(small), rtol=1e-4)
sys.exit(not ("Mul" in plain and "Mul" not in folded and same and (low, kind) == ("-128 to 127", "int8")))
PYTHON
