"""Which classes does the network mistake for which?"""

import numpy as np
import pandas as pd

from ml.evaluation.context import SPLITS, Subject
from ml.stats.metrics import matrix


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
