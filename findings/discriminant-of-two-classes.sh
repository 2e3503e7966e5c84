#!/bin/sh
# skl2onnx 1.20.0: of two classes, the ONNX of a LinearDiscriminantAnalysis says other probabilities than scikit-learn.
#
# expected: as of a LogisticRegression, which has the same form, those of predict_proba.
# seen:
#   scikit-learn 1.9.1 skl2onnx 1.20.0 onnxruntime 1.31.1
#   2 classes, LinearDiscriminantAnalysis: probabilities are up to 0.15 apart, no picture named otherwise; from those of
#     predict_proba squared and made to add up, 1.8e-07
#   3 classes, and LogisticRegression of either: up to 1.2e-07 apart
#   (the ONNX takes a softmax of minus and plus the decision, where scikit-learn takes its sigmoid)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
    scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

print(*(f"{name} {version(name)}" for name in ("scikit-learn", "skl2onnx", "onnxruntime")))
rng = np.random.default_rng(0)
apart = {}
for classes in (2, 3):
    labels = rng.integers(0, classes, 500)
    pixels = (rng.normal(0, 0.7, (classes, 12))[labels] + rng.normal(0, 1, (500, 12))).astype(np.float32)
    for model in (LogisticRegression(), LinearDiscriminantAnalysis()):
        model.fit(pixels, labels)
        written = to_onnx(model, pixels[:1], options={id(model): {"zipmap": False}}).SerializeToString()
        named, said = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"]).run(None, {"X": pixels})
        own = model.predict_proba(pixels)
        apart[classes, type(model).__name__] = np.abs(said - own).max()
        squared = own**2 / (own**2).sum(1, keepdims=True)
        print(f"{classes} classes, {type(model).__name__}: probabilities are up to {np.abs(said - own).max():.2g} apart,", end=" ")
        print(f"{(named != model.predict(pixels)).mean():.1%} named otherwise; from squares made to add up, {np.abs(said - squared).max():.2g}")
wrong = apart.pop((2, "LinearDiscriminantAnalysis"))
sys.exit(not (wrong > 0.05 and max(apart.values()) < 1e-5))
PYTHON
