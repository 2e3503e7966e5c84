"""What a file or folder is that was made elsewhere, told by its content; what is no classifier that can be taken in is
refused in one sentence that says what it is, and what to do.

Nothing is run or unpickled here: beginnings of files, lists of archives and short JSON are looked at, no more.
"""

import json
import pickletools
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.importing import trees
from ml.importing.graph import Unusable
from ml.system.wording import quantity

KINDS = {
    "onnx": "an ONNX file",
    "torchscript": "a TorchScript file",
    "torch-export": "a program of torch.export",
    "weights": "weights of a network",
    "hugging-face": "a Hugging Face classifier",
    "optimum": "a Hugging Face classifier as ONNX",
    "keras": "a Keras network",
    "skops": "a scikit-learn model in skops' format",
    "python": "a Python file",
}
"""Kind → what it is called in a sentence."""
CODE = ("torchscript", "torch-export", "keras", "skops", "python")
"""Kinds that carry code, or what decides which code runs: from the command line alone, in a process of their own."""
BEGINNING, LISTED, CONFIG_BYTES = 4_096, 20_000, 2**20
LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the number that torch.save began files with before they were zips
SAFE_HEADER = 100 * 2**20
EXPORT = "export it as ONNX where it was made"


@dataclass(frozen=True)
class Source:
    """kind: of KINDS; path: the file, or a folder; uploaded: whether it may come through the browser, which is what
    carries no code and no pickle; read: names of what is read of a folder, () for all of it."""

    kind: str
    path: Path
    uploaded: bool = False
    read: tuple[str, ...] = ()

    @property
    def code(self) -> bool:
        return self.kind in CODE

    @property
    def words(self) -> str:
        return KINDS[self.kind]

    @property
    def files(self) -> list[Path]:
        """All of it, for sums and checksums: the file, or those of the folder."""
        if self.path.is_file():
            return [self.path]
        if self.read:
            return sorted(self.path / one for one in self.read if (self.path / one).is_file())
        return sorted(one for one in self.path.iterdir() if one.is_file())


