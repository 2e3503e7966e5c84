"""Named recipes, as values for TrainConfig; what they do not name keeps TrainConfig's own default."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # A network made for it; averaged weights are as good after an epoch as a rate that has fallen would make them.
    "quick": {
        "model": "patch_cnn", "epochs": 3, "batch_size": 256, "learning_rate": 0.1, "optimiser": "muon",
        "momentum": 0.8, "schedule": "cosine", "warmup": 0.1, "weight_decay": 0.0, "label_smoothing": 0.03,
        "augment": (), "ema": 0.98,
    },
    "best": {
        "model": "wide_resnet", "epochs": 33, "batch_size": 128, "learning_rate": 0.02, "optimiser": "muon",
        "schedule": "cosine", "warmup": 0.05, "weight_decay": 0.02, "label_smoothing": 0.05,
        "augment": ("flip", "shift", "erase"), "ema": 0.999,
    },
    # The head on features computed once, then everything at a rate that is already falling.
    "transfer": {
        "model": "efficientnet_lite0", "pretrained": True, "epochs": 8, "frozen_epochs": 6, "batch_size": 64,
        "learning_rate": 0.003, "augment": ("flip",), "label_smoothing": 0.05, "train_images": 20_000,
    },
    # The head first, then what lies behind the first layers, at rates that fall to the front, on growing pictures.
    "photos": {
        "model": "efficientnet_lite2", "pretrained": True, "epochs": 14, "frozen_epochs": 4, "frozen_layers": 8,
        "frozen_norm": True, "layer_decay": 0.88, "first_side": 128, "batch_size": 32, "learning_rate": 0.001,
        "schedule": "cosine", "warmup": 0.2, "weight_decay": 0.02, "label_smoothing": 0.1,
        "augment": ("flip", "crop", "colour"), "ema": 0.998, "precision": "float32",
    },
}  # fmt: skip
