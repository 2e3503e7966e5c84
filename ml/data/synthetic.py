"""Made-up pictures for tests and demonstrations: each class is a bright bar of its own angle and place, with noise."""

import re

import numpy as np

from ml.data.base import Dataset, Split

PATTERN = re.compile(r"^synthetic-(\d{1,2})-(\d{2,3})x(\d{2,3})x([13])$")


def load(name: str = "synthetic-10-28x28x1", *, train: int = 600, validation: int = 200, test: int = 400) -> Dataset:
    """`synthetic-<classes>-<height>x<width>x<channels>`, the same for the same name and counts. Raises KeyError."""
    match = PATTERN.fullmatch(name)
    if not match:
        raise KeyError(f"{name!r} is not synthetic-<classes>-<height>x<width>x<channels>")
    count, height, width, channels = map(int, match.groups())
    rng = np.random.default_rng(count * 1_000 + height)
    pool = _split(rng, train + validation, count, height, width, channels)
    kept, held = np.arange(train), np.arange(train, train + validation)
    splits = {
        "train": pool.take(kept),
        "validation": pool.take(held),
        "test": _split(rng, test, count, height, width, channels),
    }
    return Dataset(name, "Synthetic bars", tuple(f"Bar {i}" for i in range(count)), splits)


def _split(rng: np.random.Generator, n: int, classes: int, height: int, width: int, channels: int) -> Split:
    labels = np.arange(n) % classes
    y, x = np.mgrid[:height, :width]
    angle = np.pi * labels / classes + rng.normal(0, 0.04, n)
    offset = rng.normal(0, 0.06, n) * height
    along = (x - width / 2) * np.cos(angle)[:, None, None] + (y - height / 2) * np.sin(angle)[:, None, None]
    bar = np.exp(-(((along - offset[:, None, None]) / (height / 8)) ** 2))
    tint = 0.6 + 0.4 * np.cos(2 * np.pi * (labels[:, None] / classes + np.arange(channels) / max(channels, 1)))
    picture = bar[..., None] * tint[:, None, None, :] + rng.normal(0, 0.06, (n, height, width, channels))
    images = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return Split(images, labels.astype(np.int64), np.arange(n, dtype=np.int32))
