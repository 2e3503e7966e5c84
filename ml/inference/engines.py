"""Which program computes a run's network: torch, or onnxruntime on an ONNX file in float32 or int8, without torch.

An imported ONNX has onnxruntime on its own file, which answers where torch or ONNX would, and the same file in int8.
"""

from collections.abc import Mapping
from typing import Any

from ml.artifacts import kinds
from ml.artifacts.reader import Run
from ml.inference.contract import Timed
from ml.inference.imported import ImportedClassifier
from ml.inference.onnx import OnnxClassifier

ENGINES = ("torch", "onnx", "int8")
NAMES = {"torch": "torch", "onnx": "ONNX", "int8": "int8"}


def offered(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Engine → what people call it, of a run: the own file of an imported ONNX stands where torch does."""
    imported = kinds.weights_file(manifest) == kinds.IMPORTED_NETWORK
    return {"torch": "onnxruntime", "int8": NAMES["int8"]} if imported else NAMES


def open_run(run: Run, engine: str = "torch") -> Timed:
    """A run's network behind one of ENGINES. Raises Missing (with its command; Incapable without one), Broken,
    ValueError."""
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if kinds.weights_file(run.manifest) == kinds.IMPORTED_NETWORK:
        opened = ImportedClassifier.open(run)
        return opened.replaced(run.graph(engine)) if engine == "int8" else opened
    if engine == "torch":
        from ml.inference.classifier import Classifier

        return Classifier.open(run)
    return OnnxClassifier(run.graph(engine), run.manifest["dataset"])
