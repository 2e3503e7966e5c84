"""The recipes of the runs that ship. Epoch counts and rates were chosen on validation."""

from ml.training.config import TrainConfig

DEFAULT = "small_resnet"
SHIPPED = {
    "small_resnet": TrainConfig(
        model="small_resnet",
        epochs=90,
        batch_size=128,
        optimiser="sgd",
        learning_rate=0.1,
        schedule="cosine",
        warmup=0.05,
        weight_decay=0.0005,
        label_smoothing=0.05,
        augment=("flip", "shift", "erase"),
        ema=0.999,
    ),
    "batchnorm_cnn": TrainConfig(
        model="batchnorm_cnn", epochs=30, learning_rate=0.005, weight_decay=0.05, augment=("flip",), ema=0.999
    ),
    "fashion_cnn": TrainConfig(model="fashion_cnn", epochs=24, augment=("flip",), learning_rate=0.003),
    "compact_cnn": TrainConfig(
        model="compact_cnn",
        epochs=140,
        batch_size=128,
        augment=("flip", "shift", "erase"),
        learning_rate=0.004,
        weight_decay=0.02,
        label_smoothing=0.05,
        ema=0.9995,
    ),
    "mlp": TrainConfig(model="mlp", epochs=40, augment=("flip",), learning_rate=0.002, weight_decay=0.05),
}
