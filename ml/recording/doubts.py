"""What predictions that are there already look like where they are mostly wrong: a sentence, nothing is changed."""

from collections.abc import Mapping, Sequence

import numpy as np

from ml.stats.intervals import wilson
from ml.stats.metrics import confusion_matrix

LEAST = 20  # pictures, below which nothing is said
EACH = 5  # of every class, for another order of them
MUCH = 0.5  # of right answers, which the other reading must have, lower bound
TOLD = 6  # classes that are named


def doubts(said: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, numbered: bool) -> list[str]:
    """Sentences on rows that would be right otherwise. said: float [n, C]; labels: int [n], the data set's; numbered:
    whether the file says its classes by number alone."""
    n, top = len(labels), said.argmax(1)
    if n < LEAST:
        return []
    high = float(wilson(int((top == labels).sum()), n)[1])
    words = f"{100 * float((top == labels).mean()):.0f} % of {n:,} pictures are right so"
    if numbered:
        order = _order(top, labels, len(classes))
        right = int((order[top] == labels).sum()) if order is not None else 0
        if order is not None and _better(right, n, high):
            return [f"{words}, {100 * right / n:.0f} % {_called(order, classes)}"]
    if len(classes) > 2 and (said > 0).sum(1).min() > 1:
        least = int((said.argmin(1) == labels).sum())
        if _better(least, n, high):
            return [
                f"{words}, {100 * least / n:.0f} % by the least number of each row: where these are distances or "
                "losses, give them with the other sign"
            ]
    return []


def _better(right: int, n: int, high: float) -> bool:
    return float(wilson(right, n)[0]) > max(MUCH, high)


def _order(top: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray | None:
    """int [C]: the class that each number means in the order that is right most often, None with too few pictures."""
    from scipy.optimize import linear_sum_assignment

    if np.bincount(labels, minlength=classes).min() < EACH:
        return None
    counts = confusion_matrix(labels, top, classes).astype(np.float64)
    places = linear_sum_assignment(counts.T + 1e-6 * np.eye(classes), maximize=True)[1]
    return np.asarray(places)


def _called(order: np.ndarray, classes: Sequence[str]) -> str:
    """'if 0 is 'dog', 1 'cat' …: …'."""
    by_text = sorted(range(len(classes)), key=str)
    moved = [f"{i} is {classes[place]!r}" for i, place in enumerate(order.tolist()) if i != place]
    more = " …" if len(moved) > TOLD else ""
    text = ", which is their numbers sorted as text" if order.tolist() == by_text else ""
    return (
        f"if {', '.join(moved[:TOLD])}{more}{text}: call columns by their classes where that is meant (p_{classes[0]})"
    )


def of_parts(
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str], *, numbered: bool
) -> list[str]:
    """The same of several splits. parts: split → numbers and labels."""
    if not parts:
        return []
    said, labels = (np.concatenate([one[place] for one in parts.values()]) for place in (0, 1))
    return doubts(said, labels, classes, numbered=numbered)
