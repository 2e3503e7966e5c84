"""Networks as others export them: one toy network in many forms, with the scores of the run it was exported from."""

import copy
import hashlib
import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ml import pipeline
from ml.__main__ import main
from ml.artifacts.reader import Incapable, Library
from ml.data import load
from ml.evaluation import rescoring
from ml.importing import publish, trial
from ml.importing.graph import Unusable
from ml.importing.understanding import Wishes
from ml.inference import onnx_export
from ml.inference.classifier import Classifier
from ml.inference.engines import open_run
from ml.publishing import run_archive
from tests.conftest import TOY, TOY_RUN


@pytest.fixture(scope="module")
def toy(toy_home, tmp_path_factory):
    """(library, the toy's data set, a folder with its network as float32 [n, 1, 28, 28] of 0 to 1, logits out)."""
    library, folder = Library(toy_home / "none", toy_home), tmp_path_factory.mktemp("networks")
    classifier = Classifier.open(library.open(TOY_RUN))

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = copy.deepcopy(classifier.folded).to(memory_format=torch.contiguous_format)
            self.register_buffer("mean", torch.tensor(classifier.mean).view(1, -1, 1, 1))
            self.register_buffer("std", torch.tensor(classifier.std).view(1, -1, 1, 1))

        def forward(self, pixels):
            return self.net((pixels - self.mean) / self.std)

    for name, axes in (("float", {"pixels": {0: "n"}, "logits": {0: "n"}}), ("one", {})):
        example = torch.zeros(1, 1, 28, 28)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Whole().eval(), (example,), str(folder / f"{name}.onnx"), dynamo=False, opset_version=17,
                input_names=["pixels"], output_names=["logits"], dynamic_axes=axes,
            )  # fmt: skip
    (folder / "own.onnx").write_bytes(onnx_export.graph(classifier))
    return library, load(TOY, home=toy_home), folder


def changed(
    toy, nodes: list[Any] = (), outputs: dict[str, Any] | None = None, *, before: list[Any] = (), given: Any = None,
    arrays: dict[str, np.ndarray] | None = None, metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:  # fmt: skip
    """The float network with nodes put before and after. outputs: name → type or (type, shape); given: another input,
    from which `before` makes 'pixels'."""
    model = onnx.load(toy[2] / "float.onnx")
    graph = model.graph
    made = [*before, *graph.node, *nodes]
    del graph.node[:]
    graph.node.extend(made)
    if given is not None:
        del graph.input[:]
        graph.input.append(given)
    if outputs is not None:
        del graph.output[:]
        graph.output.extend(
            one if isinstance(one, onnx.ValueInfoProto) else helper.make_tensor_value_info(name, *one)
            for name, one in outputs.items()
        )
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in (arrays or {}).items())
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    if any(node.domain == "ai.onnx.ml" for node in nodes):
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


FLOAT = TensorProto.FLOAT
NODE = helper.make_node


def bytes_in(toy, scale: float = 1 / 255) -> onnx.ModelProto:
    """uint8 [n, 28, 28, 1] → logits."""
    return changed(
        toy,
        before=[
            NODE("Cast", ["images"], ["f"], to=FLOAT),
            NODE("Mul", ["f", "scale"], ["s"]),
            NODE("Transpose", ["s"], ["pixels"], perm=[0, 3, 1, 2]),
        ],
        given=helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 28, 28, 1]),
        arrays={"scale": np.float32(scale)},
    )


def softmaxed(toy, **more: Any) -> onnx.ModelProto:
    return changed(toy, [NODE("Softmax", ["logits"], ["p"], axis=1)], {"p": (FLOAT, ["n", 4])}, **more)


def both(toy) -> onnx.ModelProto:
    """Logits, probabilities and the like of a label."""
    nodes = [NODE("Softmax", ["logits"], ["p"], axis=1), NODE("ArgMax", ["logits"], ["label"], axis=1, keepdims=0)]
    outputs = {"label": (TensorProto.INT64, ["n"]), "logits": (FLOAT, ["n", 4]), "p": (FLOAT, ["n", 4])}
    return changed(toy, nodes, outputs)


def zipped(toy) -> onnx.ModelProto:
    """A list of dictionaries, as scikit-learn's classifiers are converted."""
    nodes = [
        NODE("Softmax", ["logits"], ["p"], axis=1),
        NODE("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2, 3]),
    ]
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, []))
    )
    return changed(toy, nodes, {"maps": helper.make_value_info("maps", kind)})


