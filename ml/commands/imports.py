"""The flags of `python -m ml runs add` that say how a network is asked."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.importing.understanding import Wishes

NAMES_BYTES = 4 << 20
LAYOUTS = ("nchw", "nhwc", "nhw", "flat", "flat-chw")
SCALES = ("0-1", "0-255", "-1-1", "imagenet")
FRAMES = ("stretch", "letterbox", "crop")
RESAMPLINGS = ("bilinear", "bicubic", "nearest", "lanczos")
ANSWERS = ("auto", "logits", "probabilities", "percent", "log-probabilities", "scores", "doubled")
# flags of networks alone, and what they are where nobody gave them
OF_NETWORKS = {
    "layout": "", "range": "", "mean": (), "std": (), "channels": "", "frame": "", "share": 0.0, "resampling": "",
    "inverted": False, "transposed": False, "outputs": "auto", "output": "", "classes": "", "class_names": None,
    "doctor": False, "as_stated": False,
    "architecture": "", "input_size": (),
}  # fmt: skip


def flags(take: argparse.ArgumentParser) -> None:
    """Add what says how a network is asked."""
    group = take.add_argument_group("of a network", "what is not said is found out, or assumed, and said")
    group.add_argument("--layout", choices=LAYOUTS, default="", help="order of channels, height and width")
    ranges = (
        "what pixels are made: imagenet is 0-1 less its mean, by its deviation; as --range=-1-1 (default: by the "
        "metadata, else 0-1)"
    )
    group.add_argument("--range", choices=SCALES, default="", help=ranges)
    mean = "of pixels from 0 to 1, one number a channel or one for all, taken off; as --mean=0.5,0.5,0.5"
    group.add_argument("--mean", type=numbers, default=(), metavar="M", help=mean)
    group.add_argument("--std", type=numbers, default=(), metavar="S", help="the same, divided by")
    group.add_argument("--channels", choices=("rgb", "bgr"), default="", help="which colour comes first (default: rgb)")
    frame = "how pictures get the network's size (default: stretch)"
    group.add_argument("--frame", choices=FRAMES, default="", help=frame)
    share = "of --frame crop: how much of the shorter side stays, 224 of 256 as 0.875"
    group.add_argument("--share", type=float, default=0.0, metavar="S", help=share)
    group.add_argument(
        "--resampling", choices=RESAMPLINGS, default="", help="by what they are resized (default: bilinear)"
    )
    group.add_argument("--inverted", action="store_true", help="the network learned with black as white")
    group.add_argument("--transposed", action="store_true", help="the network learned with rows as columns")
    group.add_argument("--outputs", choices=ANSWERS, default="auto", help="what its numbers are (default: auto)")
    known = "of weights alone: timm:resnet18, torchvision:resnet50, or one of ours (default: by their names and shapes)"
    group.add_argument("--architecture", default="", metavar="A", help=known)
    sides = "what it takes, where it does not say it: 224 or 160x224 (default: the data set's)"
    group.add_argument("--input-size", type=size, default=(), metavar="HxW", help=sides)
    group.add_argument("--output", default="", metavar="NAME", help="which of its outputs is the answer")
    asked = group.add_mutually_exclusive_group()
    advice = "take what the table of other ways of asking advises (default: print it, and take what was stated)"
    asked.add_argument("--doctor", action="store_true", help=advice)
    asked.add_argument("--as-stated", action="store_true", help="do not ask in other ways: quicker, and no table")
    order = "the data set's classes in the order of the outputs"
    said = group.add_mutually_exclusive_group()
    said.add_argument("--classes", default="", metavar="A,B,C", help=order)
    listed = "what the outputs are called, in their order: a name a line, or JSON; those of other classes are left out"
    said.add_argument("--class-names", type=Path, metavar="FILE", help=listed)


def listed(options: argparse.Namespace) -> tuple[str, ...]:
    """The names of --class-names, none without it. Raises ValueError, in words."""
    if options.class_names is None:
        return ()
    path: Path = options.class_names
    try:
        if path.stat().st_size > NAMES_BYTES:
            raise ValueError(f"{path.name} is no list of names of classes: it is larger than {NAMES_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is no text in UTF-8: a name a line is wanted, or JSON") from None
    if text.lstrip()[:1] not in ("[", "{"):
        return tuple(line.strip() for line in text.strip().splitlines())
    try:
        said = json.loads(text)
        if isinstance(said, dict):  # {"0": "tench"}, or torchvision's {"0": ["n01440764", "tench"]}
            said = [said[str(place)] for place in range(len(said))]
        return tuple(str(one[-1] if isinstance(one, list) else one) for one in said)
    except (ValueError, KeyError, IndexError, RecursionError) as error:
        raise ValueError(
            f"{path.name} is no list of names in JSON ({type(error).__name__}): a list, or numbers from 0 on → names"
        ) from None


def numbers(text: str) -> tuple[float, ...]:
    """'0.5,0.5' as numbers. Raises ValueError."""
    return tuple(float(part) for part in text.split(","))


def size(text: str) -> tuple[int, ...]:
    """'224' or '160x224' as height and width. Raises ValueError."""
    sides = tuple(int(part) for part in text.lower().split("x"))
    if len(sides) > 2 or not all(1 <= side <= 4_096 for side in sides):
        raise ValueError(text)
    return sides * 2 if len(sides) == 1 else sides


def wishes(options: argparse.Namespace) -> "Wishes":
    """What the flags say."""
    from ml.commands.import_data import pairs_of
    from ml.importing.understanding import Wishes

    return Wishes(
        layout=options.layout,
        range=options.range,
        mean=options.mean,
        deviation=options.std,
        channels=options.channels,
        frame=options.frame,
        share=options.share,
        resampling=options.resampling,
        inverted=options.inverted,
        transposed=options.transposed,
        output=options.output,
        numbers="" if options.outputs == "auto" else options.outputs,
        classes=tuple(part.strip() for part in options.classes.split(",")) if options.classes else listed(options),
        names=pairs_of("class", options.names),
        match=options.match_names,
        size=options.input_size,
        architecture=options.architecture,
    )
