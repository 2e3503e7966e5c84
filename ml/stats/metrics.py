"""How good is it, over all and class by class, and how sure can we be?

Proportions (accuracy, precision, recall) carry Wilson intervals. F1 carries a bootstrap percentile interval over
multinomial redraws of the confusion matrix, calibration error one over redraws of the examples, the loss a normal one
of the mean. A class's accuracy is the share of its examples named right, which is its recall.
numpy and pandas only.
"""

from typing import Any

import numpy as np
import pandas as pd

from ml.stats.calibration import cross_entropy, ece_interval, expected_calibration_error
from ml.stats.intervals import Z, percentile, wilson

REDRAWS = 1_000


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: rows are truths, columns guesses."""
    return np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes**2).reshape(classes, classes)


def f1(counts: np.ndarray) -> np.ndarray:
    """counts: [..., classes, classes] → F1 of each class [..., classes]; 0 for a class never seen and never guessed."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(-1) + counts.sum(-2)
    return np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0)


def split_metrics(split: str, labels: np.ndarray, probabilities: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Scores of one split. labels: int [n]; probabilities: float [n, classes]."""
    rng = np.random.default_rng(seed)
    n, classes = probabilities.shape
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    counts = confusion_matrix(labels, predicted, classes)
    hits, truths, guesses = counts.diagonal(), counts.sum(1), counts.sum(0)
    right = predicted == labels

    redrawn = f1(rng.multinomial(n, counts.reshape(-1) / n, REDRAWS).reshape(REDRAWS, classes, classes))
    loss = cross_entropy(probabilities, labels)
    spread = Z * loss.std(ddof=1) / np.sqrt(n)

    rows: list[tuple] = []

    def add(of: int | None, metric: str, value: Any, low: Any, high: Any, size: int) -> None:
        ends = (None if low is None else float(low), None if high is None else float(high))
        rows.append((split, of, metric, float(value), *ends, int(size)))

    low, high = wilson(hits.sum(), n)
    add(None, "accuracy", hits.sum() / n, float(low), float(high), n)
    add(None, "macro_f1", f1(counts).mean(), *percentile(redrawn.mean(1)), n)
    add(None, "loss", loss.mean(), loss.mean() - spread, loss.mean() + spread, n)
    add(
        None,
        "calibration_error",
        expected_calibration_error(confidence, right),
        *ece_interval(confidence, right, seed),
        n,
    )
    for metric, totals in (("accuracy", truths), ("recall", truths), ("precision", guesses)):
        lows, highs = wilson(hits, totals)
        for c in range(classes):
            add(c, metric, hits[c] / max(totals[c], 1), float(lows[c]), float(highs[c]), totals[c])
    lows, highs = percentile(redrawn)
    for c in range(classes):
        add(c, "f1", f1(counts)[c], float(lows[c]), float(highs[c]), n)
        add(c, "support", truths[c], None, None, n)
    frame = pd.DataFrame(rows, columns=["split", "class", "metric", "value", "low", "high", "n"])
    return frame.astype({"class": "Int16", "low": float, "high": float})
