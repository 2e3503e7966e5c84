"""Three padded convolutions and one hidden layer with dropout: 896,906 parameters on 28 × 28 × 1 and ten classes."""

from torch import Tensor, nn


class FashionCNN(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.Dropout(0.4),
            nn.Flatten(), nn.Linear(128 * (height // 4) * (width // 4), 128), nn.ReLU(), nn.Dropout(0.3),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
