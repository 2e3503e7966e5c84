"""A run's network computed by onnxruntime, in float32 or int8; never torch."""

import re
from importlib.util import find_spec
from typing import Any

import numpy as np

from ml.artifacts.reader import Broken, Missing
from ml.data.images import AnyImages, asked_at_once, batches
from ml.inference.contract import check, median_latency
from ml.stats.calibration import softmax

CHANGING = ["Pad_Fusion"]
"""Optimisations of onnxruntime that change answers: zeros before a maximum are taken for nothing, see
findings/zeros-around-a-maximum.sh."""


class OnnxClassifier:
    """An ONNX file of ml.inference.onnx_export on one processor thread.

    classes: names; shape: (height, width, channels).
    """

    capabilities = frozenset({"probabilities", "features"})

    def __init__(self, graph: bytes, dataset: dict[str, Any]) -> None:
        """Raises Missing without onnxruntime, Broken where the file is no network of this data set."""
        need("onnxruntime")
        import onnxruntime

        self.classes: tuple[str, ...] = tuple(dataset["classes"])
        self.shape: tuple[int, int, int] = (dataset["height"], dataset["width"], dataset["channels"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=CHANGING
            )
        except Exception as error:  # its own kinds of error share no other base
            raise Broken(f"the ONNX file cannot be read ({type(error).__name__})") from error
        inputs = [(part.name, part.type, tuple(part.shape[1:])) for part in self._session.get_inputs()]
        outputs = {part.name: part.shape[-1] for part in self._session.get_outputs()}
        expected = [("images", "tensor(uint8)", self.shape)]
        if inputs != expected or outputs.get("logits") != len(self.classes) or "features" not in outputs:
            raise Broken("the ONNX file is of other pictures or classes than the run")

    def logits_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → float32 logits [n, classes] and penultimate features [n, d]."""
        parts = self._run(images, ["logits", "features"])
        return parts[0], parts[1]

    def probabilities(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, classes], rows adding up to one."""
        return softmax(self._run(images, ["logits"])[0])

    def probabilities_and_features(self, images: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """images: uint8 [n, h, w, c] → float32 [n, classes] and [n, d], of one pass."""
        logits, features = self.logits_and_features(images)
        return softmax(logits), features

    def features(self, images: AnyImages) -> np.ndarray:
        """images: uint8 [n, h, w, c] → float32 [n, d], the input of the last layer."""
        return self._run(images, ["features"])[0]

    def latency(self) -> float:
        """Median milliseconds from one picture to its logits, on one processor thread."""
        picture = np.zeros((1, *self.shape), np.uint8)
        return median_latency(lambda: self._session.run(["logits"], {"images": picture}))

    def _run(self, images: AnyImages, wanted: list[str]) -> list[np.ndarray]:
        check(images, self.shape)
        size = asked_at_once(self.shape)
        if len(images) <= size:
            return self._session.run(wanted, {"images": images[:]})
        parts = [self._session.run(wanted, {"images": batch}) for batch in batches(images, size)]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def need(*packages: str) -> None:
    """Raise Missing, with the command that helps, unless these packages are installed."""
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise Missing(f"{' and '.join(absent)} is not installed.", "pip install -r requirements-onnx.txt")


def words_of(error: Exception) -> str:
    """What onnxruntime says, without codes, files and signatures, which are for its own developers; 600 characters."""
    words = " ".join(str(error).split())
    words = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", words)
    words = re.sub(r"^Load model from \S* failed:", "", words)
    return re.sub(r"^\S+\.(?:cc|h):\d+ .*?\) (?=[A-Z])", "", words).strip()[:600]
