"""Which labels are probably wrong? Confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068) by cleanlab.

It needs probabilities that an example's own label had no part in. For test and validation those are the run's own, as
recorded. The run did learn from train, so there a quick network is trained on four fifths and asked about the last
one, five times over.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ml import models
from ml.data.base import Dataset
from ml.data.images import take
from ml.evaluation.context import EvaluationContext
from ml.evaluation.neighbours import RANKS
from ml.inference.classifier import Classifier
from ml.training.config import TrainConfig
from ml.training.loop import fit
from ml.training.presets import PRESETS

FOLDS = 5
SUSPECTS = 500  # of train, whose pictures are kept
MIN_STEPS_PER_EPOCH = 50  # small data sets learn in smaller batches


def table(context: EvaluationContext) -> pd.DataFrame:
    """Every example of test, validation and train, where the training pictures are here, ranked; see the schema.

    Leaves the pictures of the first 500 of train as the noun `suspects`.
    """
    frames = []
    for split in (one for one in ("test", "validation") if one in context.judged):
        examples = context.splits[split]
        frames.append(ranked(split, examples.ids, examples.labels, context.recorded(split)))
    if context.dataset is not None:
        dataset = context.dataset()
        train = dataset["train"]
        probabilities = out_of_sample(dataset, recipe(len(train)), context.tell)
        frames.append(ranked("train", train.ids, train.labels, probabilities))
        context.also["suspects"] = suspects(context, dataset, frames[-1], probabilities)
    return pd.concat(frames, ignore_index=True)


def ranked(split: str, ids: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One row an example, most suspect first: cleanlab's label issues in cleanlab's order, then the rest by quality.

    ids, labels: int [n]; probabilities: float [n, C], out of sample. quality: the probability of the given label
    (cleanlab's self-confidence); suggested: the likeliest class.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality = get_label_quality_scores(labels, probabilities)
    with warnings.catch_warnings():
        # of classes with few labels or none, of which little or nothing is suspected: the queue says so
        warnings.simplefilter("ignore", UserWarning)
        # one process: threads of torch do not survive a fork
        issues = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    rest = np.argsort(quality, kind="stable")
    order = np.concatenate([issues, rest[~np.isin(rest, issues)]]).astype(int)
    frame = pd.DataFrame(
        {
            "split": split,
            "example_id": ids.astype(np.int32),
            "label": labels.astype(np.int16),
            "suggested": probabilities.argmax(1).astype(np.int16),
            "quality": quality.astype(np.float32),
            "issue": np.isin(np.arange(len(ids)), issues).astype(np.int8),
        }
    ).iloc[order]
    return frame.assign(rank=np.arange(1, len(ids) + 1, dtype=np.int32))


def recipe(n: int) -> TrainConfig:
    """The quick preset, with smaller batches where n pictures would give too few steps an epoch."""
    quick = TrainConfig(**PRESETS["quick"])
    size = max(n * (FOLDS - 1) // FOLDS // MIN_STEPS_PER_EPOCH, 16)
    return quick.model_copy(update={"batch_size": min(size, quick.batch_size)})


def folds(labels: np.ndarray, seed: int) -> np.ndarray:
    """int [n] from 0 to FOLDS - 1: each class is dealt out evenly, at random. labels: int [n]"""
    rng, result, dealt = np.random.default_rng(seed), np.empty(len(labels), int), 0
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        result[rows] = (dealt + np.arange(len(rows))) % FOLDS
        dealt += len(rows)  # so that classes of a few do not all land in the first folds
    return result


def out_of_sample(
    dataset: Dataset, config: TrainConfig, tell: Callable[[str], None] = lambda words: None
) -> np.ndarray:
    """float32 [n, C] for dataset["train"]: what a network says of a fifth that it did not learn from."""
    train = dataset["train"]
    height, width, channels = dataset.shape
    shape: dict[str, Any] = {"channels": channels, "height": height, "width": width}
    which = folds(train.labels, config.seed)
    result = np.empty((len(train), len(dataset.classes)), np.float32)
    for fold in range(FOLDS):
        tell(f"learning from all but part {fold + 1} of {FOLDS} of the training pictures")
        rest = replace(dataset, splits={**dataset.splits, "train": train.take(which != fold)})
        torch.manual_seed(config.seed + fold)
        module = models.build(config.model, **shape, classes=len(dataset.classes))
        for _ in fit(module, rest, config):
            pass
        mean, std = rest.statistics()
        network = Classifier(module, {**shape, "classes": dataset.classes, "mean": mean, "std": std})
        result[which == fold] = network.probabilities(take(train.images, which == fold))
    return result


def suspects(
    context: EvaluationContext, dataset: Dataset, frame: pd.DataFrame, probabilities: np.ndarray
) -> dict[str, np.ndarray]:
    """Pictures, probabilities and nearest reference examples of the most suspect of train, in their order.

    frame: as `ranked` made it; probabilities: float32 [n, C] in the order of dataset["train"].
    """
    from sklearn.neighbors import NearestNeighbors

    train = dataset["train"]
    ids = frame["example_id"].to_numpy()[:SUSPECTS]
    rows = np.searchsorted(train.ids, ids)
    reference = context.splits["reference"].ids
    ranks = min(RANKS, len(reference) - 1)
    _, features = context.ask(train.images[rows])
    search = NearestNeighbors(n_neighbors=ranks + 1, algorithm="brute").fit(context.features("reference"))
    _, near = search.kneighbors(features)
    near = reference[near]
    # a suspect of the reference part is its own nearest
    near = np.stack([line[line != example][:ranks] for line, example in zip(near, ids, strict=True)])
    return {
        "example_id": ids.astype(np.int32),
        "images": train.images[rows],
        "probabilities": probabilities[rows],
        "neighbour_id": near.astype(np.int32),
    }
