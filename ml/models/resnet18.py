"""torchvision's ResNet-18 (He et al. 2016, arXiv:1512.03385) with a start for small pictures: 11,172,810 parameters.

Its own start, a 7 × 7 convolution of stride 2 and a pooling, would leave 7 × 7 places of a 28 × 28 picture; here it is
3 × 3 with stride 1 and no pooling. With ImageNet's weights the start stays as they know it, behind a lens.
"""

from torch import Tensor, nn

from ml.models.input_adapter import MIN_INPUT_SIDE, InputAdapter
from ml.models.variants import out_of_place
from ml.system.torchvision_ops import declare


class ResNet18(nn.Module):
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
        from torchvision.models import resnet18

        net = resnet18(num_classes=classes)
        out_of_place(net)
        self.body = nn.Sequential()
        if pretrained:
            self.body.add_module("lens", InputAdapter(channels, height, width, side))
        else:
            net.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")  # as all its others
            net.maxpool = None
        for name, layer in net.named_children():
            if name.startswith("layer"):
                for number, block in layer.named_children():
                    self.body.add_module(f"{name}_{number}", block)
            elif name != "fc":
                self.body.add_module(name, layer)
        self.body.add_module("flatten", nn.Flatten())
        self.head = net.fc

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
