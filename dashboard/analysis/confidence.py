"""What is said of how sure a run is: how many it answers at a threshold, and how its answers spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.data.run import RunData
from dashboard.format.proportion import Proportion
from dashboard.state.selection import Selection
from ml.stats import calibration
from ml.stats.calibration import BINS as FIFTEENTHS

CONFIDENCE_FILTERS = ("conf", "tempered", "reject", "outcome")  # what panels about confidence are themselves about
BINS = 20  # of the histogram
TARGETS = (0.98, 0.99, 0.995)  # shares of right answers to ask for


@dataclass(frozen=True)
class Answers:
    """What is left when a run answers only where it is at least so sure. mistakes: of all images, answered or not."""

    coverage: Proportion
    accuracy: Proportion
    mistakes: int

    @property
    def left(self) -> int:
        """Mistakes among the answers."""
        return self.accuracy.n - self.accuracy.count


def counted(run: RunData, selection: Selection) -> np.ndarray:
    """int [n]: places in predictions(split) under every chip but confidence, threshold and outcome."""
    return run.rows(selection, without=CONFIDENCE_FILTERS)


def chosen_by_outcome(selection: Selection, without: Sequence[str] = CONFIDENCE_FILTERS) -> str:
    """Why no share of right answers can be told of these images, '' where it can. without: chips that do not count."""
    if settled := selection.settled(without):
        return f"These images were chosen because they are {settled}: how often they are right says nothing."
    return ""


def answers(run: RunData, selection: Selection) -> Answers:
    """At the threshold of the selection; everything is answered without one."""
    n, right = _by_threshold(run, selection)
    return Answers(Proportion(n[1], sum(n)), Proportion(right[1], n[1]), sum(n) - sum(right))


def coverage(run: RunData, selection: Selection) -> Proportion:
    """How many are answered at the threshold of the selection, right or not."""
    n, _ = _by_threshold(run, selection)
    return Proportion(n[1], sum(n))


def _by_threshold(run: RunData, selection: Selection) -> tuple[list[int], list[int]]:
    """How many below the threshold and from it on, and how many of each are right."""

    least = selection.reject or 0.0
    n, right = run.spread(selection, lambda sure: (sure >= least).astype(int), 2, without=CONFIDENCE_FILTERS)
    return n.tolist(), right.tolist()


def bins(confidence: np.ndarray, right: np.ndarray, number: int = FIFTEENTHS) -> pd.DataFrame:
    """confidence: float [n] of 0..1; right: bool [n] → one row a bin of equal width: low, high, n, right, confidence.

    A bin holds low < confidence ≤ high, as the calibration error of the scores counts them; `confidence` is its mean,
    NaN where n is 0.
    """
    values = confidence.astype(np.float64)
    which = _bin(values, number)
    n = np.bincount(which, minlength=number)
    total = np.bincount(which, values, minlength=number)
    mean = np.divide(total, n, out=np.full(number, np.nan), where=n > 0)
    edges, hits = np.arange(number + 1) / number, np.bincount(which[right], minlength=number)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n, "right": hits, "confidence": mean})


def _bin(sure: np.ndarray, number: int) -> np.ndarray:
    """int [n]: the places of the bins of confidences, float64 [n]."""
    return np.clip(np.ceil(sure * number).astype(int) - 1, 0, number - 1)


def histogram(run: RunData, selection: Selection) -> pd.DataFrame:
    """All that are counted in BINS bins: low, high, n, and with labels right and wrong."""
    n, right = run.spread(selection, lambda sure: _bin(sure, BINS), BINS, without=CONFIDENCE_FILTERS)
    edges = np.arange(BINS + 1) / BINS
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n})
    if not run.predictions(selection.split).labelled:
        return table
    return table.assign(right=right, wrong=n - right)


def miscalibration(run: RunData, split: str, rows: np.ndarray) -> dict[str, dict[str, float]]:
    """scaling (none, temperature) → calibration_error, brier, loss of these places of predictions(split), n ≥ 1.

    Without `temperature` where the run has none.
    """
    predictions = run.predictions(split)
    probabilities, labels = predictions.probabilities[rows], predictions.labels[rows]
    errors = {"none": calibration.miscalibration(probabilities, labels)}
    if "calibration" in run.manifest["nouns"]:
        errors["temperature"] = calibration.miscalibration(probabilities, labels, run.temperature())
    return errors


def curve(run: RunData, selection: Selection) -> pd.DataFrame:
    """One row a threshold of 0.00 to 1.00: threshold, answered, right; `answers` at each of them.

    Without labels there is no `right`.
    """
    predictions, rows = run.predictions(selection.split), counted(run, selection)
    sure, thresholds = predictions.confidence[rows].astype(np.float64), np.arange(101) / 100
    order = np.sort(sure)
    table = pd.DataFrame({"threshold": thresholds, "answered": len(order) - np.searchsorted(order, thresholds)})
    if not predictions.labelled:
        return table
    hits = np.sort(sure[predictions.right[rows]])
    return table.assign(right=len(hits) - np.searchsorted(hits, thresholds))


def threshold_for(run: RunData, share: float) -> float | None:
    """The lowest threshold, in hundredths, at which this share of validation's answers is right; None for none.

    Chosen on validation, whatever split is looked at.
    """
    table = curve(run, Selection(run=run.run_id, split="validation"))
    good = table[(table["answered"] > 0) & (table["right"] >= share * table["answered"])]
    return float(good["threshold"].iloc[0]) if len(good) else None
