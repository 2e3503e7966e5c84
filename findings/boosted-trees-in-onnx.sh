#!/bin/sh
# onnxmltools 1.16.0: forests of XGBoost and of LightGBM, linear trees and one-against-all of LightGBM become another
# classifier in ONNX, without a word.
#
# expected: whatever trees a classifier is made of, its ONNX says the same probabilities to 1e-4, as for boosted trees of
#   either library, or the converter refuses it.
# seen: of 2000 pictures
#   onnxmltools 1.16.0 xgboost 3.2.0 lightgbm 4.7.0 onnxruntime 1.31.1
#   XGBClassifier: 0 differ, by up to 0.00, another class for 0
#   XGBClassifier, num_parallel_tree=4: 2000 differ, by up to 0.49, another class for 87
#   XGBRFClassifier: 2000 differ, by up to 0.48, another class for 214
#   LGBMClassifier: 0 differ, by up to 0.00, another class for 0
#   LGBMClassifier, linear_tree: 1543 differ, by up to 0.26, another class for 47
#   LGBMClassifier, multiclassova: 2000 differ, by up to 0.30, another class for 0
#   LGBMClassifier, boosting_type rf, 2 classes: 2 columns, another class for 1536
#   LGBMClassifier, boosting_type rf, 3 classes: 2 columns, another class for 1646
#
# Trees are given to classes in turn, and XGBoost has all trees of a class one after the other in each round; of leaves that
# are linear functions the constant alone is written; what is a yes or no for each class in LightGBM gets a softmax; of its
# forests the sum over trees goes through the sigmoid or softmax before it is divided by their number, and of any number of
# classes the second column alone is kept.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  onnxmltools==1.16.0 skl2onnx==1.20.0 xgboost==3.2.0 lightgbm==4.7.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from lightgbm import LGBMClassifier
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier, XGBRFClassifier

print(*(f"{name} {version(name)}" for name in ("onnxmltools", "xgboost", "lightgbm", "onnxruntime")))
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 600)
learned, asked = (rng.integers(0, 256, (n, 36)).astype(np.float32) for n in (600, 2_000))
learned[np.arange(600), labels] = 255 - learned[np.arange(600), labels] // 4
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
said = {}
few = {"n_estimators": 10, "n_jobs": 1}
for name, model, convert in (
    ("XGBClassifier", XGBClassifier(**few), convert_xgboost),
    ("XGBClassifier, num_parallel_tree=4", XGBClassifier(num_parallel_tree=4, subsample=0.7, **few), convert_xgboost),
    ("XGBRFClassifier", XGBRFClassifier(**few), convert_xgboost),
    ("LGBMClassifier", LGBMClassifier(verbose=-1, **few), convert_lightgbm),
    ("LGBMClassifier, linear_tree", LGBMClassifier(linear_tree=True, verbose=-1, **few), convert_lightgbm),
    ("LGBMClassifier, multiclassova", LGBMClassifier(objective="multiclassova", verbose=-1, **few), convert_lightgbm),
):
    own = model.fit(learned, labels).predict_proba(asked)
    file = convert(model, initial_types=[("pixels", FloatTensorType([None, 36]))]).SerializeToString()
    answer = onnxruntime.InferenceSession(file, options).run(None, {"pixels": asked})[1]
    theirs = np.array([[one[k] for k in range(3)] for one in answer]) if isinstance(answer, list) else answer
    apart = np.abs(own - theirs).max(1)
    said[name] = (apart > 1e-4).mean(), (own.argmax(1) != theirs.argmax(1)).mean()
    print(f"{name}: {(apart > 1e-4).sum()} differ, by up to {apart.max():.2f}, "
          f"another class for {(own.argmax(1) != theirs.argmax(1)).sum()}")
forests = []
for classes in (2, 3):
    some = labels < classes
    forest = LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, verbose=-1, random_state=0, **few)
    own = forest.fit(learned[some], labels[some]).predict_proba(asked)
    file = convert_lightgbm(forest, initial_types=[("pixels", FloatTensorType([None, 36]))], zipmap=False)
    theirs = onnxruntime.InferenceSession(file.SerializeToString(), options).run(None, {"pixels": asked})[1]
    other = (own.argmax(1) != theirs.argmax(1)).sum()
    forests.append((theirs.shape[1], other))
    print(f"LGBMClassifier, boosting_type rf, {classes} classes: {theirs.shape[1]} columns, another class for {other}")
right, wrong = ("XGBClassifier", "LGBMClassifier"), ("XGBClassifier, num_parallel_tree=4", "XGBRFClassifier")
as_written = all(said[one] == (0, 0) for one in right) and all(said[one][0] == 1 and said[one][1] > 0.01 for one in wrong)
linear, each = said["LGBMClassifier, linear_tree"], said["LGBMClassifier, multiclassova"]
as_written = as_written and all(columns == 2 and other > 100 for columns, other in forests)
sys.exit(not (as_written and linear[0] > 0.5 and linear[1] > 0 and each == (1, 0)))
PYTHON
