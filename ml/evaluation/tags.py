"""Which failure modes does each example show? The definitions are in ml.stats.failure_modes."""

import numpy as np
import pandas as pd

from ml.data.base import Split
from ml.data.images import batches
from ml.evaluation import neighbours
from ml.evaluation.context import SPLITS, EvaluationContext
from ml.inference.contract import INFERENCE_BATCH
from ml.stats.failure_modes import CONFLICTING, HIGH_CONFIDENCE, MARGIN, SHIFTS

AT_ONCE = 4 * INFERENCE_BATCH  # pictures that are moved


def table(context: EvaluationContext) -> pd.DataFrame:
    """One row an example and tag (split, example_id, tag), for test, validation and reference."""
    near = neighbours.table(context)
    frames = []
    for split in SPLITS:
        examples, probabilities = context.splits[split], context.recorded(split)
        masks = {
            **of_probabilities(probabilities, examples.labels),
            "conflicting-neighbours": conflicting(near[near["split"] == split], context.splits["reference"], examples),
            "flips": flips(context, split),
        }
        frames += [
            pd.DataFrame({"split": split, "example_id": examples.ids[rows].astype(np.int32), "tag": tag})
            for tag, rows in masks.items()
        ]
    return pd.concat(frames, ignore_index=True)


def of_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """top-2, confidently-wrong and unsure, bool [n] each. probabilities: float [n, C]; labels: int [n]."""
    guess = probabilities.argmax(1)
    wrong = guess != labels
    rest = probabilities.astype(np.float64)
    rows = np.arange(len(rest))
    first = rest[rows, guess]
    rest[rows, guess] = -1
    second = rest.argmax(1)
    return {
        "top-2": wrong & (second == labels),
        "confidently-wrong": wrong & (first >= HIGH_CONFIDENCE),
        "unsure": first - rest[rows, second] < MARGIN,
    }


def conflicting(near: pd.DataFrame, reference: Split, examples: Split) -> np.ndarray:
    """bool [n]: whether CONFLICTING or more of its nearest reference examples carry another label.

    near: the rows of one split of the noun neighbours.
    """
    order = np.argsort(reference.ids)
    labels = reference.labels[order[np.searchsorted(reference.ids[order], near["neighbour_id"])]]
    mine = np.argsort(examples.ids)
    rows = mine[np.searchsorted(examples.ids[mine], near["example_id"])]
    other = np.bincount(rows, labels != examples.labels[rows], minlength=len(examples))
    return other >= CONFLICTING


def flips(context: EvaluationContext, split: str) -> np.ndarray:
    """bool [n]: whether moving the picture by a pixel in one of four directions changes the answer.

    What is moved out is lost, what is moved in repeats the edge.
    """
    images = context.splits[split].images
    guess = context.probabilities(split).argmax(1)
    flipped = np.zeros(len(images), bool)
    for down, right in SHIFTS:
        context.tell(f"computing tags: {split} moved by ({down}, {right})")
        moved = (shifted(batch, down, right) for batch in batches(images, AT_ONCE))
        flipped |= np.concatenate([context.classifier.probabilities(batch).argmax(1) for batch in moved]) != guess
    return flipped


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """images: uint8 [n, h, w, c], moved by whole pixels; the edge is repeated."""
    rows = np.clip(np.arange(images.shape[1]) - down, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(images.shape[2]) - right, 0, images.shape[2] - 1)
    return images[:, rows][:, :, columns]
