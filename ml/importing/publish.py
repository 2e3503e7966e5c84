"""A run of a network from elsewhere: its file kept, what it says of all pictures, and the tables that follow."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from ml.artifacts import kinds, writer
from ml.artifacts.inspection import GRAPH_BYTES, content
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset, stratified
from ml.evaluation.context import EvaluationContext
from ml.importing.trial import PICTURES, Tried
from ml.inference.classifier import Classifier
from ml.inference.imported import ImportedClassifier
from ml.recording.publish import MADE, nouns_of, results
from ml.system.processor import machine

MODEL = "onnx"


def samples(dataset: Dataset, count: int = PICTURES) -> np.ndarray:
    """uint8 [n, h, w, c]: a few validation pictures of all classes, or of test, that a network is tried on."""
    judged = dataset.judged()
    split = judged["validation"] if len(judged["validation"]) else judged["test"]
    rng = np.random.default_rng(0)
    rows = np.arange(len(split)) if len(split) <= count else stratified(split.labels, count, rng)
    return np.asarray(split.images[rows])


def publish(
    tried: Tried,
    dataset: Dataset,
    run_id: str,
    home: Path,
    *,
    sources: dict[str, str],
    command: str = "",
    tell: Callable[[str], None] = lambda words: None,
    notes: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """The run's folder, under home/runs. sources: name of a file → its sha256; notes: what else the manifest says.
    Raises FileExistsError, ValueError, and Broken where the network cannot be believed over all pictures."""
    began = time.perf_counter()
    description = writer.describe(dataset)
    check_dataset(description)
    network = ImportedClassifier(
        content(tried.file, GRAPH_BYTES), tried.interface, dataset.classes, dataset.shape, os.cpu_count() or 1
    )
    context = EvaluationContext(cast(Classifier, network), dataset.judged(), dataset=lambda: dataset, brief=True)
    context.tell = tell
    able = {"kind": kinds.IMPORTED, "capabilities": tried.capabilities}
    partial = writer.partial(home / "runs", run_id)
    try:
        tell("asking it about all pictures")
        nouns, empty = nouns_of(context, able, partial, tell, (*MADE, "preparation"))
        kept = partial / kinds.IMPORTED_NETWORK
        shutil.copyfile(tried.file, kept)
    except BaseException:
        writer.discard(partial)
        raise
    alone = ImportedClassifier(content(kept), tried.interface, dataset.classes, dataset.shape)
    manifest: dict[str, Any] = {
        "run_id": run_id,
        **able,
        "model": MODEL,
        "interface": tried.interface.model_dump(mode="json"),
        "dataset": description,
        "parameters": tried.parameters,
        "weights": {"file": kept.name, "sha256": writer.sha256(kept), "made": writer.now()},
        "bytes": kept.stat().st_size,
        "latency_ms": alone.latency(),
        "results": results(context),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
        "command": command,
        "created": writer.now(),
        "source": {"files": sources, "understood": tried.lines},
        "nouns": nouns,
        **context.notes,
        **notes,
        **({"empty": empty} if empty else {}),
    }  # fmt: skip
    return writer.publish(partial, manifest)
