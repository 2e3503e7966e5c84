"""EfficientNet-Lite0, the smallest: 3,383,818 parameters with ten classes."""

from ml.models.efficientnet_lite import EfficientNetLite


class EfficientNetLite0(EfficientNetLite):
    """See EfficientNetLite."""
