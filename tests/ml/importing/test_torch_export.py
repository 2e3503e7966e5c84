"""Programs of torch.export, and Python files: what they say goes on as ONNX, or as predictions."""

import json
import textwrap

import numpy as np
import pytest
import torch

from ml.__main__ import main
from ml.artifacts.reader import Library
from ml.importing.graph import Unusable
from ml.importing.trial import Tried
from ml.inference.imported import ImportedClassifier
from tests.conftest import TOY
from tests.ml.importing.conftest import quietly
from tests.ml.importing.test_torchscript import Bytes, Given, Named, taken

PICTURES = torch.rand(3, 1, 28, 28)
ANY, FEW = torch.export.Dim("n"), torch.export.Dim("n", min=2, max=5)
FORMS = {
    "any": (lambda net: (net, PICTURES, ANY), "any number at a time"),
    "few": (lambda net: (net, PICTURES, FEW), "nchw (by its shape)"),
    "one": (lambda net: (net, PICTURES[:1], None), "1 at a time"),
    "bytes": (lambda net: (Given(net, Bytes()), (PICTURES * 255).permute(0, 2, 3, 1).byte(), ANY), "uint8, nhwc"),
    "named": (lambda net: (Given(net, after=Named()), PICTURES, ANY), "output 'probs': the one"),
}


def exported(path, module, example, dim):
    with quietly():
        shapes = None if dim is None else ({0: dim},)
        torch.export.save(torch.export.export(module, (example.contiguous(),), dynamic_shapes=shapes), str(path))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_what_the_run_says_it_came_from(form, whole, toy_classifier, toy_data, toy_home, tmp_path):
    made, words = FORMS[form]
    found = taken(exported(tmp_path / "net.pt2", *made(whole)), toy_data, toy_home, tmp_path)
    assert isinstance(found, Tried), found.lines
    assert words in "\n".join(found.lines), found.lines
    network = ImportedClassifier(found.file.read_bytes(), found.interface, toy_data.classes, toy_data.shape)
    images = toy_data["test"].images[:101]
    assert np.abs(network.probabilities(images) - toy_classifier.probabilities(images)).max() < 1e-4


def test_one_that_was_exported_as_it_learns_is_refused(whole, toy_data, toy_home, tmp_path):
    learning = Given(whole, after=torch.nn.Dropout(0.5)).train()
    with pytest.raises(Unusable, match="export it as it answers, not as it learns"):
        taken(exported(tmp_path / "net.pt2", learning, PICTURES, ANY), toy_data, toy_home, tmp_path)


