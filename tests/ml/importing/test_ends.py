"""Networks that take levels of numbers in place of pixels, or give their largest numbers in place of one a class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.ml.importing.test_foreign_onnx import asked, pictures
from tests.ml.importing.test_quantised_onnx import built, said_of

IMAGES, _ = pictures(3)
SCALE = 0.0186  # of levels for ImageNet's mean and deviation, with a zero of 114: -2.12 to 2.62
ORDER = (2, 0, 3, 1)  # of the classes, so that picking the largest turns something


def quantised(path: Path, scale: float, zero: Any) -> Path:
    """Channels last, levels in: what devices are given."""
    kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
    held = {"scale": np.float32(scale).reshape(()), "zero": zero}
    first = (helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["pixels"]),)
    made = onnx.load(built(path, kind=kind, first=first, held=held))
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(made, path)
    return path


@pytest.mark.parametrize("zero", [np.array(114, np.uint8), np.array(114 - 128, np.int8)])
def test_levels_of_numbers_that_are_no_pixels_are_made_of_the_numbers(zero, tmp_path):
    scale = SCALE
    file = quantised(tmp_path / "net.onnx", scale, zero)
    said, lines = asked(file, IMAGES, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
    assert f"{zero.dtype}, whose levels stand for numbers from -2.1" in lines, lines
    ends = np.iinfo(zero.dtype)
    given = (IMAGES / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    levels = np.clip(np.round(given / scale) + float(zero), ends.min, ends.max)
    assert np.abs(said - said_of((levels - float(zero)) * scale)).max() < 1e-3


@pytest.mark.parametrize(("scale", "zero"), [(1 / 255, 0), (1, 0), (1 / 127.5, 127), (1 / 128, 128)])
def test_levels_that_are_pixels_stay_as_they_are(scale, zero, tmp_path):
    said, lines = asked(quantised(tmp_path / "net.onnx", scale, np.array(zero, np.uint8)), IMAGES)
    assert "pixels: as they are, 0 to 255" in lines, lines
    assert np.abs(said - said_of((IMAGES - float(zero)) * scale)).max() < 1e-4


def ended(path: Path, nodes: Sequence[Any], outputs: dict[str, int]) -> Path:
    """Pixels from 0 to 1, channels last, to probabilities 'y' in another order of classes, then nodes. outputs: name →
    type."""
    made = onnx.load(built(path, held={"order": np.array(ORDER)}))
    made.graph.node.append(helper.make_node("Gather", ["y", "order"], ["turned"], axis=1))
    made.graph.node.extend(nodes)
    for k in (2, 4):
        made.graph.initializer.append(numpy_helper.from_array(np.array([k]), f"k{k}"))
    del made.graph.output[:]
    made.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items())
    onnx.save(made, path)
    return path


FLOAT, WHOLE = TensorProto.FLOAT, TensorProto.INT64
ENDS: dict[str, tuple[list[Any], dict[str, int], str]] = {
    "all in falling order": (
        [helper.make_node("TopK", ["turned", "k4"], ["scores", "ids"])], {"scores": FLOAT, "ids": WHOLE},
        "output 'scores': its largest numbers, the largest first (TopK): those that they are picked from are taken",
    ),
    "the two largest": (
        [helper.make_node("TopK", ["turned", "k2"], ["best", "ids"]),
         helper.make_node("Identity", ["best"], ["scores"])],
        {"ids": WHOLE, "scores": FLOAT}, "those that they are picked from are taken",
    ),
    "beside all": (
        [helper.make_node("TopK", ["turned", "k4"], ["scores", "ids"])],
        {"turned": FLOAT, "scores": FLOAT, "ids": WHOLE},
        "output 'scores': the largest of the numbers of 'turned' (TopK), left alone",
    ),
    "the place alone": (
        [helper.make_node("ArgMax", ["turned"], ["label"], axis=1, keepdims=0)], {"label": WHOLE},
        "output 'label': which number is the largest (ArgMax): the numbers themselves are taken",
    ),
    "the place beside all": (
        [helper.make_node("ArgMax", ["turned"], ["label"], axis=1, keepdims=0)], {"label": WHOLE, "turned": FLOAT},
        "output 'turned': the one with a number for each class",
    ),
    "axes of one": (
        [helper.make_node("Unsqueeze", ["turned", "axes"], ["p"]),
         helper.make_node("Constant", [], ["axes"], value_ints=[1, 2])][::-1], {"p": FLOAT},
        "output 'p': the one with a number for each class",
    ),
    "a one for the likeliest": (
        [helper.make_node("Hardmax", ["turned"], ["onehot"], axis=1)], {"onehot": FLOAT, "turned": FLOAT},
        "output 'turned': the one with a number for each class",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
def test_numbers_of_all_classes_are_taken_whatever_stands_in_their_place(case, tmp_path):
    nodes, outputs, words = ENDS[case]
    said, lines = asked(ended(tmp_path / "net.onnx", nodes, outputs), IMAGES)
    assert words in lines, lines
    assert np.abs(said - said_of(IMAGES / 255)[:, ORDER]).max() < 1e-5
