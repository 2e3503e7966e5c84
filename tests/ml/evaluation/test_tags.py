"""Tags of pictures whose failure modes are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ml.artifacts.reader import Library
from ml.data.base import Split
from ml.evaluation import tags
from ml.evaluation.context import EvaluationContext
from ml.pipeline import context_of
from ml.stats.failure_modes import MADE, TAGS

ABLE = SimpleNamespace(capabilities=frozenset({"features"}))  # a network that nobody asks


def test_answers_by_hand():
    probabilities = np.array(
        [[0.95, 0.04, 0.01], [0.95, 0.04, 0.01], [0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.1, 0.3, 0.6]], np.float32
    )
    said = tags.of_probabilities(probabilities, np.array([0, 2, 1, 0, 1]))
    assert said["top-2"].tolist() == [False, False, True, True, True]
    assert said["confidently-wrong"].tolist() == [False, True, False, False, False]
    assert said["unsure"].tolist() == [False, False, True, True, False]


def test_six_of_ten_neighbours_conflict():
    reference = Split(
        np.zeros((12, 2, 2, 1), np.uint8), np.array([0] * 6 + [1] * 6), np.arange(100, 112, dtype=np.int32)
    )
    examples = Split(np.zeros((2, 2, 2, 1), np.uint8), np.array([0, 0]), np.array([5, 7], np.int32))
    near = pd.DataFrame(
        {
            "example_id": [5] * 10 + [7] * 10,
            "neighbour_id": [*range(100, 104), *range(106, 112), *range(100, 105), *range(106, 111)],
        }
    )
    assert tags.conflicting(near, reference, examples).tolist() == [True, False]


def test_a_shift_repeats_the_edge():
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    assert tags.shifted(image, 1, 0)[0, ..., 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert tags.shifted(image, 0, -1)[0, ..., 0].tolist() == [[1, 2, 2], [4, 5, 5]]


@pytest.fixture(scope="module")
def library(toy_home):
    return Library(toy_home, toy_home)


def test_the_toy_run_is_tagged(library):
    run = library.open("toy")
    frame, context = run.table("tags"), context_of(library, run)
    assert set(frame["tag"]) <= set(MADE) <= set(TAGS)
    assert not frame.duplicated().any()
    predictions = run.table("predictions").query("split == 'test'").sort_values("example_id")
    wrong = predictions.loc[predictions["label"] != predictions["predicted"], "example_id"]
    sure = predictions.loc[(predictions["label"] != predictions["predicted"]) & (predictions["confidence"] >= 0.9)]
    mine = frame[frame["split"] == "test"]
    assert sorted(mine.loc[mine["tag"] == "confidently-wrong", "example_id"]) == sorted(sure["example_id"])
    assert set(mine.loc[mine["tag"] == "top-2", "example_id"]) <= set(wrong)
    moved = np.pad(context.splits["test"].images, ((0, 0), (0, 0), (1, 0), (0, 0)), mode="edge")[:, :, :-1]
    turned = context.classifier.probabilities(moved).argmax(1) != predictions["predicted"].to_numpy()
    assert set(context.splits["test"].ids[turned]) <= set(mine.loc[mine["tag"] == "flips", "example_id"])


def test_who_waits_for_a_run_of_large_pictures_waits_for_a_part(monkeypatch):
    def split(n, first):
        return Split(np.zeros((n, 4, 4, 1), np.uint8), np.arange(n) % 4, np.arange(first, first + n, dtype=np.int32))

    splits = {"test": split(900, 0), "validation": split(40, 900), "reference": split(2_000, 940)}

    def asked(**more):
        context = EvaluationContext(ABLE, splits, 7, **more)
        return {name: len(rows) for name, rows in tags.asked(context).items()}

    everything = {"test": 900, "validation": 40, "reference": 2_000}
    assert asked(brief=True, learned=10) == everything  # few pixels in all
    monkeypatch.setattr(tags, "WHOLE", 100)
    assert asked(learned=10) == everything  # nobody waits
    assert asked(brief=True, learned=10) == {"test": 500, "validation": 40, "reference": 0}
    assert asked(brief=True, learned=10_000_000) == everything
    some = asked(brief=True, learned=24_000)  # a tenth of it is 1,800 moved four ways
    assert (some["test"], some["validation"], some["reference"]) == (600, 40, 1_160)
    rows = tags.asked(EvaluationContext(ABLE, splits, 7, brief=True, learned=10))["test"]
    assert np.bincount(splits["test"].labels[rows]).tolist() == [125] * 4
    assert (np.diff(rows) > 0).all()


def test_of_photographs_few_training_pictures_are_moved(monkeypatch):
    splits = {
        split: Split(np.zeros((n, 8, 8, 1), np.uint8), np.arange(n) % 3, np.arange(n, dtype=np.int32))
        for split, n in (("test", 20), ("validation", 30), ("reference", 90))
    }
    context = EvaluationContext(ABLE, splits, seed=1)
    assert {split: len(rows) for split, rows in tags.asked(context).items()}["reference"] == 90
    monkeypatch.setattr(tags, "PATIENT", 140 * 64 - 1)
    monkeypatch.setattr(tags, "LEAST", 12)
    rows = tags.asked(context)
    assert (len(rows["test"]), len(rows["validation"])) == (20, 30)
    assert np.bincount(rows["reference"] % 3).tolist() == [4, 4, 4]
    assert (np.diff(rows["reference"]) > 0).all()
