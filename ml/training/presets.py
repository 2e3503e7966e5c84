"""Named recipes, as values for TrainConfig; what they do not name keeps TrainConfig's own default."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "model": "quick_cnn", "epochs": 4, "batch_size": 256, "learning_rate": 0.01, "weight_decay": 0.05,
        "augment": (),
    },
    "best": {
        "model": "small_resnet", "epochs": 90, "batch_size": 128, "learning_rate": 0.1, "optimiser": "sgd",
        "schedule": "cosine", "warmup": 0.05, "weight_decay": 0.0005, "label_smoothing": 0.05,
        "augment": ("flip", "shift", "erase"), "ema": 0.999,
    },
    # The head on features computed once, then everything at a rate that is already falling.
    "transfer": {
        "model": "efficientnet_lite0", "pretrained": True, "epochs": 8, "frozen_epochs": 6, "batch_size": 64,
        "learning_rate": 0.003, "augment": ("flip",), "label_smoothing": 0.05, "train_images": 20_000,
    },
}  # fmt: skip
