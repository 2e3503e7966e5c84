"""One toy network as torch has it, for files of many kinds."""

import copy
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.artifacts.reader import Library, Run
from ml.data import load
from ml.data.base import Dataset
from ml.inference.classifier import Classifier
from tests.conftest import TOY, TOY_RUN


class Whole(torch.nn.Module):
    """float [n, 1, 28, 28] of 0 to 1 → logits: the toy's network with its scaling within."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.net = copy.deepcopy(classifier.folded).to(memory_format=torch.contiguous_format)
        self.register_buffer("mean", torch.tensor(classifier.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(classifier.std).view(1, -1, 1, 1))

    def forward(self, pixels):
        return self.net((pixels - self.mean) / self.std)


@pytest.fixture(scope="session")
def toy_library(toy_home):
    return Library(toy_home / "none", toy_home)


@pytest.fixture(scope="session")
def toy_data(toy_home):
    return load(TOY, home=toy_home)


@pytest.fixture(scope="session")
def toy_classifier(toy_library):
    return Classifier.open(toy_library.open(TOY_RUN))


@pytest.fixture
def whole(toy_classifier):
    """A new one each time, in evaluation mode."""
    return Whole(toy_classifier).eval()


@pytest.fixture
def own_home(home, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(home))
    return home


@contextmanager
def quietly():
    """torch says of TorchScript that it is deprecated: that is what people bring all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def scripted(module: torch.nn.Module) -> torch.jit.ScriptModule:
    with quietly():
        return torch.jit.script(module)


def traced(module: torch.nn.Module, *example: torch.Tensor) -> torch.jit.ScriptModule:
    with quietly():
        return torch.jit.trace(module, example, check_trace=False)


def kept(module: torch.jit.ScriptModule, path: Path) -> Path:
    with quietly():
        torch.jit.save(module, path)
    return path


def told(said: dict[str, np.ndarray], data: Dataset, target: Path) -> None:
    """Predictions in a CSV, as anybody writes them. said: split → float [n, classes] in the order of its pictures."""
    rows = ["split,id,p_" + ",p_".join(data.classes)]
    for split, values in said.items():
        for number, row in zip(data[split].ids, values, strict=True):
            rows.append(f"{split},{number}," + ",".join(f"{x:.9g}" for x in row))
    target.write_text("\n".join(rows))


def same_runs(runs: list[Run], said: dict[str, np.ndarray]) -> None:
    """Scores to 1e-4, the same confusion matrix, and what the Dashboard shows of it."""
    frames = [run.table("predictions").set_index(["split", "example_id"]).sort_index() for run in runs]
    names = [name for name in frames[0] if name.startswith("p_")]
    for run, frame in zip(runs, frames, strict=True):
        for split, values in said.items():
            if split == "train":
                continue  # of which no probabilities are kept
            assert np.abs(frame.loc[split][names].to_numpy() - values).max() < 1e-4
        assert run.table("confusion").equals(runs[0].table("confusion"))
        for split, result in runs[0].manifest["results"].items():
            mine = run.manifest["results"][split]
            assert (mine["correct"], mine["n"]) == (result["correct"], result["n"])
            assert mine["loss"] == pytest.approx(result["loss"], abs=1e-4)
        scores = run.table("scores"), runs[0].table("scores")
        assert len(scores[0]) == len(scores[1])
        numbers = [one.select_dtypes("number").to_numpy(np.float64) for one in scores]
        assert np.allclose(*numbers, atol=1e-4, equal_nan=True)
