"""`python -m ml runs add`: a run from what was made elsewhere, a network as ONNX or predictions in a file."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ml.commands import finish_run, imports, json_of, look, named
from ml.system import memory
from ml.system.paths import home_dir

if TYPE_CHECKING:
    from ml.importing.adding import Choices
    from ml.recording.reading import Wishes

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
        "--network",
        type=Path,
        metavar="SOURCE",
        help="a classifier: ONNX with its data files beside it, TorchScript, torch.export, weights, or a Python file",
    )
    sent = "what came through a page or the API, a file or a tar of several: what it is is told by itself, and nothing "
    what.add_argument("--brought", type=Path, metavar="FILE", help=f"{sent}that carries code is taken")
    take.add_argument(
        "--choices", metavar="JSON", help="all that is said of it, as the page writes it; - for standard input"
    )
    take.add_argument("--shown", default="", metavar="NAME", help="what people call the file that was brought")
    take.add_argument(
        "--doctored", type=Path, metavar="FILE", help="what `runs look` said of it: it is not asked again"
    )
    take.add_argument("--taken", default="", metavar="WORDS", help="which row of its table the choices are")
    take.add_argument("--dry-run", action="store_true", help="only say what was understood; nothing is written")
    imports.flags(take)
    splits = "of rows that do not say it"
    take.add_argument("--split", choices=("train", "validation", "test"), default="", help=splits)
    roles = "which column is id, path, digest, split, epoch, label, predicted, confidence, values, features or top"
    take.add_argument("--column", action="append", default=[], metavar="ROLE=NAME", help=roles)
    renamed = "what the file calls a class, and its name here; no name leaves one of predictions out"
    take.add_argument("--class", dest="names", action="append", default=[], metavar="FOUND=NAME", help=renamed)
    alike = "take class names that differ in case, spaces and underscores alone"
    take.add_argument("--match-names", action="store_true", help=alike)
    take.add_argument("--values", choices=VALUES, default="", help="what the numbers are, where that is not told right")
    take.add_argument("--repeated", choices=("first", "last"), default="", help="which row of a picture counts")
    take.add_argument("--epoch", type=int, help="whose predictions are the run's (default: the last)")
    take.add_argument("--unmatched", type=Path, metavar="FILE.csv", help="write all rows that are left out, and why")
    take.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    take.set_defaults(command=run)
    look.add(actions)
    finish_run.action(actions)


def run(options: argparse.Namespace) -> int:
    """Exit 2 where a run of this name is here already."""
    from ml import data, pipeline
    from ml.artifacts.identity import run_id_of
    from ml.importing import adding, naming
    from ml.importing.graph import Unusable

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
    if options.brought:
        memory.leave_some()
    dataset = data.load(options.data, home=home_dir())
    with look.aside() as scratch:
        kind, files = given(options, scratch)
        trusted = not options.brought
        try:
            found = adding.understood(
                files,
                kind,
                dataset,
                home_dir(),
                chosen(options),
                scratch,
                told,
                trusted=trusted,
                asked=doctored(options.doctored, options.taken),
            )
        except Unusable as refused:
            for line in naming.lines(refused.classes) if trusted else ():
                told(line)
            raise
        for line in [*found.lines, *_table(found.said.get("doctor"), options)] if trusted else ():
            print(line, file=sys.stdout if options.dry_run else sys.stderr)
        if options.unmatched:
            look.write_left_out(options.unmatched, found.left_out)
        if options.dry_run:
            print("Nothing was written. To add the run: the same without --dry-run")
        else:
            print(found.make(run_id, home_dir(), command(options, run_id, kind), told))
    if options.json:
        made = None if options.dry_run else pipeline.default_library()
        print(json.dumps(adding.summary(found, run_id, made), ensure_ascii=False))
    return 0


def doctored(file: Path | None, taken: str) -> tuple[dict[str, Any], str] | None:
    """The doctor's table as `look` left it; None where it has gone: then it is made again. taken: the row in use."""
    try:
        return None if file is None else (json.loads(file.read_text(encoding="utf-8"))["found"]["doctor"], taken)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def told(words: str) -> None:
    """How far it is, for people."""
    print(words, file=sys.stderr)


def given(options: argparse.Namespace, scratch: Path) -> tuple[str, list[Path]]:
    """Which kind it is, and its files. Raises Unusable."""
    from ml.importing import adding, brought

    if options.brought:
        return brought.told(brought.opened(options.brought, scratch / brought.NAMELESS))
    return (adding.NETWORK, [options.network]) if options.network else (adding.PREDICTIONS, options.predictions)


def command(options: argparse.Namespace, run_id: str, kind: str) -> str:
    """What would make the same run again, without places on a server's disk."""
    words = ["python", "-m", "ml", *sys.argv[1:]]
    if options.brought:
        words = [*words[:3], "runs", "add", run_id, "--data", options.data, f"--{kind}", options.shown]
    return shlex.join(words)


def chosen(options: argparse.Namespace) -> "Choices":
    """What the flags say. Raises ValueError, in words."""
    from ml.importing.adding import Choices

    if options.choices is not None:
        return Choices.from_json(json_of(options.choices))
    taken: Literal["", "advice", "as-stated"] = "advice" if options.doctor else "as-stated" if options.as_stated else ""
    return Choices(imports.wishes(options), taken, wishes(options))


def _table(table: Mapping[str, Any] | None, options: argparse.Namespace) -> list[str]:
    """What the doctor found, and what to do with it."""
    from ml.importing import verdict

    if table is None:
        return []
    advice = table["advice"]
    if advice is None:
        return verdict.lines(table)
    said = " ".join(shlex.quote(flag) for flag in advice["flags"])
    how = "it is taken" if options.doctor else f"to take it: --doctor{f', or {said}' if said else ''}"
    return [*verdict.lines(table), how]


# flags, and what they are of where they are given
OF_PREDICTIONS: dict[str, object] = {
    "split": "", "column": [], "values": "", "repeated": "", "epoch": None, "unmatched": None
}  # fmt: skip


def only_one_kind(options: argparse.Namespace) -> None:
    """Raise ValueError where a flag is of the other kind of run than the one that is asked for."""
    if options.brought:
        return
    others, kind = (OF_PREDICTIONS, "--predictions") if options.network else (imports.OF_NETWORKS, "--network")
    if given := [name for name, default in others.items() if getattr(options, name) != default]:
        raise ValueError(f"--{given[0].replace('_', '-')} goes with {kind}")


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
