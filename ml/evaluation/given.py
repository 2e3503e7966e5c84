"""Predictions that were given instead of asked for: what an evaluation reads of a run that has no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.data.base import Split
from ml.evaluation.context import SPLITS, WIDTH, EvaluationContext
from ml.inference.classifier import Classifier


@dataclass(frozen=True)
class Answers:
    """What was said of n pictures of a split. probabilities: float [n, C], of labels alone one and zeros; features:
    float [n, d], None for none."""

    probabilities: np.ndarray
    features: np.ndarray | None = None


@dataclass(frozen=True)
class _Nobody:
    """Stands where a network would: classes and form of the pictures, and nothing that could be asked."""

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    capabilities: frozenset[str] = frozenset()


class GivenContext(EvaluationContext):
    """splits: the pictures that have answers, in the order of `answers`, and of reference all where none of it has."""

    asks = False

    def __init__(
        self,
        classes: tuple[str, ...],
        splits: dict[str, Split],
        answers: Mapping[str, Answers],
        known: str,
        seed: int = 0,
    ) -> None:
        height, width, channels = splits["test"].images.shape[1:]
        nobody = _Nobody(classes, (int(height), int(width), int(channels)))
        super().__init__(cast(Classifier, nobody), splits, seed)
        self._answers, self.known = answers, known
        self.judged = tuple(split for split in SPLITS if split in answers)
        self.described = tuple(split for split in self.judged if answers[split].features is not None)

    def _outputs_of(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        answers = self._answers[split]
        features = np.zeros((len(answers.probabilities), 0)) if answers.features is None else answers.features
        return answers.probabilities, features[:, :WIDTH].astype(np.float16).astype(np.float32)


def of_run(library: Library, run: Run) -> GivenContext:
    """A published run's predictions, with the features that came with them. Raises Missing, Broken."""
    frame, features = run.table("predictions"), _features(run)
    classes, known = tuple(run.manifest["dataset"]["classes"]), kinds.known(run.manifest)
    splits, answers = {}, {}
    for split in SPLITS:
        pictures = library.learned_pictures(run, split)
        everything = Split(pictures.images, pictures.labels, pictures.ids)
        rows = frame[frame["split"] == split].sort_values("example_id")
        if not len(rows):
            splits[split] = everything
            continue
        ids = rows["example_id"].to_numpy()
        there = np.searchsorted(everything.ids, ids)
        if not np.array_equal(everything.ids[np.minimum(there, len(everything) - 1)], ids):
            raise Broken(f"the predictions of run {run.run_id} are of other {split} pictures than those here")
        splits[split] = everything.take(there)
        if known == "labels":
            said = np.eye(len(classes), dtype=np.float32)[rows["predicted"].to_numpy()]
        else:
            said = rows[[f"p_{i}" for i in range(len(classes))]].to_numpy()
        mine = features.get(split)
        matches = mine is not None and np.array_equal(mine[0], ids)
        answers[split] = Answers(said, mine[1] if matches and mine is not None else None)
    return GivenContext(classes, splits, answers, known)


def _features(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """split → ids and features."""
    try:
        arrays: dict[str, Any] = run.arrays("features")
    except Missing:
        return {}
    return {split: (arrays[f"{split}_id"], arrays[split]) for split in SPLITS if split in arrays}
