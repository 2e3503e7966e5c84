"""`python -m ml data`: find, fetch and check Fashion-MNIST; import labelled pictures; measure a data set."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.artifacts.identity import run_id_of
from ml.commands import named, own_data
from ml.images.fitting import FITTINGS
from ml.system import atomic, scratch
from ml.system.paths import home_dir

if TYPE_CHECKING:
    from ml.data.base import Dataset
    from ml.data.folder import Imported

LEAST_SIDE, MOST_SIDE = 4, 999  # pixels
TOLD = 3  # names in a sentence
REPLACED = "replaced"  # of a folder in which an import is under way: the data set as it was


def add(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="find, fetch and check Fashion-MNIST, or import pictures of your own")
    data.set_defaults(command=find)
    actions = data.add_subparsers(metavar="import | list | picture | measure | remove | restore")
    folder = actions.add_parser("import", help="labelled pictures of any kind become a data set of your own")
    folder.add_argument("source", type=Path, help="a folder, zip or tar; docs/datasets.md lists what is read")
    folder.add_argument("--name", help="what it is called, Rocks 2 as rocks-2; the folder's name when left out")
    folder.add_argument(
        "--size", default="28x28", metavar="HxW", help="pictures are fitted to it, 4 to 999 a side (default 28x28)"
    )
    folder.add_argument("--colour", action="store_true", help="keep three channels instead of one")
    folder.add_argument(
        "--fit", choices=FITTINGS, default="pad", help="other proportions: pad with black (default), crop or stretch"
    )
    columns = "of a table: image, label, split or group, where another column is meant than was found"
    folder.add_argument("--column", action="append", default=[], metavar="ROLE=NAME", help=columns)
    folder.add_argument("--zip-names", metavar="CODEPAGE", help="of names in old zips, as in cp866 (default: a guess)")
    folder.add_argument("--seed", type=int, default=0, help="of the split into train, validation and test")
    folder.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    folder.add_argument("--new-version", action="store_true", help="replace the data set of this name")
    folder.set_defaults(command=import_folder)
    own_data.add(actions)
    known = actions.add_parser("measure", help="measure a data set's pictures and look for near-duplicates among them")
    known.add_argument("name", type=named)
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
    from ml.artifacts.manifest import check_dataset
    from ml.artifacts.writer import describe, write_pictures
    from ml.data import DATASETS, folder, kept_files, synthetic
    from ml.data.importing.columns import chosen
    from ml.data.importing.sources import IMPORTING
    from ml.images import zip_names

    called = options.source.resolve()
    called = called.stem.removesuffix(".tar") if called.is_file() else called.name
    name = run_id_of(options.name or called)
    if not name:
        words = f"{options.name or called!r} cannot be a data set's name, which needs a letter of a to z or a digit"
        raise ValueError(f"{words}; choose another with --name")
    if name in DATASETS or synthetic.PATTERN.fullmatch(name):
        raise ValueError(f"{name!r} is the name of a data set that comes with the app; choose another with --name")
    if options.name and name != options.name:
        print(f"the data set is called {name}", file=sys.stderr)
    height, width = _size(options.size)
    kept = home_dir() / "datasets" / name
    if kept.exists() and not options.new_version:
        print(f"There is a data set {name!r} already. To replace it: the same with --new-version", file=sys.stderr)
        return 2
    _sweep(home_dir())
    channels = 3 if options.colour else 1
    order = folder.stored_classes(kept)
    made = folder.read(
        options.source, name, height=height, width=width, channels=channels, seed=options.seed, order=order,
        fitting=options.fit, code_page=zip_names.code_page(options.zip_names), columns=chosen(options.column),
    )  # fmt: skip
    dataset = made.dataset
    check_dataset(describe(dataset))
    with scratch.folder(home_dir(), IMPORTING) as aside:
        # whoever reads meanwhile has the old pictures or the new ones, never some of each
        written = write_pictures(aside, dataset, complete=True)
        kept_files.write(written, dataset.files() if dataset.files else {})
        alike = _nearly_alike(pipeline.measure(aside, dataset), dataset)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            atomic.rename(kept, aside / REPLACED)
        atomic.rename(written, kept)
    for line in (*made.notes, *made.left_out.lines(), *_dim(made.dim), *_copies(made), *alike):
        print(line, file=sys.stderr)
    counts = {split: len(rows) for split, rows in dataset.splits.items()}
    told = ", ".join(f"{split} {n:,}" for split, n in counts.items())
    print(f"{name}: {len(dataset.classes)} classes; {told}")
    print(f"Train on it with: python -m ml train --dataset {name}")
    if options.json:
        summary: dict[str, Any] = {"name": name, "digest": dataset.digest, "classes": list(dataset.classes)}
        summary |= {"size": list(dataset.shape), "splits": counts, "left_out": made.left_out.counts()}
        print(json.dumps(summary, ensure_ascii=False))
    return 0


def _sweep(home: Path) -> None:
    """Say and remove what imports that were killed have left."""
    from ml.data.importing.sources import IMPORTING

    def rescue(left: Path) -> None:
        """The data set that was about to be replaced: its place may be empty."""
        for name in own_data.names_in(left / REPLACED):
            kept = home / "datasets" / name
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                atomic.rename(left / REPLACED, kept)
                print(f"{name} is as it was before an import that was broken off", file=sys.stderr)

    gone, freed = scratch.sweep(home, IMPORTING, rescue)
    if gone:
        print(f"removed what an import that was broken off had left: {freed / 1e6:,.1f} MB", file=sys.stderr)


def _size(words: str) -> tuple[int, int]:
    """Height and width. Raises ValueError."""
    size = re.fullmatch(r" *(\d{1,4}) *[x×] *(\d{1,4}) *", words.lower(), re.ASCII)
    height, width = map(int, size.groups()) if size else (0, 0)
    if not (LEAST_SIDE <= height <= MOST_SIDE and LEAST_SIDE <= width <= MOST_SIDE):
        raise ValueError(f"--size must be HEIGHTxWIDTH, each {LEAST_SIDE} to {MOST_SIDE}, as in 28x28; it is {words!r}")
    return height, width


def _dim(names: list[str]) -> list[str]:
    """What is to be known of pictures that are all but black because of how they were written."""
    if not names:
        return []
    many = f"{len(names):,} pictures have" if len(names) > 1 else "1 picture has"
    return [f"{many} levels for more than 8 bits and use none but the lowest, so that next to nothing is to be seen: "
            f"{_some(names)}. Stretch their levels before importing them"]  # fmt: skip


def _copies(made: "Imported") -> list[str]:
    """What is to be known of pictures that are there more than once, one sentence each."""
    told = []
    if made.copied:
        told.append(f"{_are_copies(made.copied)} of the same class, pixel for pixel: {_pairs(made.copied)}")
    if made.in_conflict:
        told.append(f"{_are_copies(made.in_conflict)} of another class: {_pairs(made.in_conflict)}")
    for split, names in made.across.items():
        if names:
            told.append(
                f"{len(names):,} of {len(made.dataset[split]):,} pictures of {split} are in train too, so that "
                f"accuracy on {split} is more than what was learned: {_some(names)}"
            )
    if made.copied and not any(made.across.values()):
        told.append("copies of one picture are kept in one split")
    return told


def _nearly_alike(folder: Path, dataset: "Dataset") -> list[str]:
    """How many pictures of test have a near-duplicate in train, where any has. folder: what was measured of them."""
    import pandas as pd

    from ml.artifacts.schema import PICTURE_NOUNS

    pairs = pd.read_parquet(folder / PICTURE_NOUNS["duplicates"].file)
    n = pairs.loc[(pairs["split"] == "test") & (pairs["other_split"] == "train"), "example_id"].nunique()
    if not n:
        return []
    return [
        f"{n:,} of {len(dataset['test']):,} pictures of test are nearly the same as one of train: see the page Slices"
    ]


def _are_copies(pairs: list[tuple[str, str]]) -> str:
    return f"{len(pairs):,} pictures are copies of others" if len(pairs) > 1 else "1 picture is a copy of another one"


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return _some([f"{name} = {first}" for name, first in pairs])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return f"{', '.join(names[:TOLD])}{more}"
