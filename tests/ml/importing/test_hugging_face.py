"""Folders of Hugging Face: what transformers says of a picture is what is said here, and what is no classifier, or
needs code, is refused."""

import dataclasses
import io
import json
import pickle
import tarfile

import numpy as np
import pytest
import torch

from ml.__main__ import main
from ml.importing import brought, conversion, from_hugging_face, publish, sources, trial
from ml.importing.conversion import Task
from ml.importing.graph import Unusable
from ml.importing.trial import Tried
from ml.importing.understanding import Wishes
from ml.inference.imported import ImportedClassifier
from ml.stats.calibration import softmax
from ml.system.torchvision_ops import declare
from tests.conftest import TOY

declare()
transformers = pytest.importorskip("transformers")
CLASSES = ("Bar 0", "Bar 1", "Bar 2", "Bar 3")
LABELS = {"id2label": dict(enumerate(CLASSES)), "label2id": {n: i for i, n in enumerate(CLASSES)}}
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 28,
    "patch_size": 7,
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What opening sets is taken back."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")


def vit(**more):
    return transformers.ViTForImageClassification(transformers.ViTConfig(**{**SMALL, **LABELS, **more}))


def resnet(**more):
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", **{**LABELS, **more}
    )
    return transformers.ResNetForImageClassification(config)


def mobilenet():
    config = transformers.MobileNetV2Config(depth_multiplier=0.1, min_depth=4, image_size=28, **LABELS)
    return transformers.MobileNetV2ForImageClassification(config)


def bit():
    """Which pads zeros before its first maximum."""
    config = transformers.BitConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_groups=1, **LABELS)
    return transformers.BitForImageClassification(config)


def registers():
    """Whose positions are only resized when torch traces it, as ONNX cannot be told to."""
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=7, **LABELS
    )
    return transformers.Dinov2WithRegistersForImageClassification(config)


def processor(side=28, **more):
    return transformers.ViTImageProcessor(size={"height": side, "width": side}, **more)


def kept(net, folder, prepared=None, **more):
    """As a person keeps one: moved away from where it began, so that its answers differ."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for one in net.parameters():
            one += 0.05 * torch.randn(one.shape, generator=generator)
        if any(isinstance(one, torch.nn.BatchNorm2d) for one in net.modules()):  # whose numbers would fade away
            net.train()(pixel_values=torch.rand(64, 3, 28, 28, generator=generator) - 0.5)
    net.eval().save_pretrained(folder, **more)
    if prepared is not None:
        prepared.save_pretrained(folder)
    return folder


def changed(folder, name="config.json", **fields):
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return folder


def task(folder, data, **wishes) -> Task:
    return Task(folder, data.classes, np.asarray(data["validation"].images[:16]), Wishes(**wishes))


def own(folder, images) -> np.ndarray:
    """As transformers' own pipeline does it."""
    net = transformers.AutoModelForImageClassification.from_pretrained(folder, local_files_only=True).eval()
    prepared = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    colours = images if net.config.num_channels == 1 else np.repeat(images, 3, axis=3)
    given = prepared(images=[*colours], return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        return softmax(net(**given).logits.numpy())


def said(opened, given: Task, folder) -> tuple[np.ndarray, list[str]]:
    """Its ONNX's probabilities of the task's pictures, held against transformers', and all sentences."""
    wishes = dataclasses.replace(given.wishes, **opened.stated)
    how, lines = trial.understood(opened, opened.names, opened.said, given.classes, given.pictures, wishes)
    opened.write(folder / "network.onnx")
    content = (folder / "network.onnx").read_bytes()
    assert conversion.held(opened, how, content, given.pictures) < 1e-4
    network = ImportedClassifier(content, how, given.classes, given.pictures.shape[1:])
    return network.probabilities(given.pictures), [*opened.lines, *lines]


NETS = {
    "resnet": (
        resnet, lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 28}, crop_pct=1.0),
        "it is a ResNetForImageClassification",
    ),
    "vit": (vit, processor, "pixels: mean 0.5, deviation 0.5 of 0 to 1, by its processor's configuration"),
    "gray": (
        lambda: vit(num_channels=1), lambda: processor(image_mean=[0.3], image_std=[0.35]),
        "pixels: mean 0.3, deviation 0.35 of 0 to 1",
    ),
    "mobilenet": (
        mobilenet,
        lambda: transformers.MobileNetV2ImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}
        ),
        "resized in proportion and the middle cut out, 0.875 of the shorter side",
    ),
    "zeros": (bit, processor, "it is a BitForImageClassification"),
    "registers": (registers, lambda: processor(resample=3), "pictures are given at 28 × 28"),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_same_answers_as_transformers_gives(name, toy_data, tmp_path):
    made, prepared, words = NETS[name]
    folder = kept(made(), tmp_path / "net", prepared())
    given = task(folder, toy_data)
    answers, lines = said(from_hugging_face.opened(given), given, tmp_path)
    theirs = own(folder, given.pictures)
    assert np.ptp(theirs, axis=0).max() > 1e-3, "pictures get answers of their own"
    assert np.abs(answers - theirs).max() < 1e-4, lines
    assert words in "\n".join(lines), lines
    assert "get the same answers" in "\n".join(lines), lines
    assert "classes by their names in the file, in the order of the data set" in lines


