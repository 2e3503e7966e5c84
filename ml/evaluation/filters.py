"""What does each convolution look for?"""

import numpy as np
from torch import nn

from ml.evaluation.subject import Subject


def arrays(subject: Subject) -> dict[str, np.ndarray]:
    """layer name → float16 [out, in, k, k]; empty for a network without convolutions."""
    return {
        name: layer.weight.detach().numpy().astype(np.float16)
        for name, layer in subject.classifier.module.named_modules()
        if isinstance(layer, nn.Conv2d)
    }
