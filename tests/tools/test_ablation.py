"""docs/ablation.md: paired by seed, resumable, and its intervals by hand."""

import json
import math
import runpy
from pathlib import Path

import pytest

from ml.data import synthetic

ROOT = Path(__file__).parents[2]
TOY = {"epochs": 1, "batch_size": 64, "train_images": 100, "dataset": "synthetic-4-16x16x1", "threads": 1}


@pytest.fixture
def tool():
    return runpy.run_path(str(ROOT / "tools" / "ablation.py"))


def result(tool, part, seed, test, validation=0.9):
    settings = tool["config"](part, seed).model_dump(mode="json")
    return {
        "config": settings, "validation": validation, "test": test, "seconds": 60.0, "n": [5_000, 10_000],
        "machine": "a machine",
    }  # fmt: skip


def test_each_part_alone_is_left_out(tool):
    full = tool["config"]("full recipe", 1)
    assert len(tool["SEEDS"]) >= 3
    for part, change in tool["WITHOUT"].items():
        config = tool["config"](part, 1)
        differs = {name for name, value in config if value != getattr(full, name)}
        assert differs == set(change)
    assert full.dropout is None
    assert full.batch_norm
    assert full.weight_decay > 0
    assert full.label_smoothing > 0
    assert full.ema > 0
    assert set(full.augment) == {"flip", "shift", "erase"}


def test_the_interval_of_paired_differences_by_hand(tool):
    # 1, 2, 3: mean 2, deviation 1, standard error 1/√3; t with two degrees of freedom at 97.5 % is 4.302653
    mean, low, high = tool["interval"]([0.01, 0.02, 0.03])
    assert mean == pytest.approx(0.02)
    assert high - mean == pytest.approx(0.01 * 4.302653 / math.sqrt(3), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)
    assert tool["interval"]([0.5])[1:] == (-math.inf, math.inf)


def test_the_page_compares_the_same_seeds(tool):
    tests = {"full recipe": (0.9, 0.91, 0.92), "batch normalisation": (0.88, 0.891, 0.899)}
    results = {
        part: [result(tool, part, seed, tests.get(part, (0.9, 0.91, 0.92))[seed - 1]) for seed in (1, 2, 3)]
        for part in tool["WITHOUT"]
    }
    page = tool["page"](results)
    rows = {line.split(" | ")[0].strip("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert "91.00 ± 1.00" in rows["nothing: the full recipe"]
    # differences −2.0, −1.9, −2.1: mean −2, deviation 0.1, half 0.1 × 4.302653 / √3 = 0.25
    assert "**−2.00** (−2.25 to −1.75)" in rows["batch normalisation"]
    assert "+0.00 (+0.00 to +0.00)" in rows["dropout"]
    assert "seeds 1, 2, 3" in page
    assert "n 10,000" in page


def test_trains_what_is_missing_and_goes_on_where_it_was(tool, tmp_path, monkeypatch):
    path, trained = tmp_path / "build" / "ablation.json", []

    def train(settings):
        trained.append(settings)
        if len(trained) == 4:
            raise KeyboardInterrupt
        return result(tool, "full recipe", 1, 0.9) | {"config": settings.model_dump(mode="json")}

    monkeypatch.setitem(tool["complete"].__globals__, "train", train)
    with pytest.raises(KeyboardInterrupt):
        tool["complete"](path, [1])
    assert len(json.loads(path.read_text())) == 3
    tool["complete"](path, [1])
    assert len(trained) == 1 + len(tool["WITHOUT"])
    tool["complete"](path, [1])
    assert len(trained) == 1 + len(tool["WITHOUT"])
    page = tmp_path / "ablation.md"
    assert tool["main"](["--seeds", "1", "2", "--results", str(path), "--to", str(page)]) == 1, "one seed is too few"
    assert "seeds 1." in page.read_text()


def test_a_training_is_scored_on_both_splits(tool, monkeypatch):
    from ml import data, pipeline

    assert pipeline.load is data.load  # imported before the other takes its place, or it would keep that one
    small = synthetic.load(TOY["dataset"], train=100, validation=20, test=40)
    monkeypatch.setattr(data, "load", lambda *_, **__: small)
    found = tool["train"](tool["config"]("dropout", 3, **TOY))
    assert found["n"] == [20, 40]
    assert 0 <= found["test"] * 40 == round(found["test"] * 40)
    assert found["config"]["dropout"] == 0
    assert found["seconds"] > 0
