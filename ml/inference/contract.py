"""What a classifier must offer, whatever computes it: the app asks no network for anything that is not named here.

`ImageClassifier` is the least, and enough for predictions, curves, preparation variants, batches and corruptions.
`Engine` adds what lies before the last layer, which neighbours and the projection read, and a latency. What one of them
can do beyond the least, its `capabilities` name, in the words of ml.artifacts.kinds: that of a run are in its manifest,
and a recorded run, whose predictions were brought without a network, has no classifier at all.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ml.data.images import ASKED, AnyImages

# pictures at most, of larger ones fewer (ml.data.images.asked_at_once): what fits the processor's cache; half as long
# as with 1,000, a quarter the memory
INFERENCE_BATCH = ASKED
LATENCY_TIMES, LATENCY_WARM_UP = 200, 20
LATENCY_SECONDS, LATENCY_LEAST = 4.0, 10  # of a slow network fewer, so that they take no longer


class ImageClassifier(Protocol):
    """Pictures in, probabilities out.

    classes: names, by class id; shape: (height, width, channels) of the pictures it takes; capabilities: of
    ml.artifacts.kinds.CAPABILITIES, `probabilities` always among them.
    """

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    capabilities: frozenset[str]

    def probabilities(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, classes], rows adding up to one, n from 1 on, each row its own
        picture's alone. Raises ValueError for pictures of another type or shape."""


class Timed(ImageClassifier, Protocol):
    """A run's network, whatever it is made of."""

    def latency(self) -> float:
        """Median milliseconds from one picture to its answer, on one processor thread."""


class Engine(Timed, Protocol):
    """A network with the capability features, whatever computes it."""

    def features(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, d], the input of the last layer."""

    def probabilities_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → what the two say, of one pass."""


class Differentiable(Protocol):
    """A network in torch, which has gradients: what explanations and attacks ask. module: inputs → logits [n, classes];
    pixels: float32 [n, c, h, w] in 0..1 → logits. Both are torch.nn.Module, which is not loaded here."""

    classes: tuple[str, ...]
    shape: tuple[int, int, int]

    @property
    def module(self) -> Any: ...

    @property
    def pixels(self) -> Any: ...

    def inputs(self, images: np.ndarray) -> Any:
        """images: uint8 [n, h, w, c] → float32 [n, c, h, w], what module reads."""


def check(images: AnyImages, shape: tuple[int, int, int]) -> None:
    """Raise ValueError unless these are uint8 [n, *shape]."""
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise ValueError(f"pictures must be uint8 [n, {shape}], got {images.dtype} {images.shape}")


def median_latency(ask: Callable[[], object]) -> float:
    """Median milliseconds of one call, after LATENCY_WARM_UP others; of half of them where they are slow."""
    times: list[float] = []
    for _ in range(LATENCY_WARM_UP + LATENCY_TIMES):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
        if len(times) >= LATENCY_LEAST and sum(times) > LATENCY_SECONDS:
            break
    return round(1000 * statistics.median(times[min(LATENCY_WARM_UP, len(times) // 2) :]), 3)
