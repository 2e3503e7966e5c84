#!/bin/sh
# onnxruntime 1.31.1: zeros that a network pads before a maximum count for nothing once it is optimised.
#
# expected: onnxruntime's optimisations change numbers by rounding alone: Pad with 0 and MaxPool after it give 0 where all
# other numbers of a window are negative, as onnx's reference and torch do (BiT, ResNetV2 of Keras begin so).
# seen:
#   onnxruntime 1.31.1 onnx 1.23.2
#   reference: [0.0, 0.0, 0.0, 0.0]
#   onnxruntime, not optimised: [0.0, 0.0, 0.0, 0.0]
#   onnxruntime: [-1.0, -2.0, -3.0, -4.0]
#   onnxruntime without Pad_Fusion: [0.0, 0.0, 0.0, 0.0]
#   quant_pre_process: MaxPool: [-1.0, -2.0, -3.0, -4.0]
#   without its optimising: Pad, MaxPool: [0.0, 0.0, 0.0, 0.0]
# so a network that is prepared for int8 as onnxruntime's documents say has the other answers in its file.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization.shape_inference import quant_pre_process

graph = helper.make_graph(
    [
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ],
    "net",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2])],
    [helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
pixels = -np.array([[[[1, 2], [3, 4]]]], np.float32)


def ask(level=None, without=None):
    options = onnxruntime.SessionOptions()
    if level is not None:
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=without
    )
    return session.run(None, {"x": pixels})[0].ravel().tolist()


print("onnxruntime", version("onnxruntime"), "onnx", version("onnx"))
right = ReferenceEvaluator(model).run(None, {"x": pixels})[0].ravel().tolist()
plain = ask(onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
usual, without = ask(), ask(without=["Pad_Fusion"])
for name, said in (
    ("reference", right), ("onnxruntime, not optimised", plain), ("onnxruntime", usual),
    ("onnxruntime without Pad_Fusion", without),
):
    print(f"{name}: {said}")


def prepared(name, **options):
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/net.onnx")
        quant_pre_process(f"{folder}/net.onnx", f"{folder}/made.onnx", skip_symbolic_shape=True, **options)
        made = onnx.load(f"{folder}/made.onnx")
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"], disabled_optimizers=["Pad_Fusion"]
    )
    said = session.run(None, {"x": pixels})[0].ravel().tolist()
    print(f"{name}: {', '.join(node.op_type for node in made.graph.node)}: {said}")
    return said


baked, kept = prepared("quant_pre_process"), prepared("without its optimising", skip_optimization=True)
sys.exit(not (right == plain == without == kept != usual == baked))
PYTHON
