"""Checkpoints as training scripts keep them: with how they were called, names of classes, and objects of their own."""

import argparse
import functools
import pathlib
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

from ml.importing import checkpoints, from_weights
from ml.importing.graph import Unusable
from ml.inference.imported_torch import built
from ml.system.torchvision_ops import declare
from tests.ml.importing.conftest import quietly
from tests.ml.importing.test_weights import task

NAMES = ("ship", "shoe", "shirt", "hat")


def net(architecture: str, classes: int = 4) -> torch.nn.Module:
    torch.manual_seed(5)
    return built(architecture, channels=3, height=32, width=32, classes=classes).eval()


def same(found, network: torch.nn.Module) -> bool:
    pixels = np.random.default_rng(0).random((3, *found.input.shape[1:]), np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(pixels)).numpy()
    return bool(np.abs(found.answer(pixels)[0] - wanted).max() < 1e-5)


declare()
import pytorch_lightning  # noqa: E402


class Kept(pytorch_lightning.LightningModule):
    """As people write it: what it was made with is kept, an optimiser's maker, a loss and a path among it."""

    def __init__(self, model_name: str, class_names: Any, optimizer: Any, loss: Any, root: Any) -> None:
        super().__init__()
        with quietly():
            self.save_hyperparameters()
        self.net = net("torchvision:resnet18")
        self.register_buffer("class_weights", torch.ones(4))


def test_lightnings_checkpoint_says_its_architecture_and_its_classes_and_objects_stay_unread(toy_data, tmp_path):
    """pytorch-lightning 2.6.6; such a checkpoint was refused for its optimiser's maker."""
    module = Kept(
        "resnet18", list(NAMES), functools.partial(torch.optim.AdamW, lr=1e-3), torch.nn.CrossEntropyLoss(),
        pathlib.Path("pets"),
    )  # fmt: skip
    trainer = pytorch_lightning.Trainer(
        logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False, barebones=False
    )
    trainer.strategy.connect(module)
    path = tmp_path / "epoch=3-step=40.ckpt"
    trainer.save_checkpoint(path)
    found = from_weights.opened(task(path, toy_data))
    said = "\n".join(found.lines)
    assert "left unread, objects that are no weights: functools.partial" in said
    assert "resnet18 (as the checkpoint says" in said
    assert found.names == NAMES
    assert same(found, module.net.eval())


def test_timms_checkpoint_says_its_architecture_its_pictures_and_its_pixels(toy_data, tmp_path):
    """As timm 1.0.31's CheckpointSaver writes it after train.py."""
    arguments = argparse.Namespace(
        model="test_resnet", img_size=48, input_size=None, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6], crop_pct=None,
        interpolation="", num_classes=4,
    )  # fmt: skip
    network = net("timm:test_resnet")
    state = network.state_dict()
    other = {key: one + 1 if one.is_floating_point() else one for key, one in state.items()}
    kept = {"epoch": 7, "arch": "test_resnet", "state_dict": other, "state_dict_ema": state, "version": 2}
    path = tmp_path / "model_best.pth.tar"
    torch.save({**kept, "args": arguments, "metric": np.float64(91.2), "optimizer": {}}, path)
    found = from_weights.opened(task(path, toy_data))
    assert found.architecture == "timm:test_resnet"
    assert tuple(found.input.shape) == (0, 3, 48, 48)
    assert (found.stated["mean"], found.stated["deviation"]) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert same(found, network)


def frame(kind: str, state: dict[str, torch.Tensor]) -> dict[str, Any]:
    parallel = {f"module.{key}": one for key, one in state.items()}
    return {
        # torchvision's references/classification/train.py
        "torchvision": {"model": state, "optimizer": {}, "epoch": 3, "scaler": None,
                        "args": argparse.Namespace(model="resnet18", val_crop_size=224)},
        # examples/imagenet/main.py
        "examples": {"epoch": 3, "arch": "resnet18", "state_dict": parallel, "best_acc1": torch.tensor(3.0)},
        # what courses teach, with the classes by name
        "course": {"arch": "resnet18", "class_to_idx": {name: place for place, name in reversed([*enumerate(NAMES)])},
                   "model_state_dict": state, "acc": np.float32(0.5), "path": pathlib.PurePosixPath("a/b")},
        # MosaicML Composer 0.32
        "composer": {"state": {"model": parallel, "optimizers": {"Adam": {"state": {}}}, "run_name": "x"},
                     "rng": [{"python": (3, (1, 2), None), "numpy": ("MT19937", np.arange(4), 1, 0, 0.0)}]},
        # DeepSpeed's mp_rank_00_model_states.pt
        "deepspeed": {"module": state, "buffer_names": [], "ds_config": {}, "ds_version": "0.18"},
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["torchvision", "examples", "course", "composer", "deepspeed"])
def test_weights_are_taken_with_what_is_said_of_them(kind, toy_data, tmp_path):
    network = net("torchvision:resnet18")
    path = tmp_path / "last.pt"
    torch.save(frame(kind, network.state_dict()), path)
    named = kind in ("torchvision", "examples", "course")
    found = from_weights.opened(task(path, toy_data))
    assert found.architecture == "torchvision:resnet18"
    assert ("as the checkpoint says" in "\n".join(found.lines)) == named
    assert found.names == (NAMES if kind == "course" else ())
    assert same(found, network)


