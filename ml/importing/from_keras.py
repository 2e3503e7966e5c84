"""A Keras network (.keras, or the HDF5 before it): opened without any code of its own, asked, and written as ONNX.

A layer that is code (Lambda), or that Keras itself does not define, is refused by what the file says of it, before
Keras opens it. It is asked by torch, whatever it was made with.
"""

import contextlib
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.artifacts.reader import Missing
from ml.importing import keras_two
from ml.importing.conversion import Opened, Slot, Task, Unconvertible
from ml.importing.graph import BEGINS, Unusable
from ml.inference.imported import TYPES
from ml.system.damage import DAMAGED

if TYPE_CHECKING:
    import torch

CONFIG_BYTES = 64 * 2**20
CODE = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer", "__lambda__")
"""Classes of Keras that hold code, or what unpickles some."""
WORDS = ("StringLookup", "IntegerLookup", "TextVectorization", "HashedCrossing", "Hashing")
OWN = tuple(
    f"keras.{one}" for one in (
        "activations", "applications", "constraints", "dtype_policies", "initializers", "layers", "models", "ops",
        "quantizers", "regularizers",
    )
)  # fmt: skip
INNER = (None, "__keras_tensor__", "__slice__", "__tensor__", "__numpy__", "__ellipsis__", "__tuple__")
PASSING = (
    "InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "Resizing", "CenterCrop", "ZeroPadding2D", "Reshape",
    "Permute", "Flatten", "ActivityRegularization", "Pipeline",
)  # fmt: skip
"""Layers that leave pixels the numbers that they are, as do those whose names begin with Random."""
NARROW = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")
EXPORTS: tuple[dict[str, Any], ...] = ({"dynamo": False, "opset_version": 20}, {"dynamo": True})
"""As Keras does it itself, and as torch does it from now on: each writes networks that the other does not."""
AFTER = "export it as ONNX where it was made, model.export('net.onnx', format='onnx')"
BEFORE = (
    "where it was made, model.export('folder'), then python -m tf2onnx.convert --saved-model folder --output net.onnx "
    "writes the ONNX, which is taken"
)
NAME, MOST = "images", 20  # of pixels from 0 to 1 nobody takes off as much, or divides by so much


def load() -> None:
    """Keras, on torch. Raises Missing without it."""
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras  # noqa: F401
    except ImportError:
        raise Missing("keras is not installed.", "pip install -r requirements-networks.txt") from None


def opened(task: Task) -> Opened:
    """Raises Unusable, and Missing without Keras."""
    load()
    import keras

    config, narrow, version = described(task.path)
    with tempfile.TemporaryDirectory() as folder, quiet():
        file = in_full(task.path, config, Path(folder)) if narrow or version else task.path
        try:
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as error:  # whatever a layer raises that is built from numbers that do not fit
            words = " ".join(str(error).split())[:200]
            if version:
                raise Unusable(
                    f"{task.path.name} was saved by Keras {version}, whose networks Keras {keras.__version__} opens in "
                    f"part, and not this one: {BEFORE}"
                ) from None
            raise Unusable(
                f"{task.path.name} cannot be opened by Keras {keras.__version__} ({words}): open it where it was made, "
                "and write model.export('net.onnx', format='onnx')"
            ) from None
    slot = slot_of(model, task)
    names = tuple(outputs_of(model, slot))
    found = [*first_layers(model)]
    lines = [f"within it: {', '.join(words for words, _ in found)}"] if found else []
    if narrow:
        lines.append(f"it was saved for {narrow}: it is asked in float32")
    wide = any(large for _, large in found)
    if wide:
        lines.append("so it takes pixels from 0 to 255")
    said = {BEGINS: "0-255"} if wide else {}

    def answer(values: np.ndarray) -> list[np.ndarray]:
        with quiet():
            return [array for _, array in asked(model, values)]

    return Opened(
        framework=f"Keras {keras.__version__}", input=slot, outputs=names, answer=answer,
        write=lambda target: write(model, slot, names, said, target), said=said, lines=tuple(lines),
    )  # fmt: skip


