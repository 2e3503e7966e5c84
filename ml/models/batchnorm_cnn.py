"""Three blocks of convolution, batch normalisation, pooling and dropout, then a dense layer: 241,770 parameters."""

from torch import Tensor, nn


class BatchNormCNN(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes]. Sides of 8 pixels or more."""

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        flat = 128 * (height // 8) * (width // 8)
        if not flat:
            raise ValueError(f"batchnorm_cnn needs pictures of at least 8 × 8 pixels, got {height} × {width}")
        self.body = nn.Sequential(
            *_block(channels, 32), *_block(32, 64), *_block(64, 128),
            nn.Flatten(), nn.Linear(flat, 128), nn.ReLU(), nn.Dropout(0.3),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.1),
    )  # fmt: skip
