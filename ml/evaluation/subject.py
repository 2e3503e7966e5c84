"""What is evaluated: a network and the pictures of each split, with one forward pass shared by every evaluation."""

from functools import cached_property

import numpy as np

from ml.data.base import Split
from ml.inference import Classifier, softmax

SPLITS = ("test", "validation", "reference")
WIDTH = 256  # features kept, at most


class Subject:
    """splits: test, validation and reference. notes: what an evaluation adds to the manifest."""

    def __init__(self, classifier: Classifier, splits: dict[str, Split], seed: int = 0) -> None:
        self.classifier, self.splits, self.seed = classifier, splits, seed
        self.notes: dict[str, list[float]] = {}

    @cached_property
    def outputs(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """split → (float32 probabilities [n, classes], float32 features [n, ≤ 256] rounded to float16)."""
        result = {}
        for name in SPLITS:
            logits, features = self.classifier.logits_and_features(self.splits[name].images)
            result[name] = (softmax(logits), features[:, :WIDTH].astype(np.float16).astype(np.float32))
        return result

    def probabilities(self, split: str) -> np.ndarray:
        """float32 [n, classes]"""
        return self.outputs[split][0]

    def features(self, split: str) -> np.ndarray:
        """float32 [n, ≤ 256]"""
        return self.outputs[split][1]
