#!/bin/sh
# skl2onnx 1.20.0: a forest after a StandardScaler, of pixels, says other probabilities in ONNX for a tenth of the pictures,
# and no fewer where the ONNX computes in float64.
#
# expected: float32 moves a picture across a threshold now and then, one in thousands; in float64, which scikit-learn itself
#   computes in, none.
# seen:
#   skl2onnx 1.20.0 scikit-learn 1.9.1 onnxruntime 1.31.1
#   forest alone, ONNX in float32: of 6000 pictures 0 differ, by up to 0.00
#   scaler and forest, ONNX in float32: of 6000 pictures 590 differ, by up to 0.22
#   scaler and forest, ONNX in float64: of 6000 pictures 676 differ, by up to 0.14
#   scaler in float64, then a cast to float32, then the forest: of 6000 pictures 0 differ, by up to 0.00
#
# Thresholds lie halfway between two levels that were seen, pixels have 256 levels, and so many a pixel lies exactly on one:
# which side it is on is decided by the last bit. scikit-learn's trees compare in float32 what was scaled in float64.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"), "onnxruntime", version("onnxruntime"))
rng = np.random.default_rng(0)
labels = rng.integers(0, 4, 600)
learned, asked = rng.integers(0, 256, (600, 64)) / 255, rng.integers(0, 256, (6_000, 64)) / 255
learned[np.arange(600), labels] = 1
forest, whole = RandomForestClassifier(50, random_state=0), make_pipeline(StandardScaler(), RandomForestClassifier(50, random_state=0))
forest.fit(learned, labels)
whole.fit(learned, labels)
cast = make_pipeline(whole[0], CastTransformer(dtype=np.float32), whole[1])


def differ(words, model, written, kind, dtype):
    file = to_onnx(written, initial_types=[("X", kind([None, 64]))], options={id(written): {"zipmap": False}})
    session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
    apart = np.abs(session.run(None, {"X": asked.astype(dtype)})[1] - model.predict_proba(asked)).max(1)
    count = (apart > 1e-4).sum()
    print(f"{words}: of {len(asked)} pictures {count} differ, by up to {apart.max():.2f}")
    return count


alone = differ("forest alone, ONNX in float32", forest, forest, FloatTensorType, np.float32)
narrow = differ("scaler and forest, ONNX in float32", whole, whole, FloatTensorType, np.float32)
wide = differ("scaler and forest, ONNX in float64", whole, whole, DoubleTensorType, np.float64)
right = differ("scaler in float64, then a cast to float32, then the forest", whole, cast, DoubleTensorType, np.float64)
sys.exit(not (alone == right == 0 and narrow > 100 and wide > 100))
PYTHON