def fitted(prepared, shape=(40, 40, 3)):
    pictures = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype(np.uint8)
    given = from_hugging_face.shown(prepared, pictures, 3)
    return from_hugging_face.told(prepared, given, pictures, [])


PREPARED = {
    "blue first, no mean": (
        lambda: transformers.MobileViTImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}),
        {"bgr": True, "mean": (0.0,), "deviation": (1.0,), "frame": "crop", "share": 32 / 36},
    ),
    "scaled once more": (  # include_top divides by the deviation again
        lambda: transformers.EfficientNetImageProcessor(size={"height": 32, "width": 32}),
        {"mean": (0.5,), "deviation": (0.25,), "frame": "stretch", "height": 32},
    ),
    "levels": (lambda: processor(32, do_rescale=False, do_normalize=False), {"mean": (0.0,), "deviation": (1 / 255,)}),
    "to -1": (
        lambda: processor(32, rescale_factor=1 / 127.5, image_mean=[1] * 3, image_std=[1] * 3),
        {"mean": (0.5,), "deviation": (0.5,), "resampling": "bilinear"},
    ),
    "each colour": (
        lambda: processor(32, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225], resample=0),
        {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225), "resampling": "nearest", "bgr": False},
    ),
    "a part": (
        lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.8),
        {"frame": "crop", "share": 0.8, "width": 32, "resampling": "bicubic"},
    ),
    "large ones stretched": (
        lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 384}), {"frame": "stretch", "height": 384},
    ),
    "more than it is": (
        lambda: transformers.LevitImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        {"frame": "crop", "share": 28 / 32},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PREPARED)
def test_how_pictures_are_prepared_is_told_by_what_its_processor_makes_of_some(name):
    made, expected = PREPARED[name]
    found = fitted(made())
    for field, value in expected.items():
        assert getattr(found, field) == pytest.approx(value), (field, found)
    assert found.beyond < 0.6, found


def test_pictures_that_are_not_square_keep_their_proportions_where_theirs_do(tmp_path):
    prepared = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    found = fitted(prepared, (48, 64, 3))
    assert (found.frame, found.share, found.beyond < 0.6) == ("crop", 1.0, True)
    found = fitted(processor(32), (48, 64, 3))
    assert (found.frame, found.beyond < 0.6) == ("stretch", True)


def test_what_a_person_says_counts(toy_data, tmp_path):
    folder = kept(resnet(), tmp_path / "net", processor(36, do_rescale=True, resample=3))
    given = task(folder, toy_data, mean=(0.25,), deviation=(0.3,), size=(32, 32), frame="letterbox")
    opened = from_hugging_face.opened(given)
    assert {*opened.stated} == {"resampling", "numbers"}
    assert list(opened.input.shape) == [0, 3, 32, 32]
    lines = "\n".join(said(opened, given, tmp_path)[1])
    assert "pictures are given at 32 × 32 (as was said)" in lines
    assert "mean 0.25, deviation 0.3 of 0 to 1 (as was said)" in lines


def test_without_a_processor_what_is_assumed_is_said(toy_data, tmp_path):
    given = task(kept(vit(), tmp_path / "net"), toy_data)
    lines = "\n".join(said(from_hugging_face.opened(given), given, tmp_path)[1])
    assert "there is no preprocessor_config.json" in lines
    assert "pictures are given at 28 × 28 (by its configuration" in lines
    assert "0-1 (assumed" in lines


