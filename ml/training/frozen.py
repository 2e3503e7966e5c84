"""Epochs in which only the head learns: the body's features are computed once and kept for all of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ml.data.base import Split
from ml.data.images import asked_at_once
from ml.models.inputs import normalise
from ml.training.held import Held, held


class Frozen:
    """Features of a body that stands still, of the training and the validation pictures: float16 [n, d], unaugmented.

    images: of training. half: compute in bfloat16. on_chunk: called before each batch; may raise.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Held,
        validation: Split,
        statistics: tuple[list[float], list[float]],
        *,
        half: bool,
        on_chunk: Callable[[], None],
    ) -> None:
        self._body = model.get_submodule("body")
        self._statistics, self._half, self._on_chunk = statistics, half, on_chunk
        was_training = model.training
        model.eval()
        self._at_once = asked_at_once(validation.images.shape[1:])
        self._train = self._features(images)
        self._validation = self._features(held(validation.images, images.device))
        self._labels = torch.from_numpy(validation.labels).to(images.device)
        model.train(was_training)

    def logits(self, model: nn.Module, rows: Tensor) -> Tensor:
        """rows: int64 [n] of the training pictures → float32 [n, classes]"""
        return model.get_submodule("head")(self._train[rows].float()).float()

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on validation."""
        logits = model.get_submodule("head")(self._validation.float())
        right = int((logits.argmax(1) == self._labels).sum())
        return cross_entropy(logits, self._labels).item(), right / len(self._labels)

    @torch.no_grad()
    def _features(self, images: Held) -> Tensor:
        features = []
        for batch in images.split(self._at_once):
            self._on_chunk()
            with torch.autocast(images.device.type, torch.bfloat16, enabled=self._half):
                features.append(self._body(normalise(batch, *self._statistics)).half())
        return torch.cat(features)
