"""The network's own description of the reference examples, which any new picture is compared with."""

import numpy as np

from ml.evaluation.context import EvaluationContext


def arrays(context: EvaluationContext) -> dict[str, np.ndarray]:
    """reference_id int32 [n] and reference float16 [n, ≤ 256]."""
    return {
        "reference_id": context.splits["reference"].ids.astype(np.int32),
        "reference": context.features("reference").astype(np.float16),
    }
