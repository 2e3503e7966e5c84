"""Weights of architectures that are known by name: kept as safetensors, computed by torch, looked into like our own."""

import argparse
import json
import sys
import types
from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from ml import pipeline
from ml.__main__ import main
from ml.artifacts import writer
from ml.artifacts.reader import Library
from ml.commands import imports
from ml.explanation.methods import EXPLANATIONS
from ml.importing import conversion, from_weights, trial
from ml.importing.graph import Unusable
from ml.importing.understanding import Wishes
from ml.inference.classifier import Classifier
from ml.inference.engines import open_run
from ml.inference.imported import Interface
from ml.inference.imported_torch import TwoParts, built, plain
from ml.robustness.attacks import attacked
from tests.conftest import TOY, TOY_RUN


def state(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: one.contiguous().clone() for name, one in net.state_dict().items()}


def own(toy_library) -> tuple[str, dict[str, torch.Tensor]]:
    run = toy_library.open(TOY_RUN)
    return run.manifest["model"], {name: torch.from_numpy(one) for name, one in run.weights().items()}


def task(path, data, **wishes) -> conversion.Task:
    pictures = np.asarray(data["validation"].images[:32])
    return conversion.Task(path, data.classes, pictures, Wishes(**wishes), (0.5,), (0.5,))


def wrapped(kind: str, weights: dict[str, torch.Tensor]) -> object:
    """As training scripts keep them."""
    other = {name: one + 1 for name, one in weights.items()}
    return {
        "bare": weights,
        "parallel": {f"module.{name}": one for name, one in weights.items()},
        "compiled": {"model": {f"_orig_mod.module.{name}": one for name, one in weights.items()}, "epoch": 3},
        "lightning": {
            "state_dict": {**{f"model.{name}": one for name, one in weights.items()}, "loss.weight": torch.ones(4)},
            "epoch": 3, "pytorch-lightning_version": "2.0",
        },
        "timm": {"state_dict": other, "state_dict_ema": weights, "arch": "x", "args": argparse.Namespace(lr=1)},
        "averaged": {"n_averaged": torch.tensor(3), **{f"module.{name}": one for name, one in weights.items()}},
        "halves": {name: one.half() if one.is_floating_point() else one for name, one in weights.items()},
    }[kind]  # fmt: skip


SAID = {
    "parallel": "taken off the names of its weights: 'module.'",
    "compiled": "'_orig_mod.', 'module.'",
    "lightning": "weights taken: 'state_dict'",
    "timm": "weights taken: 'state_dict_ema', the averaged ones; 'state_dict' is there, too, and left",
    "averaged": "'module.'",
    "halves": "its weights are float16: they are kept as float32",
}


@pytest.mark.parametrize("kind", ["bare", *SAID])
@pytest.mark.parametrize("old", [False, True])
def test_weights_are_found_however_they_are_kept(kind, old, toy_library, toy_data, tmp_path):
    name, weights = own(toy_library)
    torch.save(wrapped(kind, weights), tmp_path / "w.pt", _use_new_zipfile_serialization=not old)
    found = from_weights.opened(task(tmp_path / "w.pt", toy_data))
    assert found.architecture == name
    said = "\n".join(found.lines)
    assert f"architecture: {name} (the only one" in said, said
    assert SAID.get(kind, "") in said, said
    values = np.random.default_rng(0).random((5, 1, 28, 28)).astype(np.float32)
    net = built(name, channels=1, height=28, width=28, classes=4)
    net.load_state_dict(weights)
    with torch.inference_mode():
        expected = net(torch.from_numpy(values)).numpy()
    assert np.abs(found.answer(values)[0] - expected).max() < (0.05 if kind == "halves" else 1e-5)


