"""One number a picture, of two classes: taken from every kind of source, its order told, and the doctor knows it."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ml.importing import conversion, doctor
from ml.importing.understanding import Wishes
from ml.inference.imported import Interface, session_of
from ml.inference.imported_torch import built
from tests.ml.importing.conftest import kept, quietly, traced

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)
CLASSES = ("cat", "dog")
PICTURES = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), np.uint8)


class Net(torch.nn.Module):
    """Above 0 where there is more red than blue; chances: its sigmoid; flat: [n] in place of [n, 1]."""

    def __init__(self, *, chances: bool = False, flat: bool = False) -> None:
        super().__init__()
        self.conv, self.chances, self.flat = torch.nn.Conv2d(3, 1, 1, bias=False), chances, flat
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([9.0, 0, -9]).view(1, 3, 1, 1))

    def forward(self, pixels):
        said = self.conv(pixels).mean((2, 3))
        said = torch.sigmoid(said) if self.chances else said
        return said[:, 0] if self.flat else said


def margin(images: np.ndarray) -> np.ndarray:
    return 9 * (images[..., 0] / 255.0 - images[..., 2] / 255.0).mean((1, 2))


def script(path, **how):
    kept(traced(Net(**how).eval(), torch.rand(2, 3, 8, 8)), path)


def program(path):
    n = torch.export.Dim("n", min=1, max=64)
    with quietly():
        torch.export.save(torch.export.export(Net().eval(), (torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: n},)), path)


def python(path, text):
    head = "import numpy as np\ndef margin(x):\n    return 9 * (x[..., 0] / 255.0 - x[..., 2] / 255.0).mean((1, 2))\n"
    path.write_text(head + text)


def hdf5(path):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    conv = layers.Conv2D(1, 1, use_bias=False)
    given = keras.Input((8, 8, 3))
    made = keras.Model(given, layers.Activation("sigmoid")(layers.GlobalAveragePooling2D()(conv(given))))
    conv.set_weights([np.array([9.0, 0, -9]).reshape(1, 1, 3, 1)])
    made.save(path)


KINDS = {
    "script": ("torchscript", "net.pt", script, "a margin: above 0 it is the second"),
    "chances": ("torchscript", "net.pt", lambda path: script(path, chances=True), "the second one's probability"),
    "flat": ("torchscript", "net.pt", lambda path: script(path, flat=True), "a margin: above 0 it is the second"),
    "program": ("torch-export", "net.pt2", program, "a margin: above 0 it is the second"),
    "python": (
        "python", "net.py", lambda path: python(path, "def probabilities(x):\n    return 1 / (1 + np.exp(-margin(x)))"),
        "the second one's probability",
    ),
    "python margins": (
        "python", "net.py", lambda path: python(path, "CLASSES = ['cat']\ndef probabilities(x):\n    return margin(x)"),
        "classes by their names in the file, in another order than of the data set",
    ),
    "keras": ("keras", "net.keras", hdf5, "the second one's probability"),
}  # fmt: skip


def worked(kind, path, tmp_path, **wishes):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    np.save(scratch / "pictures.npy", PICTURES)
    request = {
        "path": str(path), "kind": kind, "classes": [*CLASSES], "wishes": vars(Wishes(**wishes)), "mean": [],
        "deviation": [],
    }  # fmt: skip
    return conversion.worked(request, scratch), scratch / conversion.NETWORK


def opened(kind, path, **wishes):
    from importlib import import_module

    task = conversion.Task(path, CLASSES, PICTURES, Wishes(**wishes))
    single = conversion.Single(import_module(conversion.FROM[kind]).opened(task), task)
    return single, task


@pytest.mark.parametrize("case", KINDS)
def test_each_kind_with_one_number_is_two_classes(case, tmp_path):
    kind, name, write, words = KINDS[case]
    write(tmp_path / name)
    made, network = worked(kind, tmp_path / name, tmp_path)
    single, task = opened(kind, tmp_path / name)
    how, lines = conversion.trial.understood(
        single.opened, single.opened.names, single.opened.said, CLASSES, PICTURES, task.wishes
    )
    said = conversion.probabilities(single.opened, how, PICTURES)
    first = case == "python margins"  # whose one name is the first class: the number is for that
    expected = 1 / (1 + np.exp(-margin(PICTURES)))
    np.testing.assert_allclose(said[:, 0 if first else 1], expected, atol=1e-5)
    lines = [*single.words(), *lines]
    assert any(words in line for line in lines), lines
    assert first or any("0 is 'cat', 1 'dog' (assumed: --classes says otherwise)" in line for line in lines), lines
    if kind == "python":
        assert "probabilities() is Python" in made["unwritten"]
        return
    assert any("one number" in line for line in made["lines"])
    session = session_of(network.read_bytes())
    theirs = how.model_copy(
        update={"input": session.get_inputs()[0].name, "output": session.get_outputs()[0].name, "batch": 0}
    )
    np.testing.assert_allclose(conversion.probabilities(session, theirs, PICTURES)[:, 1], expected, atol=1e-5)


def test_weights_whose_last_layer_gives_one_number(tmp_path):
    """The architecture then has two, so that it is asked and looked into as any."""
    torch.manual_seed(0)
    one = built("torchvision:resnet18", channels=3, height=32, width=32, classes=1)
    save_file({key: value.contiguous() for key, value in one.state_dict().items()}, tmp_path / "w.safetensors")
    single, _ = opened("weights", tmp_path / "w.safetensors", architecture="torchvision:resnet18", size=(32, 32))
    pixels = np.random.default_rng(0).random((4, 3, 32, 32), np.float32)
    with torch.inference_mode():
        expected = one(torch.from_numpy(pixels)).numpy()
    said = single.opened.answer(pixels)[0]
    np.testing.assert_allclose(said[:, 1] - said[:, 0], expected[:, 0], rtol=1e-4, atol=1e-4)
    assert any("one number for two classes, a margin" in line for line in single.opened.lines)


def test_what_a_person_says_of_the_number_counts(tmp_path):
    """A margin that happens to lie between 0 and 1."""
    python(tmp_path / "net.py", "def probabilities(x):\n    return np.clip(margin(x), 0.1, 0.9)")
    for wish, chances in (("", True), ("logits", False), ("probabilities", True)):
        single, _ = opened("python", tmp_path / "net.py", numbers=wish)
        said = single.opened.answer(PICTURES)[0]
        assert (said.min() >= 0) == chances
        assert ("probability" in single.words()[0]) == chances


def test_the_doctor_knows_it(tmp_path):
    """The other order of classes and blue for red come to the same here; each alone is found."""
    script(tmp_path / "net.pt")
    _, network = worked("torchscript", tmp_path / "net.pt", tmp_path)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (200, 8, 8, 3), np.uint8)
    labels = np.arange(200) % 2
    images[labels == 1, ..., 0] |= 128
    images[labels == 0, ..., 2] |= 128
    session = session_of(network.read_bytes())
    how = Interface(
        input=session.get_inputs()[0].name, type="tensor(float)", layout="nchw", height=8, width=8, channels=3, batch=0,
        mean=(0.0,), deviation=(1.0,), output=session.get_outputs()[0].name, numbers="logits", order=(0, 1),
    )  # fmt: skip
    statistics = ([0.5] * 3, [0.3] * 3)
    right = doctor.asked(session, how, [*CLASSES], statistics, images, labels, 4.0)
    assert right["advice"] is None
    assert right["rows"][right["stated"]]["accuracy"] > 0.95
    turned = doctor.asked(
        session, how.model_copy(update={"order": (1, 0)}), [*CLASSES], statistics, images, labels, 4.0
    )
    assert turned["rows"][turned["stated"]]["accuracy"] < 0.05
    assert turned["advice"] is not None, json.dumps(turned)[:2000]
    assert turned["rows"][turned["advice"]["row"]]["accuracy"] > 0.95
