"""What does the network say of each example?"""

import numpy as np
import pandas as pd

from ml.evaluation.context import EvaluationContext


def table(context: EvaluationContext) -> pd.DataFrame:
    """One row an example of test, validation and reference; see the schema."""
    return pd.concat([_rows(context, split) for split in context.judged], ignore_index=True)


def _rows(context: EvaluationContext, split: str) -> pd.DataFrame:
    probabilities, examples = context.probabilities(split), context.splits[split]
    predicted = probabilities.argmax(1)
    frame = pd.DataFrame(
        {
            "split": split,
            "example_id": examples.ids.astype(np.int32),
            "label": examples.labels.astype(np.int16),
            "predicted": predicted.astype(np.int16),
            "confidence": probabilities.max(1),
        }
    )
    columns = {f"p_{i}": probabilities[:, i] for i in range(probabilities.shape[1])}
    return pd.concat([frame, pd.DataFrame(columns)], axis=1)
