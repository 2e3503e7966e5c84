"""A Hugging Face image classifier in a folder, as save_pretrained leaves it: opened by transformers, asked, and written
as ONNX.

No code of the folder's own is run, nothing is fetched, and of its files only those that Source.read names are seen. How
it wants its pictures, its own image processor shows: it is given the data set's pictures, and plain ones.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.artifacts.reader import Missing
from ml.images.framing import LEAST_SHARE
from ml.importing.conversion import Opened, Slot, Task, one_line
from ml.importing.from_torchscript import INPUT, Form, write_either
from ml.importing.graph import Unusable
from ml.importing.sources import ABOUT, config_of, source_of
from ml.inference.imported import Interface
from ml.stats.calibration import softmax
from ml.system.torchvision_ops import declare

OUTPUT, TOLD = "logits", 5
ALIKE = 1e-4  # by which probabilities after its own preparation may differ from those after ours without a word
EXACT = 1e-4  # by which its own preparation may be no line through two levels
RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic")  # by the numbers that Pillow gives them
NUMBERED = "LABEL_"  # what transformers calls classes that nobody named


def load() -> None:
    """transformers, which asks nothing of the network. Raises Missing without it."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    declare()
    try:
        import transformers  # noqa: F401
    except ImportError:
        raise Missing("transformers is not installed.", "pip install -r requirements-networks.txt") from None


def opened(task: Task) -> Opened:
    """Raises Unusable, in a sentence, and Missing without transformers."""
    load()
    import transformers

    transformers.logging.set_verbosity_error()
    source, name = source_of(task.path), task.path.name
    config = config_of(task.path / ABOUT[0])
    refuse(config, task)
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept) / "network"
        folder.mkdir()
        for one in source.files:
            (folder / one.name).symlink_to(one.resolve())
        model, lines = loaded(folder, config, name)
        processor, words = processor_of(folder)
    lines += words
    network = Answering(model)
    given = shown(processor, task.pictures, channels_of(model.config)) if processor else None
    if isinstance(given, str):
        lines.append(given)
        given = None
    found = told(processor, given, task.pictures, lines) if given is not None else None
    height, width, deep = size_of(found, model.config, task, lines)
    try:
        network(Form("nchw", height, width, deep, "float").example(2))
    except Exception as error:  # whatever its layers raise of pictures that do not fit
        raise Unusable(
            f"{name} does not take pictures of {height} × {width} ({one_line(error)}): say what it takes, "
            "--input-size 224x224"
        ) from None
    stated, said = stated_of(found, task)
    lines += said
    if found is not None and given is not None and (found.height, found.width) == (height, width) and not spoken(task):
        lines += compared(network, found, given, task.pictures)
    names, said = names_of(model.config, config, task.classes)
    form = Form("nchw", height, width, deep, "float")
    return Opened(
        framework=f"transformers {transformers.__version__}",
        input=Slot(INPUT, "tensor(float)", (0, deep, height, width)),
        outputs=(OUTPUT,),
        answer=lambda values: [network(torch.from_numpy(values)).numpy()],
        write=lambda target: write_either(network, form, OUTPUT, target),
        names=names,
        lines=(*lines, *said),
        stated={**stated, "numbers": task.wishes.numbers or "logits"},
    )


