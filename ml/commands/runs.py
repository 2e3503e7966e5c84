"""`python -m ml runs add`: a run from what was made elsewhere, a network as ONNX or predictions in a file."""

import argparse
import csv
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ml.commands import imports, named
from ml.system.cells import safe_cell
from ml.system.paths import home_dir

if TYPE_CHECKING:
    from ml.data.base import Dataset
    from ml.recording.reading import Understood, Wishes

VALUES = ("probabilities", "percent", "logits", "log-probabilities", "scores")


def add(commands: argparse._SubParsersAction) -> None:
    runs = commands.add_parser("runs", help="runs from elsewhere: a network, or predictions in a file, become one")
    actions = runs.add_subparsers(required=True, metavar="ACTION")
    take = actions.add_parser(
        "add", help="a run from a network or from predictions; docs/own-networks.md says what is read"
    )
    take.add_argument("name", help="what the run is called, Big Net 2 as big-net-2")
    take.add_argument("--data", required=True, type=named, metavar="DATASET", help="whose pictures it is asked about")
    given = "CSV, TSV, JSON lines, parquet or npz; several are parts of one, or epochs where their names say so"
    what = take.add_mutually_exclusive_group(required=True)
    what.add_argument("--predictions", nargs="+", type=Path, metavar="FILE", help=given)
    what.add_argument(
        "--network", type=Path, metavar="FILE.onnx", help="a classifier as ONNX, its data files beside it"
    )
    take.add_argument("--dry-run", action="store_true", help="only say what was understood; nothing is written")
    imports.flags(take)
    splits = "of rows that do not say it"
    take.add_argument("--split", choices=("train", "validation", "test"), default="", help=splits)
    roles = "which column is id, path, digest, split, epoch, label, predicted, confidence, values, features or top"
    take.add_argument("--column", action="append", default=[], metavar="ROLE=NAME", help=roles)
    renamed = "what the file calls a class, and its name here; no name leaves it out"
    take.add_argument("--class", dest="names", action="append", default=[], metavar="FOUND=NAME", help=renamed)
    alike = "take class names that differ in case, spaces and underscores alone"
    take.add_argument("--match-names", action="store_true", help=alike)
    take.add_argument("--values", choices=VALUES, default="", help="what the numbers are, where that is not told right")
    take.add_argument("--repeated", choices=("first", "last"), default="", help="which row of a picture counts")
    take.add_argument("--epoch", type=int, help="whose predictions are the run's (default: the last)")
    take.add_argument("--unmatched", type=Path, metavar="FILE.csv", help="write all rows that are left out, and why")
    take.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    take.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Exit 2 where a run of this name is here already."""
    from ml import data, pipeline
    from ml.artifacts.identity import run_id_of

    only_one_kind(options)
    library = pipeline.default_library()
    run_id = run_id_of(options.name)
    if not run_id:
        raise ValueError(f"{options.name!r} cannot be a run's name, which needs a letter of a to z or a digit")
    if run_id in library.names() and not options.dry_run:
        print(f"There is a run {run_id!r} already: give this one another name.", file=sys.stderr)
        return 2
    if run_id != options.name:
        print(f"the run is called {run_id}", file=sys.stderr)
    dataset = data.load(options.data, home=home_dir())
    return imports.run(options, dataset, run_id) if options.network else _recorded(options, dataset, run_id)


# flags, and what they are of where they are given
OF_PREDICTIONS: dict[str, object] = {
    "split": "", "column": [], "names": [], "values": "", "repeated": "", "epoch": None, "unmatched": None
}  # fmt: skip


def only_one_kind(options: argparse.Namespace) -> None:
    """Raise ValueError where a flag is of the other kind of run than the one that is asked for."""
    others, kind = (OF_PREDICTIONS, "--predictions") if options.network else (imports.OF_NETWORKS, "--network")
    if given := [name for name, default in others.items() if getattr(options, name) != default]:
        shown = {"names": "class"}.get(given[0], given[0]).replace("_", "-")
        raise ValueError(f"--{shown} goes with {kind}")


def _recorded(options: argparse.Namespace, dataset: "Dataset", run_id: str) -> int:
    from ml import pipeline
    from ml.artifacts.writer import sha256
    from ml.recording import publish, reading

    try:
        understood = reading.read(options.predictions, dataset, home_dir() / "datasets" / options.data, wishes(options))
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror or error}") from error
    for line in understood.lines():
        print(line, file=sys.stdout if options.dry_run else sys.stderr)
    if options.unmatched:
        _write_unmatched(options.unmatched, understood)
    results = None
    if options.dry_run:
        print("Nothing was written. To add the run: the same without --dry-run")
    else:
        sources = {file.name[:120]: sha256(file) for file in options.predictions}
        command = shlex.join(["python", "-m", "ml", *sys.argv[1:]])
        made = publish.publish(
            understood, dataset, run_id, home_dir(), sources=sources, command=command,
            tell=lambda words: print(words, file=sys.stderr),
        )  # fmt: skip
        print(made)
        results = pipeline.default_library().open(run_id).manifest["results"]
    if options.json:
        print(json.dumps(said(run_id, understood, results), ensure_ascii=False))
    return 0


def wishes(options: argparse.Namespace) -> "Wishes":
    """What the flags say. Raises ValueError, in words."""
    from ml.commands.import_data import pairs_of
    from ml.recording import columns
    from ml.recording.reading import Wishes

    return Wishes(
        columns=columns.chosen(options.column),
        names=pairs_of("class", options.names),
        suggested=options.match_names,
        values=options.values,
        split=options.split,
        repeated=options.repeated,
        epoch=options.epoch,
    )


def said(run_id: str, understood: "Understood", results: dict | None) -> dict[str, object]:
    """The line of JSON. results: of the manifest, None where nothing was written."""
    result = (results or {}).get("validation")
    return {
        "run": run_id,
        "kind": "recorded",
        "capabilities": understood.capabilities,
        "preparation": {},
        "matched": understood.matched,
        "unmatched": understood.unmatched,
        "left_out": {reason: len(names) for reason, names in understood.left_out.items()},
        "splits": {split: len(part.at) for split, part in understood.parts.items()},
        "epochs": sorted(understood.epochs),
        "validation_accuracy": result["correct"] / result["n"] if result else None,
    }


def _write_unmatched(target: Path, understood: "Understood") -> None:
    try:
        with target.open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.writer(file)
            table.writerow(["row", "why"])
            for reason, names in understood.left_out.items():
                table.writerows([safe_cell(name), reason] for name in names)
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror or error}") from error
