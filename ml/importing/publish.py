"""A run of a network from elsewhere: its file kept, what it says of all pictures, and the tables that follow."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import torch
from safetensors.numpy import load_file

from ml.artifacts import kinds, writer
from ml.artifacts.inspection import GRAPH_BYTES, content
from ml.artifacts.manifest import check_dataset
from ml.data.base import Dataset, stratified
from ml.evaluation.context import EvaluationContext
from ml.importing.trial import PICTURES, Tried
from ml.inference.classifier import Classifier
from ml.inference.contract import Timed
from ml.inference.imported import ImportedClassifier, Interface
from ml.inference.imported_torch import TwoParts, built, ordered, plain
from ml.recording.publish import MADE, nouns_of, results
from ml.system.processor import machine

MODEL = "onnx"
IN_TORCH = ("filters", "familiarity")  # nouns of layers, which torch can look into


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
    network, module, interface = _network(tried, dataset, description)
    context = EvaluationContext(cast(Classifier, network), dataset.judged(), dataset=lambda: dataset, brief=True)
    context.tell = tell
    able = {"kind": kinds.IMPORTED, "capabilities": tried.capabilities}
    partial = writer.partial(home / "runs", run_id)
    try:
        tell("asking it about all pictures")
        nouns, empty = nouns_of(context, able, partial, tell, (*MADE, "preparation", *(IN_TORCH if module else ())))
        kept = partial / (kinds.WEIGHTS if module else kinds.IMPORTED_NETWORK)
        if module:
            writer.write_weights(partial, {name: one.numpy() for name, one in module.state_dict().items()})
        else:
            shutil.copyfile(tried.file, kept)
    except BaseException:
        writer.discard(partial)
        raise
    alone: Timed = network
    if not module:
        alone = ImportedClassifier(content(kept), tried.interface, dataset.classes, dataset.shape)
    manifest: dict[str, Any] = {
        "run_id": run_id,
        **able,
        "model": tried.architecture if module else MODEL,
        "interface": interface.model_dump(mode="json"),
        **({"layers": cast(Classifier, network).layers()} if module else {}),
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


def _network(tried: Tried, dataset: Dataset, description: dict[str, Any]) -> tuple[Timed, TwoParts | None, Interface]:
    """What is asked; its module where that is torch's; and how it is asked from here on."""
    if not tried.in_torch or tried.weights is None:
        threads = os.cpu_count() or 1
        graph = content(tried.file, GRAPH_BYTES)
        network = ImportedClassifier(graph, tried.interface, dataset.classes, dataset.shape, threads)
        return network, None, tried.interface
    how = tried.interface
    sizes = {"channels": how.channels, "height": how.height, "width": how.width, "classes": how.width_of_answers}
    net = built(tried.architecture, **sizes)
    net.load_state_dict({name: torch.from_numpy(one) for name, one in load_file(tried.weights).items()})
    module = TwoParts(net, how)
    ordered(module, how.order)
    how = how.model_copy(update={"order": tuple(range(len(how.order))), "outputs": 0})
    return Classifier(module, plain(description)), module, how
