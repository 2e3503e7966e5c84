"""Grad-CAM of networks of attention from elsewhere: the last block that matters, its words laid out as a picture."""

import io

import numpy as np
import pytest
import torch

from ml.explanation import grad_cam
from ml.inference.imported import Interface
from ml.inference.imported_torch import TwoParts, built
from ml.system.torchvision_ops import declare
from tests.ml.importing.conftest import quietly

declare()
from torchvision.models.vision_transformer import VisionTransformer  # noqa: E402


def interface(size, **more):
    return Interface(
        input="x", type="tensor(float)", layout="nchw", height=size[0], width=size[1], channels=3, batch=0, mean=(0.5,),
        deviation=(0.25,), output="y", numbers="logits", order=(0, 1, 2), **more,
    )  # fmt: skip


def looked(module, monkeypatch):
    """Heatmaps of two pictures, and the layers that were looked at."""
    names, coarse = [], grad_cam._coarse

    def spied(net, inputs, targets, name):
        made = coarse(net, inputs, targets, name)
        names.append((name, None if made is None else tuple(made.shape[2:]), made is not None and bool(made.any())))
        return made

    monkeypatch.setattr(grad_cam, "_coarse", spied)
    inputs = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return grad_cam.raw(module, inputs, torch.tensor([0, 2])), names


@pytest.mark.parametrize("name", ["timm:test_vit", "torchvision"])
def test_of_torch(name, monkeypatch):
    torch.manual_seed(0)
    if name == "torchvision":
        net = VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=3)
        torch.nn.init.normal_(net.heads[0].weight)
        net.eval()
        size = (32, 32)
    else:
        size = (32, 32)
        net = built(name, channels=3, height=32, width=32, classes=3)
    maps, names = looked(TwoParts(net, interface(size)), monkeypatch)
    assert maps.shape == (2, 32, 32)
    assert (maps.amax(dim=(1, 2)) > 0).all()
    used = [(one, grid) for one, grid, answered in names if answered]
    assert used
    assert all(grid[0] == grid[1] > 1 for _, grid in used)
    assert all("block" in one or "layer" in one for one, _ in used), used


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore::UserWarning")
def test_of_onnx(monkeypatch):
    """Not the patch embedding, which says nothing of what attention made of it."""
    pytest.importorskip("onnx2torch")
    from ml.inference.rebuilt import Rebuilt

    torch.manual_seed(0)
    net = VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=3)
    torch.nn.init.normal_(net.heads[0].weight)
    file = io.BytesIO()
    with quietly():
        torch.onnx.export(
            net.eval(), (torch.rand(1, 3, 32, 32),), file, dynamo=False, input_names=["x"], output_names=["y"]
        )
    made = Rebuilt(file.getvalue(), interface((32, 32)).model_copy(update={"batch": 1}), ("a", "b", "c"), (32, 32, 3))
    maps, names = looked(made.module, monkeypatch)
    assert (maps.amax(dim=(1, 2)) > 0).all()
    used = [one for one, _, answered in names if answered]
    convolution = next(name for name, part in made.module.named_modules() if isinstance(part, torch.nn.Conv2d))
    assert convolution in grad_cam.candidates(made.module)
    assert convolution not in used


@pytest.mark.parametrize(
    ("words", "size", "grid"),
    [(197, (224, 224), (14, 14)), (50, (224, 224), (7, 7)), (5, (32, 32), (2, 2)), (16, (32, 32), (4, 4)),
     (201, (224, 224), (14, 14)), (1 + 4 * 8, (32, 64), (4, 8)), (2, (28, 28), None)],
)  # fmt: skip
def test_rows_and_columns_of_words(words, size, grid):
    assert grad_cam.rows_of(words, size) == grid


def test_channels_last_as_swin_has_them_are_turned(monkeypatch):
    class Last(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential()
            self.body.add_module("conv", Turned())
            self.body.add_module("pool", Pooled())
            self.head = torch.nn.Linear(5, 3)

        def forward(self, images):
            return self.head(self.body(images))

    class Turned(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 5, 4, 4)

        def forward(self, images):
            return self.conv(images).relu().permute(0, 2, 3, 1)

    class Pooled(torch.nn.Module):
        def forward(self, maps):
            return maps.mean((1, 2))

    torch.manual_seed(0)
    module = Last().eval()
    inputs = torch.rand(1, 3, 32, 32)
    found = grad_cam._coarse(module, inputs, torch.tensor([1]), "body.conv")
    maps = module.body.conv(inputs).permute(0, 3, 1, 2)
    expected = (maps * module.head.weight[1].view(1, -1, 1, 1) / 64).sum(1, keepdim=True).relu()
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), atol=1e-6)
