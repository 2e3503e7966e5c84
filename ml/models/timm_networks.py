"""timm's networks, by name: `timm:resnet10t`. Their own weights are never fetched: they begin at random.

timm comes with requirements-transfer.txt. Its networks share an interface rather than a shape: `forward_features`, then
`forward_head`, which ends in a classifier that can be taken off. So a network is one large step and its pooling.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from ml.models.variants import out_of_place
from ml.system.torchvision_ops import declare


class TimmNetwork(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes].

    name: as timm lists it, without a tag of weights. Raises KeyError for a name that timm does not know, ValueError for
    a network that cannot read pictures of this size or does not end in one linear layer.
    """

    def __init__(self, name: str, *, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        declare()
        import timm

        if not timm.is_model(name):
            raise KeyError(f"timm {timm.__version__} has no network {name!r}")
        options: dict[str, Any] = {"pretrained": False, "in_chans": channels, "num_classes": classes}
        size = f"timm:{name} cannot read pictures of {height} × {width}: choose another network"
        try:
            try:
                net: Any = timm.create_model(name, img_size=(height, width), **options)
            except TypeError:  # those that read any size do not know the word
                net = timm.create_model(name, **options)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(size) from error
        classifier = net.get_classifier()
        if not isinstance(classifier, nn.Linear):
            raise ValueError(f"timm:{name} does not end in one linear layer: choose another network")
        out_of_place(net)
        net.reset_classifier(0)
        self.body = nn.Sequential(OrderedDict(features=Features(net), pool=Pool(net)))
        self.head = classifier
        self.eval()
        try:
            with torch.no_grad():
                self(torch.zeros(1, channels, height, width))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ValueError(size) from error
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


class Features(nn.Module):
    """images → what timm's network makes of them before pooling, often [n, features, h, w]."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.forward_features(images)


class Pool(nn.Module):
    """What Features made → [n, features], by the same network's own pooling, with all that stands before its head."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self._net = (net,)  # in a tuple: its weights are those of Features, and are counted and saved there

    def forward(self, features: Tensor) -> Tensor:
        return self._net[0].forward_head(features)
