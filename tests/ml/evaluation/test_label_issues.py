"""Suspected labels: cleanlab's own answer, labels turned on purpose, folds that know nothing of what they are asked."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from ml.artifacts.reader import Library
from ml.data import load
from ml.evaluation import label_issues
from ml.pipeline import evaluate

TURNED = 12


def noisy(n=600, classes=4, turned=TURNED, seed=0):
    """Probabilities of a good classifier, labels of which a few are wrong, and which ones those are."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 5 * np.eye(classes)[truth]
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    labels, wrong = truth.copy(), rng.choice(n, turned, replace=False)
    labels[wrong] = (truth[wrong] + 1) % classes
    return labels, probabilities, set(wrong.tolist())


def test_the_order_is_cleanlabs():
    labels, probabilities, wrong = noisy()
    ids = np.arange(1_000, 1_600)
    frame = label_issues.ranked("test", ids, labels, probabilities)
    expected = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")
    assert frame.loc[frame["issue"] == 1, "example_id"].tolist() == ids[expected].tolist()
    assert frame["rank"].tolist() == list(range(1, 601))
    quality = get_label_quality_scores(labels, probabilities)
    by_id = frame.sort_values("example_id")
    assert np.abs(by_id["quality"].to_numpy() - quality).max() < 1e-6
    assert (by_id["suggested"].to_numpy() == probabilities.argmax(1)).all()
    rest = frame.loc[frame["issue"] == 0, "quality"]
    assert rest.is_monotonic_increasing
    assert len(wrong & set(expected.tolist())) >= TURNED - 1


def test_a_split_without_doubts_has_no_issues():
    labels = np.arange(40) % 4
    probabilities = np.full((40, 4), 0.01, np.float32) + 0.96 * np.eye(4, dtype=np.float32)[labels]
    frame = label_issues.ranked("test", np.arange(40), labels, probabilities)
    assert frame["issue"].sum() == 0
    assert len(frame) == 40


def test_of_a_class_that_nobody_labelled_nothing_is_suspected_and_quality_ranks_it_next():
    """Confident learning has no label to compare with; the queue says so (dashboard.analysis.label_review)."""
    labels, probabilities, _ = noisy(turned=0)
    hidden = np.flatnonzero(labels == 3)
    labels = np.where(labels == 3, 0, labels)
    frame = label_issues.ranked("test", np.arange(600), labels, probabilities)
    of_hidden = frame[frame["example_id"].isin(hidden)]
    assert of_hidden["issue"].sum() == 0
    assert set(frame[frame["issue"] == 0]["example_id"][: len(hidden) - 20]) <= set(hidden.tolist())


def test_folds_are_even_and_random():
    labels = np.repeat([0, 1, 2], [50, 30, 3])
    which = label_issues.folds(labels, seed=1)
    counts = np.stack([np.bincount(which[labels == c], minlength=5) for c in range(3)])
    assert counts[0].tolist() == [10] * 5
    assert counts[1].tolist() == [6] * 5
    assert counts[2].max() == 1
    assert (which != label_issues.folds(labels, seed=2)).any()


def test_no_network_is_asked_about_what_it_learned(monkeypatch):
    """A network that would know its pictures by heart is no help: each sees the other folds alone."""
    dataset = load("synthetic-4-28x28x1")
    seen, real = [], label_issues.fit

    def watch(module, rest, config):
        seen.append(set(rest["train"].ids.tolist()))
        return real(module, rest, config)

    monkeypatch.setattr(label_issues, "fit", watch)
    config = label_issues.recipe(len(dataset["train"])).model_copy(update={"epochs": 1})
    probabilities = label_issues.out_of_sample(dataset, config)
    which = label_issues.folds(dataset["train"].labels, config.seed)
    assert len(seen) == label_issues.FOLDS
    for fold, ids in enumerate(seen):
        assert ids == set(dataset["train"].ids[which != fold].tolist())
    assert probabilities.shape == (600, 4)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)


@pytest.fixture
def turned(home, monkeypatch):
    """The toy run, and its data set with labels of train turned round."""
    dataset = load("synthetic-4-28x28x1")
    train = dataset["train"]
    wrong = np.random.default_rng(3).choice(len(train), TURNED, replace=False)
    train.labels[wrong] = (train.labels[wrong] + 1) % 4
    monkeypatch.setattr("ml.pipeline.load", lambda name, home=None: dataset)
    return Library(home, home), train, set(train.ids[wrong].tolist())


def test_labels_turned_on_purpose_come_first_and_their_pictures_are_kept(turned):
    library, train, wrong = turned
    steps = []
    assert evaluate(library, "toy", ["label_issues"], steps.append) == ["label_issues"]
    assert sum("part" in words for words in steps) == label_issues.FOLDS
    run = library.open("toy")
    table = run.table("label_issues")
    assert table.groupby("split").size().to_dict() == {"test": 400, "train": 600, "validation": 200}
    first = table[(table["split"] == "train") & (table["rank"] <= TURNED)]
    assert len(wrong & set(first["example_id"])) >= TURNED - 3
    kept = run.arrays("suspects")
    ranks = table[table["split"] == "train"].set_index("example_id")["rank"]
    assert ranks[kept["example_id"]].tolist() == list(range(1, 501))
    assert (kept["images"] == train.images[kept["example_id"]]).all()
    assert kept["neighbour_id"].shape == (500, 10)
    assert not (kept["neighbour_id"] == kept["example_id"][:, None]).any()
    recorded = run.table("predictions").query("split == 'test'").sort_values("example_id")
    own = table[table["split"] == "test"].sort_values("example_id")
    p = recorded[[f"p_{i}" for i in range(4)]].to_numpy()
    expected = p[np.arange(400), recorded["label"].to_numpy()]
    assert np.abs(own["quality"].to_numpy() - expected).max() < 1e-6
