#!/bin/sh
# onnxruntime 1.31.1, quantize_dynamic: what a network says of a picture depends on the pictures that are asked with it.
#
# expected: the numbers that a network gives for a picture are the same whether it is asked about it alone or among others,
#   as they are of quantize_static and before anything was quantised; "dynamic" means that scales are found for each picture.
# seen:
#   onnxruntime 1.31.1 onnx 1.23.2
#   float32: alone and among 15 others differ by up to 0, other class for 0 of 64 pictures
#   quantize_static: alone and among 15 others differ by up to 0, other class for 0 of 64 pictures
#   quantize_dynamic: alone and among 15 others differ by up to 0.0056, other class for 10 of 64 pictures
#   DynamicQuantizeLinear finds one scale for the whole tensor, so that a bright picture sets that of all dark ones.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

logging.disable(logging.WARNING)
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
rng = np.random.default_rng(0)
weights = {"w1": (192, 64), "w2": (64, 64), "w3": (64, 5)}
held = [numpy_helper.from_array((rng.normal(size=k) / k[0] ** 0.5).astype(np.float32), name) for name, k in weights.items()]
nodes = [helper.make_node("MatMul", ["x", "w1"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
         helper.make_node("MatMul", ["b", "w2"], ["c"]), helper.make_node("Relu", ["c"], ["d"]),
         helper.make_node("MatMul", ["d", "w3"], ["y"])]
graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 192])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])], held)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), "float.onnx")
pictures = rng.uniform(0, 0.04, (64, 192)).astype(np.float32)  # taken by night, and each 16th by day
pictures[::16] = rng.uniform(0.5, 1, (4, 192))


class Some(quantization.CalibrationDataReader):
    def __init__(self):
        self.parts = iter([{"x": pictures[i : i + 8]} for i in range(0, 64, 8)])

    def get_next(self):
        return next(self.parts, None)


quantization.quantize_static("float.onnx", "static.onnx", Some())
quantization.quantize_dynamic("float.onnx", "dynamic.onnx")
differ = {}
for words, name in (("float32", "float"), ("quantize_static", "static"), ("quantize_dynamic", "dynamic")):
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    among = np.concatenate([session.run(None, {"x": pictures[i : i + 16]})[0] for i in range(0, 64, 16)])
    alone = np.concatenate([session.run(None, {"x": pictures[i : i + 1]})[0] for i in range(64)])
    differ[name] = int((among.argmax(1) != alone.argmax(1)).sum())
    print(f"{words}: alone and among 15 others differ by up to {np.abs(among - alone).max():.2g},"
          f" other class for {differ[name]} of 64 pictures")
sys.exit(not (differ["float"] == differ["static"] == 0 < differ["dynamic"]))
PYTHON
