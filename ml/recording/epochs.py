"""What was said after each of several epochs: the noun of the time machine and the data map, and a history of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext
from ml.evaluation.epochs import CELLS, KEPT, quantised, spaced
from ml.recording.reading import Part
from ml.stats.calibration import cross_entropy

MEASURES = (
    "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds",
    "images_per_second",
)  # fmt: skip
"""Columns of the noun history besides epoch, in its order."""


def recorded(
    epochs: Mapping[int, Mapping[str, Part]],
    last: int,
    context: EvaluationContext,
    left_out: tuple[int, ...] = (),
    told: Sequence[str] = ("test", "validation"),
) -> tuple[dict[str, np.ndarray], dict[int, dict[str, float]]]:
    """The noun epochs, empty for fewer than two; and of each epoch what a history says of it: accuracy on validation,
    and loss where all probabilities are known.

    epochs: number → split → predictions, read one after the other, so that they need not all be in memory; last: the
    one whose predictions are the run's; left_out: those that lack some pictures; told: splits that each tells of.
    """
    numbers = [number for number in sorted(epochs) if number not in left_out]
    splits = [split for split in ("test", "validation") if split in context.judged and split in told]
    if not numbers or not splits:
        return {}, {}
    labels = {split: context.splits[split].labels for split in splits}
    cells = sum(map(len, labels.values())) * len(context.classifier.classes)
    shown = spaced(numbers, last, min(KEPT, max(1, CELLS // max(cells, 1))))
    kept: dict[str, list[np.ndarray]] = {split: [] for split in splits}
    right: dict[str, list[np.ndarray]] = {split: [] for split in splits}
    truth: dict[str, list[np.ndarray]] = {split: [] for split in splits}
    found: dict[int, dict[str, float]] = {}
    for number in numbers:
        parts = epochs[number]
        for split in splits:
            said, mine = parts[split].said, labels[split]
            hits = said.argmax(1) == mine
            right[split].append(np.packbits(hits))
            truth[split].append(said[np.arange(len(mine)), mine].astype(np.float64))
            if number in shown:
                kept[split].append(quantised(said))
            if split == "validation":
                found[number] = {"validation_accuracy": float(hits.mean())}
                if context.known == "probabilities":
                    found[number]["validation_loss"] = float(cross_entropy(said, mine).mean())
    if len(numbers) < 2:
        return {}, found
    noun = {"epoch": np.array(shown, np.int16), "right_epoch": np.array(numbers, np.int16)}
    for split in splits:
        noun[f"{split}_id"] = context.splits[split].ids.astype(np.int32)
        noun[f"{split}_probabilities"] = np.stack(kept[split])
        noun[f"{split}_right"] = np.stack(right[split])
        noun[f"{split}_mean"] = np.mean(truth[split], 0).astype(np.float32)
        noun[f"{split}_spread"] = np.std(truth[split], 0).astype(np.float32)
    return noun, found


def history(*told: Mapping[int, Mapping[str, float]]) -> pd.DataFrame:
    """The noun, from what is known of each epoch, the first that says a measure counting; without rows for nothing.

    Measures that nobody told are no columns; those that some epochs lack are empty there.
    """
    numbers = sorted({number for one in told for number in one})
    names = {name for one in told for row in one.values() for name in row}
    ordered = [*(name for name in MEASURES if name in names), *sorted(names - {*MEASURES, "epoch"})]
    rows: dict[str, Any] = {"epoch": np.array(numbers, np.int64)}
    for name in ordered:
        first = (next((one[n][name] for one in told if name in one.get(n, {})), np.nan) for n in numbers)
        rows[name] = np.array([*first], np.float64)
    return pd.DataFrame(rows)
