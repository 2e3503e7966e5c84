"""Keras networks: opened without any code of theirs, asked as predict asks them, written as ONNX that says so."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import numpy as np
import pytest

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.importing import conversion, from_keras, sources, trial
from ml.importing.conversion import Opened, Task, Unconvertible
from ml.importing.graph import BEGINS, Unusable
from ml.importing.understanding import Wishes
from tests.conftest import TOY
from tests.ml.importing.conftest import quietly, same_runs, told

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' own code
SIDE = 8
PICTURES = np.random.default_rng(0).integers(0, 256, (32, SIDE, SIDE, 3)).astype(np.uint8)


@pytest.fixture(autouse=True, scope="module")
def keras() -> Any:
    import keras

    assert keras.backend.backend() == "torch"
    keras.utils.set_random_seed(0)
    return keras


def network(keras: Any, *before: Any, shape: tuple[int | None, ...] = (SIDE, SIDE, 3), classes: int = 4) -> Any:
    layers = keras.layers
    return keras.Sequential([
        keras.Input(shape), *before, layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(),
        layers.Dense(classes, activation="softmax"),
    ])  # fmt: skip


def saved(model: Any, path: Path) -> Path:
    with quietly():
        model.save(path)
    return path


def predicted(model: Any, pixels: np.ndarray) -> np.ndarray:
    with quietly():
        return np.asarray(model.predict(pixels, verbose=0))


def task(path: Path, pictures: np.ndarray = PICTURES, classes: int = 4) -> Task:
    return Task(path, tuple("abcdefghij"[:classes]), pictures, Wishes())


def held(opened: Opened, tmp_path: Path, classes: int = 4, pictures: np.ndarray = PICTURES) -> tuple[np.ndarray, str]:
    """Probabilities that the source says, once its ONNX is held against them; and sentences."""
    how, lines = trial.understood(opened, opened.names, opened.said, "abcdefghij"[:classes], pictures, Wishes())
    opened.write(tmp_path / "net.onnx")
    assert conversion.held(opened, how, (tmp_path / "net.onnx").read_bytes(), pictures) < 1e-4
    return conversion.probabilities(opened, how, pictures), "\n".join([*opened.lines, *lines])


def test_a_rescaling_in_a_network_within_is_found_and_pixels_are_given_as_they_are(keras, tmp_path):
    inner = keras.Sequential([keras.layers.Rescaling(1 / 127.5, offset=-1), keras.layers.Conv2D(3, 1)], name="front")
    model = network(keras, inner, keras.layers.Dropout(0.5))
    opened = from_keras.opened(task(saved(model, tmp_path / "net.keras")))
    said, words = held(opened, tmp_path)
    assert "within it: Rescaling in front (times 0.007843, plus -1)" in words
    assert "pixels: 0-255 (by what it does with them first)" in words
    assert np.abs(said - predicted(model, PICTURES.astype(np.float32))).max() < 1e-5
    # its ONNX says so itself
    result = trial.examined(tmp_path / "net.onnx", "abcd", PICTURES[:16], Wishes(), tmp_path / "kept.onnx")
    assert "pixels: 0-255 (by its metadata)" in result["lines"]


def test_layers_that_scale_say_what_pixels_are_taken(keras, tmp_path):
    layers = keras.layers
    for before, words, begins in (
        ([layers.Rescaling(1 / 255), layers.RandomFlip()], "Rescaling (times 0.003922, plus 0)", "0-255"),
        (
            [layers.Resizing(6, 6), layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3)],
            "less 120, by 60",
            "0-255",
        ),
        ([layers.Normalization(mean=[0.5] * 3, variance=[0.25] * 3)], "Normalization (less 0.5, by 0.5)", ""),
        ([layers.BatchNormalization(), layers.Rescaling(1 / 255)], "", ""),  # of what was normalised it says nothing
        ([layers.Rescaling(2.0, offset=-1.0)], "Rescaling (times 2, plus -1)", ""),
    ):
        opened = from_keras.opened(task(saved(network(keras, *before), tmp_path / "net.keras")))
        assert opened.said.get(BEGINS, "") == begins
        assert words in "\n".join(opened.lines)


def test_augmentation_is_left_out_where_the_network_answers(keras, tmp_path):
    """Called as anybody calls it, it changes pictures at random, and Keras' own export fails on it."""
    layers = keras.layers
    augmented = layers.RandomFlip(), layers.RandomRotation(0.3), layers.RandomContrast(0.5)
    model = network(keras, *augmented, layers.Rescaling(1 / 255))
    pixels = PICTURES.astype(np.float32)
    with quietly():
        called = model(pixels).detach().numpy()
    assert np.abs(called - predicted(model, pixels)).max() > 1e-3
    opened = from_keras.opened(task(saved(model, tmp_path / "net.keras")))
    assert np.abs(opened.answer(pixels)[0] - predicted(model, pixels)).max() < 1e-5
    held(opened, tmp_path)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_narrow_numbers_are_asked_in_float32_which_is_said(policy, keras, tmp_path):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = network(keras, keras.layers.Rescaling(1 / 255))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    rough = predicted(model, PICTURES.astype(np.float32)).astype(np.float32)
    for name in ("net.keras", "net.h5"):
        opened = from_keras.opened(task(saved(model, tmp_path / name)))
        said, words = held(opened, tmp_path)
        assert f"it was saved for {policy}: it is asked in float32" in words
        assert said.dtype == np.float32
        assert 0 < np.abs(said - rough).max() < 0.02
        kept = trial.examined(tmp_path / "net.onnx", "abcd", PICTURES[:16], Wishes(), tmp_path / "kept.onnx")
        assert kept["interface"]["type"] == "tensor(float)"