class Levels(torch.nn.Module):
    """What torchao's pt2e writes around a layer: its pixels in 256 levels, weights in int8 for each output."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        weights = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
        self.register_buffer("scales", weights.abs().amax(1) / 127)
        self.register_buffer("zeros", torch.zeros(4, dtype=torch.int64))
        self.register_buffer("weights", (weights / self.scales[:, None]).round().to(torch.int8))

    def forward(self, pixels):
        ops = torch.ops.quantized_decomposed
        pixels = ops.quantize_per_tensor(pixels, 1 / 255, 0, 0, 255, torch.uint8)
        pixels = ops.dequantize_per_tensor(pixels, 1 / 255, 0, 0, 255, torch.uint8)
        weights = ops.dequantize_per_channel(self.weights, self.scales, self.zeros, 0, -128, 127, torch.int8)
        return torch.nn.functional.linear(self.net(pixels), weights)


def test_one_that_pt2e_quantised_is_opened_though_torch_has_not_loaded_its_operators(
    whole, toy_data, toy_home, tmp_path
):
    import torch.ao.quantization.fx._decomposed

    net = Levels(whole).eval()
    found = taken(exported(tmp_path / "net.pt2", net, PICTURES, ANY), toy_data, toy_home, tmp_path)
    assert isinstance(found, Tried), found.lines
    network = ImportedClassifier(found.file.read_bytes(), found.interface, toy_data.classes, toy_data.shape)
    images = toy_data["test"].images[:101]
    with torch.no_grad():
        own = net(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).softmax(1).numpy()
    assert np.abs(network.probabilities(images) - own).max() < 1e-4


def test_operators_that_torch_has_not_are_named_with_what_to_do(whole, toy_data, toy_home, tmp_path):
    @torch.library.custom_op("strangers::half", mutates_args=())
    def half(values: torch.Tensor) -> torch.Tensor:
        return values / 2

    half.register_fake(torch.empty_like)
    file = exported(tmp_path / "net.pt2", Given(whole, after=Calling(half)), PICTURES, ANY)
    with pytest.raises(Unusable, match=r"of strangers, which are not torch's own.*with --predictions"):
        taken(file, toy_data, toy_home, tmp_path)


class Calling(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, values):
        return self.function(values)


def python(path, text):
    path.write_text(textwrap.dedent(text))
    return path


FUNCTION = """
    import numpy as np
    from beside import SHARPNESS

    CLASSES = ["Bar 3", "Bar 0", "Bar 1", "Bar 2"]

    def probabilities(images):
        assert images.dtype == np.uint8 and images.shape[1:] == (28, 28, 1)
        values = images.reshape(len(images), 4, -1).mean(2)[:, [3, 0, 1, 2]] / 255 * SHARPNESS
        return np.exp(values) / np.exp(values).sum(1, keepdims=True)
"""


def test_a_function_is_asked_about_all_pictures_and_never_again(own_home, toy_data, tmp_path, capsys):
    python(tmp_path / "beside.py", "SHARPNESS = 3.0")
    file = python(tmp_path / "net.py", FUNCTION)
    assert main(["runs", "add", "function", "--data", TOY, "--network", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["kind"], said["capabilities"]) == ("recorded", ["probabilities"])
    assert set(said["splits"]) == {"test", "validation", "reference"}
    frame = Library(own_home / "none", own_home).open("function").table("predictions")
    rows = frame[frame["split"] == "test"].sort_values("example_id")
    values = toy_data["test"].images.reshape(len(rows), 4, -1).mean(2) / 255 * 3.0
    expected = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    assert np.allclose(rows[[f"p_{i}" for i in range(4)]].to_numpy(), expected, atol=1e-5)
    assert not list((own_home / "runs" / "function").rglob("*.py"))


def test_a_function_that_loads_a_module_becomes_onnx(toy_data, toy_home, tmp_path):
    file = python(
        tmp_path / "net.py",
        """
        import torch

        class Net(torch.nn.Module):
            def forward(self, x):
                return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3)), x.std((1, 2, 3)), x[:, 0, 0, 0]], 1) * 9 - 4

        def load():
            return Net()
        """,
    )
    found = taken(file, toy_data, toy_home, tmp_path)
    assert isinstance(found, Tried)
    assert "load() does not say what its network takes: nchw of 28 × 28" in "\n".join(found.lines)


WRONG = {
    "syntax": ("def probabilities(images:\n", "fails (SyntaxError"),
    "fails": ("x = 1\n1 / 0\n", "fails in line 2 (ZeroDivisionError: division by zero)"),
    "exits": ("import sys\nsys.exit(3)\n", "fails in line 2 (SystemExit: 3)"),
    "neither": ("def predict(images):\n    return images\n", "has neither function that is asked for"),
    "module": ("def load():\n    return 3\n", "gives int, and a torch module is wanted"),
    "raises": ("def probabilities(images):\n    raise OSError('no disk')\n", "OSError: no disk"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_fails_is_told_in_a_sentence(case, toy_data, toy_home, tmp_path):
    text, words = WRONG[case]
    with pytest.raises(Unusable) as refused:
        taken(python(tmp_path / "net.py", text), toy_data, toy_home, tmp_path)
    assert words in str(refused.value), str(refused.value)
