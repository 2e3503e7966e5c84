"""torchvision's MobileNetV3-Small (Howard et al. 2019, arXiv:1905.02244), first convolution of stride 1.

1,527,818 parameters on 28 × 28 × 1. With ImageNet's weights the first convolution stays as they know it, behind a lens.
"""

from functools import partial

from torch import Tensor, nn

from ml.models.input_adapter import MIN_INPUT_SIDE, InputAdapter
from ml.models.variants import out_of_place
from ml.system.torchvision_ops import declare


class MobileNetV3Small(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes].

    pretrained: the shape that ImageNet's published weights fit; loading them is ml.training.published's.
    side: see InputAdapter.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        height: int = 28,
        width: int = 28,
        classes: int = 10,
        pretrained: bool = False,
        side: int = MIN_INPUT_SIDE,
    ) -> None:
        super().__init__()
        declare()
        from torchvision.models import mobilenet_v3_small

        # its own normalisation averages over the last hundred batches; a short training has too few for that
        net = mobilenet_v3_small(num_classes=classes, norm_layer=partial(nn.BatchNorm2d, eps=1e-3))
        self.body = nn.Sequential()
        if pretrained:
            self.body.add_module("lens", InputAdapter(channels, height, width, side))
        else:
            net.features[0][0] = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(net.features[0][0].weight, mode="fan_out")  # as all its others
        out_of_place(net)
        dense, act, drop, self.head = net.classifier
        for number, block in enumerate(net.features):
            if number in (0, len(net.features) - 1):  # plain layers, not a block: each a step of its own
                for name, layer in zip(("conv", "norm", "act"), block, strict=True):
                    self.body.add_module(f"{name}_{number}", layer)
            else:
                self.body.add_module(f"block_{number}", block)
        self.body.add_module("avgpool", net.avgpool)
        self.body.add_module("flatten", nn.Flatten())
        for name, layer in (("dense", dense), ("act", act), ("drop", drop)):
            self.body.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
