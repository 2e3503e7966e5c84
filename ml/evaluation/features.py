"""The network's own description of the reference examples, which any new picture is compared with."""

import numpy as np

from ml.evaluation.context import Subject


def arrays(subject: Subject) -> dict[str, np.ndarray]:
    """reference_id int32 [n] and reference float16 [n, ≤ 256]."""
    return {
        "reference_id": subject.splits["reference"].ids.astype(np.int32),
        "reference": subject.features("reference").astype(np.float16),
    }
