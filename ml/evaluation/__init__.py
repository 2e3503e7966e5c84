"""From a run's network and pictures to the nouns of the schema: a split in, a table out.

The arithmetic is in ml.stats; here it is done for each split and written down.
"""

from collections.abc import Callable

from ml.artifacts.writer import Payload
from ml.evaluation import (
    calibration,
    conformal,
    confusion,
    engines,
    familiarity,
    features,
    filters,
    label_issues,
    looks,
    neighbours,
    predictions,
    preparation,
    projection,
    robustness,
    scores,
    slices,
    tags,
    unlabelled,
)
from ml.evaluation.context import EvaluationContext

EVALUATIONS: dict[str, Callable[[EvaluationContext], Payload]] = {
    "predictions": predictions.table,
    "scores": scores.table,
    "confusion": confusion.table,
    "calibration": calibration.table,
    "conformal": conformal.table,
    "filters": filters.arrays,
    "features": features.arrays,
    "neighbours": neighbours.table,
    "projection": projection.table,
    "preparation": preparation.table,
    "tags": tags.table,
    "slices": slices.table,
    "unlabelled": unlabelled.table,
    "label_issues": label_issues.table,
    "robustness": robustness.table,
    "looks": looks.arrays,
    "familiarity": familiarity.arrays,
    "engines": engines.table,
    "onnx": engines.onnx,
    "int8": engines.int8,
}
# a second or two: made before a run is published
AT_TRAINING = ("scores", "confusion", "calibration", "conformal", "filters", "features")
# added right after; unlabelled where the data set has pictures without a label
AFTER_PUBLISHING = ("preparation", "neighbours", "projection", "tags", "slices", "unlabelled", "looks")
# made only when named: they train networks, attack one or render pictures for a minute or more, or need packages that
# not everybody has
ON_DEMAND = ("label_issues", "robustness", "familiarity", "engines", "onnx", "int8")
