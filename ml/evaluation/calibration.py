"""Is it right as often as it says, as trained and after temperature scaling?

The temperature is fitted on validation alone and used on every split. The ends of its interval and of the calibration
error's are bootstrap percentiles over redraws of the examples; Brier score and loss are means and have normal ones.
"""

import numpy as np
import pandas as pd
import torch

from ml.data.base import Split
from ml.evaluation.context import EvaluationContext
from ml.inference.classifier import Classifier
from ml.stats.calibration import (
    brier,
    cross_entropy,
    ece_interval,
    expected_calibration_error,
    fit_temperature,
    redrawn_temperatures,
    scale_by_temperature,
)
from ml.stats.intervals import Z, percentile

REFITS = 100  # of the temperature
SCALINGS = ("none", "temperature")


def table(context: EvaluationContext) -> pd.DataFrame:
    """Rows (split, scaling, metric, value, low, high, n); the metric temperature is that of validation.

    Empty without answers on validation.
    """
    if "validation" not in context.judged:
        return pd.DataFrame()
    labels, probabilities = context.splits["validation"].labels, context.probabilities("validation")
    fitted = fit_temperature(probabilities, labels)
    rng = np.random.default_rng(context.seed)
    low, high = percentile(redrawn_temperatures(probabilities, labels, fitted, REFITS, rng))
    rows = [("validation", "temperature", "temperature", fitted, float(low), float(high), len(labels))]
    for split in context.judged:
        unscaled = context.probabilities(split)
        for scaling in SCALINGS:
            scaled = unscaled if scaling == "none" else scale_by_temperature(unscaled, fitted)
            rows += [(split, scaling, *row) for row in _of(context.splits[split].labels, scaled, context.seed)]
    return pd.DataFrame(rows, columns=["split", "scaling", "metric", "value", "low", "high", "n"])


@torch.no_grad()
def fold_temperature(classifier: Classifier, lesson: Split) -> float:
    """Divide the network's last layer, and so its logits, by the temperature of the highest likelihood on `lesson`, and
    return it. No guess changes, what is said of how sure it is does."""
    fitted = fit_temperature(classifier.probabilities(lesson.images), lesson.labels)
    for network in (classifier.module, classifier.folded):
        for value in network.get_submodule("head").parameters():
            value.div_(fitted)
    return fitted


def _of(labels: np.ndarray, probabilities: np.ndarray, seed: int) -> list[tuple[str, float, float, float, int]]:
    n = len(labels)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    rows = [
        ("calibration_error", expected_calibration_error(confidence, right), *ece_interval(confidence, right, seed), n)
    ]
    for metric, each in (("brier", brier(probabilities, labels)), ("loss", cross_entropy(probabilities, labels))):
        mean, half = float(each.mean()), float(Z * each.std(ddof=1) / np.sqrt(n))
        rows.append((metric, mean, mean - half, mean + half, n))
    return rows
