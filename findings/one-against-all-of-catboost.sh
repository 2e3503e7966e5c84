#!/bin/sh
# CatBoost 1.2.10: the ONNX of a classifier trained with MultiClassOneVsAll takes a softmax where CatBoost itself
# takes a yes or no for each class.
#
# expected: its own exporter writes the probabilities that predict_proba gives, as it does for MultiClass, or refuses.
# seen: of 2000 pictures
#   catboost 1.2.10 onnxruntime 1.32.0
#   MultiClass: rows of predict_proba add up to 1.00 to 1.00; 0 differ, by up to 0.00, another class for 0
#   MultiClassOneVsAll: rows of predict_proba add up to 1.15 to 1.22; 2000 differ, by up to 0.15, another class for 0
#   MultiClassOneVsAll, rows divided by their sums: 2000 differ, by up to 0.22
#   said in the file: {'type': 'MultiClassOneVsAll', 'params': {}}
#
# The file says the loss that it was trained by among its metadata ("params"), and a softmax (post_transform) all the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  catboost==1.2.10 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from catboost import CatBoostClassifier

print(*(f"{name} {version(name)}" for name in ("catboost", "onnxruntime")))
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 600)
learned, asked = (rng.integers(0, 256, (n, 36)).astype(np.float32) for n in (600, 2_000))
learned[np.arange(600), labels] = 255 - learned[np.arange(600), labels] // 4
counts = {}
for loss in ("MultiClass", "MultiClassOneVsAll"):
    model = CatBoostClassifier(iterations=40, depth=3, loss_function=loss, random_seed=0, thread_count=1, verbose=0)
    model.fit(learned, labels)
    model.save_model("net.onnx", format="onnx")
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    said = np.array([[row[i] for i in range(3)] for row in session.run(["probabilities"], {"features": asked})[0]])
    own = model.predict_proba(asked)
    apart, sums = np.abs(said - own).max(1), own.sum(1)
    counts[loss] = (apart > 1e-4).sum(), (said.argmax(1) != own.argmax(1)).sum()
    print(f"{loss}: rows of predict_proba add up to {sums.min():.2f} to {sums.max():.2f}; {counts[loss][0]} differ, "
          f"by up to {apart.max():.2f}, another class for {counts[loss][1]}")
divided = np.abs(said - own / sums[:, None]).max(1)
print(f"MultiClassOneVsAll, rows divided by their sums: {(divided > 1e-4).sum()} differ, by up to {divided.max():.2f}")
metadata = {one.key: one.value for one in onnx.load("net.onnx").metadata_props}
print("said in the file:", json.loads(metadata["params"])["loss_function"])
sys.exit(not (counts["MultiClass"] == (0, 0) and counts["MultiClassOneVsAll"][0] > 1_000 and (divided > 1e-4).sum() > 1_000))
PYTHON