def test_a_state_dict_becomes_a_run_like_one_that_was_trained_here(toy_library, own_home, tmp_path, capsys):
    name, weights = own(toy_library)
    save_file(weights, tmp_path / "w.safetensors")
    assert main(["runs", "add", "theirs", "--data", TOY, "--network", str(tmp_path / "w.safetensors"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["kind"], said["capabilities"]) == ("imported", ["probabilities", "features", "gradients", "layers"])
    library = Library(own_home / "none", own_home)
    run, origin = library.open("theirs"), library.open(TOY_RUN)
    assert (run.manifest["model"], run.manifest["weights"]["file"]) == (name, "weights.safetensors")
    assert run.table("confusion").equals(origin.table("confusion"))
    for split, result in origin.manifest["results"].items():
        assert run.manifest["results"][split]["correct"] == result["correct"]
        assert run.manifest["results"][split]["loss"] == pytest.approx(result["loss"], abs=1e-4)
    assert {"features", "neighbours", "projection", "familiarity"} <= set(run.nouns)
    assert not (own_home / "runs" / "theirs" / "network.onnx").exists()
    assert isinstance(open_run(run), Classifier)
    assert pipeline.evaluate(library, "theirs", ["engines"]), "int8 too"


def learned(architecture: str, side: int) -> torch.nn.Module:
    """At random, its normalisation as of some pictures: without, a network says the same of all."""
    torch.manual_seed(0)
    net = built(architecture, channels=3, height=side, width=side, classes=4).train()
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(8, 3, side, side))
    return net.eval()


def test_one_of_timms_becomes_a_run_in_the_order_of_the_classes(toy_data, own_home, tmp_path, capsys):
    net = learned("timm:test_resnet", 32)
    save_file(state(net), tmp_path / "w.safetensors")
    given = ["--architecture", "timm:test_resnet", "--input-size", "32", "--classes", "Bar 2,Bar 0,Bar 3,Bar 1"]
    assert main(["runs", "add", "net", "--data", TOY, "--network", str(tmp_path / "w.safetensors"), *given]) == 0
    assert "by timm's configuration of it" in capsys.readouterr().err
    classifier = Classifier.open(Library(own_home / "none", own_home).open("net"))
    images = np.asarray(toy_data["test"].images[:3])
    mean, deviation = (torch.tensor(net.pretrained_cfg[one]).view(1, 3, 1, 1) for one in ("mean", "std"))
    large = torch.nn.functional.interpolate(
        torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, (32, 32), mode="bilinear", antialias=True
    )
    with torch.inference_mode():
        expected = net((large.expand(-1, 3, -1, -1) - mean) / deviation).softmax(1)[:, [1, 3, 0, 2]].numpy()
    assert np.abs(classifier.probabilities(images) - expected).max() < 1e-4
    looked_into(classifier, images)


def looked_into(classifier: Classifier, images: np.ndarray) -> None:
    """All that pages ask of a network."""
    inputs, target = classifier.inputs(images), torch.tensor([0, 1, 2])
    for name, method in EXPLANATIONS.items():
        assert method.raw(classifier.module, inputs, target, "").shape == images.shape[:3], name
    changed = attacked(classifier, images, np.array([0, 1, 2]), 4 / 255, "fgsm")
    assert changed.images.shape == images.shape
    assert len(classifier.layers()) > 3
    assert classifier.activations(images[0])
    assert classifier.statistics(images).shape[0] == len(images)


def test_others_are_looked_into_as_our_own(toy_data):
    images = np.asarray(toy_data["test"].images[:3])
    about = {"classes": toy_data.classes, "height": 28, "width": 28, "channels": 1}
    how = HOW.model_copy(update={"order": (0, 1, 2, 3)})
    for architecture in ("torchvision:mobilenet_v3_small", "timm:test_vit"):
        module = TwoParts(built(architecture, channels=3, height=32, width=32, classes=4), how)
        looked_into(Classifier(module, plain(about)), images)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def refused(path, data, **wishes) -> str:
    with pytest.raises(Unusable) as error:
        from_weights.opened(task(path, data, **wishes))
    return str(error.value)


def test_weights_that_torchao_quantised_say_so(toy_data, tmp_path, monkeypatch):
    """They are a state dict already, so that the advice to save one leads nowhere (torchao 0.18.0)."""
    module = types.ModuleType("torchao.quantization")
    module.Int8Tensor = type("Int8Tensor", (), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, "torchao", types.ModuleType("torchao"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.save({"0.weight": module.Int8Tensor()}, tmp_path / "w.pt")
    said = refused(tmp_path / "w.pt", toy_data)
    assert "weights that torchao quantised" in said
    assert "before quantize_" in said


def test_convolutions_that_lie_channels_last_are_turned(toy_library, toy_data, tmp_path):
    """As MLX keeps them: [out, height, width, in]."""
    architecture, weights = own(toy_library)
    turned = {key: one.permute(0, 2, 3, 1).contiguous() if one.ndim == 4 else one for key, one in weights.items()}
    assert turned.keys() == weights.keys()
    assert any(turned[key].shape != one.shape for key, one in weights.items())
    said = []
    for name, held in (("torch", weights), ("mlx", turned)):
        save_file({key: one.contiguous() for key, one in held.items()}, tmp_path / f"{name}.safetensors")
        opened = from_weights.opened(task(tmp_path / f"{name}.safetensors", toy_data, architecture=architecture))
        said.append(opened.answer(np.random.default_rng(0).random((4, 1, 28, 28), np.float32))[0])
        assert any("channels last, as MLX keeps them" in line for line in opened.lines) == (name == "mlx")
    assert np.array_equal(*said)


def test_the_size_that_a_network_of_attention_learned_from_shows_in_its_places(toy_data, tmp_path):
    net = built("timm:vit_tiny_patch16_224", channels=3, height=96, width=96, classes=4).eval()
    file = tmp_path / "net.safetensors"
    save_file(state(net), file)
    opened = from_weights.opened(task(file, toy_data, architecture="timm:vit_tiny_patch16_224"))
    assert opened.input.shape == (0, 3, 96, 96)
    assert "pictures are given at 96 × 96 (by its places for patches; --input-size says otherwise)" in opened.lines
    pixels = np.random.default_rng(0).random((2, 3, 96, 96), np.float32)
    with torch.no_grad():
        assert np.abs(opened.answer(pixels)[0] - net(torch.from_numpy(pixels)).numpy()).max() < 1e-5
    with pytest.raises(Unusable, match=r"1 of another shape \(pos_embed\)$"):
        from_weights.opened(task(file, toy_data, architecture="timm:vit_tiny_patch16_224", size=(64, 64)))


def test_what_is_no_state_dict_is_refused_and_never_run(toy_library, toy_data, tmp_path, capsys):
    name, weights = own(toy_library)
    path = tmp_path / "w.pt"
    torch.save({"state_dict": weights, "more": Evil()}, path)
    assert "a pickle that holds more than weights" in refused(path, toy_data)
    torch.save(torch.nn.Linear(3, 2), path)
    assert "torch.nn.modules.linear.Linear" in refused(path, toy_data)
    assert "run" not in capsys.readouterr().out
    torch.save([1, 2], path)
    assert "holds list, and weights by name are wanted" in refused(path, toy_data)
    torch.save({"epoch": 3}, path)
    assert "holds no weights" in refused(path, toy_data)
    some = dict(list(weights.items())[2:])
    torch.save(some, path)
    assert "say it, --architecture" in refused(path, toy_data)
    assert f"not those of {name}: 2 missing (" in refused(path, toy_data, architecture=name)
    torch.save({**weights, "extra.weight": torch.ones(2)}, path)
    lines = from_weights.opened(task(path, toy_data, architecture=name)).lines
    assert f"weights left alone, 1 that {name} does not know: extra.weight" in "\n".join(lines)
    wider = built(name, channels=1, height=28, width=28, classes=7)
    torch.save(state(wider), path)
    assert from_weights.opened(task(path, toy_data)).answer(np.zeros((2, 1, 28, 28), np.float32))[0].shape == (2, 7)
    assert "has no network 'nothing'" in refused(path, toy_data, architecture="timm:nothing")
    assert "has no network 'nothing'" in refused(path, toy_data, architecture="torchvision:nothing")
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    assert "cannot be read as weights" in refused(path, toy_data, architecture=name)


def test_a_folder_of_timms_says_its_architecture_and_its_preparation(toy_data, tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    net = built("timm:test_resnet", channels=3, height=32, width=32, classes=4)
    save_file(state(net), folder / "model.safetensors")
    cfg = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 48, 48]}
    about = {"architecture": "test_resnet", "num_classes": 4, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(about))
    found = from_weights.opened(task(folder, toy_data))
    assert found.architecture == "timm:test_resnet"
    assert (found.stated["mean"], found.stated["deviation"]) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert tuple(found.input.shape) == (0, 3, 48, 48)
    assert "by timm's configuration" in "\n".join(found.lines)


HOW = Interface(
    input="x", type="tensor(float)", layout="nchw", height=32, width=32, channels=3, batch=0, mean=(0.5,),
    deviation=(0.25,), output="y", numbers="logits", order=(0, 1, 2),
)  # fmt: skip


def test_parts_of_a_network_are_the_network():
    for name in (
        "torchvision:shufflenet_v2_x0_5",
        "torchvision:efficientnet_b0",
        "timm:test_convnext",
        "timm:resnet18",
    ):
        net, pixels = built(name, channels=3, height=32, width=32, classes=3), torch.rand(2, 3, 32, 32)
        with torch.inference_mode():
            expected = net((pixels - 0.5) / 0.25)
            made = TwoParts(net, HOW)
            assert torch.allclose(made(pixels), expected, atol=1e-4), name
        assert len(made.body) > 4, name
    with pytest.raises(ValueError, match="does not end in one linear layer"):
        TwoParts(built("torchvision:squeezenet1_0", channels=3, height=32, width=32, classes=3), HOW)


def test_weights_are_written_row_by_row(tmp_path):
    """safetensors takes arrays in any layout, and writes their numbers as they lie in memory."""
    weight = torch.rand(3, 2, 3, 3).to(memory_format=torch.channels_last)
    writer.write_weights(tmp_path, {"a": weight.numpy()})
    assert np.array_equal(load_file(tmp_path / "weights.safetensors")["a"], weight.numpy())


def asked_for(path, ours, tmp_path, **said):
    """What a trial makes of weights, on colourful noise: interface and lines."""
    scratch = tmp_path / f"scratch-{len([*tmp_path.iterdir()])}"
    scratch.mkdir()
    np.save(scratch / "pictures.npy", np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8))
    wishes = Wishes(architecture="torchvision:shufflenet_v2_x0_5", size=(32, 32), **said)
    request = {"path": str(path), "kind": "weights", "classes": [*ours], "wishes": vars(wishes)}
    request |= {"mean": [], "deviation": []}
    made = conversion.worked(request, scratch)
    pictures = np.load(scratch / "pictures.npy")
    inner = trial.examined(
        scratch / conversion.NETWORK, ours, pictures, Wishes.of(made["wishes"]), scratch / "out.onnx"
    )
    return Interface.model_validate(inner["interface"]), [*made["lines"], *inner["lines"]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_weights_of_other_classes_are_mapped_by_names_that_are_known(tmp_path):
    """ImageNet's by number, with case; others by a list of names; nobody guesses where there are none."""
    torch.manual_seed(0)
    path = tmp_path / "w.safetensors"
    save_file(state(built("torchvision:shufflenet_v2_x0_5", channels=3, height=32, width=32, classes=1000)), path)
    how, lines = asked_for(path, ("goldfish", "cardigan", "Cardigan"), tmp_path)
    assert (how.outputs, how.order) == (1000, (1, 474, 264))
    assert any(line.startswith("outputs that are no class here are left out, 997 of 1,000: 'tench'") for line in lines)
    with pytest.raises(Unusable, match=r"its classes .* are 1,000, .* of which 'cat' is left") as refused:
        asked_for(path, ("goldfish", "cat"), tmp_path)
    assert refused.value.classes["*"] == ""
    how, _ = asked_for(path, ("goldfish", "cat"), tmp_path, names={"tabby": "cat", "*": ""})
    assert how.order == (1, 281)
    seven = tmp_path / "seven.safetensors"
    save_file(state(built("torchvision:shufflenet_v2_x0_5", channels=3, height=32, width=32, classes=7)), seven)
    with pytest.raises(Unusable, match=r"gives 7 numbers .* has 2 classes: choose .* --class "):
        asked_for(seven, ("cat", "dog"), tmp_path)
    how, _ = asked_for(seven, ("cat", "dog"), tmp_path, classes=("a", "dog", "c", "d", "cat", "f", "g"))
    assert (how.outputs, how.order) == (7, (4, 1))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\r\nhot dog\r\n", ("cat", "hot dog")),
        ('["cat", "hot, dog"]', ("cat", "hot, dog")),
        ('{"1": ["n2", "dog"], "0": ["n1", "cat"]}', ("cat", "dog")),
    ],
)
def test_a_file_of_names(text, names, tmp_path):
    (tmp_path / "names").write_text(text, newline="")
    assert imports.listed(Namespace(class_names=tmp_path / "names")) == names


