"""What a network's numbers can be, and in which order its outputs stand: told by answers that are there already."""

from dataclasses import dataclass

import numpy as np

from ml.inference.imported import EVEN, Interface, undoubled
from ml.stats.calibration import cross_entropy
from ml.stats.metrics import confusion_matrix

LEAST = 10  # pictures of each class, for the order of the classes to be looked for
CAP = 0.95  # of the largest number that softmax of probabilities can give, which one picture must come near
AGREE, MOSTLY = 0.9, 0.8  # shares of classes, see Ordered.believable
BEYOND = 1e-6


@dataclass(frozen=True, eq=False)
class Scored:
    """Answers in one reading about pictures. predicted: int [n], class ids; losses: float64 [n];
    right: share of right ones; sure: mean probability of what is predicted."""

    predicted: np.ndarray
    losses: np.ndarray
    right: float
    sure: float


@dataclass(frozen=True, eq=False)
class Ordered(Scored):
    """With the classes in the order that fits best, each picture judged by an order that others were fitted for. order:
    as Interface has it, of all pictures; believable: whether both halves give AGREE of the classes the same output, and
    MOSTLY of them are called most often by their own."""

    order: tuple[int, ...] = ()
    believable: bool = False


def plausible(values: np.ndarray, stated: str) -> dict[str, bool]:
    """Readings of float [n, k] → whether the numbers can be nothing else. The stated one always among them."""
    if not np.isfinite(values).all():
        return {}
    sums, low, high = values.sum(1), float(values.min()), float(values.max())
    found: dict[str, bool] = {}
    if low >= -BEYOND and high <= 1 + BEYOND and np.abs(sums - 1).max() <= EVEN:
        found["probabilities"] = True
        if _capped(values):
            found["doubled"] = True
    elif low >= -BEYOND and np.abs(sums - 100).max() <= 100 * EVEN:
        found["percent"] = True
    elif high <= BEYOND and np.abs(np.exp(values.astype(np.float64)).sum(1) - 1).max() <= EVEN:
        found["log-probabilities"] = True
    else:
        found["logits"] = False
        if low >= 0 and (sums > 0).all():
            found["scores"] = False
    return {stated: found.get(stated, False), **found}


def _capped(values: np.ndarray) -> bool:
    """Whether these are probabilities of which softmax was taken: none is above e / (e + k - 1), and one is near it."""
    try:
        undoubled(values)
    except ValueError:
        return False
    most = np.e / (np.e + values.shape[1] - 1)
    return bool(CAP * most <= values.max() <= most + BEYOND)


def scored(how: Interface, values: np.ndarray, labels: np.ndarray) -> Scored | None:
    """values: float [n, outputs], as the network says them. None where they cannot be read so."""
    try:
        probabilities = how.probabilities(values)
    except ValueError:
        return None
    predicted = probabilities.argmax(1)
    right, sure = float((predicted == labels).mean()), float(probabilities.max(1).mean())
    return Scored(predicted, cross_entropy(probabilities, labels), right, sure)


def halves(labels: np.ndarray) -> np.ndarray:
    """bool [n]: every other picture of each class."""
    order = np.argsort(labels, kind="stable")
    of_class = labels[order]
    first = np.zeros(len(labels), bool)
    first[order] = (np.arange(len(labels)) - np.searchsorted(of_class, of_class)) % 2 == 0
    return first


def fitted(answers: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """int [classes]: the output of each class in the one-to-one assignment that is right most often. answers: int [n],
    the likeliest output. Where counts leave it open, outputs stay where they are."""
    from scipy.optimize import linear_sum_assignment

    counts = confusion_matrix(labels, answers, classes).astype(np.float64)
    places = linear_sum_assignment(counts + 1e-6 * np.eye(classes), maximize=True)[1]
    return np.asarray(places)


def ordered(how: Interface, values: np.ndarray, labels: np.ndarray) -> Ordered | None:
    """None where the order is as stated, or cannot be looked for. labels: of every class LEAST, or it is noise."""
    classes = len(how.order)
    if values.shape[1] != classes or how.outputs:
        return None
    plain = how.model_copy(update={"order": tuple(range(classes))})
    try:
        probabilities = plain.probabilities(values)
    except ValueError:
        return None
    answers, first = probabilities.argmax(1), halves(labels)
    whole = fitted(answers, labels, classes)
    if tuple(whole) == how.order:
        return None
    predicted, losses = np.zeros(len(labels), np.int64), np.zeros(len(labels))
    fits = []
    for judged in (first, ~first):
        places = fitted(answers[~judged], labels[~judged], classes)
        turned = probabilities[judged][:, places]
        predicted[judged], losses[judged] = turned.argmax(1), cross_entropy(turned, labels[judged])
        fits.append(places)
    counts = confusion_matrix(labels, answers, classes)
    own = counts.argmax(1) == whole
    believable = float((fits[0] == fits[1]).mean()) >= AGREE and float(own.mean()) >= MOSTLY
    right, sure = float((predicted == labels).mean()), float(probabilities.max(1).mean())
    return Ordered(predicted, losses, right, sure, tuple(map(int, whole)), believable)
