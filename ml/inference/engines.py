"""Which program computes a run's network: torch, or onnxruntime on an ONNX file in float32 or int8, without torch.

An imported network has one engine, its own, which answers where torch would.
"""

from ml.artifacts import kinds
from ml.artifacts.reader import Run
from ml.inference.contract import Timed
from ml.inference.imported import ImportedClassifier
from ml.inference.onnx import OnnxClassifier

ENGINES = ("torch", "onnx", "int8")


def open_run(run: Run, engine: str = "torch") -> Timed:
    """A run's network behind one of ENGINES. Raises Missing (with its command; Incapable without one), Broken,
    ValueError."""
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if engine == "torch" and kinds.kind_of(run.manifest) == kinds.IMPORTED:
        return ImportedClassifier.open(run)
    if engine == "torch":
        from ml.inference.classifier import Classifier

        return Classifier.open(run)
    return OnnxClassifier(run.graph(engine), run.manifest["dataset"])
