"""ONNX as it comes of TensorFlow Lite: the division of pixels folded into weights, whole numbers in and out.

Seen in files of tf2onnx 1.17.0 and tensorflow-cpu 2.21.0, of which these are the shapes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml.importing.beginning import range_of
from ml.importing.graph import Unusable
from tests.ml.importing.test_foreign_onnx import asked, pictures

IMAGES, _ = pictures(3)
RNG = np.random.default_rng(2)
FILTERS = (RNG.normal(size=(8, 3, 3, 3)) / 27**0.5).astype(np.float32)
HEAD = (RNG.normal(size=(8, 4)) * 3).astype(np.float32)


def said_of(levels: np.ndarray) -> np.ndarray:
    """What the network says of pixels from 0 to 1, [n, 8, 8, 3], in NumPy: [n, 4]."""
    windows = np.lib.stride_tricks.sliding_window_view(levels.transpose(0, 3, 1, 2), (3, 3), (2, 3))
    maps = np.maximum(np.einsum("nchwij,ocij->nohw", windows, FILTERS), 0).mean((2, 3))
    numbers = np.exp(maps @ HEAD - (maps @ HEAD).max(1, keepdims=True))
    return numbers / numbers.sum(1, keepdims=True)


def built(path: Path, *, filters: np.ndarray = FILTERS, kind: int = TensorProto.FLOAT, first: tuple[Any, ...] = (),
          last: tuple[Any, ...] = (), held: dict[str, np.ndarray], norm: bool = False) -> Path:  # fmt: skip
    """Channels last in, the first nodes making 'pixels' of 'x', the last ones 'y' of 'p'."""
    nodes = [*first, helper.make_node("Transpose", ["pixels"], ["t"], perm=[0, 3, 1, 2])]
    nodes += [helper.make_node("Conv", ["t", "filters"], ["c"])]
    if norm:
        nodes.append(helper.make_node("BatchNormalization", ["c", "ones", "none", "none", "small"], ["n"]))
        held = {**held, "ones": np.ones(8), "none": np.zeros(8), "small": np.full(8, 1e-4)}
    nodes += [
        helper.make_node("Relu", ["n" if norm else "c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "head"], ["l"]),
        helper.make_node("Softmax", ["l"], ["p" if last else "y"]),
        *last,
    ]
    arrays = [numpy_helper.from_array(one.astype(np.float32) if one.dtype == np.float64 else one, name)
              for name, one in {"filters": filters, "head": HEAD, **held}.items()]  # fmt: skip
    out = kind if last else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x" if first else "pixels", kind, ["n", 8, 8, 3])],
        [helper.make_tensor_value_info("y", out, ["n", 4])], arrays,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_division_that_was_folded_into_the_first_weights_is_found(tmp_path):
    said, lines = asked(built(tmp_path / "net.onnx", filters=FILTERS / 255, held={}), IMAGES)
    assert "pixels: 0-255 (by what it does with them first)" in lines
    assert np.abs(said - said_of(IMAGES / 255)).max() < 1e-5


def test_weights_that_see_something_of_0_to_1_say_nothing(tmp_path):
    said, lines = asked(built(tmp_path / "net.onnx", held={}), IMAGES)
    assert "pixels: 0-1 (assumed" in lines
    assert np.abs(said - said_of(IMAGES / 255)).max() < 1e-5


@pytest.mark.parametrize("filters", [FILTERS / 255, np.where(np.arange(8)[:, None, None, None] < 7, 1e-4, FILTERS)])
def test_small_weights_prove_nothing_where_they_are_made_larger_or_some_are_not(filters, tmp_path):
    """Batch normalisation makes them as large as it likes; a network of which most filters died has some that live."""
    norm = bool(np.abs(filters).max() < 0.03)
    file = built(tmp_path / "net.onnx", filters=filters.astype(np.float32), held={}, norm=norm)
    assert range_of(onnx.load(file)) == ""


@pytest.mark.parametrize(
    ("scale", "zero", "told"),
    [
        (1.0, np.int8(-128), "0-255"), (1 / 255, np.int8(-128), "0-1"), (1 / 255, np.uint8(0), "0-1"),
        (2 / 255, np.uint8(128), ""), (0.0186, np.uint8(114), ""), (1 / 127, np.int8(0), ""),
    ],
)  # fmt: skip
def test_levels_say_which_pixels_they_are_for(scale, zero, told, tmp_path):
    first = (
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["pixels"]),
    )
    held = {"scale": np.float32(scale).reshape(()), "zero": np.array(zero)}
    file = built(tmp_path / "net.onnx", filters=FILTERS / (255 if scale == 1 else 1), first=first, held=held)
    assert range_of(onnx.load(file)) == told
    if told:
        said, lines = asked(file, IMAGES)
        assert f"pixels: {told} (by what it does with them first)" in lines
        assert np.abs(said - said_of(IMAGES / 255)).max() < 1e-4


@pytest.mark.parametrize("signed", [True, False])
def test_whole_numbers_in_and_out_are_pixels_and_probabilities(signed, tmp_path):
    zero = np.array(-128, np.int8) if signed else np.array(0, np.uint8)
    kind = TensorProto.INT8 if signed else TensorProto.UINT8
    held = {"scale": np.float32(1).reshape(()), "fine": np.float32(1 / 256).reshape(()), "zero": zero}
    file = built(
        tmp_path / "net.onnx", filters=FILTERS / 255, kind=kind, held=held,
        first=(helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["pixels"]),),
        last=(helper.make_node("QuantizeLinear", ["p", "fine", "zero"], ["y"]),),
    )  # fmt: skip
    bright = np.maximum(IMAGES, 200 * (IMAGES > 120)).astype(np.uint8)  # levels that int8 has no number for
    assert (bright > 127).mean() > 0.1
    said, lines = asked(file, bright)
    assert ("int8, for which pixels from 0 to 255 are taken less 128" in lines) == signed
    assert "output 'y': its levels are quantised, and taken as the numbers that they stand for" in lines
    assert np.abs(said - said_of(bright / 255)).max() < 2 / 256


def test_a_graph_of_pnnx_in_the_envelope_of_onnx_says_what_it_is(tmp_path):
    """As pnnx 20261020 writes NAME.pnnx.onnx: operators of torch, and no opset."""
    model = onnx.load(built(tmp_path / "net.onnx", held={}))
    del model.opset_import[:]
    onnx.save(model, tmp_path / "net.pnnx.onnx")
    with pytest.raises(Unusable, match="names no opset: it is another tool's own graph, as pnnx"):
        asked(tmp_path / "net.pnnx.onnx", IMAGES)
