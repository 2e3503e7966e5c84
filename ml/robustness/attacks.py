"""The smallest changes that mislead a network most, found with its own gradients.

Two attacks, both within ±ε of every pixel, pixels in 0..1, away from a class or, targeted, towards it.
FGSM (Goodfellow et al. 2015, arXiv:1412.6572) takes one step of ε along the sign of the loss's gradient. PGD (Madry et
al. 2018, arXiv:1706.06083) takes PGD_STEPS smaller ones from a random start and is brought back within ε after each.
Gradients go through the normalisation that the network was trained with.

An attacked picture holds levels between those of 8 bits. Nothing depends on the other pictures of a batch: the random
start is one pattern for all, drawn from the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, autograd, nn
from torch.nn import functional

from ml.data.images import asked_at_once
from ml.inference.contract import Differentiable, check
from ml.robustness.catalogue import LADDER, PGD_STEPS, PHOTO_PIXELS, PHOTO_SIDE
from ml.stats.calibration import softmax

PACE = 2.5  # steps together go so many times as far as ε (Madry et al., appendix)
HALVINGS, PHOTO_HALVINGS = 6, 3  # between two rungs; of a photograph, each attack takes a second or more


@dataclass(frozen=True)
class Attacked:
    """What became of n pictures.

    images: float32 [n, h, w, c] in 0..1; change: float32 [n, h, w, c], what was added; probabilities: float32
    [n, classes] of the attacked ones; epsilon: float64 [n], how far each pixel might move.
    """

    images: np.ndarray
    change: np.ndarray
    probabilities: np.ndarray
    epsilon: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(1)


def fgsm(network: nn.Module, images: Tensor, classes: Tensor, epsilon: Tensor, targeted: bool, seed: int) -> Tensor:
    """images: float32 [n, c, h, w] in 0..1, classes: int64 [n], epsilon: float32 [n, 1, 1, 1] → attacked images."""
    return (images + step(network, images, classes, epsilon, targeted)).clamp(0, 1)


def pgd(network: nn.Module, images: Tensor, classes: Tensor, epsilon: Tensor, targeted: bool, seed: int) -> Tensor:
    """As fgsm; seed: of the random start."""
    pattern = np.random.default_rng(seed).uniform(-1, 1, images.shape[1:])
    adversarial = (images + torch.from_numpy(pattern.astype(np.float32)) * epsilon).clamp(0, 1)
    pace = PACE * epsilon / PGD_STEPS
    for _ in range(PGD_STEPS):
        moved = adversarial + step(network, adversarial, classes, pace, targeted) - images
        adversarial = (images + moved.clamp(-epsilon, epsilon)).clamp(0, 1)
    return adversarial


def step(network: nn.Module, images: Tensor, classes: Tensor, size: Tensor, targeted: bool) -> Tensor:
    """float32 [n, c, h, w]: `size` up the loss's gradient, or, targeted, down; nothing where it is nought."""
    images = images.detach().clone().requires_grad_()
    (slopes,) = autograd.grad(loss(network(images), classes), images)
    return (-size if targeted else size) * slopes.sign()


def loss(logits: Tensor, classes: Tensor) -> Tensor:
    """The log odds against the classes, []: added up, not averaged, so that each picture has a gradient of its own.

    Cross-entropy is log(1 + exp(odds)), so its gradient has the same signs everywhere. But where a network is sure,
    that is rounded to nothing, and an attack along it would find a strength that is not there.
    """
    own = functional.one_hot(classes, logits.shape[1]).bool()
    return (logits.masked_fill(own, -torch.inf).logsumexp(1) - logits[own]).sum()


MOVES: dict[str, Callable[..., Tensor]] = {"fgsm": fgsm, "pgd": pgd}


