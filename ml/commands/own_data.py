"""`python -m ml data list | picture | remove | restore`: data sets of one's own, looked at and put away."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.commands import named
from ml.system import small_files
from ml.system.paths import ARTIFACTS, home_dir

if TYPE_CHECKING:
    from ml.artifacts.reader import RunEntry
    from ml.jobs.queue import JobTable

SPLITS, UNLABELLED = ("train", "validation", "test"), "unlabelled"


def add(actions: argparse._SubParsersAction) -> None:
    known = actions.add_parser("list", help="the data sets that are here, and those in the trash")
    known.set_defaults(command=listed)
    picture = actions.add_parser("picture", help="write one picture of a data set to a file, and say its label")
    picture.add_argument("name", type=named)
    picture.add_argument("split", choices=(*SPLITS, UNLABELLED))
    picture.add_argument("id", type=int, help="its number, as in tables and beside pictures")
    picture.add_argument("--to", type=Path, metavar="FILE.png", help="(default: NAME-SPLIT-ID.png in this folder)")
    picture.set_defaults(command=show)
    gone = actions.add_parser("remove", help="put a data set of your own into the trash, for 30 days")
    gone.add_argument("name", type=named)
    gone.add_argument("--yes", action="store_true", help="do it; without, only say what refers to it")
    gone.set_defaults(command=remove)
    back = actions.add_parser("restore", help="bring a data set back from the trash")
    back.add_argument("name", type=named)
    back.set_defaults(command=restore)


def listed(options: argparse.Namespace) -> int:
    from ml import data
    from ml.artifacts.reader import Library
    from ml.system import trash

    home = home_dir()
    Library(ARTIFACTS, home).purge_datasets()
    for name in data.available(home):
        root = home if (home / "datasets" / name / "train.npz").is_file() else ARTIFACTS
        print(f"{name}: {_described(_description(root / 'datasets' / name))}")
    for one in trash.listing(home, trash.DATASETS):
        print(f"{one.run_id}: in the trash until {one.until:%Y-%m-%d}; python -m ml data restore {one.run_id}")
    return 0


def show(options: argparse.Namespace) -> int:
    """The stored pixels as PNG; the label's name on standard output."""
    import io

    import numpy as np
    from PIL import Image

    from ml import data
    from ml.artifacts.reader import Missing
    from ml.images import file_names
    from ml.system import atomic

    dataset = data.load(options.name, home=home_dir())
    if options.split not in dataset.splits:
        raise Missing(f"All pictures of {options.name} have a label.")
    split = dataset[options.split]
    found = np.flatnonzero(split.ids == options.id)
    if not len(found):
        few = ", ".join(map(str, split.ids[:5].tolist()))
        raise Missing(f"There is no picture {options.id} in {options.split} of {options.name}; it has {few}, …")
    pixels = split.images[found[0]]
    target = options.to or Path(f"{options.name}-{options.split}-{options.id}.png")
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    try:
        atomic.write(target, file.getvalue())
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror or error}") from error
    label = int(split.labels[found[0]])
    print(dataset.classes[label] if label >= 0 else UNLABELLED)
    print(f"{file_names.spelled(target)}: {pixels.shape[0]} x {pixels.shape[1]} pixels", file=sys.stderr)
    return 0


def remove(options: argparse.Namespace) -> int:
    from ml.artifacts.reader import Library
    from ml.jobs.queue import JobTable
    from ml.system import trash

    name, home = options.name, home_dir()
    folder = _own(name, home)
    jobs = JobTable(home)
    busy = [job.run_id for job in (*jobs.running(), *jobs.queued()) if job.spec.get("dataset") == name]
    if busy:
        raise ValueError(f"{', '.join(busy)} is still to learn from {name}: cancel that training first")
    print(f"{name}: {_described(_description(folder))}")
    for line in _referring(name, home, jobs):
        print(line)
    if not options.yes:
        print("Nothing was removed. To remove it: the same with --yes", file=sys.stderr)
        return 2
    Library(ARTIFACTS, home).purge_datasets()
    trash.put(home, name, trash.name(name), trash.DATASETS)
    print(f"{name} is in the trash for {trash.KEPT_DAYS} days. To bring it back: python -m ml data restore {name}")
    return 0


def restore(options: argparse.Namespace) -> int:
    from ml.artifacts.reader import Missing
    from ml.system import trash

    home = home_dir()
    found = [one for one in trash.listing(home, trash.DATASETS) if one.run_id == options.name]
    if not found:
        raise Missing(f"There is no data set {options.name!r} in the trash.", "python -m ml data list")
    trash.restore(home, found[0].folder, trash.DATASETS)  # the last that was removed
    print(f"{options.name}: {_described(_description(home / 'datasets' / options.name))}")
    return 0


def _own(name: str, home: Path) -> Path:
    """The folder of a data set that may be removed. Raises KeyError, ValueError, in words."""
    from ml import data
    from ml.artifacts.schema import RUN_ID
    from ml.data import synthetic

    if name in data.DATASETS or synthetic.PATTERN.fullmatch(name):
        raise ValueError(f"{name} comes with the app and cannot be removed")
    folder = home / "datasets" / name
    if not RUN_ID.fullmatch(name) or not folder.is_dir():
        raise data.unknown(name, home)
    return folder


def _referring(name: str, home: Path, jobs: "JobTable") -> list[str]:
    """What refers to a data set, one sentence each."""
    from ml.artifacts.reader import Library

    runs: list[RunEntry] = [
        run for run in Library(ARTIFACTS, home).runs() if run.ok and run.manifest["dataset"]["name"] == name
    ]
    told = []
    if runs:
        them = "run keeps its numbers and loses its" if len(runs) == 1 else "runs keep their numbers and lose their"
        told.append(f"{len(runs)} {them} pictures: {', '.join(run.run_id for run in runs)}")
    unfinished = [
        job.run_id for job in jobs.listing() if job.state == "interrupted" and job.spec.get("dataset") == name
    ]
    if unfinished:
        told.append(f"trainings that could not be resumed: {', '.join(unfinished)}")
    if runs:
        told.append("decisions about its labels, saved slices and links stay, and hold again once it is restored")
    return told


def _description(folder: Path) -> dict[str, Any]:
    """What dataset.json says, empty where it cannot be read."""
    try:
        found = small_files.document(folder / "dataset.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def names_in(folder: Path) -> list[str]:
    """The name of the data set that a folder holds, none where it holds none."""
    from ml.artifacts.schema import RUN_ID

    name = _description(folder).get("name")
    return [name] if isinstance(name, str) and RUN_ID.fullmatch(name) else []


def _described(description: dict[str, Any]) -> str:
    from ml.data.base import digest

    try:
        there = [*SPLITS, *([UNLABELLED] if UNLABELLED in description["counts"] else [])]
        counts = ", ".join(f"{split} {description['counts'][split]:,}" for split in there)
        form = f"{description['height']} x {description['width']} x {description['channels']}"
        return f"{len(description['classes'])} classes, {form}; {counts}; digest {digest(description)}"
    except (KeyError, TypeError, ValueError):
        return "it cannot be read"
