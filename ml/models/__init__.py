"""Every network the app can train, by name; importing this loads no torch.

A model is a plain nn.Module in two parts: `body` (pictures → penultimate features) and `head` (features → logits).
Its builder takes the picture's shape and the number of classes from the data set.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

MODELS = {  # module in this package → class in it
    "small_resnet": "SmallResNet",
    "quick_cnn": "QuickCNN",
    "batchnorm_cnn": "BatchNormCNN",
    "fashion_cnn": "FashionCNN",
    "compact_cnn": "CompactCNN",
    "mlp": "MLP",
    "resnet18": "ResNet18",
    "mobilenet_v3_small": "MobileNetV3Small",
    "small_vgg": "SmallVGG",
    "small_vit": "SmallViT",
    "efficientnet_lite0": "EfficientNetLite0",
}
PRETRAINED = ("efficientnet_lite0", "mobilenet_v3_small", "resnet18")  # whose ImageNet weights are published


class WeightsMissing(LookupError):
    """Published weights are neither here nor to be had; the message says what to do, without paths."""


def build(
    name: str,
    *,
    channels: int,
    height: int,
    width: int,
    classes: int,
    dropout: float | None = None,
    batch_norm: bool = True,
    pretrained: bool = False,
) -> "nn.Module":
    """A freshly initialised network; raises KeyError naming the known ones.

    dropout: of every dropout layer; None leaves the model's own. batch_norm: False takes normalisation out and gives
    the convolutions the offset it held. pretrained: the shape that ImageNet's published weights fit, not the weights;
    ValueError for a model that has none.
    """
    if name not in MODELS:
        raise KeyError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    if pretrained and name not in PRETRAINED:
        raise ValueError(f"there are no published weights of {name}; there are of {', '.join(PRETRAINED)}")
    kind = getattr(import_module(f"ml.models.{name}"), MODELS[name])
    options = {"pretrained": True} if pretrained else {}
    model = kind(channels=channels, height=height, width=width, classes=classes, **options)
    if dropout is not None or not batch_norm:
        from ml.models.variants import with_dropout, without_batch_norm

        if dropout is not None:
            with_dropout(model, dropout)
        if not batch_norm:
            without_batch_norm(model)
    return model


def parameter_count(model: "nn.Module") -> int:
    """Trainable numbers in the network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