def turned(toy) -> onnx.ModelProto:
    """Its outputs in another order, which its metadata tell."""
    names = load(TOY, home=toy[0].home).classes
    nodes = [NODE("Gather", ["logits", "order"], ["turned"], axis=1)]
    return changed(
        toy, nodes, {"turned": (FLOAT, ["n", 4])}, arrays={"order": np.array([2, 0, 3, 1])},
        metadata={"names": repr({i: names[place] for i, place in enumerate([2, 0, 3, 1])})},
    )  # fmt: skip


def flat(toy) -> onnx.ModelProto:
    return changed(
        toy,
        before=[NODE("Reshape", ["rows", "shape"], ["pixels"])],
        given=helper.make_tensor_value_info("rows", FLOAT, ["n", 784]),
        arrays={"shape": np.array([-1, 1, 28, 28])},
    )


def colours(toy) -> onnx.ModelProto:
    """Three channels, of which it reads the mean; -1 to 1."""
    return changed(
        toy,
        before=[
            NODE("ReduceMean", ["rgb"], ["m"], axes=[1], keepdims=1),
            NODE("Add", ["m", "one"], ["a"]),
            NODE("Div", ["a", "two"], ["pixels"]),
        ],
        given=helper.make_tensor_value_info("rgb", FLOAT, ["n", 3, 28, 28]),
        arrays={"one": np.float32(1), "two": np.float32(2)},
        metadata={"Image.NominalPixelRange": "Normalized_1_1"},
    )


def single(toy) -> onnx.ModelProto:
    """It says that it takes any number of pictures, and has the number one inside, as careless exports have."""
    return changed(
        toy,
        before=[NODE("Reshape", ["x", "shape"], ["pixels"])],
        given=helper.make_tensor_value_info("x", FLOAT, ["n", 1, 28, 28]),
        arrays={"shape": np.array([1, 1, 28, 28])},
    )


FORMS = {
    "single": (single, ["they are given one by one"]),
    "float": (lambda toy: onnx.load(toy[2] / "float.onnx"), ["float, nchw (by its shape), any number", "logits"]),
    "one": (lambda toy: onnx.load(toy[2] / "one.onnx"), ["nchw (by its shape), 1 at a time"]),
    "own": (lambda toy: onnx.load(toy[2] / "own.onnx"), ["uint8, nhwc", "by their names in the file, in the order"]),
    "uint8": (bytes_in, ["uint8, nhwc (by its shape)", "as they are, 0 to 255"]),
    "probabilities": (softmaxed, ["its numbers are probabilities"]),
    "both": (both, ["output 'p': of several", "whose rows add up to 1"]),
    "zipped": (zipped, ["output 'maps'", "its numbers are probabilities"]),
    "turned": (turned, ["in another order than of the data set"]),
    "flat": (flat, ["float, flat (by its shape)"]),
    "colours": (colours, ["three times over", "pixels: -1-1 (by its metadata)"]),
}


def saved(model: onnx.ModelProto, folder: Path, name: str = "net.onnx", **options: Any) -> Path:
    onnx.save(model, folder / name, **options)
    return folder / name


def examined(toy, model: onnx.ModelProto | Path, folder: Path, **wishes: Any) -> dict[str, Any]:
    """As the process of its own does it."""
    path = model if isinstance(model, Path) else saved(model, folder)
    pictures = publish.samples(toy[1])
    return trial.examined(path, toy[1].classes, pictures, Wishes(**wishes), folder / "kept.onnx")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_network_says_what_the_run_says_it_came_from(toy, form, tmp_path):
    library, dataset, _ = toy
    model, words = FORMS[form]
    result = examined(toy, model(toy), tmp_path)
    said = "\n".join(result["lines"])
    assert all(one in said for one in words), said
    how = trial.Interface.model_validate(json.loads(json.dumps(result["interface"])))
    network = publish.ImportedClassifier((tmp_path / "kept.onnx").read_bytes(), how, dataset.classes, dataset.shape)
    images = dataset["test"].images[:301]
    expected = Classifier.open(library.open(TOY_RUN)).probabilities(images)
    assert np.abs(network.probabilities(images) - expected).max() < 1e-4
    assert result["parameters"] > 1_000


