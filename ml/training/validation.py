"""What a network is worth: loss and accuracy of a split, in evaluation mode."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ml.data.base import Split
from ml.data.images import asked_at_once
from ml.models.inputs import normalise, pixels


@torch.inference_mode()
def evaluate(model: nn.Module, split: Split, mean: list[float], std: list[float]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of the model in evaluation mode."""
    was_training, device = model.training, next(iter(model.parameters()), torch.empty(0)).device
    model.eval()
    labels = torch.from_numpy(split.labels).to(device)
    loss, right = 0.0, 0
    size = asked_at_once(split.images.shape[1:])
    for start in range(0, len(labels), size):
        rows = slice(start, start + size)
        batch = normalise(pixels(split.images[rows]).to(device), mean, std)
        logits = model(batch)
        loss += cross_entropy(logits, labels[rows], reduction="sum").item()
        right += int((logits.argmax(1) == labels[rows]).sum())
    model.train(was_training)
    return loss / max(len(labels), 1), right / max(len(labels), 1)
