"""How good is it, over all and class by class, and how sure can we be? `ml.stats.metrics` does the counting."""

import pandas as pd

from ml.evaluation.context import EvaluationContext
from ml.stats.metrics import split_metrics


def table(context: EvaluationContext) -> pd.DataFrame:
    """Rows (split, class or empty, metric, value, low, high, n) of every split; see the module's text."""
    return pd.concat(
        [
            split_metrics(
                split, context.splits[split].labels, context.probabilities(split), context.seed, context.known
            )
            for split in context.judged
        ],
        ignore_index=True,
    )
