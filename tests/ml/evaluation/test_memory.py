"""Whatever is evaluated reads pictures a few at a time: a split of a large data set never is in memory."""

import numpy as np
import pytest
import torch

from ml import models
from ml.data import images as pictures
from ml.data import properties
from ml.data.base import Dataset, Split
from ml.data.images import Images
from ml.evaluation import EVALUATIONS
from ml.evaluation.context import PART, EvaluationContext
from ml.inference.classifier import Classifier

SIDE, AT_ONCE, N = 24, 8, 600
# the others read what these leave, or train networks of their own; engines are compared on one batch
READING = ("predictions", "preparation", "tags", "slices", "robustness", "familiarity")


class Watched(Images):
    """Pictures that know the most of them that were read at a time."""

    most = 0

    def __getitem__(self, rows):
        found = super().__getitem__(rows)
        Watched.most = max(Watched.most, len(found) if found.ndim == 4 else 1)
        return found

    def take(self, rows):
        return Watched(self._source, super().take(rows)._rows)


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr(pictures, "ASKED_PIXELS", AT_ONCE * SIDE**2)
    monkeypatch.setattr(pictures, "BATCH_BYTES", 40 * 3 * SIDE**2)
    monkeypatch.setattr(properties, "BLOCK", 40 * 3 * SIDE**2)
    monkeypatch.setattr(Watched, "most", 0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    shape = {"channels": 3, "height": SIDE, "width": SIDE}
    module = models.build("quick_cnn", **shape, classes=3)
    return Classifier(module, {**shape, "classes": ("a", "b", "c"), "mean": [0.5] * 3, "std": [0.3] * 3})


def context(network, wrap, **more):
    rng = np.random.default_rng(3)
    labels = np.arange(N) % 3
    shades = (40 + 60 * labels)[:, None, None, None]
    made = np.clip(shades + rng.normal(0, 50, (N, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    splits = {
        name: Split(wrap(np.roll(made, turn, 0)), np.roll(labels, turn), np.arange(N, dtype=np.int32))
        for turn, name in enumerate(("test", "validation", "reference"))
    }
    dataset = Dataset("made", "made", ("a", "b", "c"), {**splits, "train": splits["reference"]})
    return EvaluationContext(network, splits, 0, dataset=lambda: dataset, **more)


@pytest.mark.parametrize("noun", READING)
def test_pictures_are_read_a_few_at_a_time(few_at_once, network, noun, monkeypatch):
    from ml.evaluation import robustness

    monkeypatch.setattr(robustness, "SUBSET_SIZES", ((N, 40),))
    monkeypatch.setattr(robustness, "CORRUPTIONS", dict(list(robustness.CORRUPTIONS.items())[:1]))
    watched = context(network, Watched)
    EVALUATIONS[noun](watched)
    few = max(PART * AT_ONCE, 160)  # these tell what all look like
    assert 0 < Watched.most <= few < N / 3


def test_the_answers_are_those_of_all_at_once(network, monkeypatch):
    whole, parts = context(network, np.asarray), context(network, Watched)
    logits, features = network.logits_and_features(whole.splits["test"].images)
    monkeypatch.setattr("ml.evaluation.context.PART", 1)
    probabilities, kept = parts.ask(parts.splits["test"].images)
    assert np.array_equal(probabilities.argmax(1), logits.argmax(1))
    assert np.array_equal(kept, features.astype(np.float16).astype(np.float32))
    assert np.allclose(probabilities.sum(1), 1)
