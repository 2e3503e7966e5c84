"""A small VGG (Simonyan and Zisserman 2014, arXiv:1409.1556) of torchvision's layers with batch normalisation.

Six convolutions in three steps and one hidden layer: 585,066 parameters on 28 × 28 × 1.
"""

from torch import Tensor, nn

from ml.models.variants import out_of_place
from ml.system.torchvision_ops import declare

LAYERS: list[int | str] = [32, 32, "M", 64, 64, "M", 128, 128, "M"]


class SmallVGG(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]. Sides of 8 pixels or more."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        declare()
        from torchvision.models.vgg import make_layers

        flat = 128 * (height // 8) * (width // 8)
        if not flat:
            raise ValueError(f"small_vgg needs pictures of at least 8 × 8 pixels, got {height} × {width}")
        layers = make_layers(LAYERS, batch_norm=True)
        out_of_place(layers)
        layers[0] = nn.Conv2d(channels, 32, 3, padding=1)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # as in torchvision's VGG
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 256), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(256, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
