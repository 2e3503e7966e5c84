"""Which classes does the network mistake for which?"""

import numpy as np
import pandas as pd

from ml.evaluation.subject import SPLITS, Subject


def matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: rows are truths, columns guesses."""
    return np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes**2).reshape(classes, classes)


def table(subject: Subject) -> pd.DataFrame:
    """Every (label, predicted) pair of every split with its count."""
    classes = len(subject.classifier.classes)
    label, predicted = np.divmod(np.arange(classes**2), classes)
    frames = []
    for split in SPLITS:
        counts = matrix(subject.splits[split].labels, subject.probabilities(split).argmax(1), classes)
        frames.append(
            pd.DataFrame({"split": split, "label": label, "predicted": predicted, "count": counts.reshape(-1)})
        )
    return pd.concat(frames, ignore_index=True)