@pytest.mark.parametrize("content", [b'{"a": 1}', b"\xff\xfe\x00", b"[1,"])
def test_a_file_that_is_no_list_of_names(content, tmp_path):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(ValueError, match="names is no"):
        imports.listed(Namespace(class_names=tmp_path / "names"))


@pytest.mark.parametrize(
    ("architecture", "side", "said", "expected"),
    [
        ("torchvision:shufflenet_v2_x0_5", 256, {}, (224, "crop", 0.875, "bilinear")),
        ("torchvision:shufflenet_v2_x0_5", 255, {}, (255, None, None, None)),
        ("torchvision:shufflenet_v2_x0_5", 256, {"frame": "stretch"}, (256, None, None, None)),
        ("timm:resnet10t", 64, {}, (64, None, None, None)),
    ],
)
def test_a_recipe_is_followed_where_pictures_are_large_enough(architecture, side, said, expected, tmp_path):
    """Size, crop and interpolation; of smaller ones it is said that it is not, and by which flags it would be."""
    path = tmp_path / "w.safetensors"
    save_file(state(built(architecture, channels=3, height=224, width=224, classes=3)), path)
    pictures = np.zeros((2, side, side, 3), np.uint8)
    found = from_weights.opened(
        conversion.Task(path, ("a", "b", "c"), pictures, Wishes(architecture=architecture, **said), (0.5,), (0.5,))
    )
    size, frame, share, resampling = expected
    lines = "\n".join(found.lines)
    assert tuple(found.input.shape)[2:] == (size, size), lines
    assert found.stated.get("frame") == frame
    assert found.stated.get("share") == (None if share is None else pytest.approx(share))
    assert found.stated.get("resampling") == resampling
    followed = f"{size} × {size}, the middle {share} of the shorter side, {resampling}"
    assert (followed in lines) == (frame is not None), lines
    assert ("is not followed" in lines) == (frame is None and not said), lines


def test_a_folder_whose_architecture_is_called_like_ours_is_timms(toy_data, tmp_path):
    """timm's folders and those that transformers saves of its TimmWrapper: resnet18 is a name of ours too."""
    net = built("timm:resnet18", channels=3, height=32, width=32, classes=4)
    cfg = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 48, 48]}
    about = {"architecture": "resnet18", "label_names": ["a", "b", "c", "d"], "pretrained_cfg": cfg}
    for name, prefix in (("timm", ""), ("wrapper", "timm_model.")):
        folder = tmp_path / name
        folder.mkdir()
        save_file({prefix + key: one for key, one in state(net).items()}, folder / "model.safetensors")
        more = {"model_type": "timm_wrapper", "num_classes": 4} if prefix else {"num_classes": 4}
        (folder / "config.json").write_text(json.dumps({**about, **more}))
        found = from_weights.opened(task(folder, toy_data))
        assert (found.architecture, found.names) == ("timm:resnet18", ("a", "b", "c", "d"))
        assert (found.stated["mean"], found.stated["deviation"]) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
