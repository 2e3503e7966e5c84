"""What did the network say of each validation and test picture after every epoch?

Recorded while it learns and never chosen on: the epoch that is kept is the best on validation, as without a recording.
A training cannot be recorded afterwards, so this noun is not one of EVALUATIONS.
"""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.artifacts.writer import write_arrays
from ml.data.base import Dataset
from ml.data.images import asked_at_once, batches
from ml.inference.classifier import folded
from ml.models.inputs import normalise, pixels
from ml.stats.calibration import softmax
from ml.system.damage import DAMAGED

SPLITS = ("test", "validation")
KEPT = 20  # epochs whose probabilities are kept
CELLS = 48_000_000  # probabilities kept at most, a byte each: large data sets keep fewer epochs


class Recorder:
    """Asks the network of each epoch and keeps the answers in one file an epoch, so that a resumed training has all.

    folder: of the unpublished run; its files go when the run is published. on_chunk: called before each batch of
    pictures; may raise, then this epoch is not recorded.
    """

    def __init__(self, folder: Path, dataset: Dataset, on_chunk: Callable[[], None] = lambda: None) -> None:
        self._folder, self._dataset, self._on_chunk = folder, dataset, on_chunk
        self._splits = [split for split in SPLITS if len(dataset[split])]

    def __call__(self, epoch: int, network: nn.Module) -> None:
        """Record one epoch, replacing what an earlier attempt said of it. The network stays as it is."""
        record: dict[str, Any] = {}
        for split in self._splits:
            probabilities = self._ask(network, split)
            labels = self._dataset[split].labels
            record[f"{split}_probabilities"] = quantised(probabilities)
            record[f"{split}_truth"] = probabilities[np.arange(len(labels)), labels]
            record[f"{split}_right"] = np.packbits(probabilities.argmax(1) == labels)
        write_arrays(self._path(epoch), record)

    def arrays(self, epochs: int, best: int) -> dict[str, np.ndarray]:
        """The noun, from what was recorded of epochs 1 … epochs; empty where that is nothing.

        best: the epoch whose weights the run has, always among those whose probabilities are kept.
        Epochs without a readable file are left out: their training began before it was recorded.
        """
        small = [f"{split}_{part}" for split in self._splits for part in ("truth", "right")]
        records = {epoch: record for epoch in range(1, epochs + 1) if (record := self._read(epoch, small))}
        if not records or not self._splits:
            return {}
        cells = sum(len(self._dataset[split]) for split in self._splits) * len(self._dataset.classes)
        shown = spaced(sorted(records), best, min(KEPT, max(1, CELLS // cells)))
        noun = {"epoch": np.array(shown, np.int16), "right_epoch": np.array(sorted(records), np.int16)}
        for split in self._splits:
            name = f"{split}_probabilities"
            truth = np.stack([records[epoch][f"{split}_truth"] for epoch in sorted(records)]).astype(np.float64)
            noun[f"{split}_id"] = self._dataset[split].ids.astype(np.int32)
            noun[name] = np.stack([self._read(epoch, [name])[name] for epoch in shown])
            noun[f"{split}_right"] = np.stack([records[epoch][f"{split}_right"] for epoch in sorted(records)])
            noun[f"{split}_mean"] = truth.mean(0).astype(np.float32)
            noun[f"{split}_spread"] = truth.std(0).astype(np.float32)
        return noun

    def _path(self, epoch: int) -> Path:
        return self._folder / f"checkpoint-epoch-{epoch:03}.npz"  # named so that publishing a run removes it

    def _read(self, epoch: int, names: list[str]) -> dict[str, np.ndarray]:
        try:
            with np.load(self._path(epoch), allow_pickle=False) as archive:
                return {name: archive[name] for name in names}
        except DAMAGED:
            return {}

    @torch.inference_mode()
    def _ask(self, network: nn.Module, split: str) -> np.ndarray:
        """float32 [n, classes], as predictions are made: without a mirrored picture, in float32."""
        answering = folded(copy.deepcopy(network).eval())
        device = next(iter(network.parameters())).device
        mean, std = self._dataset.statistics()
        answers = []
        for batch in batches(self._dataset[split].images, asked_at_once(self._dataset.shape)):
            self._on_chunk()
            answers.append(softmax(answering(normalise(pixels(batch).to(device), mean, std)).float().cpu().numpy()))
        return np.concatenate(answers)


def quantised(probabilities: np.ndarray) -> np.ndarray:
    """float [n, classes] in 0..1 → uint8 in steps of 1/255, with the same largest class in each row.

    Rounding alone could make two classes equal: every other class then loses a step to the guess.
    """
    steps = np.rint(probabilities.astype(np.float64) * 255).astype(np.int16)
    rows, guess = np.arange(len(steps)), probabilities.argmax(1)
    top = np.maximum(steps[rows, guess], 1)
    steps = np.minimum(steps, top[:, None] - 1)
    steps[rows, guess] = top
    return steps.astype(np.uint8)


def spaced(epochs: list[int], best: int, count: int) -> list[int]:
    """At most `count` of ascending epochs: the first, the last, the best, and those between, denser at first.

    The roots of their places are evenly spaced, since most changes early.
    """
    if len(epochs) <= count:
        return epochs
    places = np.rint(np.linspace(0, math.sqrt(len(epochs) - 1), count) ** 2).astype(int)
    chosen = {epochs[place] for place in places}
    if best in epochs and best not in chosen:
        between = sorted(chosen - {epochs[0], epochs[-1]}) or sorted(chosen)
        if len(chosen) == count:
            chosen.remove(min(between, key=lambda epoch: abs(epoch - best)))
        chosen.add(best)
    return sorted(chosen)
