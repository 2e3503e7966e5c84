"""Weights alone, in an architecture that is known by name: a state dict of torch, or safetensors.

A state dict is a pickle: it is read here, in the process of its own, with weights_only, and goes on as safetensors.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml import models
from ml.importing import besides, checkpoints, recipes
from ml.importing.conversion import Opened, Slot, Task, one_line
from ml.importing.from_torchscript import INPUT, Form, write_either
from ml.importing.graph import Unusable
from ml.importing.recipes import Recipe
from ml.importing.sources import config_of
from ml.inference.imported_torch import TORCHVISION, built, last_of
from ml.system.damage import DAMAGED
from ml.system.torchvision_ops import declare

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema")
WRAPPED = ("state_dict", "model_state_dict", "model", "net", "weights", "params", "network", "state", "module")
PREFIXES = ("timm_model.", "ema_model.", "module.", "model.", "_orig_mod.", "net.", "network.", "backbone.")
COUNTED = ("num_batches_tracked", "n_averaged")
NUMBERED = re.compile(r"\d+\.")  # how all names of a sequence's weights begin
TOLD = 5
IMAGENET = 1_000
PLACES, PATCHES = ("pos_embed", "encoder.pos_embedding"), ("patch_embed.proj.weight", "conv_proj.weight")
AHEAD = ("cls_token", "dist_token", "reg_token", "class_token")  # words of no patch, which have places too


def opened(task: Task) -> Opened:
    """Raises Unusable, in a sentence, and Missing without the architecture's library."""
    name = task.path.name
    found, lines, said = read(task.path)
    state, beside, more = unwrapped(found, task.path)
    lines += more
    if strange := checkpoints.strange_names({*state, *beside}):
        raise Unusable(f"{name} holds {strange}")
    height, width, channels = task.pictures.shape[1:]
    lines += channels_first(state)
    architecture, how = named(task, state, beside, said, channels)
    lines.append(how)
    last = last_name(architecture)
    lines += besides.told(beside, state, last, name, architecture)
    state = besides.joined(state, beside, last)
    outputs, more = answers_of(last, state, len(task.classes))
    lines += more
    deep = next((one.shape[1] for one in state.values() if one.ndim == 4), channels)
    deep = 3 if deep not in (1, channels) and channels == 1 else deep
    recipe = recipes.of(architecture, said)
    framed, more = recipe.framing((height, width), task.wishes) if recipe is not None else ({}, [])
    own = recipe.size if recipe is not None and "pretrained_cfg" in said else ()
    size = task.wishes.size or framed.get("size") or own or (height, width)
    net, refused = None, ""
    side = side_of(state)
    others = [(height, width), (224, 224), *([(side, side)] if side else [])]
    for tall, wide in dict.fromkeys([tuple(size), *([] if task.wishes.size else others)]):
        sizes = {"channels": deep, "height": tall, "width": wide, "classes": outputs}
        try:
            net = built(architecture, **sizes)
            lines += filled(net, state, architecture)
            break
        except (ValueError, Mismatched) as error:
            net, refused = None, refused or str(error)
    if net is None:
        alike = "another shape" in refused and "missing" not in refused and not task.wishes.size
        size_too = "; --input-size says it where they learned from pictures of another size" if alike else ""
        raise Unusable(f"{name}: {refused}{size_too}{besides.listed(beside)}")
    if framed and (tall, wide) != framed["size"]:
        framed, more = {}, []  # which the weights are not of
    framed.pop("size", None)
    lines += more
    said_so = "as was said" if task.wishes.size else "--input-size says otherwise"
    if side == tall == wide and not task.wishes.size:
        said_so = f"by its places for patches; {said_so}"
    lines.append(f"pictures are given at {tall} × {wide} ({said_so})")
    names = tuple(said.get("label_names", ()))
    if "asked" in said and len(names) != outputs:
        names = ()  # of something else that the script kept
    if not names and outputs != len(task.classes):
        names = known(architecture, outputs)
    form = Form("nchw", tall, wide, deep, "float")
    stated, words = preparation(architecture, recipe, deep, task)
    network = net

    def left(target: Path) -> None:
        from safetensors.torch import save_file

        write_either(network, form, "logits", target)
        save_file(
            {key: one.contiguous().clone() for key, one in network.state_dict().items()},
            target.with_name("weights.safetensors"),
        )

    return Opened(
        framework=f"torch {torch.__version__}",
        input=Slot(INPUT, "tensor(float)", (0, deep, tall, wide)),
        outputs=("logits",),
        answer=lambda values: [answered(network, values)],
        write=left,
        names=names,
        lines=(*lines, *words),
        stated={**framed, **stated, "numbers": task.wishes.numbers or "logits"},
        architecture=architecture,
    )