def source_of(path: Path) -> Source:
    """Raises Unusable for what cannot be taken in."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Unusable(f"there is no {'file' if not path.exists() else 'regular file'} {path.name}")
    try:
        with path.open("rb") as file:
            begin = file.read(BEGINNING)
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read: {error.strerror or error}") from None
    if not begin:
        raise Unusable(f"{path.name} is empty")
    for read in (_zip, _paddle, _pickle, _hdf5, _safetensors, _trees, _other, _text):
        if (found := read(path, begin)) is not None:
            return found
    if path.suffix.lower() == ".onnx" or begin[0] in (0x08, 0x12, 0x1A, 0x22, 0x2A, 0x3A, 0x42):  # a protobuf's fields
        return Source("onnx", path, uploaded=True)
    raise Unusable(
        f"{path.name} is no file of a network that is known here: give ONNX, TorchScript, torch.export, safetensors, a "
        "state dict, .keras, skops, a Hugging Face folder or a Python file"
    )


def _refuse(path: Path, what: str, advice: str) -> Unusable:
    return Unusable(f"{path.name} is {what}: {advice}")


def _zip(path: Path, begin: bytes) -> Source | None:
    if not begin.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:LISTED]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        raise Unusable(f"{path.name} begins like a zip archive and is damaged or cut off: copy it again") from None
    top = {*names}
    below = {name.partition("/")[2] for name in names}
    for kind, fits in (
        ("keras", {"config.json", "metadata.json"} <= top and any(one.startswith("model.weights") for one in top)),
        ("skops", "schema.json" in top),
        ("torch-export", bool({"serialized_exported_program.json"} & top) or "archive_format" in below),
        ("torchscript", "data.pkl" in below and any(name.startswith("code/") for name in below)),
        ("weights", "data.pkl" in below),
    ):
        if fits and kind == "torch-export" and "models/model.json" not in below and "archive_format" in below:
            raise _refuse(path, "a package of AOTInductor, compiled for one machine", EXPORT)
        if fits:
            return Source(kind, path)
    for what, advice, fits in (
        ("an exported run of this app", "python -m ml import takes it", "manifest.json" in top | below),
        ("an archive of TorchServe", "give the network within it", any(one.startswith("MAR-INF/") for one in top)),
        ("a file of arrays", "predictions are taken with --predictions", all(one.endswith(".npy") for one in names)),
        (
            "a container of Hummingbird, which rounds a forest's thresholds",
            "skops.io.dump(model, 'model.skops') of scikit-learn's model makes a file that is taken",
            {"model_type.txt", "deploy_model.zip"} <= top,
        ),
        ("a package of Core ML", EXPORT, any(one.endswith(".mlmodel") for one in names)),
        (
            "a package of torch.package, which carries code",
            "give the network's state dict, or its ONNX",
            ".data/extern_modules" in below,
        ),
    ):
        if fits and names:
            raise _refuse(path, what, advice)
    inside = [one for one in names if Path(one).suffix.lower() in NETWORKS]
    if inside:
        raise _refuse(path, f"a zip archive with {inside[0][:80]} in it", "unpack it, and give that")
    raise _refuse(
        path, f"a zip archive of {quantity(len(names), 'file')}, none of them a network", "give the network itself"
    )


NETWORKS = (".onnx", ".pt", ".pth", ".pt2", ".safetensors", ".keras", ".ckpt", ".skops", ".py", ".h5", ".pb")


PICKLES = (".pkl", ".pickle", ".joblib", ".p")
SCIKIT = (
    "where it was made, import skops.io; skops.io.dump(model, 'model.skops') makes a file that is taken, or from "
    "skl2onnx import to_onnx; open('model.onnx', 'wb').write(to_onnx(model, pixels[:1]).SerializeToString())"
)


def _paddle(path: Path, begin: bytes) -> Source | None:
    if path.suffix.lower() in (".pdparams", ".pdiparams", ".pdmodel", ".pdopt"):
        raise _refuse(path, "a file of PaddlePaddle", PADDLE)
    return None


def _pickle(path: Path, begin: bytes) -> Source | None:
    """A state dict as torch wrote it before it wrote zips, or what nobody opens."""
    named = path.suffix.lower() in PICKLES
    if not named and (begin[0] != 0x80 or begin[1:2] not in (b"\x02", b"\x03", b"\x04", b"\x05")):
        return None
    if LEGACY in begin[:40]:
        return Source("weights", path)
    try:
        first = next(
            (str(arg) for op, arg, _ in pickletools.genops(begin) if op.name in ("GLOBAL", "SHORT_BINUNICODE")), ""
        )
    except (ValueError, IndexError):
        first = ""
    if first.startswith("sklearn"):
        raise _refuse(path, "a pickle of scikit-learn, which runs what it says when it is opened", SCIKIT)
    raise _refuse(
        path, "a pickle, which runs what it says when it is opened",
        f"of a torch network give its state dict, or an ONNX; of scikit-learn, {SCIKIT}",
    )  # fmt: skip


def _hdf5(path: Path, begin: bytes) -> Source | None:
    """Of Keras before .keras; what is no network of it, the one that opens it says."""
    return Source("keras", path) if begin.startswith(b"\x89HDF\r\n\x1a\n") else None


def _safetensors(path: Path, begin: bytes) -> Source | None:
    length = int.from_bytes(begin[:8], "little")
    fits = begin[8:9] == b"{" and 2 <= length <= min(SAFE_HEADER, path.stat().st_size - 8)
    return Source("weights", path, uploaded=True) if fits else None


PADDLE = "paddle.onnx.export(network, 'net', input_spec=[…]) writes the ONNX, where the network was made"
JAX = "jax2onnx.to_onnx(network, [('n', height, width, channels)]) makes the ONNX, where it was made"
YDF = "give what it predicts itself, with --predictions"
HUB = (
    "model = keras_hub.models.ImageClassifier.from_preset(folder), model.trainable = False and "
    "model.export('net.onnx', format='onnx'), with torch within torch.no_grad(), make the ONNX, without what its "
    "image_converter.json does with pixels first: say that with --range, --mean and --std"
)
FLAX = re.compile(rb"\xa7float(?:32|64)[\xc4-\xc6]|\xa8bfloat16[\xc4-\xc6]|\xa7float16[\xc4-\xc6]")
NAMED = {".mnn": "a network of MNN", ".caffemodel": "weights of Caffe", ".rknn": "a network built for Rockchip's chips",
         ".hef": "a network built for Hailo's chips", ".mlmodel": "a network of Core ML"}  # fmt: skip
"""How files end that nothing in them tells."""
MAGIC: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (lambda b: b.startswith(b"GGUF"), "a GGUF file, in which language models are kept",
     "of a classifier of pictures give the network that it was made from"),
    (lambda b: b[:4] in (b"ggml", b"lmgg", b"tjgg"), "a GGML file of a language model", "a classifier is wanted"),
    (lambda b: b[4:8] == b"TFL3", "a TensorFlow Lite file", "convert it with tf2onnx --tflite, and give the ONNX"),
    (lambda b: b[4:8] == b"ET12", "a program of ExecuTorch", EXPORT),
    (lambda b: b[4:8] == b"ORTM", "onnxruntime's own form of a network", "give the ONNX file that it was made from"),
    (lambda b: b[:4] in (b"ptrt", b"ftrt", b"trtf"), "an engine of TensorRT, built for one machine",
     "give the ONNX that it was built from"),
    (lambda b: b.startswith(b"PAR1"), "a parquet table", "predictions are taken with --predictions"),
    (lambda b: b.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")),
     "compressed", "unpack it, and give what is within"),
    (lambda b: b[257:262] == b"ustar", "a tar archive", "unpack it, and give what is within"),
    (lambda b: b.startswith(b"\x93NUMPY") and b.count(b"\x93NUMPY") > 1, "weights of Equinox", JAX),
    (lambda b: b.startswith(b"\x93NUMPY"), "an array", "predictions are taken with --predictions"),
    (lambda b: FLAX.search(b) is not None and (0x81 <= b[0] <= 0x8F or b[0] in (0xDE, 0xDF)), "weights of Flax", JAX),
    (lambda b: b"StableHLO_v" in b, "a program of StableHLO, as jax.export writes it", JAX),
    (lambda b: b.startswith(b"\x12\x01\0\0\0\0\0\0"), "weights of MXNet", EXPORT),
    (lambda b: b.startswith(b"7767517"), "a network of ncnn", EXPORT),
    (lambda b: b.startswith(b"BS\x01\0") and b[12:15] == b"YDF", "a forest of YDF", YDF),
    (lambda b: b.startswith((b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe")), "a program", "give the network itself"),
    (lambda b: b.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")), "a picture", "give the network"),
)  # fmt: skip
"""Whether a file's beginning is of it, what it is, what to do."""


