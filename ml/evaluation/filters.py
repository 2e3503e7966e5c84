"""What does each convolution look for? Where it looks at neighbours at all, and a person could look through them."""

import numpy as np
from torch import nn

from ml.evaluation.context import EvaluationContext

MAX_FILTER_WEIGHTS = 2**18  # of a layer; wider ones, as in ResNet-18, have 30,000 kernels and more


def arrays(context: EvaluationContext) -> dict[str, np.ndarray]:
    """layer name → float16 [out, in, k, k], without kernels of 1 × 1; empty for a network without convolutions."""
    return {
        name: layer.weight.detach().numpy().astype(np.float16)
        for name, layer in context.classifier.module.named_modules()
        if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1 and layer.weight.numel() <= MAX_FILTER_WEIGHTS
    }
