"""One toy network as torch has it, for files of many kinds."""

import copy
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from ml.artifacts.reader import Library
from ml.data import load
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