def described(path: Path) -> tuple[dict[str, Any], str, str]:
    """What the file says of its layers, as Keras 3 words it; the kind of narrow numbers that it computes with ('' for
    float32); and the version of Keras that wrote it, where that is before 3. Raises Unusable for what is code, or not
    Keras' own."""
    try:
        config, version = _of_hdf5(path) if not zipfile.is_zipfile(path) else _of_zip(path)
    except Unusable:
        raise
    except DAMAGED as error:
        raise Unusable(
            f"{path.name} is damaged, or no network of Keras ({type(error).__name__}): save it again"
        ) from None
    old = version if keras_two.older(version) else ""
    if old:
        config = keras_two.in_new_words(config)
    advice = BEFORE if old else AFTER
    code, strange, words = set(), set(), set()
    for one in classes_of(config):
        name, module = str(one["class_name"]), one.get("module")
        package = (one.get("registered_name") or "").rpartition(">")[0]
        if name in CODE or (name == "function" and module == "builtins"):
            code.add(name)
        elif name in WORDS:
            words.add(name)
        elif not _own(name, module) or package:
            strange.add(name)
    if code - {"function"}:
        raise Unusable(
            f"{path.name} has {_list(code - {'function', '__lambda__'} or {'a lambda'})} in it, which is code and "
            f"is not run: put layers of Keras in its place, or {advice}"
        )
    strange |= {str(one.get("config")) for one in classes_of(config) if one["class_name"] == "function"}
    if strange:
        raise Unusable(f"{path.name} has parts of its own ({_list(strange)}), whose code is not in the file: {advice}")
    if words:
        raise Unusable(f"{path.name} reads texts ({_list(words)}), and a classifier of pictures is wanted")
    kinds = {str(one) for one in policies(config)} & {*NARROW}
    return config, ", ".join(sorted(kinds)), old


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)[:5])


def _own(name: str, module: object) -> bool:
    """Whether Keras itself defines it. Files before Keras 3 name classes alone."""
    if name in INNER:
        return True
    if module is None:
        import keras

        places = (keras.layers, keras.models, keras.initializers, keras.regularizers, keras.constraints, keras)
        return any(hasattr(place, name) for place in places)
    plain = str(module).replace("keras.src.", "keras.")
    return plain == "keras" or any(plain == own or plain.startswith(f"{own}.") for own in OWN)


def classes_of(value: Any) -> Iterator[dict[str, Any]]:
    """Everything that names a class, however deep. Raises ValueError where it is deeper than any network."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("class_name"), str):
                yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def policies(value: Any) -> Iterator[object]:
    """Names of the types that layers compute with."""
    for one in classes_of(value):
        config = one.get("config")
        if isinstance(config, dict):
            dtype = config.get("dtype")
            yield config.get("name") if "Policy" in one["class_name"] else dtype if isinstance(dtype, str) else None


def _of_zip(path: Path) -> tuple[dict[str, Any], str]:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > CONFIG_BYTES:
            raise ValueError("its description is too long")
        config: dict[str, Any] = json.loads(archive.read("config.json"))
        about = archive.open("metadata.json").read(CONFIG_BYTES) if "metadata.json" in archive.namelist() else b"{}"
    config.pop("compile_config", None)  # of training: never read, and full of people's own losses
    said = json.loads(about)
    return config, str(said.get("keras_version") or "3") if isinstance(said, dict) else "3"


def _of_hdf5(path: Path) -> tuple[dict[str, Any], str]:
    try:
        import h5py
    except ImportError:
        raise Missing("h5py is not installed.", "pip install -r requirements-networks.txt") from None
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise Unusable(
                f"{path.name} holds weights alone, without the network: save it whole, model.save('net.keras')"
            )
        found: dict[str, Any] = json.loads(file.attrs["model_config"])
        _within(file, path)
        version = file.attrs.get("keras_version") or "2"
    return found, version.decode() if isinstance(version, bytes) else str(version)


def _within(file: Any, path: Path) -> None:
    """Raise Unusable where the file is to read others, as HDF5 can."""
    import h5py

    waiting = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            one = None if isinstance(link, h5py.ExternalLink) else group.get(name)
            if isinstance(link, h5py.ExternalLink) or (isinstance(one, h5py.Dataset) and one.external):
                raise Unusable(f"{path.name} wants numbers out of another file: save it again, model.save('net.keras')")
            if isinstance(one, h5py.Group) and not isinstance(link, h5py.SoftLink):
                waiting.append(one)


def in_full(path: Path, config: dict[str, Any], folder: Path) -> Path:
    """A copy described by this configuration, whose layers compute in float32: narrow numbers are for training, and
    onnxruntime convolves none."""
    text = json.dumps(config)
    for kind in NARROW:
        text = text.replace(json.dumps(kind), json.dumps("float32"))
    target = folder / path.name
    if not zipfile.is_zipfile(path):
        import h5py

        target.write_bytes(path.read_bytes())
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = text
        return target
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            with source.open(name) as old, copy.open(name, "w", force_zip64=True) as new:
                new.write(text.encode() if name == "config.json" else old.read())
    return target


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of tracing, which are of Keras' own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def slot_of(model: Any, task: Task) -> Slot:
    """What it takes; of sides that it leaves open those of the data set. Raises Unusable for several inputs."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1:
        many = f"takes {len(inputs)} inputs" if inputs else "does not say what it takes"
        raise Unusable(f"{task.path.name} {many}, and a classifier of pictures takes one: save it with pictures alone")
    shape = [side or 0 for side in inputs[0].shape]
    height, width, channels = task.pictures.shape[1:]
    if len(shape) == 4:
        first = shape[1] in (1, 3) and shape[3] not in (1, 3)
        own = (channels, height, width) if first else (height, width, channels)
        shape[1:] = [side or mine for side, mine in zip(shape[1:], own, strict=True)]
    kind = f"tensor({'float' if inputs[0].dtype == 'float32' else inputs[0].dtype})"
    whole = inputs[0].dtype.startswith(("int", "uint"))
    return Slot(NAME, "tensor(uint8)" if whole else kind if kind in TYPES else "tensor(float)", (0, *shape[1:]))


