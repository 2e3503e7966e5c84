"""What scripts train with: whatever holds it, as a manifest can, and nothing secret."""

import argparse
import dataclasses
import enum
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from ml.artifacts.reader import Library
from ml.publishing import mlflow, model_card
from ml.telling.border import Wrong
from ml.telling.settings import MOST, command, settings
from tests.conftest import TOY
from tests.telling import here


class Rule(enum.Enum):
    SGD = "sgd"


@dataclasses.dataclass
class Optimiser:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


class Model(BaseModel):
    depth: int = 3


def schedule(step):
    return step


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"lr": 0.1, "bs": 64}, {"learning_rate": 0.1, "batch_size": 64}),
        ({"learning_rate": 0.1, "lr": 0.2}, {"learning_rate": 0.1, "lr": 0.2}),
        ({"lr": 0.2, "learning_rate": 0.1}, {"lr": 0.2, "learning_rate": 0.1}),
        (argparse.Namespace(num_epochs=5, seed=None), {"epochs": 5, "seed": "none"}),
        (Optimiser(), {"learning_rate": 0.1, "betas": [0.9, 0.999]}),
        ({"optimiser": Optimiser()}, {"optimiser.lr": 0.1, "optimiser.betas": [0.9, 0.999]}),
        (Model(), {"depth": 3}),
        ({"api_key": "x", "HF_TOKEN": "y", "wandb.password": "z", "tokenizer": "a"}, {"tokenizer": "a"}),
        ({"max_tokens": 5, "password": 1234}, {"max_tokens": 5}),
        ({"_private": 1, "": 2, "labels": "a.csv"}, {"labels (told)": "a.csv"}),
        ({"rule": Rule.SGD, "net": torch.nn.ReLU, "by": schedule}, {"rule": "sgd", "net": "ReLU", "by": "schedule"}),
        ({"a": np.float32(0.5), "b": torch.tensor(2), "c": np.int64(3)}, {"a": 0.5, "b": 2, "c": 3}),
        ({"a": float("inf"), "b": float("nan"), "c": True}, {"a": "inf", "b": "nan", "c": True}),
        ({"place": Path("a/b"), "type": torch.float16}, {"place": "a/b", "type": "torch.float16"}),
        ({"some": object()}, {"some": "object"}),
        ({"steps": {3, 1, 2}, "grid": [[1, 2], [3, 4]]}, {"steps": [1, 2, 3], "grid": "[[1, 2], [3, 4]]"}),
        ({"long": "x" * 500}, {"long": "x" * 199 + "…"}),
    ],
)  # fmt: skip
def test_whatever_holds_them(given, found):
    assert settings(given) == found
    assert settings(json.loads(json.dumps(found))) == found, "told again they are the same"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["lr"], "dictionary"),
        (3, "dictionary"),
        (Optimiser, "dictionary"),
        ({str(i): i for i in range(MOST + 1)}, "at most"),
    ],
)  # fmt: skip
def test_what_they_are_not_is_said(given, words):
    with pytest.raises(Wrong, match=words):
        settings(given)


def test_of_a_command_what_is_secret_is_left_out():
    given = ["train.py", "--lr", "0.1", "--hub-token", "hf_x", "--api_key=y", "--password", "--seed", "3", "a b"]
    assert command(given) == "train.py --lr 0.1 --hub-token '…' '--api_key=…' --password --seed 3 'a b'"


def test_a_run_keeps_them_through_a_stop_and_shows_them(toy_home, home, monkeypatch):
    begin = here(monkeypatch, home)
    said = np.full((200, 4), 0.25)
    run = begin("told", TOY, settings={"lr": 0.5, "hub_token": "hf_x"})
    run.settings(batch_size=8)
    run.leave()
    with begin("told", TOY, resume=True, settings={"lr": 0.25}) as run:
        run.settings({"note": "a | b"}, optimizer="SGD")
        run.predictions("validation", None, said)
    kept = Library(home / "none", home).open("told")
    told = {"learning_rate": 0.25, "batch_size": 8, "note": "a | b", "optimiser": "SGD"}
    assert kept.manifest["settings"] == told
    assert "hf_x" not in json.dumps(kept.manifest)
    assert mlflow.settings(kept).items() >= {"learning_rate": "0.25", "batch_size": "8", "optimiser": "SGD"}.items()
    card = model_card.markdown(kept)
    assert "- learning_rate: 0.25" in card
    assert "from a file of predictions" not in card
