"""What does the network cost as torch runs it, as ONNX and in int8, and what do the smaller ones get wrong?

Each engine is asked the same way, uint8 pictures in and probabilities out, on one thread; they take turns, so that
other work on the machine slows all of them. Speeds are of the machine they were measured on. Test chooses nothing here.
"""

import time
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save

from ml.data.images import AnyImages
from ml.evaluation.context import EvaluationContext
from ml.inference import int8 as smaller
from ml.inference import onnx_export
from ml.inference.classifier import Classifier
from ml.inference.contract import INFERENCE_BATCH, ImageClassifier
from ml.inference.imported import ImportedClassifier
from ml.inference.onnx import OnnxClassifier
from ml.stats.intervals import wilson
from ml.system.processor import processor

SPLIT = "test"
ROUNDS, WARM_UP, TIMES = 10, 20, 50
Engines: TypeAlias = Mapping[str, tuple[ImageClassifier, int]]


def table(context: EvaluationContext, *, rounds: int | None = None) -> pd.DataFrame:
    """One row an engine, see the schema; the ONNX files come along."""
    asked: ImageClassifier = context.classifier
    if isinstance(asked, ImportedClassifier):
        context.tell("quantising")
        graph, small = asked.graph, int8(context)
        context.also["int8"] = small
        engines: Engines = {"onnx": (asked, len(graph)), "int8": (asked.replaced(small), len(small))}
    else:
        context.tell("writing ONNX")
        graph = onnx(context)
        context.tell("quantising")
        small = int8(context, graph)
        context.also |= {"onnx": graph, "int8": small}
        dataset = describe(context.classifier)
        engines = {
            "torch": (context.classifier, weigh(context.classifier)),
            "onnx": (OnnxClassifier(graph, dataset), len(graph)),
            "int8": (OnnxClassifier(small, dataset), len(small)),
        }
    context.tell("measuring")
    return compare(engines, context.splits[SPLIT].images, context.splits[SPLIT].labels, rounds=rounds or ROUNDS)


def onnx(context: EvaluationContext) -> bytes:
    """The network in float32."""
    return onnx_export.graph(context.classifier)


def int8(context: EvaluationContext, graph: bytes | None = None) -> bytes:
    """The network in int8, calibrated on reference pictures, which are of train."""
    asked: ImageClassifier = context.classifier
    images = context.splits["reference"].images
    if isinstance(asked, ImportedClassifier):
        return smaller.of_imported(asked.graph, asked.interface, images, context.seed)
    graph = onnx_export.graph(context.classifier) if graph is None else graph
    return smaller.quantised(graph, images, context.seed)


def compare(
    engines: Engines,
    images: AnyImages,
    labels: np.ndarray,
    *,
    rounds: int = ROUNDS,
    times: int = TIMES,
    warm_up: int = WARM_UP,
) -> pd.DataFrame:
    """One row an engine. engines: name → (engine, bytes of its file), the first being the one the others are held to.

    images: uint8 [n, h, w, c]; labels: int [n]. rounds × times single pictures are timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    batches: dict[str, list[float]] = {name: [] for name in engines}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        probabilities = {name: engine.probabilities(images) for name, (engine, _) in engines.items()}
        for _ in range(rounds):
            for name, (engine, _) in engines.items():
                for number in range(warm_up + times):
                    picture = images[number % len(images)][None]
                    began = time.perf_counter()
                    engine.probabilities(picture)
                    if number >= warm_up:
                        seconds[name].append(time.perf_counter() - began)
            for name, (engine, _) in engines.items():
                began = time.perf_counter()
                engine.probabilities(images[:INFERENCE_BATCH])
                batches[name].append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    held = next(iter(probabilities.values()))
    rows, n = [], len(labels)
    for name, (_, size) in engines.items():
        guesses = probabilities[name].argmax(1)
        right, alike = int((guesses == labels).sum()), int((guesses == held.argmax(1)).sum())
        p50, p95 = (float(1000 * q) for q in np.percentile(seconds[name], [50, 95]))
        rows.append(
            {
                "engine": name,
                "bytes": size,
                "p50_ms": p50,
                "p95_ms": p95,
                "times": rounds * times,
                "images_per_second": len(images[:INFERENCE_BATCH]) / float(np.median(batches[name])),
                "batch": len(images[:INFERENCE_BATCH]),
                "n": n,
                "correct": right,
                "accuracy": right / n,
                **dict(zip(("low", "high"), map(float, wilson(right, n)), strict=True)),
                "agreeing": alike,
                "agreement": alike / n,
                **dict(zip(("agreement_low", "agreement_high"), map(float, wilson(alike, n)), strict=True)),
                "difference": float(np.abs(probabilities[name] - held).max()),
                "processor": processor()[:60],
            }
        )
    return pd.DataFrame(rows)


def weigh(classifier: Classifier) -> int:
    """Bytes of weights.safetensors."""
    return len(save({name: value.contiguous().numpy() for name, value in classifier.module.state_dict().items()}))


def describe(classifier: Classifier) -> dict[str, object]:
    """What an engine must know of the pictures."""
    height, width, channels = classifier.shape
    return {"classes": classifier.classes, "height": height, "width": width, "channels": channels}
