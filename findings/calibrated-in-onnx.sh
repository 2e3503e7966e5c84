#!/bin/sh
# skl2onnx 1.20.0 on scikit-learn's CalibratedClassifierCV: by isotonic regression, and around a pipeline.
#
# expected: probabilities of the ONNX are the model's own to 1e-5, as of CalibratedClassifierCV(LogisticRegression()); or it
#   is refused, as method="temperature" is.
# seen:
#   skl2onnx 1.20.0 scikit-learn 1.9.1 onnxruntime 1.31.1
#   sigmoid: the same class in 100.0% of 300 pictures, probabilities 1.4e-07 apart at most
#   sigmoid, within a pipeline: the same class in 100.0% of 300 pictures, probabilities 2e-07 apart at most
#   sigmoid, around a pipeline: the same class in 99.7% of 300 pictures, probabilities 0.39 apart at most
#   isotonic: the same class in 98.3% of 300 pictures, probabilities 0.034 apart at most
#   temperature: AttributeError
#   (it takes the nearest of the isotonic steps, where scikit-learn draws a line between two; and what the pipeline gives as
#   probabilities for the margins that scikit-learn fitted the sigmoid to)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"), "onnxruntime", version("onnxruntime"))
rng = np.random.default_rng(0)
labels = np.arange(600) % 3
pictures = rng.uniform(0, 1, (600, 9)).astype(np.float32)
for i, label in enumerate(labels):
    pictures[i, label * 3 : label * 3 + 3] += 0.25
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
linear = LogisticRegression()
found = []
for name, model in {
    "sigmoid": CalibratedClassifierCV(linear),
    "sigmoid, within a pipeline": make_pipeline(PCA(5, random_state=0), CalibratedClassifierCV(linear)),
    "sigmoid, around a pipeline": CalibratedClassifierCV(make_pipeline(PCA(5, random_state=0), linear)),
    "isotonic": CalibratedClassifierCV(linear, method="isotonic"),
}.items():
    model.fit(pictures[:300], labels[:300])
    file = to_onnx(model, pictures[:1], options={"zipmap": False}).SerializeToString()
    named, numbers = onnxruntime.InferenceSession(file, options).run(None, {"X": pictures[300:]})
    expected = model.predict_proba(pictures[300:])
    found.append(float(np.abs(numbers - expected).max()))
    same = (named == model.predict(pictures[300:])).mean()
    print(f"{name}: the same class in {same:.1%} of 300 pictures, probabilities {found[-1]:.2g} apart at most")
try:
    to_onnx(CalibratedClassifierCV(linear, method="temperature").fit(pictures, labels), pictures[:1])
    print("temperature: converted")
    refused = False
except Exception as error:
    print(f"temperature: {type(error).__name__}")
    refused = True
sys.exit(not (max(found[:2]) < 1e-5 and min(found[2:]) > 0.02 and refused))
PYTHON
