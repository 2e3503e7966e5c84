"""A run that is its predictions alone: written as any other, its tables made from what was said."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifacts import kinds, writer
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset, Split
from ml.evaluation import EVALUATIONS
from ml.evaluation.context import EvaluationContext
from ml.evaluation.epochs import CELLS, KEPT, quantised, spaced
from ml.evaluation.given import Answers, GivenContext
from ml.recording.reading import Understood, summary
from ml.stats.calibration import cross_entropy
from ml.system.processor import machine

MODEL = "recorded"
MADE = ("scores", "confusion", "calibration", "conformal", "features", "neighbours", "projection", "tags", "slices")
BARE = ("split", "example_id", "label", "predicted")  # columns of predictions that are labels alone


def publish(
    understood: Understood,
    dataset: Dataset,
    run_id: str,
    home: Path,
    *,
    sources: dict[str, str],
    command: str = "",
    tell: Callable[[str], None] = lambda words: None,
) -> Path:
    """The run's folder, under home/runs. sources: name of a file → its sha256. Raises FileExistsError, ValueError."""
    began = time.perf_counter()
    description = writer.describe(dataset)
    check_dataset(description)
    context = context_of(understood, dataset)
    partial = writer.partial(home / "runs", run_id)
    with writer.beginning(partial):
        able = {"capabilities": understood.capabilities, "kind": kinds.RECORDED}
        nouns, empty = nouns_of(context, able, partial, tell)
        if recorded := epochs(understood, context):
            nouns["epochs"] = writer.write_noun(partial, "epochs", recorded)
    manifest: dict[str, Any] = {
        "run_id": run_id,
        "kind": kinds.RECORDED,
        "capabilities": understood.capabilities,
        "model": MODEL,
        "dataset": description,
        "results": results(context),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
        "command": command,
        "created": writer.now(),
        "source": {"files": sources, **summary(understood)},
        "nouns": nouns,
        **context.notes,
        **({"empty": empty} if empty else {}),
        **({"best_epoch": understood.epoch} if understood.epochs else {}),
    }  # fmt: skip
    return writer.publish(partial, manifest)


def context_of(understood: Understood, dataset: Dataset) -> GivenContext:
    """What an evaluation reads: the pictures that were predicted, and what was said of them."""
    judged = dataset.judged()
    splits: dict[str, Split] = dict(judged)
    answers = {}
    for name, part in understood.parts.items():
        splits[name] = judged[name].take(part.at)
        answers[name] = Answers(part.said, part.features)
    return GivenContext(dataset.classes, splits, answers, understood.known)


def results(context: EvaluationContext) -> dict[str, dict[str, float]]:
    """split → right answers, n and mean cross-entropy in nats, where all probabilities are known."""
    found: dict[str, dict[str, float]] = {}
    for split in context.judged:
        said, labels = context.probabilities(split), context.splits[split].labels
        found[split] = {"correct": int((said.argmax(1) == labels).sum()), "n": len(labels)}
        if context.known == "probabilities":
            found[split]["loss"] = round(float(cross_entropy(said, labels).mean()), 6)
    return found


def nouns_of(
    context: EvaluationContext, able: dict[str, Any], partial: Path, tell: Callable[[str], None],
    nouns: tuple[str, ...] = MADE,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Predictions and these nouns, written; their entries of the manifest, and nouns that came to nothing.

    able: kind and capabilities, which say what of it can be made.
    """
    frame: Any = EVALUATIONS["predictions"](context)
    if context.known == "labels":
        frame = frame[[*BARE]]
    entries: dict[str, Any] = {"predictions": writer.write_noun(partial, "predictions", frame)}
    empty = []
    for noun in (one for one in nouns if one not in kinds.NOUN_NEEDS or kinds.has(able, kinds.NOUN_NEEDS[one])):
        tell(f"computing {noun}")
        started = time.perf_counter()
        data = EVALUATIONS[noun](context)
        also, context.also = context.also, {}
        for name, made in ({noun: data} | also).items():
            if len(made):
                entries[name] = writer.write_noun(partial, name, made, started=started)
            else:
                empty.append(name)
    return entries, empty


def epochs(understood: Understood, context: GivenContext) -> dict[str, np.ndarray]:
    """The noun: what was said after each epoch of the pictures that the run has predictions of.

    Of an epoch that lacks some of them nothing is kept, see Understood.partial_epochs.
    """
    splits = [split for split in ("test", "validation") if split in understood.parts]
    whole = {number: parts for number, parts in understood.epochs.items() if number not in understood.partial_epochs}
    if len(whole) < 2:
        return {}
    cells = sum(len(understood.parts[split].at) for split in splits) * len(context.classifier.classes)
    shown = spaced(sorted(whole), understood.epoch, min(KEPT, max(1, CELLS // cells)))
    noun = {"epoch": np.array(shown, np.int16), "right_epoch": np.array(sorted(whole), np.int16)}
    for split in splits:
        labels = context.splits[split].labels
        said = {number: whole[number][split].said for number in sorted(whole)}
        truth = np.stack([one[np.arange(len(labels)), labels] for one in said.values()]).astype(np.float64)
        noun[f"{split}_id"] = context.splits[split].ids.astype(np.int32)
        noun[f"{split}_probabilities"] = np.stack([quantised(said[number]) for number in shown])
        noun[f"{split}_right"] = np.stack([np.packbits(one.argmax(1) == labels) for one in said.values()])
        noun[f"{split}_mean"] = truth.mean(0).astype(np.float32)
        noun[f"{split}_spread"] = truth.std(0).astype(np.float32)
    return noun
