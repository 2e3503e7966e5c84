"""`python -m ml data`: find, fetch and check Fashion-MNIST; import a folder of pictures; measure a data set."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from ml.artifacts.schema import RUN_ID
from ml.images.fitting import FITTINGS
from ml.system import atomic
from ml.system.paths import home_dir


def add(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="find, fetch and check Fashion-MNIST, or import a folder of pictures")
    data.set_defaults(command=find)
    actions = data.add_subparsers(metavar="import | measure")
    folder = actions.add_parser("import", help="FOLDER/<class>/<picture> becomes a data set of your own")
    folder.add_argument("folder", type=Path)
    folder.add_argument("--name", help="lower case letters, digits, - and _; the folder's name when left out")
    folder.add_argument("--size", default="28x28", metavar="HxW", help="pictures are fitted to it (default 28x28)")
    folder.add_argument("--colour", action="store_true", help="keep three channels instead of one")
    folder.add_argument(
        "--fit", choices=FITTINGS, default="pad", help="other proportions: pad with black (default), crop or stretch"
    )
    folder.add_argument("--seed", type=int, default=0, help="of the split into train, validation and test")
    folder.add_argument("--new-version", action="store_true", help="replace the data set of this name")
    folder.set_defaults(command=import_folder)
    known = actions.add_parser("measure", help="measure a data set's pictures and look for near-duplicates among them")
    known.add_argument("name")
    known.set_defaults(command=measure)


def find(options: argparse.Namespace) -> int:
    from ml.data import fashion_mnist

    dataset = fashion_mnist.load()
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits.items())
    print(f"{dataset.title} in {fashion_mnist.find()}: {counts}; checksums match")
    return 0


def measure(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.data import load

    dataset = load(options.name, home=home_dir())
    folder = pipeline.measure(home_dir(), dataset)
    searched = f"{len(dataset['train']):,}{'' if dataset.complete else ' shipped'} training pictures"
    print(f"{folder}: properties, and near-duplicates of {searched}")
    return 0


def import_folder(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.artifacts.writer import write_pictures
    from ml.data import DATASETS, folder, synthetic

    name = options.name or re.sub(r"[^a-z0-9_-]+", "-", options.folder.resolve().name.lower()).strip("-_")
    if not RUN_ID.fullmatch(name) or name in DATASETS or synthetic.PATTERN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a data set's name; choose another with --name")
    size = re.fullmatch(r"(\d{2,3})x(\d{2,3})", options.size)
    if not size:
        raise ValueError("--size must be HEIGHTxWIDTH, each 10 to 999")
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder")
    kept = home_dir() / "datasets" / name
    if kept.exists() and not options.new_version:
        print(f"There is a data set {name!r} already. To replace it: the same with --new-version", file=sys.stderr)
        return 2
    height, width = map(int, size.groups())
    channels = 3 if options.colour else 1
    order = folder.stored_classes(home_dir() / "datasets" / name)
    dataset, refused = folder.read(
        options.folder, name, height=height, width=width, channels=channels, seed=options.seed, order=order,
        fitting=options.fit,
    )  # fmt: skip
    home_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"importing-{name}-", dir=home_dir()) as aside:
        # whoever reads meanwhile has the old pictures or the new ones, never some of each
        made = write_pictures(Path(aside), dataset, complete=True)
        folder.write_files(made, dataset.files() if dataset.files else {})
        pipeline.measure(Path(aside), dataset)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            atomic.rename(kept, Path(aside) / "replaced")
        atomic.rename(made, kept)
    for line in refused:
        print(f"left out {line}", file=sys.stderr)
    counts = ", ".join(f"{split} {len(rows):,}" for split, rows in dataset.splits.items())
    print(f"{name}: {len(dataset.classes)} classes; {counts}")
    print(f"Train on it with: python -m ml train --dataset {name}")
    return 0
