"""Makes pictures worse, by corruptions and by attacks along a network's gradients."""

from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboard.data.cache import Cache
from dashboard.services.explainer import photograph
from dashboard.services.networks import Network, Networks, digest
from ml.artifacts.reader import Missing
from ml.robustness.catalogue import ATTACKS, CORRUPTIONS, LADDER
from ml.system import torch_once

if TYPE_CHECKING:
    from ml.inference.contract import Differentiable
    from ml.robustness.attacks import Attacked

ATTEMPTS = 48  # attacks held, 10 kB a picture and at most a page of them
IMAGES_PER_PASS = 4  # pictures attacked before others may ask


@dataclass(frozen=True)
class Attempt:
    """What became of n attacked pictures.

    images, change: float32 [n, h, w, c], the attacked pictures in 0..1 and what was added; before, after, saved:
    float32 [n, classes], the answer to each as it was, as it is now, and once rounded to the 256 levels of a file.
    epsilon: float64 [n] of 0..1, how far each pixel might move, NaN where nothing flipped; rungs: of 0..1, what a
    smallest one was looked for on, and how often the gap below was halved.
    """

    images: np.ndarray
    change: np.ndarray
    before: np.ndarray
    after: np.ndarray
    saved: np.ndarray
    epsilon: np.ndarray
    rungs: tuple[float, ...] = ()
    halvings: int = 0


class Attacker:
    """Attacks the networks of every run of a store."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._attempts = Cache(ATTEMPTS)

    def corrupted(self, images: np.ndarray, ids: np.ndarray, name: str, severity: int, *, seed: int) -> np.ndarray:
        """images: uint8 [n, h, w, c]; ids: int [n] → uint8 [n, h, w, c], as the noun robustness had them.

        Raises Missing for a corruption that is not known (any more), ValueError for another severity than 1 to 5.
        """
        if name not in CORRUPTIONS:
            raise Missing(f"There is no corruption {name!r} here.")
        torch_once.load()
        from ml.robustness.corruptions import corrupt

        return corrupt(images, name, severity, ids=ids, seed=seed)

    def attack(
        self,
        run_id: str | None,
        images: np.ndarray,
        classes: np.ndarray,
        method: str,
        epsilon: float,
        *,
        targeted: bool = False,
        seed: int = 0,
    ) -> Attempt:
        """images: uint8 [n, h, w, c] of the network's form; classes: int [n], away from which, or, targeted, towards
        which they are changed; epsilon: 0 to 1; method: fgsm or pgd.

        Others may ask between any few pictures. Raises Missing, Broken, ValueError for another method, epsilon, class
        or form of pictures.
        """
        network = self._networks.open(run_id)
        network.run.need("gradients")
        key = ("attack", epsilon, *self._key(network, images, classes, method, targeted, seed))

        def ask() -> Attempt:
            from ml.robustness.attacks import attacked

            parts = []
            asked = self._asked(network, images)
            for start in range(0, len(images), IMAGES_PER_PASS):
                some = slice(start, start + IMAGES_PER_PASS)
                with self._turn(asked):
                    adversarial = attacked(
                        asked, images[some], classes[some], epsilon, method, targeted=targeted, seed=seed
                    )
                with self._networks.lock:
                    parts.append(self._attempted(network, images[some], adversarial))
            names = ("images", "change", "before", "after", "saved", "epsilon")
            joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
            return replace(parts[0], **joined)

        return self._attempts.get(key, ask)

    def smallest(
        self,
        run_id: str | None,
        image: np.ndarray,
        klass: int,
        method: str,
        *,
        targeted: bool = False,
        seed: int = 0,
    ) -> Attempt:
        """The smallest epsilon that leads one picture, uint8 [h, w, c], away from a class or, targeted, to it.

        Where none up to the last rung does, epsilon is NaN and the picture that of the last rung. Raises what attack
        does.
        """
        network = self._networks.open(run_id)
        network.run.need("gradients")
        images, classes = image[None], np.array([klass])
        key = ("smallest", *self._key(network, images, classes, method, targeted, seed))

        def ask() -> Attempt:
            from ml.robustness import attacks

            asked = self._asked(network, images)
            with self._turn(asked):
                adversarial = attacks.smallest(asked, images, classes, method, targeted=targeted, seed=seed)
            with self._networks.lock:
                made = self._attempted(network, images, adversarial)
            rungs = tuple(step / 255 for step in LADDER)
            return replace(made, rungs=rungs, halvings=attacks.halvings(images.shape[1:]))

        return self._attempts.get(key, ask)

    def _asked(self, network: Network, images: np.ndarray) -> "Differentiable":
        """What is attacked: of photographs, whose attacks take seconds, a network that lets others ask in between."""
        asked = network.differentiable
        if not photograph(images[0]):
            return asked
        from ml.robustness.turns import Turns

        return Turns(asked, self._networks.lock)

    def _turn(self, asked: "Differentiable") -> AbstractContextManager[Any]:
        """The lock, unless what is asked takes it by itself."""
        return nullcontext() if hasattr(asked, "turn") else self._networks.lock

    @staticmethod
    def _key(
        network: Network, images: np.ndarray, classes: np.ndarray, method: str, targeted: bool, seed: int
    ) -> tuple[Hashable, ...]:
        """What stands for an attack among kept ones. Raises ValueError."""
        if method not in ATTACKS:
            raise ValueError(f"unknown attack {method!r}")
        if not len(images):
            raise ValueError("there is no picture to attack")
        return (*network.key, digest(images), tuple(map(int, classes)), method, targeted, seed)

    @staticmethod
    def _attempted(network: Network, images: np.ndarray, attacked: "Attacked") -> Attempt:
        """With the answers before, and to the picture as a file would keep it."""
        kept = np.rint(attacked.images * 255).astype(np.uint8)
        answers = network.asked.probabilities(np.concatenate([images, kept]))
        return Attempt(
            attacked.images,
            attacked.change,
            answers[: len(images)],
            attacked.probabilities,
            answers[len(images) :],
            attacked.epsilon,
        )
