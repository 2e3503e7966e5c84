"""95 % intervals."""

import numpy as np

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(right: np.ndarray | int, n: np.ndarray | int, z: float = Z) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the Wilson score interval of a proportion (Wilson 1927, JASA 22:209); 0 and 1 where n is 0."""
    right, n = np.asarray(right, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = right / n
        centre = p + z**2 / (2 * n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    empty = n == 0
    return np.where(empty, 0.0, np.clip(low, 0, 1)), np.where(empty, 1.0, np.clip(high, 0, 1))


def percentile(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the bootstrap percentile interval over axis 0 (Efron 1979, Ann. Stat. 7:1)."""
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return low, high
