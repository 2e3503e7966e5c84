"""What a training script kept beside the weights: architecture, preparation, names of classes; and objects, which are
left unread.

A checkpoint is a pickle. It is read with weights_only alone, where in the place of what is neither weights nor plain
values stands `Unread`, which holds nothing: no class or function that the file names is looked up.
"""

import argparse
import pickletools
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ml import models
from ml.importing.graph import Unusable
from ml.inference.imported_torch import TORCHVISION
from ml.system.damage import DAMAGED

RUNNING = ("builtins", "__builtin__", "os", "posix", "nt", "sys", "subprocess", "shutil", "importlib", "runpy",
           "ctypes", "socket", "code", "pickle", "_pickle", "operator", "types")  # fmt: skip
"""Modules that no checkpoint needs: a file that names one of them is refused, whatever else is in it."""
FASTAI = (
    "torch.onnx.export(learn.model.cpu().eval(), torch.zeros(1, 3, 224, 224), 'net.onnx') writes the ONNX; "
    "print(learn.dls.vocab) says the order of the classes, for --classes, and --range imagenet is what vision_learner "
    "gives it"
)
OBJECTS: tuple[tuple[str, str, str], ...] = (
    ("torchao.", "weights that torchao quantised, which are objects of its own",
     "give the state dict from before quantize_, or predictions"),
    ("ultralytics.", "a network of ultralytics as an object",
     "YOLO('best.pt').export(format='onnx') writes the ONNX, with the names of its classes"),
    ("fastai.", "a learner of fastai as an object", FASTAI),
)  # fmt: skip
"""How names of a library's objects begin, what such a file holds, and what to do where they stand for the weights."""
ASKED = ("model", "model_name", "architecture", "arch", "backbone", "encoder", "net", "name")
NAMES = ("class_names", "classes", "CLASSES", "labels", "label_names", "categories", "vocab", "idx_to_class",
         "id2label", "class_to_idx", "label2id", "names")  # fmt: skip
ABOUT = ("args", "hyper_parameters", "datamodule_hyper_parameters", "config", "cfg", "hparams", "meta", "dataset_meta")
"""Where training scripts keep how they were called: timm's and torchvision's, Lightning, mmpretrain."""
MOST_NAMES = 100_000
MOST_BYTES = 2**26  # of the part of a checkpoint that is no numbers
OF_WEIGHTS = re.compile(r"torch\._utils\._rebuild_|torch\.\w*Storage$|collections\.OrderedDict$|torch\.(Size|\w+\d)$")


def strange_names(names: Collection[str]) -> str:
    """What weights by such names are, where no library's classifier has them, and what to do; '' for others."""
    if any(".lora_A." in one or ".base_layer." in one for one in names):
        return (
            "weights with adapters of PEFT beside them (LoRA): where they were made, model.merge_and_unload() and the "
            "state dict of what that gives"
        )
    if "logit_scale" in names and any("token_embedding" in one or one.startswith("text") for one in names):
        return (
            "weights of CLIP, which compares pictures with texts and has no classes of its own: give what it says of "
            "the pictures, with --predictions, or an ONNX of its pictures' part and the texts' vectors as last layer"
        )
    return ""


class Unread:
    """In the place of an object: takes what it was made of, and keeps none of it."""

    def __new__(cls, *_: Any, **__: Any) -> "Unread":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def read(path: Path) -> tuple[Any, list[str]]:
    """What torch.load makes of it with weights_only, `Unread` where an object was, and a sentence on those.

    Raises Unusable where they are what a checkpoint has no need of, and what torch raises where it is no checkpoint.
    """
    strange = objects(path)
    if any(one.partition(".")[0] in RUNNING for one in strange):
        raise refused(path, strange)
    with _in_place_of(strange):
        found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, Unread):
        raise refused(path, strange)
    if not strange:
        return found, []
    more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
    return found, [f"left unread, objects that are no weights: {', '.join(strange[:3])}{more}"]


@contextmanager
def _in_place_of(strange: list[str]) -> Iterator[None]:
    with torch.serialization.safe_globals([argparse.Namespace, *((Unread, one) for one in strange)]):
        yield


def objects(path: Path) -> list[str]:
    """What besides weights a checkpoint names, without running any of it; argparse's arguments are none."""
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # damaged, or in words that torch does not read with weights_only
        found = _named(path)
    return sorted({*found} - {"argparse.Namespace"})