def test_networks_of_many_makings_are_written(keras, tmp_path):
    layers, ops = keras.layers, keras.ops
    given = keras.Input((SIDE, SIDE, 3))
    hidden = layers.Conv2D(4, 3, activation="gelu", kernel_regularizer="l2")(given / 255.0 - 0.5)
    functional = keras.Model(given, layers.Dense(4)(ops.mean(hidden, axis=(1, 2))) - 1.0)
    features = layers.GlobalAveragePooling2D()(hidden)
    both = keras.Model(given, {"features": features, "scores": layers.Dense(4, activation="softmax")(features)})
    whole = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    of_bytes = keras.Model(whole, layers.Dense(4)(layers.Flatten()(layers.Rescaling(1 / 255)(whole))) - 1.0)
    for name, model, words in (
        ("functional", functional, "numbers are logits"),
        ("both", both, "output 'scores'"),
        ("open", network(keras, shape=(None, None, 3)), "nhwc (by its shape)"),
        ("bytes", of_bytes, "uint8, nhwc"),
    ):
        opened = from_keras.opened(task(saved(model, tmp_path / f"{name}.keras")))
        assert words in held(opened, tmp_path)[1], name
    one = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    opened = from_keras.opened(task(saved(one, tmp_path / "one.keras"), classes=2))
    expected = opened.answer(PICTURES.astype(np.float32) / 255)[0]
    assert expected.shape == (32, 1), "one number, of which two are made for every kind alike (test_two_classes.py)"