@torch.inference_mode()
def answered(net: nn.Module, values: np.ndarray) -> np.ndarray:
    return net(torch.from_numpy(values)).float().numpy()


def read(path: Path) -> tuple[Any, list[str], dict[str, Any]]:
    """What the file holds, sentences, and what it says of itself. Raises Unusable."""
    said: dict[str, Any] = {}
    if path.is_dir():
        said = config_of(path / "config.json")
        weights = [path / one for one in ("model.safetensors", "pytorch_model.bin") if (path / one).is_file()]
        state, lines, _ = read(weights[0])
        return state, lines, said
    with path.open("rb") as file:
        begin = file.read(9)
    if begin[8:9] == b"{" and begin[:2] != b"PK":
        return _of_safetensors(path)
    try:
        found, lines = checkpoints.read(path)
    except Unusable:
        raise
    except Exception as error:
        if strange := checkpoints.objects(path):
            raise checkpoints.refused(path, strange) from None
        if any(words in str(error) for words in ("Unsupported operand", "Detected pickle protocol")):
            raise Unusable(
                f"{path.name} is written with a pickle protocol that torch reads no weights from alone: where it was "
                "made, torch.save(model.state_dict(), 'weights.pt') without pickle_protocol, and give that"
            ) from None
        raise Unusable(f"{path.name} cannot be read as weights ({one_line(error)}): copy it again") from None
    return found, lines, checkpoints.said(found)


