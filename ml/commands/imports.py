"""The half of `python -m ml runs add` that takes a network."""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ml.system.paths import home_dir

if TYPE_CHECKING:
    from ml.data.base import Dataset
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
        match=options.match_names,
    )


def run(options: argparse.Namespace, dataset: "Dataset", run_id: str) -> int:
    """Try the network, say what was understood, and unless --dry-run publish the run."""
    from ml import pipeline
    from ml.artifacts.writer import sha256
    from ml.importing import publish, trial

    file: Path = options.network
    print(f"trying {file.name}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        tried = trial.tried(file, dataset.classes, publish.samples(dataset), wishes(options), Path(scratch))
        for line in tried.lines:
            print(line, file=sys.stdout if options.dry_run else sys.stderr)
        results = None
        if options.dry_run:
            print("Nothing was written. To add the run: the same without --dry-run")
        else:
            sources = {one.name[:120]: sha256(one) for one in (file, *(file.parent / name for name in tried.data))}
            made = publish.publish(
                tried, dataset, run_id, home_dir(), sources=sources,
                command=shlex.join(["python", "-m", "ml", *sys.argv[1:]]),
                tell=lambda words: print(words, file=sys.stderr),
            )  # fmt: skip
            print(made)
            results = pipeline.default_library().open(run_id).manifest["results"]
    if options.json:
        result = (results or {}).get("validation")
        print(json.dumps({
            "run": run_id,
            "kind": "imported",
            "capabilities": publish.CAPABILITIES,
            "preparation": tried.interface.model_dump(mode="json"),
            "understood": tried.lines,
            "splits": {split: one["n"] for split, one in (results or {}).items()},
            "validation_accuracy": result["correct"] / result["n"] if result else None,
        }, ensure_ascii=False))  # fmt: skip
    return 0
