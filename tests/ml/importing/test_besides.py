"""Checkpoints whose network is one of their modules: a body with a head beside it, a network and another, a scale."""

import numpy as np
import pytest
import torch

from ml.importing import from_weights
from ml.importing.graph import Unusable
from ml.inference.imported_torch import built
from ml.system.torchvision_ops import declare
from tests.ml.importing.test_weights import task

declare()


class Parts(torch.nn.Module):
    """As people write it: self.backbone without its last layer, self.head of one's own."""

    def __init__(self, body: torch.nn.Module, **modules: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = body
        for name, one in modules.items():
            self.add_module(name, one)


def resnet(answers: int = 0) -> torch.nn.Module:
    torch.manual_seed(5)
    return built("torchvision:resnet18", channels=3, height=32, width=32, classes=answers or 4).eval()


def body() -> torch.nn.Module:
    net = resnet()
    net.fc = torch.nn.Identity()
    return net


def asked(found, count: int = 3) -> tuple[np.ndarray, torch.Tensor]:
    pixels = np.random.default_rng(0).random((count, *found.input.shape[1:]), np.float32)
    return found.answer(pixels)[0], torch.from_numpy(pixels)


@pytest.mark.parametrize("named", [False, True])
def test_a_head_beside_its_body_is_its_last_layer_which_is_said(named, toy_data, tmp_path):
    whole = Parts(body(), head=torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(512, 4))).eval()
    whole.register_buffer("class_weights", torch.ones(4))
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    wishes = {"architecture": "torchvision:resnet18"} if named else {}
    found = from_weights.opened(task(tmp_path / "w.pt", toy_data, **wishes))
    said = "\n".join(found.lines)
    assert "last layer: head.1.weight beside it, 4 × 512 (assumed" in said
    assert "weights left alone, 1 beside those of the network: class_weights" in said
    ours, pixels = asked(found)
    with torch.inference_mode():
        expected = whole.head(whole.backbone(pixels)).numpy()
    assert np.abs(ours - expected).max() < 1e-5


def test_a_layer_that_goes_on_from_its_answers_is_a_part_of_it(toy_data, tmp_path):
    """A thousand numbers, of which a layer of one's own makes four: what was taken was the thousand alone."""
    torch.save(Parts(resnet(1000), classifier=torch.nn.Linear(1000, 4)).state_dict(), tmp_path / "w.pt")
    with pytest.raises(Unusable, match=r"1,000 numbers, and classifier\.weight beside it, which reads as many"):
        from_weights.opened(task(tmp_path / "w.pt", toy_data))


def test_what_lies_between_body_and_head_is_named_and_nothing_is_guessed(toy_data, tmp_path):
    head = torch.nn.Sequential(torch.nn.Linear(512, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
    torch.save(Parts(body(), head=head).state_dict(), tmp_path / "w.pt")
    for wishes in ({}, {"architecture": "torchvision:resnet18"}):
        with pytest.raises(Unusable, match=r"beside these are head\.0\.weight, .* export its whole as ONNX"):
            from_weights.opened(task(tmp_path / "w.pt", toy_data, **wishes))


def test_what_else_was_kept_is_left_and_said(toy_data, tmp_path):
    """A temperature changes probabilities and no class, which nobody would see."""
    net = resnet(4)
    state = {f"model.{key}": one for key, one in net.state_dict().items()}
    torch.save({**state, "temperature": torch.tensor([1.5]), "centers": torch.zeros(4, 512)}, tmp_path / "w.pt")
    found = from_weights.opened(task(tmp_path / "w.pt", toy_data))
    assert "weights left alone, 2 beside those of the network: temperature, centers" in "\n".join(found.lines)
    ours, pixels = asked(found)
    with torch.inference_mode():
        assert np.abs(ours - net(pixels).numpy()).max() < 1e-5


def test_of_a_network_and_its_average_the_average_is_taken(toy_data, tmp_path):
    """As a module keeps both, `self.model` and `self.ema_model = AveragedModel(self.model)`."""
    net = resnet(4)
    average = torch.optim.swa_utils.AveragedModel(net)
    with torch.no_grad():
        average.module.fc.weight.add_(1)
    state = {f"model.{key}": one for key, one in net.state_dict().items()}
    state |= {f"ema_model.{key}": one for key, one in average.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "w.ckpt")
    found = from_weights.opened(task(tmp_path / "w.ckpt", toy_data))
    said = "\n".join(found.lines)
    assert "taken off the names of its weights: 'ema_model.', 'module.'" in said
    assert "beside those of the network: model.conv1.weight" in said
    ours, pixels = asked(found)
    with torch.inference_mode():
        assert np.abs(ours - average.module(pixels).numpy()).max() < 1e-5