def attacked(
    classifier: Differentiable,
    images: np.ndarray,
    classes: np.ndarray,
    epsilon: float | np.ndarray,
    name: str,
    *,
    targeted: bool = False,
    seed: int = 0,
) -> Attacked:
    """images: uint8 [n, h, w, c]; classes: int [n], away from which, or, targeted, towards which they are changed.

    epsilon: 0 to 1, one for all or [n]; name: of MOVES. Raises KeyError for an unknown name, ValueError for another
    epsilon, class or shape of pictures.
    """
    limits = np.broadcast_to(np.asarray(epsilon, np.float64), len(images))
    if not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError("epsilon goes from 0 to 1")
    if len(classes) != len(images) or not all(0 <= int(one) < len(classifier.classes) for one in classes):
        raise ValueError("there must be one class of the network's for each picture")
    check(images, classifier.shape)
    move, network = MOVES[name], classifier.pixels
    made, probabilities = [], []
    size = at_once(classifier.shape)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        before = torch.from_numpy(images[part].astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()
        reach = torch.from_numpy(limits[part].astype(np.float32)).view(-1, 1, 1, 1)
        after = move(network, before, torch.from_numpy(np.asarray(classes[part], np.int64)), reach, targeted, seed)
        after = torch.clamp(after.detach(), 0, 1)
        with torch.no_grad():
            probabilities.append(softmax(network(after).numpy()))
        made.append(after.permute(0, 2, 3, 1).numpy())
    adversarial = np.concatenate(made) if made else np.zeros(images.shape, np.float32)
    likely = np.concatenate(probabilities) if probabilities else np.zeros((0, len(classifier.classes)), np.float32)
    return Attacked(adversarial, adversarial - images.astype(np.float32) / 255, likely, limits)


def at_once(shape: tuple[int, int, int]) -> int:
    """How many pictures of a shape (height, width, channels) are attacked at a time."""
    few = max(1, PHOTO_PIXELS // (shape[0] * shape[1]))
    return min(asked_at_once(shape), few) if min(shape[:2]) >= PHOTO_SIDE else asked_at_once(shape)


def halvings(shape: tuple[int, int, int]) -> int:
    """How often the gap between two rungs is halved for pictures of a shape (height, width, channels)."""
    return PHOTO_HALVINGS if min(shape[:2]) >= PHOTO_SIDE else HALVINGS


def smallest(
    classifier: Differentiable,
    images: np.ndarray,
    classes: np.ndarray,
    name: str,
    *,
    targeted: bool = False,
    most: float = LADDER[-1] / 255,
    seed: int = 0,
) -> Attacked:
    """The smallest epsilon at which each picture flips, and what it is then. Takes what `attacked` does.

    A picture flips where the network does not say its class any more, or, targeted, says it. Rungs of a ladder up to
    `most` are tried from below, since a larger step of FGSM may lead back; then the gap below the first that flips is
    halved `halvings` times. epsilon: 0 for what had flipped before anything was changed, NaN for what does not flip;
    those are as they are at `most`.
    """
    if not 0 < most <= 1:
        raise ValueError("most is above 0, and at most 1")
    classes = np.asarray(classes)
    rungs = [step / 255 for step in LADDER if step / 255 < most] + [most]

    def flipped(answer: Attacked, rows: np.ndarray) -> np.ndarray:
        return (answer.predicted == classes[rows]) == targeted

    best = attacked(classifier, images, classes, 0.0, name, targeted=targeted, seed=seed)
    everything = np.arange(len(images))
    low, high = np.zeros(len(images)), np.where(flipped(best, everything), 0.0, np.nan)
    final = (best.images.copy(), best.probabilities.copy())

    def attempt(rows: np.ndarray, epsilon: np.ndarray) -> np.ndarray:
        """bool [len(rows)]: which flip; keeps what those are, and what is left at the end of the ladder."""
        answer = attacked(classifier, images[rows], classes[rows], epsilon, name, targeted=targeted, seed=seed)
        won = flipped(answer, rows)
        kept = won | (np.isnan(high[rows]) & (epsilon == most))
        final[0][rows[kept]], final[1][rows[kept]] = answer.images[kept], answer.probabilities[kept]
        return won

    for rung in rungs:
        rows = np.flatnonzero(np.isnan(high))
        if not len(rows):
            break
        won = attempt(rows, np.full(len(rows), rung))
        high[rows[won]], low[rows[~won]] = rung, rung
    rows = np.flatnonzero(high > 0)
    for _ in range(halvings(classifier.shape) if len(rows) else 0):
        middle = (low[rows] + high[rows]) / 2
        won = attempt(rows, middle)
        high[rows[won]], low[rows[~won]] = middle[won], middle[~won]
    return Attacked(final[0], final[0] - images.astype(np.float32) / 255, final[1], high)
