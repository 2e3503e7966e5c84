"""How much of the accuracy on test is left under corruptions, and under attacks of growing reach?

Corruptions and attacks are those of ml.robustness. How many pictures are asked follows the network's own pace, so that
an evaluation takes minutes: all of test, or the largest of SUBSET_SIZES that fits BUDGET, each class with its share.
Smaller subsets lie within larger ones, so that two runs always share pictures.
"""

import time

import numpy as np
import pandas as pd

from ml.data.base import Split, stratified
from ml.data.images import AnyImages, asked_at_once
from ml.evaluation.context import EvaluationContext
from ml.inference.classifier import Classifier
from ml.robustness.catalogue import ATTACKS, CORRUPTIONS, EPSILONS, SEVERITIES
from ml.robustness.corruptions import corrupt

SPLIT = "test"
# to corrupt, and of those to attack; the last two are for networks of photographs
SUBSET_SIZES = ((10_000, 1_000), (5_000, 1_000), (2_000, 500), (1_000, 250), (500, 60), (250, 30))
BUDGET = 540.0  # seconds of one thread
CORRUPTING = 1e-4  # seconds a picture
ATTACKING = 150  # forward passes a picture: PGD's 20 gradients are three each, and few pictures hold out for long


def table(context: EvaluationContext) -> pd.DataFrame:
    """One row a corruption and severity; see the schema.

    Leaves the curves as the noun `attacks`, where the network has gradients, and what was said of each picture as
    `robustness_answers`.
    """
    classifier, whole = context.classifier, context.splits[SPLIT]
    n_corrupted, n_attacked = sizes(len(whole), pace(classifier, whole.images))
    examples, few = part(whole, n_corrupted, context.seed), part(whole, n_attacked, context.seed)
    cells = [("none", 0, 0.0)]
    side = min(whole.images.shape[1:3])
    cells += [(name, s, kind.at(side).levels[s - 1]) for name, kind in CORRUPTIONS.items() for s in SEVERITIES]
    attacks = ATTACKS if "gradients" in classifier.capabilities else {}
    total = len(cells) + len(attacks) * (len(EPSILONS) - 1)
    predictions = []
    for place, (name, severity, _) in enumerate(cells):
        context.tell(f"computing robustness: {name} {severity or ''}".rstrip() + f", {place + 1}/{total}")
        predictions.append(answers(classifier, examples, name, severity, context.seed))
    predicted = np.stack(predictions)
    frame = pd.DataFrame(cells, columns=["corruption", "severity", "level"])
    frame.insert(0, "split", SPLIT)
    frame["n"], frame["correct"] = len(examples), (predicted == examples.labels).sum(1)

    curves: list[tuple[str, str, float, int, int]] = []
    held = []
    clean = answers(classifier, few, "none", 0, context.seed) if attacks else None
    for place, name in enumerate(attacks):
        done = len(cells) + place * (len(EPSILONS) - 1)
        assert clean is not None
        held.append(curve(context, few, clean, name, done, total))
        right = (held[-1] == few.labels).sum(1)
        curves += [(SPLIT, name, e / 255, len(few), int(r)) for e, r in zip(EPSILONS, right, strict=True)]
    if attacks:
        context.also["attacks"] = pd.DataFrame(curves, columns=["split", "attack", "epsilon", "n", "correct"])
    context.also["robustness_answers"] = {
        "example_id": examples.ids.astype(np.int32),
        "predicted": predicted,
        "attacked_id": few.ids.astype(np.int32) if attacks else np.zeros(0, np.int32),
        "attacked": np.concatenate(held) if attacks else np.zeros((0, 0), np.int16),
    }
    return frame


def sizes(n: int, seconds: float) -> tuple[int, int]:
    """How many pictures of n are corrupted, and how many attacked, when a forward pass takes `seconds` a picture."""
    for whole, few in SUBSET_SIZES:
        n_corrupted, n_attacked = min(whole, n), min(few, n)
        cells = len(CORRUPTIONS) * len(SEVERITIES) + 1
        if n_corrupted * cells * (seconds + CORRUPTING) + n_attacked * ATTACKING * seconds <= BUDGET:
            break
    return n_corrupted, n_attacked


def pace(classifier: Classifier, images: AnyImages) -> float:
    """Seconds of one thread that a forward pass takes a picture: whoever else uses the machine changes nothing."""
    some = images[: asked_at_once(images.shape[1:])]
    classifier.probabilities(some[:10])  # what is done once
    began = time.process_time()
    classifier.probabilities(some)
    return (time.process_time() - began) / max(len(some), 1)


def part(split: Split, size: int, seed: int) -> Split:
    """`size` pictures of a split in their order, all where it has no more; the same seed gives parts of each other."""
    if size >= len(split):
        return split
    return split.take(np.sort(stratified(split.labels, size, np.random.default_rng(seed))))


def answers(classifier: Classifier, examples: Split, name: str, severity: int, seed: int) -> np.ndarray:
    """int16 [n]: the class that is said of each picture under a corruption; severity 0 leaves it as it is."""
    predictions = []
    size = 4 * asked_at_once(examples.images.shape[1:])
    for start in range(0, len(examples), size):
        rows = slice(start, start + size)
        images = examples.images[rows]
        worse = corrupt(images, name, severity, ids=examples.ids[rows], seed=seed) if severity else images
        predictions.append(classifier.probabilities(worse).argmax(1))
    return np.concatenate(predictions).astype(np.int16)


def curve(
    context: EvaluationContext, examples: Split, clean: np.ndarray, name: str, done: int, total: int
) -> np.ndarray:
    """int16 [len(EPSILONS), n]: the class that is said of each picture, attacked within each epsilon.

    clean: int16 [n], what is said of it unattacked. What PGD turned within one epsilon stays turned within a larger
    one, which allows the same picture; FGSM's one step is as long as epsilon, so that it is asked anew. done, total:
    the steps before this one and in all, for telling.
    """
    from ml.robustness.attacks import attacked  # torch, late

    predictions, size = [clean], asked_at_once(examples.images.shape[1:])  # split again by who attacks
    for place, epsilon in enumerate(EPSILONS[1:]):
        context.tell(f"computing robustness: {name} at {epsilon:g}/255, {done + place + 1}/{total}")
        last = predictions[-1].copy()
        rows = np.flatnonzero(last == examples.labels) if name == "pgd" else np.arange(len(examples))
        for part in np.split(rows, range(size, len(rows), size)) if len(rows) else ():
            images, labels = examples.images[part], examples.labels[part]
            answer = attacked(context.classifier.differentiable, images, labels, epsilon / 255, name, seed=context.seed)
            last[part] = answer.predicted
        predictions.append(last)
    return np.stack(predictions).astype(np.int16)
