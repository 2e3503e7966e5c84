"""What the table says is what the network said of the pictures it says it was asked."""

import numpy as np
import pytest
import torch
from torch import nn

from ml.artifacts.reader import Library
from ml.artifacts.schema import NOUNS
from ml.data.base import Split
from ml.evaluation import robustness
from ml.evaluation.context import EvaluationContext
from ml.inference.classifier import Classifier
from ml.pipeline import evaluate
from ml.robustness.attacks import attacked
from ml.robustness.catalogue import CORRUPTIONS, EPSILONS
from ml.robustness.corruptions import corrupt


@pytest.fixture(scope="module")
def context():
    """A network that tells the brighter half of a picture, and 60 pictures of which it has most right."""
    module = nn.Module()
    module.body, module.head = nn.Flatten(), nn.Linear(64, 3)
    side = torch.cat([torch.ones(8, 4), -torch.ones(8, 4)], dim=1).flatten()
    module.head.weight.data = torch.stack([side, -side, torch.zeros(64)]) / 8
    module.head.bias.data = torch.tensor([0.0, 0.0, 0.1])
    module.forward = lambda images: module.head(module.body(images))
    description = {"classes": ["left", "right", "none"], "height": 8, "width": 8, "channels": 1}
    classifier = Classifier(module, {**description, "mean": [0.4], "std": [0.3]})
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(60) % 3)
    images = rng.normal(120, 15, (60, 8, 8, 1))
    images[labels == 0, :, :4] += 25
    images[labels == 1, :, 4:] += 25
    test = Split(np.clip(images, 0, 255).astype(np.uint8), labels, np.arange(100, 160, dtype=np.int32))
    return EvaluationContext(classifier, {"test": test}, seed=4)


@pytest.fixture(scope="module")
def made(context):
    told = []
    context.tell = told.append
    frame = robustness.table(context)
    return frame, context.also["attacks"], context.also["robustness_answers"], told


def test_a_row_a_corruption_and_severity(made, context):
    frame, attacks, answers, _ = made
    for noun, data in {"robustness": frame, "attacks": attacks, "robustness_answers": answers}.items():
        NOUNS[noun].check(data)
    assert frame["corruption"].tolist() == ["none"] + [name for name in CORRUPTIONS for _ in range(5)]
    assert frame["severity"].tolist() == [0, *[1, 2, 3, 4, 5] * len(CORRUPTIONS)]
    assert frame["level"].tolist()[1:6] == list(CORRUPTIONS["noise"].levels)
    assert set(frame["n"]) == {60}
    assert answers["predicted"].shape == (len(frame), 60)
    labels = context.splits["test"].labels
    assert answers["example_id"].tolist() == context.splits["test"].ids.tolist()
    assert frame["correct"].tolist() == (answers["predicted"] == labels).sum(1).tolist()
    assert 40 < frame["correct"][0] < 60  # not so easy that nothing could be told


def test_a_cell_is_what_the_network_says_of_those_pictures(made, context):
    frame, _, answers, _ = made
    test, classifier = context.splits["test"], context.classifier
    assert (answers["predicted"][0] == classifier.probabilities(test.images).argmax(1)).all()
    for name, severity in (("noise", 5), ("shift", 2), ("jpeg", 4)):
        row = frame.query("corruption == @name and severity == @severity").index[0]
        worse = corrupt(test.images, name, severity, ids=test.ids, seed=4)
        assert (answers["predicted"][row] == classifier.probabilities(worse).argmax(1)).all()


def test_curves_begin_unattacked_and_only_fall_under_pgd(made, context):
    _, attacks, answers, _ = made
    labels = context.splits["test"].labels
    assert attacks["attack"].tolist() == ["fgsm"] * 9 + ["pgd"] * 9
    assert attacks["epsilon"].tolist()[:9] == [e / 255 for e in EPSILONS]
    assert attacks["correct"].tolist() == (answers["attacked"] == labels).sum(1).tolist()
    by_attack = {name: part["correct"].tolist() for name, part in attacks.groupby("attack")}
    clean = (answers["predicted"][0] == labels).sum()
    assert by_attack["fgsm"][0] == by_attack["pgd"][0] == clean
    assert by_attack["pgd"] == sorted(by_attack["pgd"], reverse=True)
    assert by_attack["fgsm"][-1] < clean / 2
    turned = answers["attacked"][9:] != labels
    assert (turned[1:] >= turned[:-1]).all()


def test_fgsm_is_asked_of_every_picture_at_every_epsilon(made, context):
    test = context.splits["test"]
    found = attacked(context.classifier, test.images, test.labels, 4 / 255, "fgsm")
    place = EPSILONS.index(4)
    assert (made[2]["attacked"][place] == found.predicted).all()


def test_it_says_how_far_it_is(made):
    told = made[3]
    total = 1 + 5 * len(CORRUPTIONS) + 2 * (len(EPSILONS) - 1)
    assert [words.rpartition(", ")[2] for words in told] == [f"{i}/{total}" for i in range(1, total + 1)]
    assert told[1] == f"computing robustness: noise 1, 2/{total}"
    assert told[-1] == f"computing robustness: pgd at 32/255, {total}/{total}"


def test_slow_networks_are_asked_less_and_small_sets_whole():
    assert robustness.sizes(10_000, 1e-4) == (10_000, 1_000)
    assert robustness.sizes(10_000, 5e-3) == (1_000, 250)
    assert robustness.sizes(10_000, 60.0) == (250, 30)
    assert robustness.sizes(300, 0.028) == (250, 30)  # EfficientNet-Lite2 at 224 × 224
    assert robustness.sizes(400, 1e-4) == (400, 400)
    found = [robustness.sizes(10_000, seconds)[0] for seconds in np.geomspace(1e-4, 1e-1, 60)]
    assert found == sorted(found, reverse=True)
    assert set(found) == {whole for whole, _ in robustness.SUBSET_SIZES}


def test_parts_keep_each_classs_share_and_lie_within_each_other():
    labels = np.repeat([0, 1, 2], [200, 100, 50])
    split = Split(np.zeros((350, 8, 8, 1), np.uint8), labels, np.arange(350, dtype=np.int32))
    large, small = robustness.part(split, 70, seed=1), robustness.part(split, 35, seed=1)
    assert np.bincount(large.labels).tolist() == [40, 20, 10]
    assert np.bincount(small.labels).tolist() == [20, 10, 5]
    assert set(small.ids) < set(large.ids)
    assert (np.diff(large.ids) > 0).all()
    assert robustness.part(split, 350, seed=1) is split


def test_it_is_made_when_it_is_named_and_its_companions_with_it(home, monkeypatch):
    monkeypatch.setattr(robustness, "SUBSET_SIZES", ((40, 10),))
    monkeypatch.setattr(robustness, "EPSILONS", (0, 8))
    library, steps = Library(home, home), []
    assert "robustness" not in library.open("toy").nouns
    assert evaluate(library, "toy", ["robustness"], steps.append) == ["robustness"]
    run = library.open("toy")
    table, answers = run.table("robustness"), run.arrays("robustness_answers")
    assert set(table["n"]) == {40}
    recorded = run.table("predictions").query("split == 'test'").set_index("example_id")["predicted"]
    assert (answers["predicted"][0] == recorded[answers["example_id"]]).all()
    assert set(run.table("attacks")["n"]) == {10}
    assert set(answers["attacked_id"]) < set(answers["example_id"])
    assert steps[-1] == "computing robustness: pgd at 8/255, 43/43"
