"""TorchScript of every making: its ONNX says what it says, and what cannot be believed is refused."""

import json

import numpy as np
import pytest
import torch

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.importing import adding, conversion, from_torchscript, publish, sources
from ml.importing.graph import Unusable
from ml.importing.trial import Tried
from ml.importing.understanding import Wishes
from ml.inference.imported import ImportedClassifier
from tests.conftest import TOY, TOY_RUN
from tests.ml.importing.conftest import kept, quietly, scripted, traced


class Given(torch.nn.Module):
    """The toy's network with other pictures in, or another answer out."""

    def __init__(self, inner, before=None, after=None):
        super().__init__()
        self.inner, self.before, self.after = inner, before or torch.nn.Identity(), after or torch.nn.Identity()

    def forward(self, pixels):
        return self.after(self.inner(self.before(pixels)))


class Bytes(torch.nn.Module):
    def forward(self, pixels):
        assert pixels.dtype == torch.uint8
        assert pixels.shape[3] == 1
        return pixels.permute(0, 3, 1, 2).float() / 255


class Named(torch.nn.Module):
    def forward(self, logits) -> dict[str, torch.Tensor]:
        return {"features": logits[:, :2], "probs": torch.softmax(logits, 1)}


class Halved(torch.nn.Module):
    """[n, 1, 56, 56], as its numbers demand."""

    def forward(self, pixels):
        return torch.nn.functional.avg_pool2d(pixels.reshape(len(pixels), 1, 56, 56), 2)


class Ones(torch.nn.Module):
    """Of one picture at a time, which a careless trace has inside."""

    def forward(self, logits):
        return logits.reshape(1, 4)


PICTURE = torch.rand(2, 1, 28, 28)
FORMS = {
    "scripted": (lambda net: scripted(net), "nchw of 28 × 28"),
    "traced": (lambda net: traced(net, PICTURE), "nchw of 28 × 28"),
    "bytes": (lambda net: traced(Given(net, Bytes()), (PICTURE * 255).permute(0, 2, 3, 1).byte()), "nhwc of 28 × 28"),
    "named": (lambda net: scripted(Given(net, after=Named())), "output 'probs'"),
    "double": (lambda net: traced(net.double(), PICTURE.double()), "its weights are float64: it is asked in float32"),
    "one": (lambda net: traced(Given(net, after=Ones()), PICTURE[:1]), "1 at a time"),
}


def taken(file, dataset, home, tmp_path, **wishes):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return conversion.taken(
        sources.source_of(file), dataset, Wishes(**wishes), home, scratch, lambda n: publish.samples(dataset, n)
    )


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_what_the_run_says_it_came_from(form, whole, toy_classifier, toy_data, toy_home, tmp_path):
    made, words = FORMS[form]
    found = taken(kept(made(whole), tmp_path / "net.pt"), toy_data, toy_home, tmp_path)
    assert isinstance(found, Tried), found.lines
    assert words in "\n".join(found.lines), found.lines
    network = ImportedClassifier(found.file.read_bytes(), found.interface, toy_data.classes, toy_data.shape)
    images = toy_data["test"].images[:200]
    assert np.abs(network.probabilities(images) - toy_classifier.probabilities(images)).max() < 1e-4


def in_training(net):
    return traced(Given(net, after=torch.nn.Dropout(0.5)).train(), PICTURE)


