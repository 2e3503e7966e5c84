"""`python -m ml data export NAME --to FILE.zip`: a data set as folders of pictures or as parquet files."""

import argparse
import sys
from pathlib import Path

from ml.commands import named
from ml.system.paths import home_dir
from ml.system.wording import quantity

KINDS = ("folder", "parquet")


def add(actions: argparse._SubParsersAction) -> None:
    export = actions.add_parser("export", help="write a data set to a zip: a folder for each class, or parquet files")
    export.add_argument("name", type=named)
    export.add_argument("--to", type=Path, metavar="FILE.zip", help="(default: NAME.zip in this folder)")
    words = "folder: PNG files and labels.csv (default); parquet: as Hugging Face's datasets reads them"
    export.add_argument("--as", dest="kind", choices=KINDS, default="folder", help=words)
    export.set_defaults(command=write)


def write(options: argparse.Namespace) -> int:
    """With labels as they were imported; as reviewed: the Data page."""
    from ml import data
    from ml.images import file_names
    from ml.publishing import dataset_export
    from ml.system import atomic

    dataset = data.load(options.name, home=home_dir())
    target = options.to or Path(f"{options.name}.zip")
    if target.exists():
        raise FileExistsError(f"{file_names.spelled(target)} exists already")
    try:
        with atomic.replacing(target) as scratch, scratch.open("wb") as file:
            for piece in dataset_export.KINDS[options.kind](dataset, {}):
                file.write(piece)
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror or error}") from error
    n = sum(len(split) for split in dataset.splits.values())
    print(
        f"{file_names.spelled(target)}: {quantity(n, 'picture')}, {target.stat().st_size / 1e6:,.1f} MB",
        file=sys.stderr,
    )
    return 0
