"""How often do its sets of classes hold the truth, and how large are they?

The limit of each level is found on validation, in probabilities after temperature scaling. The temperature is fitted
on the same pictures; one number of thousands of pictures moves the coverage by far less than its interval, and that of
test, which had no part in either, is measured and kept beside it.
"""

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext
from ml.stats.calibration import fit_temperature, scale_by_temperature
from ml.stats.conformal import LEVELS, limit, sets
from ml.stats.intervals import wilson


def table(context: EvaluationContext) -> pd.DataFrame:
    """Rows (split, level, most, temperature, n, covered, coverage, low, high, size, size_0 … size_C).

    size_k: pictures whose set has k classes. Empty where there are no validation pictures.
    """
    lesson = context.splits["validation"]
    if not len(lesson) or "validation" not in context.judged:
        return pd.DataFrame()
    unscaled = context.probabilities("validation")
    fitted = fit_temperature(unscaled, lesson.labels)
    tempered = {
        split: scale_by_temperature(context.probabilities(split), fitted)
        for split in ("validation", "test")
        if split in context.judged
    }
    rows = []
    for level in LEVELS:
        most = limit(tempered["validation"], lesson.labels, level)
        for split, probabilities in tempered.items():
            labels, chosen = context.splits[split].labels, sets(probabilities, most)
            n, sizes = len(labels), chosen.sum(1)
            covered = int(chosen[np.arange(n), labels].sum())
            low, high = wilson(covered, n)
            counts = np.bincount(sizes, minlength=chosen.shape[1] + 1)
            shares = (covered / max(n, 1), float(low), float(high), float(sizes.sum() / max(n, 1)))
            rows.append((split, level, most, fitted, n, covered, *shares, *counts))
    head = ["split", "level", "most", "temperature", "n", "covered", "coverage", "low", "high", "size"]
    return pd.DataFrame(rows, columns=[*head, *(f"size_{k}" for k in range(unscaled.shape[1] + 1))])
