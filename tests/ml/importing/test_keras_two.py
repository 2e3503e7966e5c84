"""Networks that Keras 2 saved (TensorFlow up to 2.15): opened by Keras 3 once they are in its words.

The descriptions are those of TensorFlow 2.15.1, the weights of a Keras 3 network of the same layers: both lay them out
alike.
"""

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ml.importing import from_keras
from ml.importing.graph import BEGINS, Unusable
from tests.ml.importing.test_keras import PICTURES, SIDE, held, keras, predicted, saved, task

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["keras"]


def layer(name: str, kind: str, given: list[Any] | None = None, module: str = "keras.layers", **config: Any) -> Any:
    made = {"module": module, "class_name": kind, "config": {"name": name, **config}, "registered_name": None}
    return made if given is None else {**made, "name": name, "inbound_nodes": given}


def less(name: str, given: str, function: str, number: float) -> Any:
    """Arithmetic in a functional network: a layer that says a function of TensorFlow, and its number in the call."""
    place = "keras.src.layers.core.tf_op_layer"
    call = [[given, 0, 0, {"y": number, "name": None}]]
    return layer(name, "TFOpLambda", call, place, trainable=True, dtype="float32", function=function)


WITHIN = [
    layer("given", "InputLayer", batch_input_shape=[None, SIDE - 2, SIDE - 2, 3], dtype="float32", sparse=False),
    layer("conv2d", "Conv2D", filters=4, kernel_size=[3, 3], groups=1, activation="linear", use_bias=False),
    layer("norm", "BatchNormalization", axis=[3], momentum=0.99, epsilon=0.001, center=True, scale=True),
    layer("relu", "ReLU", max_value=None, negative_slope=0.0, threshold=0.0),
    layer("mean", "GlobalAveragePooling2D", data_format="channels_last", keepdims=False),
]  # fmt: skip
LAYERS = [
    layer("pixels", "InputLayer", [], batch_input_shape=[None, SIDE, SIDE, 3], dtype="float32", sparse=False),
    less("tf.math.truediv", "pixels", "math.truediv", 127.5),
    less("tf.math.subtract", "tf.math.truediv", "math.subtract", 1.0),
    layer("depth", "DepthwiseConv2D", [[["tf.math.subtract", 0, 0, {}]]], kernel_size=[3, 3], strides=[1, 1], groups=1,
          padding="valid", activation="linear", use_bias=True, depth_multiplier=1),
    layer("body", "Sequential", [[["depth", 0, 0, {}]]], "keras", layers=WITHIN),
    layer("dense", "Dense", [[["body", 1, 0, {}]]], units=4, activation="softmax", use_bias=True),
]  # fmt: skip
NETWORK = {
    **layer("model", "Functional", module="keras.src.engine.functional", trainable=True, layers=LAYERS,
            input_layers=[["pixels", 0, 0]], output_layers=[["dense", 0, 0]]),
    "registered_name": "Functional", "compile_config": {"loss": {"class_name": "Mine", "module": "mine"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def model(keras) -> Any:
    """The same in Keras 3, with statistics that are not those of a new one."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    body = keras.Sequential(
        [
            keras.Input((SIDE - 2, SIDE - 2, 3), name="given"), layers.Conv2D(4, 3, use_bias=False, name="conv2d"),
            layers.BatchNormalization(name="norm"), layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="mean"),
        ],
        name="body",
    )  # fmt: skip
    given = keras.Input((SIDE, SIDE, 3), name="pixels")
    pixels = layers.Rescaling(1, offset=-1.0, name="b")(layers.Rescaling(1 / 127.5, name="a")(given))
    found = body(layers.DepthwiseConv2D(3, name="depth")(pixels))
    made = keras.Model(given, layers.Dense(4, activation="softmax", name="dense")(found))
    rng = np.random.default_rng(0)
    made.set_weights([rng.uniform(0.5, 1.5, one.shape) * rng.choice((-1, 1), one.shape) ** (one.ndim > 1)
                      for one in made.get_weights()])  # fmt: skip
    return made


def old_keras(model: Any, path: Path, network: dict[str, Any]) -> Path:
    with zipfile.ZipFile(saved(model, path.with_name("new.keras"))) as new, zipfile.ZipFile(path, "w") as old:
        old.writestr("config.json", json.dumps(network))
        old.writestr("metadata.json", json.dumps({"keras_version": "2.15.0", "date_saved": "2026-11-30@11:24:01"}))
        old.writestr("model.weights.h5", new.read("model.weights.h5"))
    return path


def old_hdf5(model: Any, path: Path, network: dict[str, Any]) -> Path:
    """Where classes are named without their places, and names of arithmetic are not those of its weights, of which it
    has none."""
    saved(model, path)
    with h5py.File(path, "r+") as file:
        named = [one.decode() if isinstance(one, bytes) else one for one in file["model_weights"].attrs["layer_names"]]
        others = {"a": "tf.math.truediv", "b": "tf.math.subtract"}
        for name in others:
            file["model_weights"].move(name, others[name])
        file["model_weights"].attrs["layer_names"] = [others.get(one, one) for one in named]
        plain = json.loads(json.dumps(network), object_hook=lambda one: {
            key: value for key, value in one.items() if key not in ("module", "registered_name", "compile_config")
        })  # fmt: skip
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(plain), "2.15.0"
    return path


@pytest.mark.parametrize(("written", "suffix"), [(old_keras, "keras"), (old_hdf5, "h5")])
def test_a_network_of_keras_2_says_what_it_said(written, suffix, model, tmp_path):
    file = written(model, tmp_path / f"net.{suffix}", NETWORK)
    opened = from_keras.opened(task(file))
    said, lines = held(opened, tmp_path)
    assert np.abs(said - predicted(model, PICTURES.astype("float32"))).max() < 1e-5
    assert "within it: Rescaling (times 0.007843, plus 0), Rescaling (times 1, plus -1)" in lines
    assert opened.said == {BEGINS: "0-255"}


def test_keras_itself_opens_none_of_it(keras, model, tmp_path):
    """Where it does one day, what is done here about it is no longer needed."""
    for file in (old_keras(model, tmp_path / "net.keras", NETWORK), old_hdf5(model, tmp_path / "net.h5", NETWORK)):
        with pytest.raises((TypeError, ValueError)):
            keras.saving.load_model(file, compile=False)


def test_arithmetic_that_is_no_rescaling_is_refused_with_what_its_own_keras_can_do(model, tmp_path):
    for call in ({"y": ["depth", 0, 0], "name": None}, {"y": 0, "name": None}, {"y": 2.0, "axis": 1}):
        network = copy.deepcopy(NETWORK)
        network["config"]["layers"][1]["inbound_nodes"][0][3] = call
        with pytest.raises(Unusable, match=r"saved by Keras 2\.15\.0.*tf2onnx.convert --saved-model") as refused:
            from_keras.opened(task(old_keras(model, tmp_path / "net.keras", network)))
        assert "format='onnx'" not in str(refused.value)  # which Keras 2 has not


def test_what_keras_3_still_does_not_open_says_which_keras_wrote_it(model, tmp_path):
    network = copy.deepcopy(NETWORK)
    network["config"]["layers"][3]["config"]["of_keras_2_alone"] = True
    with pytest.raises(Unusable, match=r"was saved by Keras 2\.15\.0, whose networks .* model.export\('folder'\)"):
        from_keras.opened(task(old_keras(model, tmp_path / "net.keras", network)))


def test_code_is_refused_in_old_words_too(model, tmp_path):
    network = copy.deepcopy(NETWORK)
    network["config"]["layers"][3] |= {"class_name": "Lambda"}
    with pytest.raises(Unusable, match="Lambda"):
        from_keras.opened(task(old_keras(model, tmp_path / "net.keras", network)))
