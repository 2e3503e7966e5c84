"""A run that is its predictions alone: written as any other, its tables made from what was said."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ml.artifacts import kinds, writer
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset, Split
from ml.evaluation import EVALUATIONS
from ml.evaluation.context import EvaluationContext
from ml.evaluation.given import Answers, GivenContext
from ml.recording import epochs
from ml.recording.reading import TOLD, Understood
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
    told: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
    more: Mapping[str, Any] = MappingProxyType({}),
    tell: Callable[[str], None] = lambda words: None,
) -> Path:
    """The run's folder, under home/runs. sources: name of a file → its sha256; told: measures of each epoch that
    somebody says, beside what follows from its predictions; more: what else the manifest says.

    Raises FileExistsError, ValueError.
    """
    began = time.perf_counter()
    description = writer.describe(dataset)
    check_dataset(description)
    context = context_of(understood, dataset)
    partial = writer.partial(home / "runs", run_id)
    with writer.beginning(partial):
        able = {"capabilities": understood.capabilities, "kind": kinds.RECORDED}
        nouns, empty = nouns_of(context, able, partial, tell)
        nouns |= learned(partial, understood, context, told)
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
        **({"best_epoch": understood.epoch} if understood.epochs or told else {}),
        **more,
    }  # fmt: skip
    return writer.publish(partial, manifest)


def learned(
    partial: Path, understood: Understood, context: EvaluationContext, told: Mapping[int, Mapping[str, float]]
) -> dict[str, Any]:
    """What is known of several epochs, written: entries of the manifest."""
    entries: dict[str, Any] = {}
    recorded, counted = epochs.recorded(
        understood.epochs, understood.epoch, context, understood.partial_epochs, understood.split_epochs
    )
    if recorded:
        entries["epochs"] = writer.write_noun(partial, "epochs", recorded)
    if told or counted:
        entries["history"] = told_alone(partial, told, counted)
    return entries


def told_alone(partial: Path, *told: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """The noun history, written; its entry of the manifest."""
    return writer.write_noun(partial, "history", epochs.history(*told), told=True)


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


def summary(understood: Understood) -> dict[str, Any]:
    """What a manifest says of it."""
    return {
        "matched": understood.matched,
        "unmatched": understood.unmatched,
        "left_out": {reason[:100]: [len(names), *names[:TOLD]] for reason, names in understood.left_out.items()},
        "labels": [understood.labelled - understood.disagreeing, understood.labelled],
        "notes": [note[:400] for note in understood.notes[:50]],
    }