def _trees(path: Path, begin: bytes) -> Source | None:
    """Of files of trees all are refused: some would be another classifier as ONNX."""
    if found := trees.of_file(path, begin):
        raise _refuse(path, *found)
    return None


def _other(path: Path, begin: bytes) -> Source | None:
    for fits, what, advice in MAGIC:
        if fits(begin):
            raise _refuse(path, what, advice)
    if path.name.lower().endswith(".msgpack"):
        raise _refuse(path, "weights of Flax", JAX)
    if path.suffix.lower() in NAMED:
        raise _refuse(path, NAMED[path.suffix.lower()], EXPORT)
    if path.suffix.lower() == ".bin" and path.with_suffix(".param").is_file():
        raise _refuse(path, f"weights of ncnn, of the network in {path.with_suffix('.param').name}", EXPORT)
    if path.suffix.lower() == ".bin" and path.with_suffix(".xml").is_file():
        raise _refuse(path, f"weights of OpenVINO, of the network in {path.with_suffix('.xml').name}", EXPORT)
    return None


def _text(path: Path, begin: bytes) -> Source | None:
    """A Python file, or a text that stands for something else."""
    if b"\x00" in begin:
        return None
    try:
        text = begin.decode("utf-8-sig", "strict" if len(begin) < BEGINNING else "ignore")
    except UnicodeDecodeError:
        return None
    if any(ord(sign) < 32 and sign not in "\t\n\r\f" for sign in text):
        return None
    if path.suffix.lower() == ".py":
        return Source("python", path)
    start = text.lstrip().lower()
    if start.startswith("version https://git-lfs"):
        raise _refuse(path, "a pointer of Git LFS, not the file", "git lfs pull brings it")
    if start.startswith(("<!doctype html", "<html")):
        raise _refuse(path, "a web page", "what was to be downloaded was not: fetch it again")
    if "<pmml" in start:
        raise _refuse(path, "a model in PMML", "give its ONNX, or what it predicts, with --predictions")
    if "stablehlo." in start or "mhlo." in start:
        raise _refuse(path, "a program of StableHLO, in words", JAX)
    if start.startswith(("<?xml", "<net")):
        raise _refuse(path, "XML, as OpenVINO describes a network", EXPORT)
    if start.startswith(("{", "[")):
        if '"modelTopology"' in text or '"weightsManifest"' in text:
            raise _refuse(path, "a network of TensorFlow.js", "give the Keras network that it was made from")
        if '"weight_map"' in text:
            raise _refuse(path, "an index of weights in several files", "give the folder that it lies in")
        if '"base_code"' in text and '"program"' in text:
            raise _refuse(path, "a program of PaddlePaddle", PADDLE)
        raise _refuse(
            path, "JSON", "predictions are taken with --predictions; of a Hugging Face classifier give the folder"
        )
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".jsonl"):
        raise _refuse(path, "a table", "predictions are taken with --predictions")
    if path.suffix.lower() == ".ipynb" or path.suffix.lower() in (".yaml", ".yml", ".cfg"):
        raise _refuse(path, "a text about a network", "give the network itself")
    return None