def test_wishes_are_kept_and_the_size_is_made(toy, tmp_path):
    shifted = changed(
        toy, before=[NODE("Mul", ["x", "s"], ["pixels"])], arrays={"s": np.float32(1 / 255)},
        given=helper.make_tensor_value_info("x", FLOAT, ["n", 1, 28, 28]),
    )  # fmt: skip
    result = examined(toy, shifted, tmp_path, range="0-255", output="logits", numbers="logits")
    assert result["interface"]["deviation"] == [1 / 255]
    assert "as was said" in "\n".join(result["lines"])
    how = trial.Interface.model_validate(result["interface"])
    pictures = publish.samples(toy[1])
    assert np.allclose(how.prepared(pictures)[:, 0], pictures[..., 0], atol=1e-3)
    larger = changed(
        toy, before=[NODE("AveragePool", ["x"], ["pixels"], kernel_shape=[2, 2], strides=[2, 2])],
        given=helper.make_tensor_value_info("x", FLOAT, ["n", 1, 56, 56]),
    )  # fmt: skip
    result = examined(toy, larger, tmp_path)
    assert "pictures of 28 × 28 are resized to 56 × 56" in "\n".join(result["lines"])
    how = trial.Interface.model_validate(result["interface"])
    assert how.prepared(pictures).shape == (len(pictures), 1, 56, 56)


def test_how_a_picture_is_prepared_is_counted_by_hand():
    fields = {
        "input": "x", "type": "tensor(float)", "layout": "nchw", "height": 1, "width": 2, "channels": 3, "batch": 0,
        "mean": (0.5, 0.25, 0.0), "deviation": (0.5, 0.25, 1.0), "bgr": True, "output": "y", "numbers": "scores",
        "order": (1, 0),
    }  # fmt: skip
    how = trial.Interface(**fields)
    picture = np.array([[[[255, 0, 51], [0, 255, 102]]]], np.uint8).reshape(1, 1, 2, 3)
    blue_first = [[(0.2 - 0.5) / 0.5, (0.4 - 0.5) / 0.5], [-1.0, 3.0], [1.0, 0.0]]
    assert np.allclose(how.prepared(picture)[0, :, 0], blue_first, atol=1e-6)
    assert np.allclose(how.probabilities(np.array([[3.0, 1.0]])), [[0.25, 0.75]])
    with pytest.raises(ValueError, match="not finite"):
        how.probabilities(np.array([[np.nan, 1.0]]))


def noisy(toy) -> onnx.ModelProto:
    """As dropout that was left on."""
    nodes = [NODE("RandomNormalLike", ["logits"], ["noise"], scale=3.0), NODE("Add", ["logits", "noise"], ["sum"])]
    return changed(toy, nodes, {"sum": (FLOAT, ["n", 4])})


def relative(toy) -> onnx.ModelProto:
    """As batch normalisation that was left on."""
    nodes = [
        NODE("ReduceMean", ["logits"], ["m"], axes=[0], keepdims=1), NODE("Sub", ["logits", "m"], ["d"]),
        NODE("Mul", ["d", "five"], ["five_times"]),
    ]  # fmt: skip
    return changed(toy, nodes, {"five_times": (FLOAT, ["n", 4])}, arrays={"five": np.float32(5)})


def few(toy) -> onnx.ModelProto:
    nodes = [NODE("Gather", ["logits", "some"], ["few"], axis=1)]
    return changed(toy, nodes, {"few": (FLOAT, ["n", 3])}, arrays={"some": np.array([0, 1, 2])})


def unsure(toy) -> onnx.ModelProto:
    """A yes or no for each class."""
    return changed(toy, [NODE("Sigmoid", ["logits"], ["yes"])], {"yes": (FLOAT, ["n", 4])})


def endless_numbers(toy) -> onnx.ModelProto:
    nodes = [NODE("Sub", ["logits", "logits"], ["zero"]), NODE("Div", ["logits", "zero"], ["much"])]
    return changed(toy, nodes, {"much": (FLOAT, ["n", 4])})


def own_operator(toy) -> onnx.ModelProto:
    model = changed(toy, [NODE("Steal", ["logits"], ["y"], domain="evil")], {"y": (FLOAT, ["n", 4])})
    model.opset_import.append(helper.make_opsetid("evil", 1))
    return model


def twins(toy) -> onnx.ModelProto:
    nodes = [NODE("Identity", ["logits"], ["first"]), NODE("Neg", ["logits"], ["second"])]
    return changed(toy, nodes, {"first": (FLOAT, ["n", 4]), "second": (FLOAT, ["n", 4])})


