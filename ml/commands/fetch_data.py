"""`python -m ml data fetch NAME`: a published data set, from where it lies or from a folder with the same files."""

import argparse
import json
import sys
from pathlib import Path

from ml.commands import named
from ml.commands.import_data import teller
from ml.system.paths import home_dir


def add(actions: argparse._SubParsersAction) -> None:
    known = actions.add_parser("fetch", help="fetch a published data set whose pictures do not come with the app")
    known.add_argument("name", type=named, nargs="?", help="which; without it, say which there are")
    known.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="which has its files; no network")
    known.add_argument("--progress", action="store_true", help="say how far it is, line by line")
    known.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    known.set_defaults(command=fetch)


def fetch(options: argparse.Namespace) -> int:
    from ml.data import Cancelled, intake, nobody
    from ml.data.intake import fetching

    if not options.name:
        return listed()
    intake.sweep(home_dir(), lambda words: print(words, file=sys.stderr))
    try:
        made = fetching.fetch(
            options.name, source=options.source, home=home_dir(), progress=teller() if options.progress else nobody
        )
    except Cancelled:
        print("cancelled; nothing of it is left", file=sys.stderr)
        return 1
    said = made.described
    if made.already:
        print(f"{options.name} is here already")
    for line in made.left_out.lines():
        print(line, file=sys.stderr)
    counts = {split: said["splits"][split] for split in ("train", "validation", "test")}
    told = ", ".join(f"{split} {n:,}" for split, n in counts.items())
    print(f"{options.name}: {len(said['classes'])} classes; {told}; from {said.get('fetched', '')}")
    if options.json:
        summary = {"name": options.name, "digest": said["digest"], "classes": said["classes"]}
        summary |= {"size": [said["height"], said["width"], said["channels"]], "splits": counts}
        print(json.dumps(summary | {"left_out": made.left_out.counts()}, ensure_ascii=False))
    return 0


def listed() -> int:
    """What can be fetched."""
    from ml.data.fetchable import FETCHABLE
    from ml.system.paths import ARTIFACTS

    for name, one in FETCHABLE.items():
        here = (home_dir() / "datasets" / name / "train.npz").is_file()
        ships = (ARTIFACTS / "datasets" / name / "files.parquet").is_file()
        state = "is here" if here else "can be fetched" if ships else "has no list in this version"
        print(f"{name}: {state}; {one.title}, {one.shown}, commit {one.commit[:12]}, {one.licence}")
    return 0