def test_what_is_code_or_is_not_keras_own_is_refused_before_keras_opens_it(keras, tmp_path, monkeypatch):
    class Mine(keras.layers.Layer):
        def call(self, given: Any) -> Any:
            return given * 2

    class Whole(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(4)

        def call(self, given: Any) -> Any:
            return self.dense(self.flat(given))

    def halved(given: Any) -> Any:
        return given / 2

    subclassed = Whole()
    subclassed(PICTURES.astype(np.float32))
    layers = keras.layers
    files = {
        "lambda.keras": (network(keras, layers.Lambda(lambda x: x / 255.0)), "Lambda in it, which is code and is not"),
        "named.keras": (network(keras, layers.Lambda(halved)), "has Lambda in it"),
        "lambda.h5": (network(keras, layers.Lambda(lambda x: x / 255.0)), "has Lambda in it"),
        "own.keras": (network(keras, Mine()), r"parts of its own \(Mine\), whose code is not in the file"),
        "whole.keras": (subclassed, r"parts of its own \(Whole\)"),
        "activation.keras": (network(keras, layers.Activation(halved)), r"parts of its own \(halved\)"),
    }  # fmt: skip
    paths = {name: saved(model, tmp_path / name) for name, (model, _) in files.items()}
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras opened it"))
    for name, (_, sentence) in files.items():
        with pytest.raises(Unusable, match=sentence):
            from_keras.opened(task(paths[name]))


def rewritten(path: Path, target: Path, change: Any) -> Path:
    """A .keras with another description."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def test_a_description_that_names_other_modules_is_not_followed(keras, tmp_path, monkeypatch):
    path = saved(network(keras), tmp_path / "net.keras")
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras opened it"))
    named = ("os", "system"), ("keras.utils", "get_file"), ("keras.src.saving", "load_model"), ("builtins", "eval")
    for module, name in named:

        def change(config: dict[str, Any], module: str = module, name: str = name) -> None:
            config["config"]["layers"][1]["config"]["activation"] = {"module": module, "class_name": name, "config": {}}

        with pytest.raises(Unusable, match=f"parts of its own \\({name}\\)"):
            from_keras.opened(task(rewritten(path, tmp_path / "bad.keras", change)))

    def reads(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["class_name"] = "TextVectorization"

    with pytest.raises(Unusable, match=r"reads texts \(TextVectorization\)"):
        from_keras.opened(task(rewritten(path, tmp_path / "words.keras", reads)))
    monkeypatch.undo()
    for damage in (lambda config: config.clear(), lambda config: config["config"].pop("layers")):
        with pytest.raises(Unusable, match="cannot be opened by Keras"):
            from_keras.opened(task(rewritten(path, tmp_path / "bad.keras", damage)))


def test_hdf5_without_a_network_or_with_numbers_elsewhere_is_refused(keras, tmp_path):
    model = network(keras)
    with quietly():
        model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(Unusable, match="holds weights alone, without the network"):
        from_keras.opened(task(tmp_path / "w.weights.h5"))
    path = saved(model, tmp_path / "net.h5")
    assert sources.source_of(path).kind == "keras"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(3)
    with h5py.File(path, "r+") as file:
        file["model_weights"]["more"] = h5py.ExternalLink("other.h5", "/secret")
    with pytest.raises(Unusable, match="wants numbers out of another file"):
        from_keras.opened(task(path))
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(Unusable, match="damaged, or no network of Keras"):
        from_keras.opened(task(tmp_path / "bad.h5"))
    two = [keras.Input((SIDE, SIDE, 3)), keras.Input((SIDE, SIDE, 3))]
    added = keras.Model(two, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Add()(two))))
    with pytest.raises(Unusable, match="takes 2 inputs"):
        from_keras.opened(task(saved(added, tmp_path / "two.keras")))


def test_a_network_that_no_exporter_writes_says_so(keras, tmp_path, monkeypatch):
    opened = from_keras.opened(task(saved(network(keras), tmp_path / "net.keras")))

    def fails(*_: Any) -> bytes:
        raise RuntimeError("no such operator\n Defined at: secret.py")

    monkeypatch.setattr(from_keras, "exported", fails)
    with pytest.raises(Unconvertible, match=r"^RuntimeError: no such operator$"):
        opened.write(tmp_path / "net.onnx")


@pytest.fixture
def trained(keras: Any, toy_data: Any) -> Any:
    """Of the toy's pictures, a little."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Conv2D(6, 5, strides=3, activation="relu"),
        layers.Flatten(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    split = toy_data["train"]
    with quietly():
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(split.images[:600].astype(np.float32), split.labels[:600], epochs=2, batch_size=60, verbose=0)
    return model


def test_a_keras_network_and_its_own_export_are_the_same_run(trained, toy_data, own_home, tmp_path, capsys):
    saved(trained, tmp_path / "net.keras")
    with quietly():
        trained.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    said = {split: predicted(trained, part.images[:].astype(np.float32)) for split, part in toy_data.splits.items()}
    told(said, toy_data, tmp_path / "said.csv")
    for name, kind, file in (
        ("itself", "network", "net.keras"), ("export", "network", "net.onnx"), ("said", "predictions", "said.csv"),
    ):  # fmt: skip
        assert main(["runs", "add", name, "--data", TOY, f"--{kind}", str(tmp_path / file)]) == 0
    assert "within it: Rescaling (times 0.003922, plus 0)" in capsys.readouterr().err
    library = Library(own_home / "none", own_home)
    runs = [library.open(name) for name in ("itself", "export", "said")]
    assert [run.manifest["kind"] for run in runs] == ["imported", "imported", "recorded"]
    same_runs(runs, said)
    assert runs[0].manifest["results"]["test"]["correct"] / runs[0].manifest["results"]["test"]["n"] > 0.5
