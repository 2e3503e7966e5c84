"""Which program computes a run's network: torch, or onnxruntime on an ONNX file in float32 or int8, without torch.

An imported ONNX has one engine, onnxruntime on its own file, which answers where torch or ONNX would.
"""

from collections.abc import Mapping
from typing import Any

from ml.artifacts import kinds
from ml.artifacts.reader import Missing, Run
from ml.inference.contract import Timed
from ml.inference.imported import ImportedClassifier
from ml.inference.onnx import OnnxClassifier

ENGINES = ("torch", "onnx", "int8")
NAMES = {"torch": "torch", "onnx": "ONNX", "int8": "int8"}


def offered(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Engine → what people call it, of a run: an imported ONNX has its own alone, which stands where torch does."""
    return {"torch": "onnxruntime"} if kinds.weights_file(manifest) == kinds.IMPORTED_NETWORK else NAMES


def open_run(run: Run, engine: str = "torch") -> Timed:
    """A run's network behind one of ENGINES. Raises Missing (with its command; Incapable without one), Broken,
    ValueError."""
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if kinds.weights_file(run.manifest) == kinds.IMPORTED_NETWORK:
        if engine == "int8":
            raise Missing("A network in int8 is made of those that were trained here, and this one was imported.")
        return ImportedClassifier.open(run)
    if engine == "torch":
        from ml.inference.classifier import Classifier

        return Classifier.open(run)
    return OnnxClassifier(run.graph(engine), run.manifest["dataset"])
