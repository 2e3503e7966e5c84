"""Data-parallel training: shares of a batch, and two processes that end where one does."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from ml.artifacts.writer import write_pictures
from ml.data import synthetic
from ml.models import build
from ml.training import loop, parallel
from ml.training.config import TrainConfig
from ml.training.parallel import DistributedContext

ROOT = Path(__file__).resolve().parents[3]
PLAIN = ("train", "--dataset", "few", "--epochs", "3", "--batch-size", "50", "--seed", "5")


@pytest.mark.parametrize("n", [1, 3, 7, 8, 50, 101])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_shares_of_a_batch_are_the_batch(n, size):
    batch = list(range(n))
    parts = [DistributedContext(rank, size).part(n) for rank in range(size)]
    assert sum(share for _, share in parts) == pytest.approx(1)
    counted = [row for part, share in parts if share for row in batch[part]]
    assert counted == batch
    assert all(len(batch[part]) >= min(2, n) for part, _ in parts)
    assert all(share in (0, 1) or share == pytest.approx(len(batch[part]) / n) for part, share in parts)


def test_without_torchrun_there_is_a_team_of_one(monkeypatch):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert parallel.join() == DistributedContext() == parallel.team()
    assert DistributedContext().leads
    assert DistributedContext().add(1.5, 2) == [1.5, 2]
    assert parallel.threads(8) == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert (parallel.threads(8), parallel.threads(2)) == (2, 1)


@pytest.mark.timeout(400)
def test_two_processes_end_where_one_does(tmp_path):
    """Neither dropout nor batch statistics: nothing but rounding may differ."""
    few = replace(synthetic.load("synthetic-4-28x28x1", train=301, validation=40, test=40), name="few")
    write_pictures(tmp_path, few, complete=True)
    words = ["--model", "mlp", "--dropout", "0", "--no-batch-norm", "--augment", "flip", "--threads", "1"]
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*program, "-m", "ml", *PLAIN, *words, "--precision", "float32", "--name", "together"],
        cwd=ROOT,
        env={**os.environ, "FASHION_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test: ") == 1, done.stdout
    folder = tmp_path / "runs" / "together"
    together = pd.read_parquet(folder / "history.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["machine"]["processes"] == 2
    assert manifest["command"].startswith("torchrun --nproc-per-node 2 -m ml train")

    config = TrainConfig(**manifest["config"])
    torch.manual_seed(config.seed)
    model = build("mlp", **manifest["model_config"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = pd.DataFrame([asdict(epoch) for epoch in loop.fit(model, few, config)])
    torch.set_num_threads(threads)
    for column in ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"):
        assert together[column].to_numpy() == pytest.approx(alone[column].to_numpy(), rel=2e-3, abs=2e-3), column
    assert together["train_loss"].iloc[-1] < 0.7 * together["train_loss"].iloc[0]


def test_torchrun_needs_the_runs_name(tmp_path):
    environment = {**os.environ, "FASHION_HOME": str(tmp_path), "WORLD_SIZE": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "ml", *PLAIN], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "name the run with --name" in done.stderr