def _of_safetensors(path: Path) -> tuple[dict[str, Tensor], list[str], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            return {name: file.get_tensor(name) for name in file.keys()}, [], dict(about)  # noqa: SIM118
    except (*DAMAGED, SafetensorError) as error:
        raise Unusable(f"{path.name} cannot be read as weights ({one_line(error)}): copy it again") from None


def unwrapped(found: Any, path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """name → tensor of the part that most of it is, without what its names begin with; the rest, as it is called; and
    sentences on what was taken. Raises Unusable where there are none."""
    lines: list[str] = []
    beside: dict[str, Tensor] = {}
    name = path.name
    for _ in range(4):
        if not isinstance(found, Mapping):
            raise Unusable(f"{name} holds {type(found).__name__}, and weights by name are wanted: a state dict")
        keys = [key for key in (*AVERAGED, *WRAPPED) if isinstance(found.get(key), Mapping) and found[key]]
        if not keys or sum(isinstance(one, Tensor) for one in found.values()) > len(keys):
            break
        rest = [key for key in keys[1:] if key not in AVERAGED]
        if keys[0] in AVERAGED:
            others = f"; {', '.join(map(repr, rest))} is there, too, and left" if rest else ""
            lines.append(f"weights taken: {keys[0]!r}, the averaged ones{others}")
        elif keys[0] in WRAPPED:
            lines.append(f"weights taken: {keys[0]!r}")
        found = found[keys[0]]
    state = {str(key): one for key, one in found.items() if isinstance(one, Tensor)}
    if any(isinstance(one, checkpoints.Unread) for one in found.values()):
        raise checkpoints.refused(path, checkpoints.objects(path))
    if not state:
        raise Unusable(f"{name} holds no weights: torch.save(model.state_dict(), …) writes them")
    changed: list[str] = []
    while len(changed) < 4:
        counted = [key for key in state if not key.endswith(COUNTED)]
        prefix = next((one for one in PREFIXES if sum(key.startswith(one) for key in counted) >= len(counted) / 2), "")
        if not prefix or not counted:
            break
        before = "".join(changed)
        beside |= {f"{before}{key}": one for key, one in state.items() if not key.startswith(prefix)}
        changed.append(prefix)
        state = {key.removeprefix(prefix): one for key, one in state.items() if key.startswith(prefix)}
    if changed:
        lines.append(f"taken off the names of its weights: {', '.join(map(repr, changed))}")
    if halves := sorted(
        {str(one.dtype).removeprefix("torch.") for one in state.values() if one.is_floating_point()} - {"float32"}
    ):
        lines.append(f"its weights are {', '.join(halves)}: they are kept as float32")
    return besides.in_floats(state), besides.in_floats(beside), lines


def channels_first(state: dict[str, Tensor]) -> list[str]:
    """Turn convolutions that lie [out, height, width, in], as MLX keeps them, to torch's [out, in, height, width]; a
    sentence. Where all four-sided weights have two middle sides alike, and some another last one, nobody of torch wrote
    them: it would take square kernels' sides for numbers of channels."""
    folded = {key: one for key, one in state.items() if one.ndim == 4 and key.endswith("weight")}
    shapes = [tuple(one.shape) for one in folded.values()]
    if not shapes or any(one[1] != one[2] for one in shapes) or all(one[2] == one[3] for one in shapes):
        return []
    state.update({key: one.permute(0, 3, 1, 2).contiguous() for key, one in folded.items()})
    return [f"its {len(folded)} convolutions lie channels last, as MLX keeps them: turned to torch's order"]


def side_of(state: Mapping[str, Tensor]) -> int:
    """How high and wide the square pictures were that a network of attention learned from, by its places and patches;
    0 where that does not show."""
    places = next((state[key] for key in PLACES if key in state), None)
    patches = next((state[key] for key in PATCHES if key in state), None)
    if places is None or patches is None or places.ndim != 3 or patches.ndim != 4:
        return 0
    before = sum(state[key].shape[1] for key in AHEAD if key in state and state[key].ndim == 3)
    for count in (places.shape[1] - before, places.shape[1]):
        if count > 0 and math.isqrt(count) ** 2 == count:
            return math.isqrt(count) * int(patches.shape[2])
    return 0


def named(
    task: Task, state: dict[str, Tensor], beside: dict[str, Tensor], said: dict[str, Any], channels: int
) -> tuple[str, str]:
    """The architecture, and a sentence on how it is known. Raises Unusable where nobody can tell."""
    if task.wishes.architecture:
        return task.wishes.architecture.split(".")[0], f"architecture: {task.wishes.architecture} (as was said)"
    told = said.get("architecture") or said.get("arch") or said.get("model_name")
    if isinstance(told, str) and told:
        name = told if ":" in told else f"{models.TIMM}{told}"
        if told in models.MODELS and ("pretrained_cfg" not in said or fits(told, state, task, channels, beside)):
            name = told  # which some of ours and of timm's are both called
        return name.split(".")[0], f"architecture: {name} (by its metadata)"
    for one in said.get("asked", ()):
        if fits(one, state, task, channels, beside):
            return one, f"architecture: {one} (as the checkpoint says, and its weights are of these names and shapes)"
    fit = [one for one in candidates() if fits(one, state, task, channels, beside)]
    if len(fit) == 1:
        return fit[
            0
        ], f"architecture: {fit[0]} (the only one of ours and torchvision's with weights of these names and shapes)"
    if all(NUMBERED.match(key) for key in state):
        raise Unusable(
            f"{task.path.name} holds weights whose names are numbers, as of an nn.Sequential or what fastai's "
            f"learn.save writes of a vision_learner, which say no architecture: of fastai {checkpoints.FASTAI}; of "
            "others export the network as ONNX"
        )
    alike = f", {', '.join(fit[:TOLD])} would take these" if fit else ""
    raise Unusable(
        f"{task.path.name} holds weights, {len(state)} arrays, and not the network that they are of{alike}: say it, "
        f"--architecture timm:resnet18, torchvision:resnet50 or one of ours{besides.listed(beside)}"
    )


def load() -> None:
    """torchvision, whose networks are the candidates."""
    declare()
    import torchvision  # noqa: F401


def candidates() -> list[str]:
    declare()
    import torchvision

    large = ("vit_", "regnet_", "swin", "maxvit", "convnext_", "efficientnet_v2", "wide_")  # slow to build; to be named
    theirs = torchvision.models.list_models(module=torchvision.models)
    return [*models.MODELS, *(f"{TORCHVISION}{one}" for one in theirs if not one.startswith(large))]


def fits(
    architecture: str, state: dict[str, Tensor], task: Task, channels: int, beside: Mapping[str, Tensor] | None = None
) -> bool:
    """Whether its weights have these names and shapes, the last layer's number of answers left aside."""
    height, width = task.pictures.shape[1:3]
    deep = next((one.shape[1] for one in state.values() if one.ndim == 4), channels)
    own, last = shapes_of(architecture, deep, height, width, len(task.classes))
    state = besides.joined(state, beside or {}, last) if own else state
    names = {key for key in own if not key.endswith(COUNTED)}
    if not own or names - {*state} or sum(key not in own and not key.endswith(COUNTED) for key in state):
        return False
    return all(own[key] == state[key].shape for key in names if not key.startswith(f"{last}."))


@cache
def shapes_of(
    architecture: str, channels: int, height: int, width: int, classes: int
) -> tuple[dict[str, torch.Size], str]:
    """name → shape of its weights, and its last layer; nothing where it cannot be built so. Some 60 ms a network."""
    try:
        with torch.device("meta"):
            net = built(architecture, channels=channels, height=height, width=width, classes=classes)
        return {key: one.shape for key, one in net.state_dict().items()}, last_of(net)
    except (ValueError, NotImplementedError, RuntimeError, LookupError):
        return {}, ""


class Mismatched(Exception):
    """Weights that are not the network's; the message says which."""


def last_name(architecture: str) -> str:
    """What its last layer is called; '' where nobody can tell."""
    try:
        with torch.device("meta"):
            return last_of(built(architecture, channels=3, height=224, width=224, classes=2))
    except (ValueError, NotImplementedError, RuntimeError, LookupError):
        return ""


def answers_of(last: str, state: dict[str, Tensor], classes: int) -> tuple[int, list[str]]:
    """How many numbers it gives a picture, by its last layer, of which one for two classes becomes two; and sentences.
    Where nobody can tell, as many as there are classes."""
    lines = two_of_one(state, last) if classes == 2 else []
    answers = state.get(f"{last}.weight")
    return classes if answers is None or answers.ndim < 2 else len(answers), lines


def known(architecture: str, outputs: int) -> tuple[str, ...]:
    """What a library calls as many outputs, by number: ImageNet's thousand; none where nobody says so."""
    if outputs != IMAGENET or not architecture.startswith((models.TIMM, TORCHVISION)):
        return ()
    declare()
    from torchvision.models import ResNet18_Weights

    # timm numbers them alike, and has one name for two of them
    return tuple(map(str, ResNet18_Weights.IMAGENET1K_V1.meta["categories"]))


def filled(net: nn.Module, state: dict[str, Tensor], architecture: str) -> list[str]:
    """Put the weights into the network; sentences. Raises Mismatched."""
    own, lines = net.state_dict(), []
    missing = [key for key in own if key not in state and not key.endswith(COUNTED) and "aux" not in key.lower()]
    strange = [key for key in state if key not in own and not key.endswith(COUNTED)]
    wrong = [key for key in own if key in state and own[key].shape != state[key].shape and not key.endswith(COUNTED)]
    if missing or wrong:
        parts = [
            f"{len(keys)} {words} ({', '.join(keys[:TOLD])}{' …' if len(keys) > TOLD else ''})"
            for keys, words in ((missing, "missing"), (strange, "not known to it"), (wrong, "of another shape"))
            if keys
        ]
        raise Mismatched(f"the weights are not those of {architecture}: {', '.join(parts)}")
    net.load_state_dict(
        {key: state[key] for key in own if key in state and own[key].shape == state[key].shape}, strict=False
    )
    if strange:
        lines.append(
            f"weights left alone, {len(strange)} that {architecture} does not know: {', '.join(strange[:TOLD])}"
        )
    return lines


def two_of_one(state: dict[str, Tensor], last: str) -> list[str]:
    """Of a last layer of one number, two rows in place: half of it with either sign, whose softmax is its sigmoid."""
    weight = state.get(f"{last}.weight")
    if weight is None or weight.ndim != 2 or weight.shape[0] != 1:
        return []
    for key in (f"{last}.weight", f"{last}.bias"):
        if key in state:
            state[key] = torch.cat([-state[key] / 2, state[key] / 2])
    return ["its last layer gives one number for two classes, a margin: above 0 it is the second (--classes turns it)"]


def preparation(
    architecture: str, recipe: Recipe | None, channels: int, task: Task
) -> tuple[dict[str, Any], list[str]]:
    """Fields of Wishes by what is stated of the architecture's pixels, and sentences."""
    wishes = task.wishes
    if wishes.range or wishes.mean or wishes.deviation:
        return {}, []
    if recipe is None:
        if ":" in architecture or len(task.mean) != channels:
            return {}, []
        words = "pixels: less the data set's mean, by its deviation, as ours learn (--range and --mean say otherwise)"
        return {"mean": task.mean, "deviation": task.deviation}, [words]
    mean, deviation = recipe.mean, recipe.deviation
    if channels != len(mean):
        words = (
            f"{recipe.whose} configuration of it is of pictures in colour, and these weights read {channels} channel"
        )
        return {}, [words]
    numbers = f"mean {', '.join(f'{one:g}' for one in mean)}, deviation {', '.join(f'{one:g}' for one in deviation)}"
    return (
        {"mean": mean, "deviation": deviation},
        [f"pixels: {numbers}, by {recipe.whose} configuration of it (--range, --mean and --std say otherwise)"],
    )
