"""Runs that a training learns from besides the labels: knowledge distillation (Hinton, Vinyals and Dean 2015,
arXiv:1503.02531)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.artifacts.kinds import NETWORK
from ml.artifacts.reader import Broken, Library, Missing, Run
from ml.inference.classifier import Classifier
from ml.inference.contract import Timed
from ml.inference.engines import open_run
from ml.models.inputs import normalise

Teacher = Callable[[Tensor], Tensor]
"""uint8 [n, c, h, w] → float [n, classes], logits but for a number that is the same for all classes of a picture."""

LEAST = 1e-12  # of a probability before its logarithm


def teachers(library: Library, names: str, dataset: Mapping[str, Any]) -> list[Teacher]:
    """names: run ids with commas between; '' for none. dataset: as a manifest describes what is learned from.

    Raises ValueError, in words, for a run that is not here, has no network, or takes other pictures or tells other
    classes than the data set has.
    """
    return [_teacher(library, name, dataset) for name in names.split(",") if name]


def _teacher(library: Library, name: str, dataset: Mapping[str, Any]) -> Teacher:
    try:
        run = library.open(name)
        run.need(NETWORK)
        _fitting(run, dataset)
        return _asking(open_run(run))
    except (Missing, Broken, KeyError) as error:
        words = str(error.args[0]) if error.args else ""
        raise ValueError(f"the run {name} cannot teach: {words or 'it is not here'}") from error


def _fitting(run: Run, dataset: Mapping[str, Any]) -> None:
    own = run.manifest["dataset"]
    if list(own["classes"]) != list(dataset["classes"]):
        raise ValueError(f"the run {run.run_id} cannot teach: it tells other classes than {dataset['name']} has")
    sizes = ("height", "width", "channels")
    if any(own[size] != dataset[size] for size in sizes):
        has, takes = (" × ".join(str(one[size]) for size in sizes) for one in (dataset, own))
        raise ValueError(f"the run {run.run_id} cannot teach: it takes pictures of {takes}, those here have {has}")


def _asking(opened: Timed) -> Teacher:
    if isinstance(opened, Classifier):
        network = opened.folded.requires_grad_(False)

        def by_torch(images: Tensor) -> Tensor:
            with torch.no_grad():
                logits: Tensor = network.to(images.device)(normalise(images, opened.mean, opened.std))
            return logits.float()

        return by_torch

    def by_others(images: Tensor) -> Tensor:
        asked = np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())
        said = torch.from_numpy(opened.probabilities(asked))
        return said.clamp(min=LEAST).log().to(images.device)

    return by_others
