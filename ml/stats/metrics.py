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
CELLS_AT_ONCE = 2_000_000  # of redrawn matrices: all of a thousand classes would take 8 GB


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: rows are truths, columns guesses."""
    return np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes**2).reshape(classes, classes)


def f1(counts: np.ndarray) -> np.ndarray:
    """counts: [..., classes, classes] → F1 of each class [..., classes]; 0 for a class never seen and never guessed."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(-1) + counts.sum(-2)
    return np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0)


def _redrawn_f1(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float [REDRAWS, classes]: F1 of each class in matrices that chance could have made of counts, [classes, classes].

    Only cells in which there is something are drawn, the last one too, which takes what is left.
    """
    classes, n = len(counts), int(counts.sum())
    cells = np.union1d(np.flatnonzero(counts), [counts.size - 1])
    rows, columns = np.divmod(cells, classes)
    shares, size = counts.reshape(-1)[cells] / n, max(1, CELLS_AT_ONCE // len(cells))
    parts = []
    for start in range(0, REDRAWS, size):
        drawn = rng.multinomial(n, shares, min(size, REDRAWS - start))
        truths, guesses, hits = (np.zeros((len(drawn), classes), np.int64) for _ in range(3))
        for place, (row, column) in enumerate(zip(rows, columns, strict=True)):
            truths[:, row] += drawn[:, place]
            guesses[:, column] += drawn[:, place]
            if row == column:
                hits[:, row] = drawn[:, place]
        both = truths + guesses
        parts.append(np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0))
    return np.concatenate(parts)


def split_metrics(
    split: str, labels: np.ndarray, probabilities: np.ndarray, seed: int = 0, known: str = "probabilities"
) -> pd.DataFrame:
    """Scores of one split. labels: int [n]; probabilities: float [n, classes].

    known: how much of probabilities is (ml.artifacts.kinds.known): without all of them there is no loss, without the
    largest no calibration error either.
    """
    rng = np.random.default_rng(seed)
    n, classes = probabilities.shape
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    counts = confusion_matrix(labels, predicted, classes)
    hits, truths, guesses = counts.diagonal(), counts.sum(1), counts.sum(0)
    right = predicted == labels

    own, redrawn = f1(counts), _redrawn_f1(counts, rng)
    there = truths + guesses > 0  # a class that nobody has and nobody names has no F1 that could be averaged
    if not there.any():
        there[:] = True
    rows: list[tuple] = []

    def add(of: int | None, metric: str, value: Any, low: Any, high: Any, size: int) -> None:
        ends = (None if low is None else float(low), None if high is None else float(high))
        rows.append((split, of, metric, float(value), *ends, int(size)))

    low, high = wilson(hits.sum(), n)
    add(None, "accuracy", hits.sum() / n, float(low), float(high), n)
    add(None, "macro_f1", own[there].mean(), *percentile(redrawn[:, there].mean(1)), n)
    if known == "probabilities":
        loss = cross_entropy(probabilities, labels)
        spread = Z * loss.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        add(None, "loss", loss.mean(), loss.mean() - spread, loss.mean() + spread, n)
    if known != "labels":
        ends = ece_interval(confidence, right, seed)
        add(None, "calibration_error", expected_calibration_error(confidence, right), *ends, n)
    for metric, totals in (("accuracy", truths), ("recall", truths), ("precision", guesses)):
        lows, highs = wilson(hits, totals)
        for c in range(classes):
            add(c, metric, hits[c] / max(totals[c], 1), float(lows[c]), float(highs[c]), totals[c])
    lows, highs = percentile(redrawn)
    for c in range(classes):
        add(c, "f1", own[c], float(lows[c]), float(highs[c]), n)
        add(c, "support", truths[c], None, None, n)
    frame = pd.DataFrame(rows, columns=["split", "class", "metric", "value", "low", "high", "n"])
    return frame.astype({"class": "Int16", "low": float, "high": float})
