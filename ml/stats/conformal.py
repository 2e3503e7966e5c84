"""Sets of classes that hold the truth as often as was asked for, whatever the network is worth. numpy only.

LAC (Sadinle, Lei, Wasserman 2019, JASA 114:223): a class belongs to the set of a picture where one minus its
probability is at most a limit, which is the finite-sample quantile of the same of the labels of pictures kept for it.
Among exchangeable pictures such a set then misses the truth in at most 1 − level of them on average; where the
probabilities are true, no other rule with this promise has smaller sets. A set may be empty: no class is likely enough.

Probabilities are float [n, classes], rows adding up to 1; labels int [n]; a level lies between 0 and 1.
"""

import math

import numpy as np

LEVELS = (0.90, 0.95, 0.99)


def limit(probabilities: np.ndarray, labels: np.ndarray, level: float) -> float:
    """The largest 1 − p that a class of a set may have, 0..1.

    It is the ⌈(n + 1) level⌉-th smallest of the labels' own, and 1, which lets every class in, where n is too small
    for that. Raises ValueError for a level that is no share.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    n = len(labels)
    # rounded first: 20 × 0.95 is 19, and in floating point a little more
    place = math.ceil(round((n + 1) * level, 9))
    if place > n:
        return 1.0
    return float(np.partition(_apart(probabilities)[np.arange(n), labels], place - 1)[place - 1])


def sets(probabilities: np.ndarray, most: float) -> np.ndarray:
    """bool [n, classes]: which classes belong to the set of each picture. most: what `limit` found."""
    return _apart(probabilities) <= most


def _apart(probabilities: np.ndarray) -> np.ndarray:
    """float64 [n, classes]; worked out here alone, so that what was the limit is within it to the last bit."""
    return 1 - probabilities.astype(np.float64)
