"""Two dense layers and no convolution: the baseline people compare CNNs with. 352,010 parameters on 28 × 28 × 1."""

from torch import Tensor, nn


class MLP(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, 384), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(384, 128), nn.ReLU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
