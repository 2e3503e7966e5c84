"""Three unpadded convolutions of 32 filters and a narrow dense stack: 38,154 parameters on 28 × 28 × 1, ten classes."""

from torch import Tensor, nn


def _shrink(size: int) -> int:
    """What is left of a side after three times: convolution 3 without padding, pooling 2."""
    for _ in range(3):
        size = (size - 2) // 2
    return size


class CompactCNN(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]. Sides of 22 pixels or more."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        flat = 32 * _shrink(height) * _shrink(width)
        if flat < 32:
            raise ValueError(f"compact_cnn needs pictures of at least 22 × 22 pixels, got {height} × {width}")
        self.body = nn.Sequential(
            nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(flat, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))