def two_inputs(toy) -> onnx.ModelProto:
    model = changed(toy, [NODE("Add", ["logits", "more"], ["y"])], {"y": (FLOAT, ["n", 4])})
    model.graph.input.append(helper.make_tensor_value_info("more", FLOAT, ["n", 4]))
    return model


def of_words(toy, kind: int = TensorProto.INT64, length: int = 128) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("ids", kind, ["n", length])
    before = [NODE("Cast", ["ids"], ["f"], to=FLOAT), NODE("Reshape", ["f", "shape"], ["pixels"])]
    return changed(toy, before=before, given=given, arrays={"shape": np.array([-1, 1, 28, 28])})


def of_other_channels(toy) -> onnx.ModelProto:
    before = [NODE("ReduceMean", ["x"], ["pixels"], axes=[1], keepdims=1)]
    return changed(toy, before=before, given=helper.make_tensor_value_info("x", FLOAT, ["n", 5, 28, 28]))


REFUSED = {
    "noisy": (noisy, {}, "different things of the same pictures"),
    "relative": (relative, {}, "alone what it does not say of it among others"),
    "few": (few, {}, "gives 3 numbers a picture, and the data set has 4 classes"),
    "unsure": (unsure, {}, "Say --outputs logits, or --outputs scores"),
    "endless": (endless_numbers, {}, "not finite"),
    "operator": (own_operator, {}, "operators of its own (evil.Steal)"),
    "twins": (twins, {}, "several outputs"),
    "inputs": (two_inputs, {}, "takes 2 inputs"),
    "words": (of_words, {}, "'ids' takes any × 128"),
    "booleans": (lambda toy: of_words(toy, TensorProto.BOOL, 784), {}, "'ids' is tensor(bool)"),
    "channels": (of_other_channels, {}, "takes any × 5 × 28 × 28"),
    "layout": (softmaxed, {"layout": "nhwc"}, "which is not nhwc"),
    "range": (bytes_in, {"range": "0-1"}, "leave --range"),
    "mean": (softmaxed, {"range": "imagenet"}, "are of 3 channels, and the network takes 1 channel"),
    "output": (softmaxed, {"output": "q"}, "no output 'q'; it has 'p'"),
    "classes": (softmaxed, {"classes": ("a", "b", "c", "d")}, "not those of the data set"),
    "said": (lambda toy: onnx.load(toy[2] / "float.onnx"), {"numbers": "probabilities"}, "do not add up to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_in_a_sentence(toy, case, tmp_path):
    model, wishes, words = REFUSED[case]
    with pytest.raises(Unusable) as refused:
        examined(toy, model(toy), tmp_path, **wishes)
    assert words in str(refused.value), str(refused.value)
    assert not (tmp_path / "kept.onnx").exists()


def test_scores_that_do_not_add_up_are_divided_where_that_is_said(toy, tmp_path):
    assert examined(toy, unsure(toy), tmp_path, numbers="scores")["interface"]["numbers"] == "scores"
    assert examined(toy, twins(toy), tmp_path, output="first")["interface"]["output"] == "first"


def test_data_beside_the_file_is_kept_within_it_and_never_taken_from_elsewhere(toy, tmp_path):
    model = softmaxed(toy)
    beside = {"save_as_external_data": True, "location": "net.onnx.data", "size_threshold": 0}
    result = examined(toy, saved(onnx.ModelProto.FromString(model.SerializeToString()), tmp_path, **beside), tmp_path)
    assert result["data"] == ["net.onnx.data"]
    kept = onnx.load(tmp_path / "kept.onnx", load_external_data=False)
    assert not [one for one in kept.graph.initializer if one.data_location == TensorProto.EXTERNAL]
    # a second network that points at the same data, as after a renaming
    (tmp_path / "old.onnx").write_bytes((tmp_path / "net.onnx").read_bytes())
    (tmp_path / "kept.onnx").unlink()
    with pytest.raises(Unusable, match="nobody can say of which of the two"):
        examined(toy, tmp_path / "net.onnx", tmp_path)
    (tmp_path / "old.onnx").unlink()
    (tmp_path / "net.onnx.data").rename(tmp_path / "elsewhere")
    with pytest.raises(Unusable, match="not beside it"):
        examined(toy, tmp_path / "net.onnx", tmp_path)
    (tmp_path / "net.onnx.data").symlink_to("/etc/hostname")
    with pytest.raises(Unusable, match="link out of its folder"):
        examined(toy, tmp_path / "net.onnx", tmp_path)
    for place in ("../net.onnx.data", "/etc/passwd", "C:\\data"):
        hostile = onnx.load(tmp_path / "net.onnx", load_external_data=False)
        for one in hostile.graph.initializer:
            for entry in one.external_data:
                if entry.key == "location":
                    entry.value = place
        (tmp_path / "hostile.onnx").write_bytes(hostile.SerializeToString())
        with pytest.raises(Unusable, match="outside its folder"):
            examined(toy, tmp_path / "hostile.onnx", tmp_path)


def tried(toy, path: Path, scratch: Path, **limits: Any) -> trial.Tried:
    scratch.mkdir()
    return trial.tried(path, toy[1].classes, publish.samples(toy[1]), Wishes(), scratch, **limits)


def test_a_file_that_is_none_is_refused_in_the_process_that_tries_it(toy, tmp_path):
    for name, content in (("pickle.onnx", pickle.dumps([1])), ("text.onnx", b"hello"), ("empty.onnx", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unusable, match="is no ONNX file"):
            tried(toy, tmp_path / name, tmp_path / f"{name}-scratch")
    with pytest.raises(Unusable, match="there is no file"):
        tried(toy, tmp_path / "none.onnx", tmp_path / "scratch")


def test_memory_and_time_of_the_trial_are_limited(toy, tmp_path):
    huge = changed(
        toy,
        [
            NODE("ConstantOfShape", ["much"], ["block"]), NODE("ReduceSum", ["block"], ["sum"], keepdims=0),
            NODE("Add", ["logits", "sum"], ["y"]),
        ],
        {"y": (FLOAT, ["n", 4])}, arrays={"much": np.array([2**34])},
    )  # fmt: skip
    with pytest.raises(Unusable, match=r"cannot ask the network|ended the process"):
        tried(toy, saved(huge, tmp_path, "huge.onnx"), tmp_path / "a")
    body = helper.make_graph(
        [NODE("Identity", ["go"], ["on"]), NODE("Identity", ["v"], ["w"])], "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, ["n", 4]),
        ],
    )  # fmt: skip
    endless = changed(
        toy, [NODE("Loop", ["times", "yes", "logits"], ["y"], body=body)],
        {"y": (FLOAT, ["n", 4])}, arrays={"times": np.int64(2**62), "yes": np.bool_(True)},
    )  # fmt: skip
    with pytest.raises(Unusable, match="was not tried through in 6 s"):
        tried(toy, saved(endless, tmp_path, "endless.onnx"), tmp_path / "b", seconds=6)


@pytest.fixture
def own_home(home, monkeypatch):
    monkeypatch.setenv("FASHION_HOME", str(home))
    return home


def travels(library: Library, run: Any, home: Path) -> None:
    """Packed, taken in under another name, and answering; and refused where the file is not what its manifest says."""
    parcel = run_archive.pack(run, "a card")
    taken = run_archive.unpack(io.BytesIO(parcel), library, name="again")
    again = library.open(taken.run_id)
    assert again.network() == run.network()
    pictures = np.zeros((2, 28, 28, 1), np.uint8)
    np.testing.assert_array_equal(open_run(again).probabilities(pictures), open_run(run).probabilities(pictures))

    def changed_to(network: bytes, **interface: Any) -> bytes:
        with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files["manifest.json"])
        manifest["weights"]["sha256"] = hashlib.sha256(network).hexdigest()
        manifest["interface"] |= interface
        files |= {"network.onnx": network, "manifest.json": json.dumps(manifest).encode()}
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return made.getvalue()

    model = onnx.load_model_from_string(run.network())
    strange = copy.deepcopy(model)
    strange.graph.node[0].domain = "their.own"
    elsewhere = copy.deepcopy(model)
    onnx.external_data_helper.set_external_data(elsewhere.graph.initializer[0], "/etc/passwd")
    for parts, words in (
        ((b"no network",), "is no ONNX file"),
        ((strange.SerializeToString(),), "operators of its own"),
        ((elsewhere.SerializeToString(),), "outside its folder"),
        ((run.network(), {"order": [0, 1, 2]}), "other classes than the run"),
        ((run.network(), {"order": [0, 1, 2, 2]}), "does not say how it is asked"),
        ((run.network(), {"output": "nothing"}), "cannot ask the network"),
        ((run.network(), {"features": "nowhere"}), "gives no features"),
        ((run.network(), {"numbers": "probabilities"}), "cannot be believed"),
    ):
        with pytest.raises(run_archive.Unfit, match=words) as refused:
            run_archive.unpack(
                io.BytesIO(changed_to(parts[0], **(parts[1] if len(parts) > 1 else {}))), library, name="bad"
            )
        assert "Its network does not check out" in str(refused.value)
        assert not [one.name for one in (home / "runs").iterdir() if "import-" in one.name or one.name == "bad"]


def test_a_run_is_added_from_the_command_line_and_scores_as_the_one_it_came_from(toy, own_home, capsys):
    file = str(toy[2] / "float.onnx")
    assert main(["runs", "add", "Theirs", "--data", TOY, "--network", file, "--dry-run", "--json"]) == 0
    out = capsys.readouterr().out
    assert "Nothing was written" in out
    assert json.loads(out.splitlines()[-1])["preparation"]["layout"] == "nchw"
    library = Library(own_home / "none", own_home)
    assert library.names() == [TOY_RUN]
    assert main(["runs", "add", "Theirs", "--data", TOY, "--network", file, "--json", "--as-stated"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    run, origin = library.open("theirs"), library.open(TOY_RUN)
    assert (said["run"], said["kind"], run.manifest["kind"]) == ("theirs", "imported", "imported")
    for split, result in origin.manifest["results"].items():
        mine = run.manifest["results"][split]
        assert (mine["correct"], mine["n"]) == (result["correct"], result["n"])
        assert mine["loss"] == pytest.approx(result["loss"], abs=1e-4)
    frames = [one.table("predictions").set_index(["split", "example_id"]).sort_index() for one in (run, origin)]
    columns = [name for name in frames[0] if name.startswith("p_")]
    assert np.abs(frames[0][columns] - frames[1][columns]).to_numpy().max() < 1e-4
    assert run.table("confusion").equals(origin.table("confusion"))
    assert run.manifest["interface"]["input"] == "pixels"
    mine, theirs = (onnx.load(one) for one in (own_home / "runs" / "theirs" / "network.onnx", file))
    added = mine.graph.output.pop()  # its features, as one more output
    assert (added.name, mine) == (run.manifest["interface"]["features"], theirs)
    # it answers again, and says of what it cannot do that it cannot
    assert rescoring.rescore(library, "theirs", "test")[2:] == (0, 0)
    assert open_run(run).capabilities == {*run.manifest["capabilities"]} >= {"probabilities", "features"}
    for noun in ("onnx", "filters", "familiarity"):
        with pytest.raises(Incapable):
            pipeline.evaluate(library, "theirs", [noun])
    assert pipeline.evaluate(library, "theirs", ["scores", "tags"])
    travels(library, run, own_home)
    assert main(["runs", "add", "theirs", "--data", TOY, "--network", file]) == 2
    assert main(["predict", "--run", "theirs", str(toy[2])]) == 1  # there is no picture, and no traceback
    network = own_home / "runs" / "theirs" / "network.onnx"
    network.write_bytes(network.read_bytes()[:-1] + b"\x00")
    assert "does not match its checksum" in Library(own_home / "none", own_home).entry("theirs").reason


def test_flags_of_the_other_kind_are_refused(toy, own_home, capsys):
    file = str(toy[2] / "float.onnx")
    assert main(["runs", "add", "a", "--data", TOY, "--network", file, "--epoch", "2"]) == 1
    assert "--epoch goes with --predictions" in capsys.readouterr().err
    assert main(["runs", "add", "a", "--data", TOY, "--predictions", file, "--range", "0-1"]) == 1
    assert "--range goes with --network" in capsys.readouterr().err


def test_a_network_that_fails_among_all_pictures_leaves_nothing(toy, own_home, tmp_path, monkeypatch):
    """What a few pictures did not show: no run of half an evaluation."""
    one = tried(toy, toy[2] / "float.onnx", tmp_path / "scratch")
    monkeypatch.setattr(publish, "nouns_of", lambda *_: (_ for _ in ()).throw(ValueError("late")))
    with pytest.raises(ValueError, match="late"):
        publish.publish(one, toy[1], "half", own_home, sources={})
    assert [path.name for path in (own_home / "runs").iterdir()] == [TOY_RUN]
