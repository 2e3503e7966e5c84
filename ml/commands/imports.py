"""The flags of `python -m ml runs add` that say how a network is asked."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.importing.understanding import Wishes

LAYOUTS = ("nchw", "nhwc", "nhw", "flat")
SCALES = ("0-1", "0-255", "-1-1", "imagenet")
ANSWERS = ("auto", "logits", "probabilities", "percent", "log-probabilities", "scores")
# flags of networks alone, and what they are where nobody gave them
OF_NETWORKS = {
    "layout": "", "range": "", "mean": (), "std": (), "channels": "", "outputs": "auto", "output": "", "classes": ""
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
    group.add_argument("--outputs", choices=ANSWERS, default="auto", help="what its numbers are (default: auto)")
    group.add_argument("--output", default="", metavar="NAME", help="which of its outputs is the answer")
    order = "the data set's classes in the order of the outputs"
    group.add_argument("--classes", default="", metavar="A,B,C", help=order)


def numbers(text: str) -> tuple[float, ...]:
    """'0.5,0.5' as numbers. Raises ValueError."""
    return tuple(float(part) for part in text.split(","))


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
        output=options.output,
        numbers="" if options.outputs == "auto" else options.outputs,
        classes=tuple(part.strip() for part in options.classes.split(",")) if options.classes else (),
        names=pairs_of("class", options.names),
        match=options.match_names,
    )
