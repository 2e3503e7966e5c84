"""A run's network as one ONNX file in float32: pixels in, logits and features out.

Input `images`: uint8 [n, height, width, channels] for any n, pictures as they are stored; centring, scaling and the
order of channels are inside. Outputs `logits`: float32 [n, classes]; `features`: float32 [n, d], what the last layer
reads. Batch normalisation is folded into the convolutions. The file carries its class names and needs no other file.
"""

import copy
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ml.inference.classifier import Classifier
from ml.inference.onnx import need

if TYPE_CHECKING:
    import onnx

OPSET = 17
INPUT, OUTPUTS = "images", ("logits", "features")


class Whole(nn.Module):
    """uint8 [n, h, w, c] → logits and features, normalisation included."""

    scale: Tensor
    shift: Tensor

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.net = copy.deepcopy(classifier.folded).to(memory_format=torch.contiguous_format)
        mean, std = torch.tensor(classifier.mean), torch.tensor(classifier.std)
        self.register_buffer("scale", (1 / (255 * std)).view(1, -1, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.net.body(images.permute(0, 3, 1, 2).float() * self.scale - self.shift)
        return self.net.head(features), features


def graph(classifier: Classifier) -> bytes:
    """The network in float32; equal networks are equal bytes. Raises Missing without onnx, ValueError where it has a
    part that ONNX does not know.
    """
    need("onnx")
    import onnx

    written, pictures = io.BytesIO(), torch.zeros(2, *classifier.shape, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode(), _plain_attention():
        # The newer exporter takes 7 s instead of 0.2 and needs onnxscript, and what it makes of a mean over the picture
        # cannot be quantised. Tracing warns of every shape that is read: the test asks for other numbers of pictures.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                Whole(classifier).eval(),
                (pictures,),
                written,  # type: ignore[arg-type]  # files are taken too
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: "n"} for name in (INPUT, *OUTPUTS)},
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ValueError(f"this network cannot be written as ONNX: {str(error).splitlines()[0][:200]}") from error
    model = onnx.load_from_string(written.getvalue())
    return sealed(model, {"classes": json.dumps(classifier.classes, ensure_ascii=False)})


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as products and sums: ONNX has no word for torch's own fast one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def sealed(model: "onnx.ModelProto", about: dict[str, str]) -> bytes:
    """The checked file with what is told of it."""
    import onnx

    used = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used]:
        model.graph.initializer.remove(tensor)
    model.doc_string = "Input: images, uint8 [n, height, width, channels]. Outputs: logits and features, float32."
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)
