"""The recipes of the runs that ship. Epoch counts and rates were chosen on validation."""

from ml.training.config import TrainConfig

DEFAULT = "fashion_cnn"
SHIPPED = {
    "fashion_cnn": TrainConfig(model="fashion_cnn", epochs=24, augment=("flip",), learning_rate=0.003, threads=2),
    "compact_cnn": TrainConfig(
        model="compact_cnn", epochs=40, batch_size=128, augment=("flip", "shift"), learning_rate=0.004, threads=2
    ),
}