REFUSED = {
    "training": (in_training, "different things of the same pictures"),
    "classes": (lambda net: scripted(Given(net, after=torch.nn.Linear(4, 7))), "gives 7 numbers a picture"),
    "size": (lambda net: traced(Given(net, Halved()), torch.rand(2, 1, 56, 56)), "does not answer to pictures"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_believed_is_refused(form, whole, toy_data, toy_home, tmp_path):
    made, words = REFUSED[form]
    with pytest.raises(Unusable, match=words):
        taken(kept(made(whole), tmp_path / "net.pt"), toy_data, toy_home, tmp_path)


class Unwritable(torch.nn.Module):
    """What ONNX has no word for."""

    def forward(self, logits):
        return torch.linalg.matrix_exp(torch.diag_embed(logits / 100)).diagonal(dim1=1, dim2=2).log() * 100


def test_what_cannot_be_written_as_onnx_is_asked_about_all_pictures(whole, own_home, tmp_path, capsys):
    file = kept(traced(Given(whole, after=Unwritable()), PICTURE), tmp_path / "net.pt")
    assert main(["runs", "add", "odd", "--data", TOY, "--network", str(file), "--json"]) == 0
    said = capsys.readouterr()
    assert "what it says of all pictures is kept" in said.err
    assert json.loads(said.out.splitlines()[-1])["kind"] == "recorded"
    library = Library(own_home / "none", own_home)
    run, origin = library.open("odd"), library.open(TOY_RUN)
    assert run.table("confusion").equals(origin.table("confusion"))
    for split, result in origin.manifest["results"].items():
        assert run.manifest["results"][split]["correct"] == result["correct"]
        assert run.manifest["results"][split]["loss"] == pytest.approx(result["loss"], abs=1e-3)


def test_a_torchscript_becomes_a_run_that_keeps_none_of_it(whole, own_home, tmp_path, capsys):
    file = kept(scripted(whole), tmp_path / "net.pt")
    assert main(["runs", "add", "theirs", "--data", TOY, "--network", str(file), "--as-stated"]) == 0
    library = Library(own_home / "none", own_home)
    run, origin = library.open("theirs"), library.open(TOY_RUN)
    assert run.table("confusion").equals(origin.table("confusion"))
    assert list(run.manifest["source"]["files"]) == ["net.pt"]
    beginnings = {
        path.name: path.read_bytes()[:2] for path in (own_home / "runs" / "theirs").iterdir() if path.is_file()
    }
    assert "network.onnx" in beginnings
    zips = [name for name, begin in beginnings.items() if begin == b"PK" and not name.endswith(".npz")]
    assert not zips, "TorchScript is a zip, and stays outside"


def test_code_is_taken_from_the_command_line_alone(whole, toy_data, toy_home, tmp_path, monkeypatch):
    file = kept(scripted(whole), tmp_path / "net.onnx")  # whatever it is called
    monkeypatch.setattr(conversion, "taken", None)
    with pytest.raises(Unusable, match=r"nothing that may is taken from a page.*python -m ml runs add"):
        adding.understood([file], adding.NETWORK, toy_data, toy_home, adding.Choices(), tmp_path)


def test_what_was_kept_beside_the_code_names_classes_and_says_the_size(toy_data, tmp_path):
    """As ultralytics 8.4.190 exports a classifier: JSON in an extra file. By number they would be in another order."""
    names = [*reversed(toy_data.classes)]
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(4, len(names)))
    about = {"task": "classify", "imgsz": [48, 40], "names": dict(enumerate(names))}
    path = tmp_path / "best.torchscript"
    with quietly():
        made = torch.jit.trace(net.eval(), torch.zeros(1, 1, 48, 40))
        torch.jit.save(made, str(path), _extra_files={"config.txt": json.dumps(about)})
    pictures = np.asarray(toy_data["validation"].images[:32])

    def found(**wishes) -> conversion.Opened:
        with quietly():
            return from_torchscript.opened(
                conversion.Task(path, toy_data.classes, pictures, Wishes(**wishes), (0.5,), (0.5,))
            )

    for size, wishes in (((48, 40), {}), ((28, 28), {"size": (28, 28)})):
        assert found(**wishes).names == tuple(names)
        assert tuple(found(**wishes).input.shape[2:]) == size
    for words in ("[]", "{", "{}", '{"names": 3, "imgsz": "x"}', '{"imgsz": [0, -1]}', '{"imgsz": [[], 1e9]}'):
        with quietly():
            torch.jit.save(made, str(path), _extra_files={"config.txt": words})
        assert found().names == ()
        assert tuple(found().input.shape[2:]) == (28, 28)
