"""The learning rate over a training, for a drawing: what `ml.training.optimiser` makes torch do, without torch."""

import math

from ml.training.config import TrainConfig

DIV, FINAL_DIV = 25.0, 1e4  # of torch's OneCycleLR: it starts at peak / DIV and ends at that / FINAL_DIV


def rate(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate of step 0 … `steps`, `steps` being how many the whole training has."""
    peak = config.learning_rate
    if config.schedule == "one_cycle":
        rise = max(config.warmup * (steps + 1), 2.0) - 1
        start = peak / DIV
        if step <= rise:
            return _cosine(start, peak, step / rise)
        return _cosine(peak, start / FINAL_DIV, (step - rise) / (steps - rise))
    rise = math.ceil(config.warmup * steps)
    if step < rise:
        return peak * (step + 1) / rise
    if config.schedule == "constant":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(steps - rise, 1), 1.0)))


def rates(config: TrainConfig, steps: int, points: int = 100) -> list[tuple[float, float]]:
    """(epochs done, learning rate), evenly spread over a training of `steps` steps, its first and last among them."""
    places = sorted({round(i * steps / (points - 1)) for i in range(points)})
    return [(step / steps * config.epochs, rate(config, step, steps)) for step in places]


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
