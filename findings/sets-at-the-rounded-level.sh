#!/bin/sh
# crepes 0.9.1: sets where n + 1 calibration pictures are a multiple of 1 / (1 - level), as 99 at 90 % or 19 at 95 %.
#
# expected: a class whose p-value is exactly 1 - level is within the set, or is not, whatever the level. By the documentation it
#   is left out where the p-value is less than 1 - level, so that it is within.
# seen:
#   crepes 0.9.1 numpy 2.4.6
#   80%, 99 pictures: 81 of their own scores are within, and 80 are enough; 1 - 0.8 is 0.19999999999999996
#   90%, 99 pictures: 91 of their own scores are within, and 90 are enough; 1 - 0.9 is 0.09999999999999998
#   90%, 999 pictures: 901 of their own scores are within, and 900 are enough; 1 - 0.9 is 0.09999999999999998
#   95%, 99 pictures: 95 of their own scores are within, and 95 are enough; 1 - 0.95 is 0.050000000000000044
#   95%, 199 pictures: 190 of their own scores are within, and 190 are enough; 1 - 0.95 is 0.050000000000000044
#   99%, 99 pictures: 99 of their own scores are within, and 99 are enough; 1 - 0.99 is 0.010000000000000009
#   (p-values are held against 1 - level as a computer writes it, a little less than 0.1 or a little more than 0.05)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} crepes==0.9.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from crepes import ConformalClassifier

print("crepes", version("crepes"), "numpy", np.__version__)
found = {}
for level, n in ((0.8, 99), (0.9, 99), (0.9, 999), (0.95, 99), (0.95, 199), (0.99, 99)):
    scores = np.arange(1, n + 1) / (n + 1)  # of calibration pictures, each another
    judge = ConformalClassifier()
    judge.fit(scores)
    sets = judge.predict_set(scores.reshape(-1, 1), confidence=level, smoothing=False)
    within, promised = int(sets.sum()), round((n + 1) * level)
    found[level, n] = within - promised
    print(f"{level:.0%}, {n} pictures: {within} of their own scores are within, and {promised} are enough; 1 - {level} is {1 - level!r}")
expected = {(0.8, 99): 1, (0.9, 99): 1, (0.9, 999): 1, (0.95, 99): 0, (0.95, 199): 0, (0.99, 99): 0}
sys.exit(found != expected)
PYTHON
