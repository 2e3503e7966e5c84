"""Networks and predictions as somebody brings them, made in a moment: least squares on training pictures."""

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml.data.base import Dataset
from ml.stats.calibration import softmax


def weights(dataset: Dataset) -> np.ndarray:
    """float32 [h·w·c + 1, classes]: what makes logits of pixels from 0 to 1 and a one."""
    split = dataset["train"]
    x = np.c_[np.asarray(split.images).reshape(len(split), -1) / 255, np.ones(len(split))]
    wanted = 8 * np.eye(len(dataset.classes))[split.labels]
    return np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ wanted).astype(np.float32)


def network(
    dataset: Dataset, place: Path, *, metadata: dict[str, str] | None = None, data: str = "", most: float = 1
) -> Path:
    """An ONNX file, float32 [n, c, h, w] in, logits out. data: the name of a file beside it that holds its weights;
    most: what a white pixel is for it."""
    height, width, channels = dataset.shape
    made = weights(dataset)
    pixels = made[:-1].reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(-1, made.shape[1])
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", channels, height, width])
    said = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", made.shape[1]])
    arrays = [
        numpy_helper.from_array(np.ascontiguousarray(pixels / np.float32(most)), "weights"),
        numpy_helper.from_array(made[-1], "bias"),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "linear", [given], [said], arrays), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    more = {"save_as_external_data": True, "location": data, "size_threshold": 0} if data else {}
    onnx.save(model, str(place), **more)
    return place


def probabilities(dataset: Dataset, split: str) -> np.ndarray:
    """float32 [n, classes] that the same network gives."""
    images = np.asarray(dataset[split].images)
    return softmax(
        np.c_[images.reshape(len(images), -1) / 255, np.ones(len(images))].astype(np.float32) @ weights(dataset)
    )


def predictions(dataset: Dataset, place: Path, *, names: dict[str, str] | None = None, more: int = 0) -> Path:
    """A CSV of split, id and a column each class for test and validation. names: class → what the file calls it; more:
    rows of no picture."""
    with place.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["split", "id", *((names or {}).get(name, name) for name in dataset.classes)])
        for split in ("test", "validation"):
            said = probabilities(dataset, split)
            for i, row in zip(dataset[split].ids.tolist(), said.tolist(), strict=True):
                table.writerow([split, i, *row])
        for i in range(more):
            table.writerow(["test", 900_000 + i, *said[0].tolist()])
    return place
