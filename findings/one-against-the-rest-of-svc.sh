#!/bin/sh
# skl2onnx 1.20.0 on OneVsRestClassifier of machines with margins, of three classes or more, and BaggingClassifier of them.
#
# expected: the ONNX names the class that scikit-learn names, the largest of its numbers is that class's, and there are as many
#   rows as pictures.
# seen:
#   skl2onnx 1.20.0 scikit-learn 1.9.1 onnxruntime 1.31.1
#   OneVsRestClassifier(SVC): right in 100%, its ONNX in 0%, whose largest number is its own label in 100%
#   OneVsRestClassifier(NuSVC): right in 100%, its ONNX in 0%, whose largest number is its own label in 100%
#   OneVsRestClassifier(LinearSVC): right in 100%, its ONNX in 100%, whose largest number is its own label in 0%
#   OneVsRestClassifier(SVC(probability=True)): right in 100%, its ONNX in 100%, whose largest number is its own label in 100%
#   BaggingClassifier(SVC): right in 100%, its ONNX gives 5 rows for 90 pictures
#   (each margin of SVC has the other sign, so that the least likely class is named; and margins are divided by their sum, which is
#   mostly below 0)
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
from sklearn.ensemble import BaggingClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"), "onnxruntime", version("onnxruntime"))
rng = np.random.default_rng(0)
labels = np.arange(90) % 3
pictures = rng.uniform(0, 0.5, (90, 9)).astype(np.float32)
for i, label in enumerate(labels):
    pictures[i, label * 3 : label * 3 + 3] += 0.5
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
found = {}
for model in (
    OneVsRestClassifier(SVC()), OneVsRestClassifier(NuSVC(nu=0.2)), OneVsRestClassifier(LinearSVC(random_state=0)),
    OneVsRestClassifier(SVC(probability=True, random_state=0)), BaggingClassifier(SVC(), 5, random_state=0),
):
    inner = model.estimator
    name = f"{type(model).__name__}({type(inner).__name__}{'(probability=True)' if getattr(inner, 'probability', 0) is True else ''})"
    model.fit(pictures, labels)
    file = to_onnx(model, pictures[:1], options={"zipmap": False}).SerializeToString()
    named, numbers = onnxruntime.InferenceSession(file, options).run(None, {"X": pictures})
    begin = f"{name}: right in {(model.predict(pictures) == labels).mean():.0%}, its ONNX"
    if len(named) != len(pictures):
        found[name] = (len(named), 0)
        print(begin, f"gives {len(named)} rows for {len(pictures)} pictures")
        continue
    found[name] = (float((named == labels).mean()), float((numbers.argmax(1) == named).mean()))
    print(begin, "in {:.0%}, whose largest number is its own label in {:.0%}".format(*found[name]))
expected = [(0, 1), (0, 1), (1, 0), (1, 1), (5, 0)]
sys.exit(any(abs(one - two) > 0.1 for pair, other in zip(found.values(), expected, strict=True) for one, two in zip(pair, other, strict=True)))
PYTHON