def test_classes_are_in_the_order_of_their_numbers_and_not_of_their_text():
    names = [f"kind {i:c}" for i in range(97, 109)]
    text = dict(sorted((str(i), name) for i, name in enumerate(names)))
    assert [*text][:3] == ["0", "1", "10"]
    back = {name: i for i, name in enumerate(names)}

    def told(label2id, id2label=text):
        config = transformers.ViTConfig(id2label=id2label, label2id=label2id)
        return from_hugging_face.names_of(config, {"id2label": id2label, "label2id": label2id}, ("cat", "dog"))

    assert told(back) == (tuple(names), [])
    found, lines = told({**back, "kind c": 10})
    assert (found, "id2label counts" in lines[0]) == (tuple(names), True)
    numbered = {str(i): f"LABEL_{i}" for i in range(12)}
    found, lines = told({}, numbered)
    assert (found, lines) == ((), ["it calls its classes LABEL_0 to LABEL_11, which are numbers and no names"])


def parts(folder):
    kept(vit(), folder, processor(), max_shard_size="12KB")
    assert len([*folder.glob("model-*.safetensors")]) > 1


def one_pickle(folder):
    kept(vit(), folder, processor())
    state = vit().state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")


def narrow(folder):
    kept(vit().to(torch.bfloat16), folder, processor())


@pytest.mark.parametrize(("made", "words"), [(parts, ""), (one_pickle, ""), (narrow, "its weights are bfloat16")])
def test_weights_in_parts_as_a_state_dict_and_narrow_ones(made, words, toy_data, tmp_path):
    made(tmp_path / "net")
    source = sources.source_of(tmp_path / "net")
    assert (source.kind, source.code, source.uploaded) == ("hugging-face", False, made is not one_pickle)
    given = task(tmp_path / "net", toy_data)
    assert words in "\n".join(said(from_hugging_face.opened(given), given, tmp_path)[1])


class Canary:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (self.place, "w")


def test_nothing_of_a_folder_is_run(toy_data, tmp_path):
    canary = tmp_path / "canary"
    one_pickle(tmp_path / "net")
    torch.save({"a": Canary(str(canary))}, tmp_path / "net" / "pytorch_model.bin")
    with pytest.raises(Unusable, match="cannot be opened by transformers"):
        from_hugging_face.opened(task(tmp_path / "net", toy_data))
    folder = kept(vit(), tmp_path / "other", processor())
    (folder / "training_args.bin").write_bytes(pickle.dumps(Canary(str(canary))))
    (folder / "modeling.py").write_text(f"open({str(canary)!r}, 'w')")
    from_hugging_face.opened(task(folder, toy_data))
    assert not canary.exists()
    assert "training_args.bin" not in {one.name for one in sources.source_of(folder).files}


def masked(folder):
    net = transformers.ViTForMaskedImageModeling(transformers.ViTConfig(**SMALL, encoder_stride=7))
    kept(net, folder, processor())


def headless(folder):
    kept(transformers.ViTModel(transformers.ViTConfig(**SMALL)), folder, processor())
    changed(folder, architectures=["ViTForImageClassification"], **LABELS)


def siglip2(folder):
    vision = {**SMALL, "num_patches": 16, "image_size": 28}
    config = transformers.Siglip2Config(vision_config=vision, text_config={**SMALL, "vocab_size": 10}, **LABELS)
    kept(transformers.Siglip2ForImageClassification(config), folder, transformers.Siglip2ImageProcessor(patch_size=7))


def broken(folder):
    kept(vit(), folder, processor())
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-500])


