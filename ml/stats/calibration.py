"""Is a classifier right as often as it says, and what does one number, a temperature, change about that? numpy only.

Probabilities are float [n, classes], rows adding up to 1; labels int [n].
"""

from collections.abc import Iterator

import numpy as np

from ml.stats.intervals import percentile

BINS = 15
REDRAWS = 500
MOST_REDRAWN = 200_000  # examples that are redrawn one by one: of ten million, five hundred redraws take minutes
REFIT_CELLS, MIN_REFIT = 2_000_000, 1_000  # probabilities, and examples, that a temperature is fitted to again
ROWS_AT_ONCE = 65_536  # that are divided by a temperature: float64 copies of all of a large split may not fit
COLDEST, WARMEST = 0.01, 100.0  # a temperature beyond these says that the likelihood has no maximum
TINY = float(np.finfo(np.float32).tiny)  # of a probability, before its logarithm


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017, arXiv:1706.04599); 0..1.

    A bin holds low < confidence ≤ high.
    """
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(which, right.astype(float) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / max(len(confidence), 1))


def ece_interval(confidence: np.ndarray, right: np.ndarray, seed: int) -> tuple[float, float]:
    """Ends of the 95 % interval of the calibration error: bootstrap percentiles over redraws of the examples.

    Redrawing adds noise to every bin, and noise adds to the error, so that of a well calibrated classifier the
    percentiles can lie above the error itself: the interval reaches as far as that.
    """
    rng, n = np.random.default_rng(seed), len(confidence)
    if n > MOST_REDRAWN:
        low, high = percentile(_redrawn_errors(confidence, right, rng))
    else:
        draws = (rng.integers(0, n, n) for _ in range(REDRAWS))
        low, high = percentile(np.array([expected_calibration_error(confidence[rows], right[rows]) for rows in draws]))
    error = expected_calibration_error(confidence, right)
    return min(float(low), error), max(float(high), error)


def _redrawn_errors(confidence: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float64 [REDRAWS]: the error of redraws of very many examples, a bin at a time instead of an example.

    How many of a redraw fall into each bin is multinomial; the sum of so many gaps is as good as normal.
    """
    which = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gap = right.astype(float) - confidence
    n = np.bincount(which, minlength=BINS)
    size = np.maximum(n, 1)
    mean = np.bincount(which, gap, minlength=BINS) / size
    spread = np.sqrt(np.maximum(np.bincount(which, gap**2, minlength=BINS) / size - mean**2, 0))
    drawn = rng.multinomial(len(which), n / len(which), REDRAWS)
    sums = drawn * mean + np.sqrt(drawn) * spread * rng.standard_normal(drawn.shape)
    return np.abs(sums).sum(1) / len(which)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of each answer in nats, float64 [n], 27.6 at most.

    probabilities: float [n, classes]; labels: int [n].
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(own, 1e-12))


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 [n], 0..2: squared distance of the probabilities from the truth (Brier 1950, Mon. Weather Rev. 78:1)."""
    wide = probabilities.astype(np.float64)
    of_label = wide[np.arange(len(labels)), labels]
    return (wide**2).sum(1) - 2 * of_label + 1


def softmax(logits: np.ndarray) -> np.ndarray:
    """float32 [n, classes] → probabilities, computed in float64 so that rows add up."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def scale_by_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """float64 [n, classes]: the probabilities of the same logits divided by a temperature; the guess stays."""
    scores = _logits(probabilities) / temperature
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def tempered_confidence(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """float64 [n]: the largest probability of each row after `scale_by_temperature`."""
    return np.concatenate([scale_by_temperature(some, temperature).max(1) for some in _in_parts(probabilities)])


def miscalibration(probabilities: np.ndarray, labels: np.ndarray, temperature: float | None = None) -> dict[str, float]:
    """calibration_error, brier and loss (in nats) of n ≥ 1 answers, scaled where there is a temperature."""
    confidence, squares, nats = [], [], []
    for some, own in zip(_in_parts(probabilities), _in_parts(labels), strict=True):
        scaled = some if temperature is None else scale_by_temperature(some, temperature)
        confidence.append(scaled.max(1))
        squares.append(brier(scaled, own))
        nats.append(cross_entropy(scaled, own))
    right = probabilities.argmax(1) == labels
    return {
        "calibration_error": expected_calibration_error(np.concatenate(confidence), right),
        "brier": float(np.concatenate(squares).mean()),
        "loss": float(np.concatenate(nats).mean()),
    }


def redrawn_temperatures(
    probabilities: np.ndarray, labels: np.ndarray, fitted: float, times: int, rng: np.random.Generator
) -> np.ndarray:
    """float [times]: the temperature fitted again to examples drawn with replacement. fitted: that of all of them.

    Of more than REFIT_CELLS probabilities fewer examples are drawn; how far these spread is that much too wide, and is
    drawn together by the root of it (the m out of n bootstrap).
    """
    n, classes = probabilities.shape
    m = min(n, max(MIN_REFIT, REFIT_CELLS // classes))
    refits = np.empty(times)
    for turn in range(times):
        rows = rng.integers(0, n, m)
        refits[turn] = fit_temperature(probabilities[rows], labels[rows], start=fitted)
    return refits if m == n else fitted * np.exp(np.log(refits / fitted) * np.sqrt(m / n))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray, start: float = 1.0) -> float:
    """The temperature of the highest likelihood (Guo et al. 2017), between COLDEST and WARMEST.

    The loss is convex in 1 / temperature, and its slope is searched for zero by Newton's steps, halving where one
    would leave the bracket. start: a guess.
    """
    scores = _logits(probabilities)
    scores -= scores.max(1, keepdims=True)
    own = scores[np.arange(len(labels)), labels].mean()
    low, high, inverse = 1 / WARMEST, 1 / COLDEST, 1 / start
    for _ in range(100):
        powers = np.exp(inverse * scores)
        powers /= powers.sum(1, keepdims=True)
        mean = (powers * scores).sum(1)
        slope = float(mean.mean() - own)
        bend = float(((powers * scores**2).sum(1) - mean**2).mean())
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        step = inverse - slope / bend if bend > 0 else -1.0
        before, inverse = inverse, step if low < step < high else (low + high) / 2
        if abs(inverse - before) <= 1e-12 * before:
            break
    return 1 / inverse


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """float64, up to a constant in each row, which softmax does not see."""
    return np.log(np.maximum(probabilities.astype(np.float64), TINY))


def _in_parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of an array, ROWS_AT_ONCE at a time, at least one part."""
    return (values[start : start + ROWS_AT_ONCE] for start in range(0, max(len(values), 1), ROWS_AT_ONCE))