def _folder(path: Path) -> Source:
    inside = {one.name for one in path.iterdir()}
    for what, advice, fits in (
        ("a TensorFlow SavedModel", "convert it with tf2onnx --saved-model, and give the ONNX",
         "saved_model.pb" in inside),
        ("a preset of KerasHub", HUB, {"config.json", "metadata.json", "task.json"} <= inside),
        ("an unpacked Keras network", "zip its files again as net.keras", {"config.json", "metadata.json"} <= inside),
        ("a pipeline of diffusers", "a classifier of pictures is wanted", "model_index.json" in inside),
        ("an adapter of PEFT", "model.merge_and_unload() merges it into its network: give that",
         "adapter_config.json" in inside),
        ("a run of this app", "python -m ml import takes its zip", "manifest.json" in inside),
        ("a package of Core ML", EXPORT, "Manifest.json" in inside),
        ("a cache of the Hugging Face hub", "give the folder below its snapshots", {"blobs", "snapshots"} <= inside),
        ("a checkpoint of Orbax (JAX, Flax)", JAX,
         bool({"_CHECKPOINT_METADATA", "manifest.ocdbt"} & inside)),
        ("a folder of Orbax's checkpoints (JAX, Flax), one a step", JAX,
         any(one.isdigit() and (path / one / "_CHECKPOINT_METADATA").is_file() for one in inside)),
        ("a forest of YDF", YDF, {"data_spec.pb", "header.pb"} <= inside),
        ("a checkpoint of several processes", "gather it with torch.distributed.checkpoint.format_utils",
         ".metadata" in inside),
    ):  # fmt: skip
        if fits:
            raise _refuse(path, what, advice)
    if "config.json" in inside:
        config = config_of(path / "config.json")
        if "architecture" in config:  # as timm keeps its networks on the hub
            weights = [one for one in ("model.safetensors", "pytorch_model.bin") if one in inside]
            if not weights:
                raise _refuse(path, "a folder of timm without its weights", "model.safetensors has to lie in it")
            return Source("weights", path, uploaded="model.safetensors" in inside)
        if "model_type" in config or "architectures" in config:
            return _hugging_face(path, inside)
    files = sorted(one for one in inside if Path(one).suffix.lower() in NETWORKS)
    if files:
        raise _refuse(path, f"a folder with {', '.join(files[:3])} in it", "give the file")
    raise _refuse(
        path, "a folder without a network that is known here",
        "of folders, those of Hugging Face are taken, with config.json and model.safetensors",
    )  # fmt: skip


ABOUT = ("config.json", "preprocessor_config.json", "processor_config.json")
INDEX = ".index.json"
GRAPHS = ("model.onnx", "onnx/model.onnx")
"""Where optimum, and repositories for transformers.js, keep the network as ONNX."""
WEIGHTS = ("model.safetensors", f"model.safetensors{INDEX}", "pytorch_model.bin", f"pytorch_model.bin{INDEX}")
"""What Hugging Face's weights are called, or the list of their parts; those that are no pickle first."""


def _hugging_face(path: Path, inside: set[str]) -> Source:
    """A folder of theirs, of which nothing else is read: neither what a training left in it, nor code."""
    first = next((one for one in WEIGHTS if one in inside), "")
    if not first:
        graphs = sorted(one for one in inside if one.endswith(".onnx"))
        graph = next((one for one in GRAPHS if (path / one).is_file()), graphs[0] if len(graphs) == 1 else "")
        if graph:  # as optimum's exporter leaves it, and with it what says how pictures are prepared
            about = (one for one in ABOUT if one in inside)
            beside = (f"{graph}{end}" for end in ("_data", ".data"))
            return Source("optimum", path, read=(*about, graph, *(one for one in beside if (path / one).is_file())))
        if graphs:
            raise _refuse(path, f"a folder with {', '.join(graphs[:3])} in it", "give the file")
        other = sorted(one for one in inside if one.endswith((".safetensors", ".h5", ".msgpack", ".bin")))
        raise _refuse(
            path, f"a folder of Hugging Face without model.safetensors{f', and with {other[0]}' if other else ''}",
            "save_pretrained writes it, where the network was made",
        )  # fmt: skip
    parts = {first}
    if first.endswith(INDEX):
        listed = config_of(path / first).get("weight_map")
        parts |= {str(one) for one in listed.values()} if isinstance(listed, dict) else set()
        if missing := sorted(parts - inside):
            raise _refuse(path, f"a folder of Hugging Face without {missing[0][:80]}, which {first} names", "copy it")
        if len(parts) == 1:
            raise _refuse(path, f"a folder of Hugging Face whose {first} names no file", "save it again")
    read = (*(one for one in ABOUT if one in inside), *sorted(parts))
    return Source("hugging-face", path, uploaded=first.startswith("model.safetensors"), read=read)


def config_of(path: Path) -> dict[str, Any]:
    """A config.json, {} where it is none. Raises Unusable where it is far too large."""
    if path.stat().st_size > 16 * CONFIG_BYTES:
        raise Unusable(
            f"{path.name} has {path.stat().st_size / CONFIG_BYTES:,.0f} MiB, and describes a network in a few KiB"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
