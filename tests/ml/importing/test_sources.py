"""What a file or folder is, told by its content whatever it is called; what is none is refused in one sentence."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ml.importing import sources
from ml.importing.graph import Unusable
from tests.ml.importing.conftest import quietly, scripted


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return made.getvalue()


def of_torch(save, *arguments, **options) -> bytes:
    made = io.BytesIO()
    with quietly():
        save(*arguments, made, **options)
    return made.getvalue()


def small() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()


def exported(target: Path) -> None:
    torch.export.save(torch.export.export(small(), (torch.zeros(1, 1, 2, 2),)), str(target))


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_each_kind_is_told_by_its_content(tmp_path):
    state = small().state_dict()
    for name, content, kind in (
        ("a.bin", of_torch(torch.jit.save, scripted(small())), "torchscript"),
        ("b.bin", of_torch(torch.save, state), "weights"),
        ("c.pth", of_torch(torch.save, state, _use_new_zipfile_serialization=False), "weights"),
        ("d.zip", zipped("config.json", "metadata.json", "model.weights.h5"), "keras"),
        ("e.pkl", zipped("schema.json", "1.npy"), "skops"),
        ("f.py", b"def probabilities(images):\n    return images\n", "python"),
        ("g.onnx", b"\x08\x07", "onnx"),
        ("h", b"\x08\x08\x12\x07pytorch", "onnx"),
    ):
        found = sources.source_of(written(tmp_path / name, content))
        assert (name, found.kind, found.uploaded) == (name, kind, kind == "onnx")
        assert found.code == (kind not in ("weights", "onnx"))
    save_file(state, tmp_path / "i.pt")
    found = sources.source_of(tmp_path / "i.pt")
    assert (found.kind, found.uploaded, found.code) == ("weights", True, False)
    exported(tmp_path / "j.pt2")
    (tmp_path / "j.pt2").rename(tmp_path / "j.zip")
    assert sources.source_of(tmp_path / "j.zip").kind == "torch-export"


def folder(path: Path, **files: object) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(json.dumps(content))
    return path


def test_folders_are_told_by_what_lies_in_them(tmp_path):
    theirs = folder(tmp_path / "a", config__json={"model_type": "vit"}, model__safetensors=1)
    assert sources.source_of(theirs).kind == "hugging-face"
    assert [one.name for one in sources.source_of(theirs).files] == ["config.json", "model.safetensors"]
    timms = folder(tmp_path / "b", config__json={"architecture": "resnet18"}, model__safetensors=1)
    assert (sources.source_of(timms).kind, sources.source_of(timms).uploaded) == ("weights", True)
    for i, (files, words) in enumerate(
        (
            ({"saved_model__pb": 1}, "a TensorFlow SavedModel: convert it"),
            ({"config__json": {}, "metadata__json": {}}, "an unpacked Keras network"),
            (
                {"config__json": {}, "metadata__json": {}, "task__json": {}},
                "a preset of KerasHub: .*ImageClassifier.from_preset",
            ),
            ({"data_spec__pb": 1, "header__pb": 1, "done": ""}, "a forest of YDF: give what it predicts"),
            ({"config__json": {"model_type": "x"}, "adapter_config__json": {}}, "an adapter of PEFT"),
            ({"blobs": 1, "refs": 1, "snapshots": 1}, "a cache of the Hugging Face hub: give the folder below"),
            ({"manifest__json": {}}, "a run of this app"),
            ({"_CHECKPOINT_METADATA": 1, "d": 1}, "a checkpoint of Orbax"),
            ({"net__onnx": 1, "readme__md": ""}, "a folder with net.onnx in it: give the file"),
            ({"config__json": {"architecture": "x"}}, "without its weights"),
            ({"config__json": [1]}, "without a network"),
            ({}, "without a network"),
        )
    ):
        with pytest.raises(Unusable, match=words):
            sources.source_of(folder(tmp_path / f"no{i}", **files))


def test_a_folder_of_orbaxs_steps_and_weights_beside_their_network_are_named(tmp_path):
    (tmp_path / "run").mkdir()
    folder(tmp_path / "run" / "2000", _CHECKPOINT_METADATA=1, default=1)
    with pytest.raises(Unusable, match=r"run is a folder of Orbax's checkpoints .*, one a step: jax2onnx"):
        sources.source_of(tmp_path / "run")
    (tmp_path / "net.param").write_text("7767517\n2 2\n")
    with pytest.raises(Unusable, match=r"weights of ncnn, of the network in net\.param: export it as ONNX"):
        sources.source_of(written(tmp_path / "net.bin", bytes(4) + np.ones(8, "<f4").tobytes()))


def compressed() -> bytes:
    return gzip.compress(b"x")


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.onnx"))
    return made.getvalue()


def of_arrays() -> bytes:
    made = io.BytesIO()
    np.savez(made, a=np.zeros(2))
    return made.getvalue()


REFUSED = {
    "empty.onnx": (b"", "is empty"),
    "m.ydf": (b"BS\x01\0\0\0\0\0\x03\0\0\0YDF\xe7\x07\0\0", "is a forest of YDF: give what it predicts itself"),
    "a.pkl": (pickle.dumps({"a": np.zeros(2)}), "is a pickle, which runs what it says"),
    "zero.pkl": (pickle.dumps([1], protocol=0), "is a pickle, which runs what it says"),
    "small.joblib": (b"x\x9cc`\x00", "skops.io.dump(model, 'model.skops')"),
    "run.zip": (zipped("big-net/manifest.json", "big-net/weights.safetensors"), "an exported run of this app"),
    "net.zip": (zipped("folder/net.onnx", "folder/readme.md"), "a zip archive with folder/net.onnx in it"),
    "words.zip": (zipped("a.txt"), "1 file, none of them a network"),
    "cut.pt": (zipped("a.txt")[:30], "damaged or cut off"),
    "a.npz": (of_arrays(), "a file of arrays: predictions are taken with --predictions"),
    "trees.zip": (
        zipped("model_type.txt", "deploy_model.zip"),
        "a container of Hummingbird, which rounds a forest's thresholds: skops.io.dump",
    ),
    "a.mar": (zipped("MAR-INF/MANIFEST.json", "net.pt"), "an archive of TorchServe"),
    "a.mlpackage.zip": (zipped("Data/x.mlmodel"), "a package of Core ML"),
    "a.pt2": (zipped("x/archive_format", "x/data/aotinductor/model/x.so"), "compiled for one machine"),
    "a.gguf": (b"GGUF\x03\x00", "a GGUF file"),
    "a.tflite": (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite file: convert it"),
    "a.ort": (b"\x1c\x00\x00\x00ORTM", "give the ONNX file that it was made from"),
    "a.engine": (b"ftrt\x00\x00", "an engine of TensorRT"),
    "a.npy": (b"\x93NUMPY\x01", "an array: predictions"),
    "a.parquet": (b"PAR1\x15", "a parquet table: predictions"),
    "a.gz": (compressed(), "is compressed: unpack it"),
    "a.tar": (tarred(), "a tar archive: unpack it"),
    "a.csv": (b"id,label\n1,2\n", "a table: predictions"),
    "a.json": (b'{"metadata": {}, "weight_map": {}}', "an index of weights in several files"),
    "config.json": (b'{"model_type": "vit"}', "of a Hugging Face classifier give the folder"),
    "a.xml": (b'<?xml version="1.0"?><net>', "as OpenVINO describes"),
    "lfs.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page.onnx": (b"<!DOCTYPE html><html>", "a web page: what was to be downloaded was not"),
    "a.png": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "flax.msgpack": (b"\x81\xa6params", "weights of Flax"),
    "a.so": (b"\x7fELF\x02", "a program"),
    "a.param": (b"7767517\n", "a network of ncnn"),
    "a.ubj": (b"{L\0\0\0\0\0\0\0\x07learner{L", "a model of XGBoost: write it as ONNX"),
    "forest.json": (
        b'{"learner":{"gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"100","num_trees":"300"}}},'
        b'"learner_model_param":{"num_class":"3"}}}',
        "a forest of XGBoost for several classes: onnxmltools 1.16 makes another classifier of it",
    ),
    "forest.ubj": (
        b"{L\0\0\0\0\0\0\0\x07learner{L"
        + b"." * 5_000
        + b"num_parallel_treeSL\0\0\0\0\0\0\0\x03100L"
        + b"num_classSL\0\0\0\0\0\0\0\x013}",
        "give what it predicts itself, with --predictions",
    ),
    "of two.json": (
        b'{"learner":{"num_parallel_tree":"100","learner_model_param":{"num_class":"0"}}}',
        "onnxmltools.convert_xgboost(model",
    ),
    "linear.txt": (
        b"tree\nversion=v4\nnum_class=3\nobjective=multiclass num_class:3\n"
        + b"." * 5_000
        + b"\nTree=0\nis_linear=1\n",
        "a model of LightGBM with linear trees",
    ),
    "each.txt": (
        b"tree\nversion=v4\nnum_class=3\nobjective=multiclassova num_class:3 sigmoid:1\n",
        "yes or no for each class",
    ),
    "random.txt": (b"tree\nversion=v4\nnum_class=1\naverage_output\nfeature_names=a\n", "a forest of LightGBM"),
    "dart.json": (
        b'{"learner":{"attributes":{},"gradient_booster":{"gbtree":{"name":"gbtree"},"name":"dart"}}}',
        "a model of XGBoost with booster='dart': onnxmltools 1.16 writes no ONNX of it",
    ),
    "lines.ubj": (
        b"{L\0\0\0\0\0\0\0\x07learner{LnameSL\0\0\0\0\0\0\0\x08gblinear",
        "a model of XGBoost with booster='gblinear'",
    ),
    "each.cbm": (
        b"CBM1\xfc\x85" + b"." * 5_000 + b'"loss_function":{"type":"MultiClassOneVsAll","params":{}}',
        "a model of CatBoost that answers yes or no for each class",
    ),
    "cat.json": (b'{\n"features_info": {}, "model_info": {"params": {}}}', "a model of CatBoost: model.save_model("),
    "params.flax": (
        b"\x84\xa2bn\x84\xa4bias\xc7-\x01\x93\x91\x08\xa7float32\xc4 " + bytes(40),
        "weights of Flax: jax2onnx",
    ),
    "net.eqx": (b"\x93NUMPY\x01\0" + bytes(90) + b"\x93NUMPY\x01\0", "weights of Equinox"),
    "net.jax": (b"<\0\0\08\0" + bytes(99) + b"ML\xefR\rStableHLO_v1.14.3\0", "a program of StableHLO"),
    "net.mlir": (b"module @jit_f { func.func public @main() { stablehlo.add } }", "a program of StableHLO, in words"),
    "net-0001.params": (b"\x12\x01" + bytes(14), "weights of MXNet"),
    "net.mnn": (b"\x20\0\0\0\x1c\0\0\0", "a network of MNN"),
    "net.pmml": (b'<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_4">', "a model in PMML"),
    "model.json": (b'{"format": "layers-model", "modelTopology": {}}', "a network of TensorFlow.js"),
    "a.pte": (b"<\0\0\0ET12eh00", "a program of ExecuTorch: export it as ONNX"),
    "boosted.json": (b'{"learner":{"attributes":{}}}', "onnxmltools.convert_xgboost(model"),
    "boosted.txt": (b"tree\nversion=v4\nnum_class=3\n", "a model of LightGBM: write it as ONNX"),
    "a.cbm": (b"CBM1\xfc\x85", "a model of CatBoost: model.save_model('net.onnx', format='onnx')"),
    "a.pdparams": (pickle.dumps({"w": np.zeros(2)}), "a file of PaddlePaddle: paddle.onnx.export"),
    "program.json": (b'{"base_code":{"magic":"pir"},"program":{}}', "a program of PaddlePaddle"),
    "noise": (bytes([200, 3, 7, 0, 255] * 9), "is no file of a network that is known here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_is_refused_in_one_sentence(name, tmp_path):
    content, words = REFUSED[name]
    with pytest.raises(Unusable) as refused:
        sources.source_of(written(tmp_path / name, content))
    assert words in str(refused.value), str(refused.value)
    assert str(refused.value).startswith(name)
    assert "\n" not in str(refused.value)


def test_weights_of_openvino_are_told_by_what_lies_beside_them(tmp_path):
    written(tmp_path / "net.xml", b'<?xml version="1.0"?><net>')
    with pytest.raises(Unusable, match=r"net\.bin is weights of OpenVINO, of the network in net\.xml: export"):
        sources.source_of(written(tmp_path / "net.bin", bytes([200, 3, 7, 0, 255] * 9)))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(Unusable, match=r"there is no file none\.pt"):
        sources.source_of(tmp_path / "none.pt")