def test_what_a_checkpoint_says_counts_where_its_weights_fit_alone(toy_data, tmp_path):
    network = net("torchvision:resnet18")
    path = tmp_path / "w.pt"
    kept = {"arch": "resnet34", "classes": ["three", "names", "alone"], "state_dict": network.state_dict()}
    torch.save(kept, path)
    found = from_weights.opened(task(path, toy_data))
    assert "the only one of ours and torchvision's" in "\n".join(found.lines)
    assert found.names == ()


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["a", "b"], ("a", "b")), ({0: "a", 1: "b"}, ("a", "b")), ({"1": "b", "0": "a"}, ("a", "b")),
        ({"b": 1, "a": 0}, ("a", "b")), (["a", "a"], ()), (["a", 3], ()), ({"a": 1, "b": 2}, ()), (10, ()), ("ab", ()),
        ({"a": "x", "b": "y"}, ()), ([""] * 2, ()), ({"a": 0.5, "b": 1}, ()), (None, ()),
    ],
)  # fmt: skip
def test_names_of_classes_are_lists_or_numbered_alone(names, listed):
    assert checkpoints.said({"classes": names}).get("label_names", ()) == listed


class Evil:
    def __init__(self, what: Any) -> None:
        self.what = what

    def __reduce__(self):
        return (self.what, ("run",))


def ran(words: str) -> None:
    print(words)


def test_nothing_that_a_checkpoint_names_is_run(toy_data, tmp_path, capsys):
    network = net("torchvision:resnet18")
    path = tmp_path / "w.pt"
    torch.save({"arch": "resnet18", "state_dict": network.state_dict(), "more": Evil(ran)}, path)
    found = from_weights.opened(task(path, toy_data))
    assert f"left unread, objects that are no weights: {__name__}.ran" in "\n".join(found.lines)
    assert same(found, network)
    for what in (print, sys.exit):
        torch.save({"arch": "resnet18", "state_dict": network.state_dict(), "more": Evil(what)}, path)
        with pytest.raises(Unusable, match="a pickle that holds more than weights"):
            from_weights.opened(task(path, toy_data))
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("ultralytics.nn.tasks", r"YOLO\('best.pt'\).export\(format='onnx'\)"), ("fastai.learner", "learn.dls.vocab"),
        ("own.networks", r"torch.save\(model.state_dict\(\)"),
    ],
)  # fmt: skip
def test_networks_kept_as_objects_are_refused_with_what_their_library_writes(
    module, advice, toy_data, tmp_path, monkeypatch
):
    made = types.ModuleType(module)
    made.Net = type("Net", (torch.nn.Linear,), {"__module__": module})
    for part in range(1, module.count(".") + 2):
        name = ".".join(module.split(".")[:part])
        monkeypatch.setitem(sys.modules, name, made if name == module else types.ModuleType(name))
    path = tmp_path / "best.pt"
    for kept in (made.Net(3, 2), {"epoch": -1, "model": made.Net(3, 2), "ema": None}):
        torch.save(kept, path)
        with pytest.raises(Unusable, match=advice):
            from_weights.opened(task(path, toy_data))


def test_what_torch_does_not_read_alone_is_named_all_the_same(toy_data, tmp_path, monkeypatch):
    """fastai 2.8.12's learn.export is pickled by cloudpickle, with words that weights_only does not know: the advice
    was to copy it again. So it was of weights in a newer protocol."""
    module = types.ModuleType("fastai.learner")
    module.Learner = type("Learner", (), {"__module__": module.__name__})
    path = tmp_path / "export.pkl"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fastai", types.ModuleType("fastai"))
        patch.setitem(sys.modules, module.__name__, module)
        torch.save(module.Learner(), path, pickle_protocol=4)
    with pytest.raises(Unusable, match=r"a learner of fastai as an object: torch\.onnx\.export"):
        from_weights.opened(task(path, toy_data))
    torch.save(net("torchvision:resnet18").state_dict(), path, pickle_protocol=5)
    with pytest.raises(Unusable, match="without pickle_protocol"):
        from_weights.opened(task(path, toy_data))


def test_weights_whose_names_are_numbers_are_refused_with_what_leads_on(toy_data, tmp_path):
    """As fastai 2.8.12's learn.save writes a vision_learner: body and head are a sequence."""
    network = torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 4))
    )
    torch.save({"model": network.state_dict(), "opt": {"state": []}}, tmp_path / "stage-1.pth")
    with pytest.raises(Unusable, match=r"names are numbers, .* fastai torch\.onnx\.export"):
        from_weights.opened(task(tmp_path / "stage-1.pth", toy_data))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["base_model.model.qkv.base_layer.weight", "base_model.model.qkv.lora_A.default.weight"], "merge_and_unload"),
        (["logit_scale", "visual.proj", "token_embedding.weight", "text_projection"], "no classes of its own"),
    ],
)
def test_weights_that_are_no_classifiers_by_their_names(names, said, toy_data, tmp_path):
    """Of PEFT 0.21.2 and open_clip 3.3.0: an architecture was asked that would not have helped."""
    torch.save({one: torch.ones(2, 2) for one in names}, tmp_path / "w.pt")
    with pytest.raises(Unusable, match=said):
        from_weights.opened(task(tmp_path / "w.pt", toy_data, architecture="timm:resnet18"))
