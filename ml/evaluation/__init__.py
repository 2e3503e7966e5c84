"""From a run's network and pictures to the nouns of the schema: a split in, a table out."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ml.evaluation import (
    calibration,
    conformal,
    confusion,
    features,
    filters,
    label_issues,
    neighbours,
    predictions,
    projection,
    robustness,
    scores,
    slices,
    tags,
)
from ml.evaluation.subject import Subject

EVALUATIONS: dict[str, Callable[[Subject], pd.DataFrame | Mapping[str, np.ndarray]]] = {
    "predictions": predictions.table,
    "scores": scores.table,
    "confusion": confusion.table,
    "calibration": calibration.table,
    "conformal": conformal.table,
    "filters": filters.arrays,
    "features": features.arrays,
    "neighbours": neighbours.table,
    "projection": projection.table,
    "tags": tags.table,
    "slices": slices.table,
    "label_issues": label_issues.table,
    "robustness": robustness.table,
}
# a second or two: made before a run is published
QUICK = ("scores", "confusion", "calibration", "conformal", "filters", "features")
SLOW = ("neighbours", "projection", "tags", "slices")  # added right after
ASKED = ("label_issues", "robustness")  # take minutes, training networks or attacking one: made only when named
