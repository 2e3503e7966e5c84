"""`python -m ml backup`: everything here that changes, as one file, while the app runs."""

import argparse
import sys
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    backup = commands.add_parser("backup", help="write everything here that changes to one file, while the app runs")
    backup.add_argument("file", type=Path)
    backup.add_argument("--without-runs", action="store_true", help="leave out the runs made or taken in here")
    backup.add_argument("--datasets", action="store_true", help="with the data sets, which may be large")
    backup.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.publishing import backup
    from ml.system import paths

    try:
        contents = backup.take(paths.home_dir(), options.file, runs=not options.without_runs, datasets=options.datasets)
    except OSError as error:
        print(f"{options.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"{options.file}: {len(contents.files):,} files, {contents.bytes / 1e6:.1f} MB")
    if contents.database != backup.DATABASE:
        print(f"The database is not in it: use {contents.database}'s own tool (pg_dump).", file=sys.stderr)
    return 0