REFUSED = {
    "code": (
        lambda at: changed(kept(vit(), at), auto_map={"AutoModelForImageClassification": "modeling.Net"}),
        "needs code that lies beside it",
    ),
    "code of its processor": (
        lambda at: changed(
            kept(vit(), at, processor()), "preprocessor_config.json", auto_map={"AutoImageProcessor": "p.P"}
        ),
        "needs code that lies beside it",
    ),
    "shortened": (
        lambda at: changed(kept(vit(), at), quantization_config={"quant_method": "bitsandbytes"}), "bitsandbytes"
    ),
    "another task": (masked, "is a ViTForMaskedImageModeling, and a classifier of pictures is wanted"),
    "no task": (
        lambda at: changed(kept(vit(), at), architectures=None, model_type="bert"), "has no classifier of pictures"
    ),
    "headless": (headless, r"2 of its weights are missing \(classifier\.bias, classifier\.weight\)"),
    "several at once": (
        lambda at: kept(vit(problem_type="multi_label_classification"), at), "a yes or no for each class"
    ),
    "patches": (siglip2, "and no picture: give an ONNX"),
    "unknown": (lambda at: changed(kept(vit(), at), model_type="newest"), "cannot be opened by transformers"),
    "broken": (broken, "cannot be opened by transformers"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_is_refused_in_a_sentence(name, toy_data, tmp_path):
    made, words = REFUSED[name]
    made(tmp_path / "net")
    with pytest.raises(Unusable, match=words) as refused:
        from_hugging_face.opened(task(tmp_path / "net", toy_data))
    assert "\n" not in str(refused.value)


def test_folders_without_weights_say_what_is_missing(tmp_path):
    for i, (files, words) in enumerate(
        (
            ({"flax_model.msgpack": "x"}, "without model.safetensors, and with flax_model.msgpack: save_pretrained"),
            ({"a.onnx": "x", "b.onnx": "x"}, "a folder with a.onnx, b.onnx in it: give the file"),
            ({"model.safetensors.index.json": json.dumps({"weight_map": {"a": "../b.safetensors"}})}, "without ../b"),
            ({"model.safetensors.index.json": "{}"}, "names no file"),
        )
    ):
        folder = tmp_path / f"n{i}"
        folder.mkdir()
        for name, content in {**files, "config.json": '{"model_type": "vit"}'}.items():
            (folder / name).write_text(content)
        with pytest.raises(Unusable, match=words):
            sources.source_of(folder)


def test_a_folder_becomes_a_network_that_is_asked_here(toy_data, toy_home, tmp_path):
    """In the process of its own, at another size than the data set's: by Pillow, and so nearly the same."""
    folder = kept(resnet(), tmp_path / "net", processor(40))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = conversion.taken(
        sources.source_of(folder), toy_data, Wishes(), toy_home, scratch, lambda n: publish.samples(toy_data, n)
    )
    assert isinstance(found, Tried), found.lines
    network = ImportedClassifier(found.file.read_bytes(), found.interface, toy_data.classes, toy_data.shape)
    images = toy_data["test"].images[:64]
    assert (found.interface.height, found.interface.channels, found.interface.numbers) == (40, 3, "logits")
    assert np.abs(network.probabilities(images) - own(folder, images)).max() < 2e-3


def test_a_folder_comes_through_the_browser_as_a_tar(tmp_path, capsys):
    parts(tmp_path / "net")
    (tmp_path / "net" / "training_args.bin").write_bytes(pickle.dumps(Canary(str(tmp_path / "canary"))))
    with tarfile.open(tmp_path / "net.tar", "w") as archive:
        for one in sorted((tmp_path / "net").iterdir()):
            info = tarfile.TarInfo(f"net/{one.name}")
            info.size = one.stat().st_size
            archive.addfile(info, io.BytesIO(one.read_bytes()))
    choices = json.dumps({"doctor": "as-stated"})
    left = str(tmp_path / "left.csv")
    main(["runs", "look", str(tmp_path / "net.tar"), "--data", TOY, "--choices", choices, "--left-out", left])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["found"]["kind"] == "imported", found
    assert not (tmp_path / "canary").exists()
    one_pickle(tmp_path / "old")
    kind, files = brought.told(sorted((tmp_path / "old").iterdir()))
    assert (kind, files, sources.source_of(files[0]).uploaded) == ("network", [tmp_path / "old"], False)


@pytest.mark.parametrize("where", ["model.onnx", "onnx/model.onnx"])
def test_a_folder_of_optimums_is_named_and_prepared_as_it_says(where, toy_data, tmp_path):
    """As optimum-onnx 0.1.0 leaves it, and as repositories for transformers.js have it: no size of pictures is said."""
    import onnx

    from ml.importing import from_optimum

    folder = kept(resnet(), tmp_path / "net", processor(28, image_mean=[0.5] * 3, image_std=[0.25] * 3))
    theirs = own(folder, task(folder, toy_data).pictures)
    opened = from_hugging_face.opened(task(folder, toy_data))
    (folder / where).parent.mkdir(exist_ok=True)
    opened.write(folder / where)
    made = onnx.load(folder / where)
    for place, side in enumerate(made.graph.input[0].type.tensor_type.shape.dim):
        side.dim_param = f"side{place}"
    onnx.save(made, folder / where)
    (folder / "model.safetensors").unlink()
    source = sources.source_of(folder)
    assert (source.kind, source.uploaded) == ("optimum", False)
    given = task(folder, toy_data)
    answers, lines = said(from_optimum.opened(given), given, tmp_path)
    assert np.abs(answers - theirs).max() < 1e-4, lines
    assert f"its network is {where}, named and prepared as what lies beside it says" in lines
    assert "pixels: mean 0.5, deviation 0.25 of 0 to 1, by its processor's configuration" in "\n".join(lines)
    assert "classes by their names in the file, in the order of the data set" in lines
