"""Three engines for one network, as nouns of a run, and measured side by side."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from ml import __main__ as cli
from ml import pipeline
from ml.artifacts import schema, writer
from ml.artifacts.reader import Broken, Library, Missing
from ml.evaluation import engines
from ml.images.form import Form
from ml.images.upload_archives import Item
from ml.inference import batch
from ml.inference.contract import ImageClassifier, check
from ml.inference.engines import ENGINES, open_run
from ml.inference.onnx import OnnxClassifier
from ml.publishing import run_archive
from ml.system.paths import ROOT


@pytest.fixture(scope="module")
def made(toy_home, tmp_path_factory):
    """A library in which the toy run has all three."""
    import shutil

    home = tmp_path_factory.mktemp("engines") / "home"
    shutil.copytree(toy_home, home)
    library = Library(home / "nothing", home)
    patch = pytest.MonkeyPatch()
    patch.setattr(engines, "ROUNDS", 1)
    assert pipeline.evaluate(library, "toy", ["engines"]) == ["engines"]
    patch.undo()
    return library


def test_files_lie_beside_the_run_with_checksum_and_size(made):
    run = made.open("toy")
    for noun in ("onnx", "int8"):
        entry = run.manifest["nouns"][noun]
        path = made.home / "runs" / "toy" / entry["file"]
        assert entry["sha256"] == writer.sha256(path)
        assert entry["bytes"] == path.stat().st_size == len(run.graph(noun))
    assert run.files()["network-int8.onnx"].is_file()


def test_each_engine_answers(made):
    run = made.open("toy")
    images = made.pictures(run.manifest["dataset"]["name"], "test").images[:40]
    said = {}
    for name in ENGINES:
        engine = open_run(run, name)
        assert (engine.classes, engine.shape) == (tuple(run.manifest["dataset"]["classes"]), (28, 28, 1))
        said[name] = engine.probabilities(images)
        assert said[name].dtype == np.float32
        assert np.allclose(said[name].sum(1), 1, atol=1e-5)
        logits, features = engine.logits_and_features(images)
        assert np.array_equal(logits.argmax(1), said[name].argmax(1))
        assert np.allclose(engine.features(images), features, atol=1e-6)
        assert engine.latency() > 0
        with pytest.raises(ValueError, match="uint8"):
            engine.probabilities(images.astype(np.float32))
        with pytest.raises(ValueError, match="uint8"):
            engine.probabilities(images[:, :20])
    assert np.abs(said["onnx"] - said["torch"]).max() < 1e-4
    assert 0 < np.abs(said["int8"] - said["torch"]).mean() < 0.02


def test_the_table_is_what_the_engines_say(made):
    run = made.open("toy")
    table = run.table("engines").set_index("engine")
    test = made.pictures(run.manifest["dataset"]["name"], "test")
    assert list(table.index) == [*ENGINES]
    for name in ENGINES:
        row, said = table.loc[name], open_run(run, name).probabilities(test.images).argmax(1)
        assert row["correct"] == (said == test.labels).sum()
        assert row["n"] == 400
        assert row["low"] < row["accuracy"] == row["correct"] / 400 < row["high"]
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["images_per_second"] > 0
    assert table["bytes"].tolist() == [run.manifest["bytes"], len(run.graph("onnx")), len(run.graph("int8"))]
    assert table.loc["torch", "correct"] == run.manifest["results"]["test"]["correct"]
    assert table.loc["torch", "agreeing"] == 400
    assert table.loc["onnx", "difference"] < 1e-4


class Fixed:
    """An engine that says the same of everything."""

    classes, shape = ("a", "b"), (2, 2, 1)

    def __init__(self, sure):
        self.sure = sure

    def probabilities(self, images):
        return np.repeat(np.array([[self.sure, 1 - self.sure]], np.float32), len(images), 0)


def test_right_answers_agreement_and_difference_by_hand():
    images, labels = np.zeros((10, 2, 2, 1), np.uint8), np.array([0] * 7 + [1] * 3)
    given = {"torch": (Fixed(0.75), 900), "other": (Fixed(0.25), 300)}
    table = engines.compare(given, images, labels, rounds=2, times=3, warm_up=1).set_index("engine")
    schema.NOUNS["engines"].check(table.reset_index())
    assert table["correct"].tolist() == [7, 3]
    assert table["agreeing"].tolist() == [10, 0]
    assert table["bytes"].tolist() == [900, 300]
    assert table["difference"].tolist() == [0.0, 0.5]
    assert table["times"].tolist() == [6, 6]
    assert table.loc["torch", "low"] == pytest.approx(0.3968, abs=1e-4)  # Wilson's interval of 7 in 10


def test_what_is_not_there_names_the_command(toy_home):
    run = Library(toy_home, toy_home).open("toy")
    with pytest.raises(Missing) as missing:
        open_run(run, "int8")
    assert missing.value.command == "python -m ml evaluate toy --only int8"
    with pytest.raises(ValueError, match="unknown engine 'gpu'"):
        open_run(run, "gpu")


def test_a_file_that_was_changed_is_never_opened(made, tmp_path):
    import shutil

    home = tmp_path / "home"
    shutil.copytree(made.home, home)
    path = home / "runs" / "toy" / "network-onnx.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Broken, match="checksum"):
        open_run(Library(home, home).open("toy"), "onnx")


def test_what_is_no_network_of_the_run_is_refused(made):
    run = made.open("toy")
    about, graph = run.manifest["dataset"], run.graph("onnx")
    with pytest.raises(Broken, match="cannot be read"):
        OnnxClassifier(graph[:2_000], about)
    for change in ({"classes": ["a", "b"]}, {"height": 14}, {"channels": 3}):
        with pytest.raises(Broken, match="other pictures or classes"):
            OnnxClassifier(graph, {**about, **change})
    for data in (b"", b"\x80\x04pickle, never opened", b"PK\x03\x04" + bytes(40)):
        with pytest.raises(schema.Mismatch, match="no ONNX file"):
            schema.NOUNS["onnx"].check(data)


def test_an_archive_neither_holds_nor_takes_onnx(made, tmp_path):
    run = made.open("toy")
    parcel = run_archive.pack(run, "card")
    with zipfile.ZipFile(io.BytesIO(parcel)) as packed:
        names, manifest = packed.namelist(), json.loads(packed.read("manifest.json"))
        content = {name: packed.read(name) for name in names}
    assert not [name for name in names if name.endswith(".onnx")]
    assert "engines.parquet" in names
    assert not {"onnx", "int8"} & set(manifest["nouns"])
    taken = run_archive.unpack(io.BytesIO(parcel), Library(tmp_path, tmp_path), name="again")
    assert Library(tmp_path, tmp_path).open(taken.run_id).table("engines")["engine"].tolist() == [*ENGINES]
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as packed:
        for name, data in content.items():
            packed.writestr(name, data)
        packed.writestr("network-int8.onnx", run.graph("int8"))
    with pytest.raises(run_archive.Unfit, match=r"network-int8\.onnx is no file of a run"):
        run_archive.unpack(forged, Library(tmp_path, tmp_path), name="forged")


def test_the_file_for_elsewhere(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_HOME", str(home))
    target = tmp_path / "net.onnx"
    assert cli.main(["export", "toy", "--as", "onnx", "--to", str(target)]) == 0
    assert "MB" in capsys.readouterr().out
    assert target.read_bytes() == Library(home, home).open("toy").graph("onnx")


def test_onnx_is_served_without_torch(made):
    code = (
        "import sys, numpy as np; from pathlib import Path; from ml.artifacts.reader import Library; "
        "from ml.inference.engines import open_run; home = Path(sys.argv[1]); "
        "engine = open_run(Library(home, home).open('toy'), 'int8'); "
        "print(engine.probabilities(np.zeros((1, 28, 28, 1), np.uint8)).shape, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(made.home)], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.split() == ["(1,", "4)", "False"], told.stderr


def test_what_offers_the_least_is_asked_like_any_network():
    class Dark:
        """Says 'dark' of what is."""

        classes: tuple[str, ...] = ("dark", "light")
        shape: tuple[int, int, int] = (8, 8, 1)

        def probabilities(self, images: np.ndarray) -> np.ndarray:
            check(images, self.shape)
            light = images.mean((1, 2, 3), dtype=np.float32) / 255
            return np.stack([1 - light, light], axis=1)

    network: ImageClassifier = Dark()
    stored = io.BytesIO()
    Image.fromarray(np.full((8, 8), 51, np.uint8)).save(stored, "PNG")
    (answer,) = batch.answers([Item("a.png", stored.getvalue())], Form(8, 8, 1), network.classes, network.probabilities)
    assert answer.line(network.classes)["label"] == "dark"
    assert answer.probabilities == pytest.approx([0.8, 0.2])