def _named(path: Path) -> list[str]:
    """What a pickle in torch's zip names besides what weights are made of, by its opcodes; [] where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(one for one in archive.namelist() if one.rpartition("/")[2] == "data.pkl")
            if archive.getinfo(inside).file_size > MOST_BYTES:
                return []
            opcodes = [(op.name, arg) for op, arg, _ in pickletools.genops(archive.read(inside))]
    except (*DAMAGED, StopIteration, IndexError):
        return []
    names, texts, memo, last = set(), ["", ""], [], ""
    for op, arg in opcodes:
        if op == "MEMOIZE":
            memo.append(last)
            continue
        last = str(arg) if "UNICODE" in op else ""
        if op in ("BINGET", "LONG_BINGET") and isinstance(arg, int) and arg < len(memo):
            last = memo[arg]
        if op == "GLOBAL":
            names.add(str(arg).replace(" ", "."))
        elif op == "STACK_GLOBAL":
            names.add(".".join(texts[-2:]))
        elif last:
            texts = [texts[-1], last]
    return [one for one in names if not OF_WEIGHTS.match(one)]


def refused(path: Path, strange: list[str]) -> Unusable:
    """That objects stand where weights are wanted, and what to do."""
    for begin, what, advice in OBJECTS:
        if any(one.startswith(begin) for one in strange):
            return Unusable(f"{path.name} holds {what}: {advice}")
    return Unusable(
        f"{path.name} is a pickle that holds more than weights ({', '.join(strange[:3])}), which could run "
        "anything: where it was made, torch.save(model.state_dict(), 'weights.pt'), and give that"
    )


def said(found: Any) -> dict[str, Any]:
    """What a checkpoint says of itself: `asked`, names of architectures in the order of likelihood, `pretrained_cfg` as
    timm's folders have it, `label_names`."""
    if not isinstance(found, Mapping):
        return {}
    about = [found, *(_plain(found[key]) for key in ABOUT if key in found)]
    about += [_plain(one[key]) for one in about[1:] for key in ABOUT if key in one]
    told: dict[str, Any] = {"asked": []}
    names = [one[key] for key in ASKED for one in about if isinstance(one.get(key), str)]
    own_of_timm = isinstance(found.get("version"), int) and "arch" in found  # its train.py, beside the arguments
    if names:
        orders = (models.TIMM, TORCHVISION, "") if own_of_timm or "pytorch-lightning_version" in found else (
            TORCHVISION, models.TIMM, "")  # fmt: skip
        told["asked"] = [name if ":" in name else f"{order}{name}" for name in dict.fromkeys(names) for order in orders]
    arguments = _plain(found.get("args"))
    if own_of_timm and arguments:
        stated = {key: arguments.get(key) for key in ("mean", "std", "crop_pct", "interpolation", "input_size")}
        if not stated["input_size"] and (side := arguments.get("img_size")):
            stated["input_size"] = (3, side, side)
        told["pretrained_cfg"] = {key: one for key, one in stated.items() if one}
    if listed := next(filter(None, map(names_in, about)), ()):
        told["label_names"] = listed
    return told


def names_in(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of classes by number, by one of the names that people give them; () where there are none."""
    return next(filter(None, (_listed(about.get(key)) for key in NAMES)), ())


def _plain(about: Any) -> Mapping[str, Any]:
    """By name, of a dictionary or of arguments; nothing of anything else."""
    if isinstance(about, argparse.Namespace):
        return vars(about)
    return about if isinstance(about, Mapping) else {}


def _listed(names: Any) -> tuple[str, ...]:
    """Names of classes by number: a list of texts, {0: 'cat'}, {'cat': 0}; () for anything else."""
    if isinstance(names, Mapping) and 2 <= len(names) <= MOST_NAMES:
        pairs = [(key, one) if isinstance(one, str) else (one, key) for key, one in names.items()]
        if not all(isinstance(name, str) and str(key).isdecimal() for key, name in pairs):
            return ()
        by_number = {int(key): name for key, name in pairs}
        names = [by_number.get(place) for place in range(len(pairs))]
    if not isinstance(names, list | tuple) or not 2 <= len(names) <= MOST_NAMES:
        return ()
    return tuple(names) if all(isinstance(one, str) and one for one in names) and len({*names}) == len(names) else ()
