#!/bin/sh
# skl2onnx 1.20.0, two classes: the table `probabilities` of SVC and NuSVC is largest for the class that `label` does not name.
#
# expected: whatever the two numbers of a picture are, margins or probabilities, the larger is that of the class that the
#   network names, as in all other classifiers that are converted; and LinearSVC has as many columns as it has classes.
# seen:
#   skl2onnx 1.20.0 scikit-learn 1.9.1 onnxruntime 1.31.1
#   SVC: label is right in 100%, the larger of its 2 numbers is its own label in 0%
#   NuSVC: label is right in 100%, the larger of its 2 numbers is its own label in 0%
#   SGDClassifier: label is right in 100%, the larger of its 2 numbers is its own label in 100%
#   LinearSVC: label is right in 100%, `probabilities` is one column from -1.57 to 1.59
#   RidgeClassifier: label is right in 100%, `probabilities` is one column from -1.38 to 1.29
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
from sklearn.linear_model import RidgeClassifier, SGDClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"), "onnxruntime", version("onnxruntime"))
rng = np.random.default_rng(0)
labels = np.arange(200) % 2
pictures = (rng.uniform(0, 0.5, (200, 16)) + 0.5 * labels[:, None]).astype(np.float32)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
found = {}
for model in (SVC(), NuSVC(), SGDClassifier(random_state=0), LinearSVC(), RidgeClassifier()):
    name = type(model).__name__
    model.fit(pictures, labels)
    table = {} if name == "LinearSVC" else {"options": {"zipmap": False}}  # which LinearSVC has no such option for
    file = to_onnx(model, pictures[:1], **table).SerializeToString()
    label, numbers = onnxruntime.InferenceSession(file, options).run(None, {"X": pictures})
    begin = f"{name}: label is right in {(label == labels).mean():.0%},"
    if numbers.shape[1] == 1:
        found[name] = 1
        print(begin, f"`probabilities` is one column from {numbers.min():.2f} to {numbers.max():.2f}")
    else:
        found[name] = (numbers.argmax(1) == label).mean()
        print(begin, f"the larger of its 2 numbers is its own label in {found[name]:.0%}")
sys.exit(not (found["SVC"] == found["NuSVC"] == 0 and found["SGDClassifier"] == 1))
PYTHON