class Answering(nn.Module):
    """float [n, c, h, w] → logits, float [n, classes]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        said: Tensor = self.model(pixel_values=images, return_dict=True).logits
        return said


def refuse(config: Mapping[str, Any], task: Task) -> None:
    """Raise Unusable for what is no classifier of pictures, or needs code that is not transformers' own."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KNOWN

    name = task.path.name
    if any("auto_map" in config_of(task.path / one) for one in ABOUT if (task.path / one).is_file()):
        raise Unusable(
            f"{name} needs code that lies beside it (auto_map), which is not run: export it as ONNX where it was made, "
            "or where you trust it give a Python file with load()"
        )
    if isinstance(config.get("quantization_config"), dict):
        how = config["quantization_config"].get("quant_method", "")
        raise Unusable(f"{name} holds shortened weights ({str(how)[:40]}): save it whole, in float32, and give that")
    known = {one for names in KNOWN.values() for one in ([names] if isinstance(names, str) else names)}
    listed = config.get("architectures")
    whose = [str(one) for one in listed] if isinstance(listed, list) else []
    kind = str(config.get("model_type", ""))
    if whose and not {*whose} & known:
        raise Unusable(
            f"{name} is a {', '.join(whose[:3])[:120]}, and a classifier of pictures is wanted, as "
            "ViTForImageClassification is one: train it as that, and give what save_pretrained writes"
        )
    if not whose and kind not in KNOWN:
        raise Unusable(
            f"{name} is of the kind {kind[:60]!r}, of which transformers has no classifier of pictures: give an ONNX"
        )
    if config.get("problem_type") in ("multi_label_classification", "regression") and not task.wishes.numbers:
        raise Unusable(
            f"{name} answers with a yes or no for each class, or a measure ({config['problem_type']}), and one class "
            "of each picture is wanted: --outputs logits takes its numbers for that"
        )


def loaded(folder: Path, config: Mapping[str, Any], name: str) -> tuple[Any, list[str]]:
    """The network in float32, as it answers, and sentences. Raises Unusable where weights are not there."""
    from transformers import AutoModelForImageClassification

    safe = any(one.suffix == ".safetensors" for one in folder.iterdir())
    try:
        model, about = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=safe, weights_only=True,
            dtype=torch.float32, attn_implementation="eager", output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # of what the configuration says, or weights that are not its own
        words = one_line(error).replace(str(folder), name)
        raise Unusable(
            f"{name} cannot be opened by transformers ({words}): open it where it was made, and export it as ONNX"
        ) from None
    for keys, words in ((about["missing_keys"], "are missing"), (about["mismatched_keys"], "are of another shape")):
        if keys:
            named = sorted(one if isinstance(one, str) else str(one[0]) for one in keys)
            more = " …" if len(named) > TOLD else ""
            raise Unusable(
                f"{name} is no whole classifier: {len(named)} of its weights {words} ({', '.join(named[:TOLD])}{more}),"
                " in whose place transformers puts chance: train it, and give what save_pretrained writes then"
            )
    lines = [f"it is a {type(model).__name__}"]
    if strange := sorted(about["unexpected_keys"]):
        lines.append(f"weights left alone, {len(strange)} that it does not know: {', '.join(strange[:TOLD])}")
    kind = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    if kind not in ("float32", "auto", "None"):
        lines.append(f"its weights are {kind[:20]}: it is asked in float32")
    return model.eval(), lines


def channels_of(config: Any) -> int:
    """Of the pictures that it takes."""
    for one in (config, getattr(config, "vision_config", None)):
        if isinstance(deep := getattr(one, "num_channels", None), int):
            return deep
    return 3


def processor_of(folder: Path) -> tuple[Any, list[str]]:
    """What prepares its pictures, None where nothing says so, and sentences."""
    from transformers import AutoImageProcessor

    if not any((folder / one).is_file() for one in ABOUT[1:]):
        return None, ["there is no preprocessor_config.json: nothing says how pictures are prepared"]
    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False), []
    except Exception as error:  # of whatever stands in it
        words = one_line(error).replace(str(folder), "it")
        return None, [f"its preprocessor_config.json cannot be used ({words}): what it says is left aside"]


def shown(processor: Any, pictures: np.ndarray, deep: int) -> np.ndarray | str:
    """float32 [n, c, h, w] that its processor makes of uint8 [n, h, w, c], or a sentence on why it makes none."""
    if deep == 3 and pictures.shape[3] == 1:
        pictures = np.repeat(pictures, 3, axis=3)
    try:
        made = processor(images=[*pictures], return_tensors="np", input_data_format="channels_last")
        values = np.asarray(made["pixel_values"], np.float32)
    except Exception as error:  # of whatever the configuration says
        return f"its own preparation cannot be done here ({one_line(error)}): what it says is left aside"
    if values.ndim != 4 or len(values) != len(pictures):
        raise Unusable(
            f"its processor makes {' × '.join(map(str, values.shape[1:]))} numbers of a picture, and no picture: give "
            "an ONNX that takes pictures"
        )
    return values


