"""What of a network from elsewhere can be looked into, beyond its answers: feature vectors, and gradients.

In the process that tries it: each is taken only where asking shows that it is so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.artifacts.reader import Broken
from ml.inference import last_layer
from ml.inference.imported import Interface, ask, session_of

WIDEST = 65_536  # numbers a picture, of features
AGREEING = 1e-4  # by which probabilities of torch and onnxruntime may differ
APART = 1e-3  # of the largest feature, by which those of a picture alone may differ: what another order of sums makes


@dataclass(frozen=True)
class Inside:
    """content: the file, with one more output where its features were none; how: as it is asked, features named; lines:
    sentences."""

    content: bytes
    how: Interface
    lines: list[str]


def looked(content: bytes, how: Interface, pictures: np.ndarray) -> Inside:
    """Look for a table of features. pictures: uint8 [n, h, w, c]. The answers stay what they are."""
    import onnx

    model = onnx.load_model_from_string(content)
    own = [one.name for one in model.graph.output if one.name != how.output and one.name.lower() in last_layer.NAMED]
    for name in own:
        if wide := width(content, how, name, pictures):
            return Inside(
                content, how.model_copy(update={"features": name}), [f"features: output {name!r}, {wide} numbers"]
            )
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    if name := last_layer.ends(model, how.output).features:
        last_layer.exposed(model, name, how.output)
        opened = model.SerializeToString()
        if wide := width(opened, how, name, pictures):
            lines = [f"features: what its last layer reads, {wide} numbers"]
            return Inside(opened, how.model_copy(update={"features": name}), lines)
    words = "features: none found, for its answer does not come of one last layer that reads a table"
    return Inside(content, how, [f"{words} (an output called features gives them)"])


def gradients(content: bytes, how: Interface, pictures: np.ndarray, classes: Sequence[str]) -> tuple[str, bool]:
    """Why torch cannot compute it to the same answers, '' where it does, with gradients; and whether convolutions of
    it make maps. pictures: uint8 [n, h, w, c]. Raises Missing without onnx2torch."""
    import torch

    from ml.inference.rebuilt import NoGradients, Rebuilt

    torch.set_num_threads(1)
    _, height, width, channels = pictures.shape
    try:
        made = Rebuilt(content, how, classes, (height, width, channels))
        level: dict[str, Any] = {"deviation": (1 / 255,)} if how.type == "tensor(uint8)" else {}
        bare = how.model_copy(update={**level, "layout": "nchw", "type": "tensor(float)"})
        seen = torch.from_numpy(bare.prepared(pictures))
        session = session_of(content)
        said = how.probabilities(how.table(ask(session, how, how.prepared(pictures), [how.output])[0]))
        with torch.no_grad():
            found = made.module.network(seen).softmax(1).numpy()
        if not np.abs(found - said).max() <= AGREEING:
            return f"its answers in torch are {np.abs(found - said).max():.2g} apart", False
        inputs = made.inputs(pictures[:2]).requires_grad_()
        (slopes,) = torch.autograd.grad(made.module(inputs).logsumexp(1).sum() - made.module(inputs).mean(), inputs)
    except NoGradients as error:
        return str(error), False
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        return f"torch cannot compute what onnx2torch rebuilt ({' '.join(str(error).split())[:120]})", False
    if not torch.isfinite(slopes).all() or not slopes.any():
        return "its answers do not change with single pixels", False
    return "", bool(made.module.convolutions)


def width(content: bytes, how: Interface, name: str, pictures: np.ndarray) -> int:
    """How many numbers a picture this value has, as few as 2; 0 where it is no table that is each picture's own."""
    try:
        session = session_of(content)

        def said(images: np.ndarray) -> np.ndarray:
            return how.described(ask(session, how, how.prepared(images), [how.output, name])[1])

        together = said(pictures)
        alone = np.concatenate([said(one[None]) for one in pictures[:4]])
    except (Broken, ValueError, TypeError, IndexError):
        return 0
    if len(together) != len(pictures) or not 2 <= together.shape[1] <= WIDEST or not np.isfinite(together).all():
        return 0
    limit = APART * max(float(np.abs(together).max()), 1e-12)
    return together.shape[1] if np.abs(together[: len(alone)] - alone).max() <= limit else 0