def example(slot: Slot) -> np.ndarray:
    """Two pictures, of numbers that could be pixels."""
    made = np.random.default_rng(0).integers(0, 256, [side or 2 for side in slot.shape])
    return made.astype(TYPES[slot.type])


def outputs_of(model: Any, slot: Slot) -> list[str]:
    with quiet():
        return [name for name, _ in asked(model, example(slot))]


def asked(model: Any, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Its outputs by name, in float32. Without `training` layers of augmentation change pictures, which predict does
    not let them do."""
    import keras
    import torch

    with torch.no_grad():
        said = model(keras.ops.convert_to_tensor(values, str(model.inputs[0].dtype)), training=False)
        return [(name, keras.ops.convert_to_numpy(keras.ops.cast(one, "float32"))) for name, one in flat(said)]


def flat(said: Any) -> list[tuple[str, Any]]:
    """A tensor, a list or a dictionary of them, as names and tensors."""
    if isinstance(said, dict):
        return [(str(name), one) for name, one in said.items()]
    if isinstance(said, list | tuple):
        return [(f"output_{i}", one) for i, one in enumerate(said)]
    return [("output", said)]


def first_layers(model: Any) -> Iterator[tuple[str, bool]]:
    """Layers that scale pixels before any other sees them, in words, and whether they are made for 0 to 255; those of
    networks within the network too."""
    for layer, path in flattened(model):
        name = type(layer).__name__
        where = f" in {' / '.join(path)}" if path else ""
        if name == "Rescaling":
            scale, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
            words = f"Rescaling{where} (times {scale.flat[0]:.4g}, plus {offset.flat[0]:.4g})"
            yield words, bool(np.abs(scale).max() < 1 / MOST)
        elif name == "Normalization":
            mean, variance = (np.asarray(numbers_of(one), float) for one in (layer.mean, layer.variance))
            words = f"Normalization{where} (less {mean.flat[0]:.4g}, by {variance.flat[0] ** 0.5:.4g})"
            yield words, bool(np.abs(mean).max() > 2 or variance.max() > MOST**2)
        elif name not in PASSING and not name.startswith("Random"):
            return


def numbers_of(value: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(value)


def flattened(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Layers in the order in which they were put together, those within others in their place, with where they are."""
    for layer in model.layers:
        inner = getattr(layer, "layers", None)
        if inner and type(layer).__name__ != "Pipeline":
            yield from flattened(layer, (*path, layer.name))
        else:
            yield layer, path


def write(model: Any, slot: Slot, names: Sequence[str], said: dict[str, str], target: Path) -> None:
    """Its ONNX, of any number of pictures, with what pixels it takes among its metadata. Raises Unconvertible."""
    import onnx

    problem = ""
    for way in EXPORTS:
        try:
            content = exported(model, slot, names, way)
            break
        except Exception as error:  # of torch's exporters, which have many
            words = " ".join(str(error).split()).partition(" Defined at")[0]
            problem = problem or f"{type(error).__name__}: {words[:160]}"
    else:
        raise Unconvertible(problem)
    made = onnx.load_model_from_string(content)
    if BEGINS in said:
        made.metadata_props.add(key="Image.NominalPixelRange", value="NominalRange_0_255")
    target.write_bytes(made.SerializeToString())


def exported(model: Any, slot: Slot, names: Sequence[str], way: dict[str, Any]) -> bytes:
    """By torch, told that the network does not learn: see `asked`."""
    import onnx
    import torch

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: "torch.Tensor") -> list["torch.Tensor"]:
            return [one for _, one in flat(self.model(images, training=False))]

    kind = torch.from_numpy(np.zeros(0, TYPES[slot.type])).dtype
    example = torch.zeros([side or 2 for side in slot.shape], dtype=kind)
    free: dict[str, Any] = (
        {"dynamic_shapes": ({0: "n"},), "verbose": False}
        if way["dynamo"]
        else {"dynamic_axes": {one: {0: "n"} for one in (NAME, *names)}}
    )
    with tempfile.TemporaryDirectory() as folder, quiet(), contextlib.redirect_stdout(None), torch.no_grad():
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            Answering().eval(), (example,), file, input_names=[NAME], output_names=[*names], **way, **free
        )  # fmt: skip
        return bytes(onnx.load(file).SerializeToString())  # with the data that may lie beside it