@dataclass(frozen=True)
class Told:
    """How its processor prepares pictures, as Interface has it. beyond: by how many levels of 256 pixels of the two
    differ, on the mean."""

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    bgr: bool
    frame: str
    share: float
    resampling: str
    beyond: float

    def interface(self) -> Interface:
        return Interface(
            input=INPUT, type="tensor(float)", layout="nchw", height=self.height, width=self.width,
            channels=self.channels, batch=0, mean=self.mean, deviation=self.deviation, bgr=self.bgr, frame=self.frame,
            share=self.share, resampling=self.resampling, output=OUTPUT, numbers="logits", order=(0, 1),
        )  # fmt: skip


def told(processor: Any, given: np.ndarray, pictures: np.ndarray, lines: list[str]) -> Told | None:
    """By what it makes of plain pictures, and by which way of framing comes closest to what it made of the data set's,
    given. None, and a line more, where it is of another kind."""
    _, deep, height, width = given.shape
    plain = np.zeros((4, *pictures.shape[1:3], deep), np.uint8)
    plain[1], plain[2], plain[3, ..., 0] = 255, 51, 255
    levels = shown(processor, plain, deep)
    if isinstance(levels, str):
        lines.append(levels)
        return None
    low, high, fifth, first = levels[:, :, height // 2, width // 2].astype(np.float64)
    if (high == low).any() or np.abs(low + (high - low) / 5 - fifth).max() > EXACT * np.abs(high - low).max():
        lines.append("its own preparation is no scaling of pixels: what it says is left aside")
        return None
    deviation, mean = 1 / (high - low), -low / (high - low)
    near = np.abs(first - high) < np.abs(first - low)
    bgr = bool(deep == 3 and near[2] and not near[0])
    level = np.abs(255 * deviation - 1).max() < EXACT and np.abs(mean).max() < EXACT
    best: Told | None = None
    number = getattr(processor, "resample", None)
    how = RESAMPLING[int(number)] if isinstance(number, int) and int(number) < len(RESAMPLING) else "bilinear"
    for frame, share in ways(processor, height):
        one = Told(
            height, width, deep, (0.0,) if level else rounded(mean), (1 / 255,) if level else rounded(deviation), bgr,
            frame, share, how, 0.0,
        )  # fmt: skip
        ours = one.interface().prepared(pictures)
        beyond = float((np.abs(ours - given) * np.abs(deviation)[:, None, None]).mean() * 255)
        if best is None or beyond < best.beyond:
            best = Told(**{**vars(one), "beyond": beyond})
    return best


def rounded(numbers: np.ndarray) -> tuple[float, ...]:
    """As people write them, one where all are the same."""
    found = tuple(float(f"{one:.6g}") if abs(one) > 1e-7 else 0.0 for one in numbers)
    return found[:1] if len({*found}) == 1 else found


def ways(processor: Any, height: int) -> list[tuple[str, float]]:
    """Frames and shares of the shorter side that such a configuration may mean, for an answer of this height."""
    found: list[tuple[str, float]] = [("stretch", 1.0), ("crop", 1.0)]
    size, cut = (numbers_of(getattr(processor, one, None)) for one in ("size", "crop_size"))
    before = [*size, *(int(256 / 224 * one) for one in size)]
    if part := getattr(processor, "crop_pct", None):
        before += [int(one / part) for one in size]
    if cut and getattr(processor, "do_center_crop", False):
        before += cut
    found += [("crop", height / one) for one in dict.fromkeys(before) if LEAST_SHARE * one <= height < one]
    return found


def numbers_of(size: Any) -> list[int]:
    """Of a size, as a number or by names."""
    if isinstance(size, int | float):
        return [int(size)]
    said = (getattr(size, one, None) for one in ("shortest_edge", "height", "width"))
    return [int(one) for one in said if isinstance(one, int | float) and one > 0]


def size_of(found: Told | None, config: Any, task: Task, lines: list[str]) -> tuple[int, int, int]:
    """Height, width and channels of the pictures that it takes, and a line on whose they are."""
    deep = channels_of(config)
    side = getattr(config, "image_size", None)
    sides = [*side] if isinstance(side, list | tuple) else [side, side]
    whole = [one for one in sides if isinstance(one, int) and one > 0]
    if task.wishes.size:
        height, width, whose = *task.wishes.size[:2], "as was said"
    elif found is not None:
        height, width, whose = found.height, found.width, "by its processor's configuration"
    elif len(whole) == len(sides) == 2:
        height, width, whose = *whole, "by its configuration: --input-size says otherwise"
    else:
        height, width, whose = *task.pictures.shape[1:3], "as the data set has them: --input-size says otherwise"
    lines.append(f"pictures are given at {height} × {width} ({whose})")
    return int(height), int(width), deep


def spoken(task: Task) -> bool:
    """Whether the person said how pictures are prepared."""
    said = task.wishes
    return bool(
        said.range or said.mean or said.deviation or said.channels or said.frame or said.share or said.resampling
        or said.inverted or said.transposed
    )  # fmt: skip


def stated_of(found: Told | None, task: Task) -> tuple[dict[str, Any], list[str]]:
    """Fields of Wishes that its processor says and the person does not, and sentences."""
    stated: dict[str, Any] = {}
    if found is None:
        return stated, []
    said, lines, whose = task.wishes, [], "by its processor's configuration"
    if not (said.range or said.mean or said.deviation):
        stated |= {"mean": found.mean, "deviation": found.deviation}
        mean, deviation = (", ".join(f"{x:g}" for x in one) for one in (found.mean, found.deviation))
        lines.append(f"pixels: mean {mean}, deviation {deviation} of 0 to 1, {whose} (--mean and --std say otherwise)")
    if found.bgr and not said.channels:
        stated["channels"] = "bgr"
        lines.append(f"colours: blue first, {whose} (--channels rgb says otherwise)")
    if not (said.frame or said.share):
        stated |= {"frame": found.frame, "share": 0 if found.share == 1 else found.share}
        cut = f", {found.share:.4g} of the shorter side" if found.share < 1 else ""
        words = {"stretch": "resized", "crop": "resized in proportion and the middle cut out"}[found.frame]
        lines.append(f"pictures: {words}{cut}, {whose} (--frame says otherwise)")
    if not said.resampling:
        stated["resampling"] = found.resampling
    return stated, lines


@torch.inference_mode()
def compared(network: nn.Module, found: Told, given: np.ndarray, pictures: np.ndarray) -> list[str]:
    """A sentence on what it says after its own preparation, given, and after ours."""
    ours = found.interface().prepared(pictures)
    said = [softmax(network(torch.from_numpy(one)).numpy()) for one in (given, ours)]
    apart = float(np.abs(said[0] - said[1]).max())
    if apart <= ALIKE:
        return [
            f"prepared by its own processor, {len(pictures)} pictures get the same answers, to {max(apart, 1e-7):.1g}"
        ]
    return [
        f"prepared by its own processor, {len(pictures)} pictures get probabilities that differ by up to {apart:.2g}: "
        f"its pixels are {found.beyond:.2g} levels of 256 apart on the mean, as other code resizes them"
    ]


def names_of(config: Any, said: Mapping[str, Any], classes: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """What it calls its classes, in the order of its outputs, () where those are numbers, and sentences."""
    by_id = {int(key): str(one) for key, one in (config.id2label or {}).items()}
    if sorted(by_id) != [*range(len(by_id))]:
        return (), ["its id2label leaves numbers out: it is left aside"]
    names = tuple(by_id[place] for place in range(len(by_id)))
    if all(one in (f"{NUMBERED}{place}", str(place)) for place, one in by_id.items()) and not {*names} <= {*classes}:
        return (), [f"it calls its classes {names[0]} to {names[-1]}, which are numbers and no names"]
    back = said.get("label2id")
    wrong = [
        one for one, place in (back.items() if isinstance(back, dict) else ())
        if not str(place).isdecimal() or by_id.get(int(place)) != one
    ]  # fmt: skip
    if wrong and "id2label" in said:
        return names, [
            f"label2id says otherwise than id2label of {len(wrong)} classes, {wrong[0]!r} among them: id2label counts, "
            "as it does in transformers"
        ]
    return names, []
