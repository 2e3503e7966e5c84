"""Which classes does the network mistake for which?"""

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext
from ml.stats.metrics import confusion_matrix


def table(context: EvaluationContext) -> pd.DataFrame:
    """Every (label, predicted) pair of every split with its count."""
    classes = len(context.classifier.classes)
    label, predicted = np.divmod(np.arange(classes**2), classes)
    frames = []
    for split in context.judged:
        counts = confusion_matrix(context.splits[split].labels, context.probabilities(split).argmax(1), classes)
        frames.append(
            pd.DataFrame({"split": split, "label": label, "predicted": predicted, "count": counts.reshape(-1)})
        )
    return pd.concat(frames, ignore_index=True)
