"""`python -m ml import`: a run's zip from elsewhere, after checking everything in it. (`import` cannot name a file.)"""

import argparse
import sys
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    take = commands.add_parser("import", help="take in a run's zip, after checking everything in it")
    take.add_argument("file", type=Path)
    take.add_argument("--name", help="what the run shall be called here; its own name when left out")
    take.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import run_archive
    from ml.system import disk, trash

    library = pipeline.default_library()
    gone = {one.run_id for one in trash.listing(library.home)}
    try:
        with options.file.open("rb") as file:
            taken = run_archive.unpack(file, library, name=options.name, taken=gone)
    except run_archive.Unfit as unfit:
        print(f"{unfit}{' Try: --name NAME' if unfit.taken else ''}", file=sys.stderr)
        return 1
    except OSError as error:
        if disk.full(error):
            raise
        print(f"{options.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(taken.folder)
    if taken.needs:
        back = trash.way_back(library.home, taken.needs)
        hint = f"\nThey were put into the trash; to bring them back: {back}" if back else ""
        print(f"Its pictures, the data set {taken.needs}, are not on this machine.{hint}", file=sys.stderr)
    return 0
