"""Tiny networks that are really trained, seconds each, on pictures whose class depends on colour, shape and place."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ml.data.base import Dataset, Split
from ml.inference.imported import Interface, session_of

COLOURS = {"red": (0.9, 0.3, 0.1), "blue": (0.1, 0.2, 0.9), "gray": (0.8,)}
SHAPES = ("across", "upright", "corner", "frame")


def pictures(n: int, height: int, width: int, colours: tuple[str, ...], seed: int) -> Split:
    """Bright shapes on a dark, noisy ground; a class is a shape in a colour."""
    rng = np.random.default_rng(seed)
    kinds = [(shape, colour) for shape in SHAPES for colour in colours]
    labels = np.arange(n) % len(kinds)
    rng.shuffle(labels)
    channels = len(COLOURS[colours[0]])
    images = rng.normal(0.15, 0.06, (n, height, width, channels))
    y, x = np.mgrid[:height, :width]
    for image, label in zip(images, labels, strict=True):
        shape, colour = kinds[label]
        down, right = rng.integers(2, height - 3), rng.integers(2, width - 3)
        mask = {
            "across": abs(y - down) < 2,
            "upright": abs(x - right) < 2,
            "corner": (y >= down) & (x < right),
            "frame": (y < 2) | (y >= height - 2) | (x < 2) | (x >= width - 2),
        }[shape]
        image[mask] += np.array(COLOURS[colour]) * rng.uniform(0.55, 0.85)
        image += rng.normal(0, 0.08, image.shape)
    return Split((np.clip(images, 0, 1) * 255).astype(np.uint8), labels.astype(np.int64), np.arange(n, dtype=np.int32))


def dataset(height: int, width: int, *colours: str) -> Dataset:
    classes = tuple(f"{shape} {colour}" for shape in SHAPES for colour in colours)
    sizes = {"train": 1_000, "validation": 240, "test": 80}
    splits = {name: pictures(n, height, width, colours, i) for i, (name, n) in enumerate(sizes.items())}
    return Dataset("toy", "Toy shapes", classes, splits)


@dataclass(frozen=True)
class Toy:
    """how: the interface that it was trained with; graph: ONNX, logits out."""

    name: str
    data: Dataset
    how: Interface
    graph: bytes

    @property
    def session(self) -> Any:
        return session_of(self.graph)


def interface(data: Dataset, **fields: Any) -> Interface:
    height, width, channels = data.shape
    usual = {
        "input": "x", "type": "tensor(float)", "layout": "nchw", "height": height, "width": width, "channels": channels,
        "batch": 0, "mean": (0.0,), "deviation": (1.0,), "output": "y", "numbers": "logits",
        "order": tuple(range(len(data.classes))),
    }  # fmt: skip
    return Interface(**{**usual, **fields})


def trained(name: str, data: Dataset, how: Interface, *, epochs: int = 12, seed: int = 0) -> Toy:
    """A small convolutional network, or of rows of numbers a plain one."""
    torch.manual_seed(seed)
    classes, train = len(data.classes), data["train"]
    flat = how.layout.startswith("flat")
    net: torch.nn.Module
    if flat:
        net = torch.nn.Sequential(
            torch.nn.Linear(how.height * how.width * how.channels, 48), torch.nn.ReLU(), torch.nn.Linear(48, classes)
        )
    else:
        net = torch.nn.Sequential(
            torch.nn.Conv2d(how.channels, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Flatten(), torch.nn.Linear(16 * (how.height // 4) * (how.width // 4), classes),
        )  # fmt: skip
    values, labels = torch.from_numpy(how.prepared(train.images)), torch.from_numpy(train.labels)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(50):
            loss = torch.nn.functional.cross_entropy(net(values[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return Toy(name, data, how, exported(net.eval(), values[:1]))


def exported(net: torch.nn.Module, example: torch.Tensor) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (example,), file, dynamo=False, opset_version=17, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip
    return file.getvalue()
