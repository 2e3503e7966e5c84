"""A network that is asked again and again by one who lets others ask in between."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from torch import Tensor, nn

from ml.inference.contract import Differentiable


class Turns:
    """The same network (see ml.inference.contract.Differentiable) whose every answer takes the lock anew. The way back
    to its gradients needs none: no hook stands on it."""

    def __init__(self, asked: Differentiable, lock: AbstractContextManager[Any]) -> None:
        self.classes, self.shape, self.turn = asked.classes, asked.shape, lock
        self._asked = asked
        self.pixels = Taking(asked.pixels, lock)

    @property
    def module(self) -> Any:
        return self._asked.module

    def inputs(self, images: np.ndarray) -> Any:
        return self._asked.inputs(images)


class Taking(nn.Module):
    """Asks a network under a lock."""

    def __init__(self, network: nn.Module, lock: AbstractContextManager[Any]) -> None:
        super().__init__()
        self.network, self._lock = network, lock

    def forward(self, images: Tensor) -> Tensor:
        with self._lock:
            logits: Tensor = self.network(images)
        return logits
