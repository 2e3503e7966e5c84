"""Named recipes, as values for TrainConfig; what they do not name keeps TrainConfig's own default."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "model": "small_resnet", "epochs": 3, "batch_size": 256, "learning_rate": 0.01, "label_smoothing": 0.05,
        "augment": ("flip",), "ema": 0.99,
    },
    "best": {
        "model": "small_resnet", "epochs": 60, "batch_size": 256, "learning_rate": 0.1, "optimiser": "sgd",
        "weight_decay": 0.0005, "warmup": 0.1, "label_smoothing": 0.05, "augment": ("flip", "shift", "erase"),
        "ema": 0.999,
    },
}  # fmt: skip
