"""`python -m ml runs look FILE --data D --to FILE`: what adding it would make of it, as JSON, and nothing is written.

The panel on the Training page asks this of a process of its own: no other process of a server opens what was brought.
"""

import argparse
import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.commands import json_of, named
from ml.system import atomic, memory, scratch
from ml.system.cells import safe_cell
from ml.system.paths import home_dir

ADDING = "adding"  # what the folders of FASHION_HOME in which a network is looked at or added begin with


def add(actions: argparse._SubParsersAction) -> None:
    look = actions.add_parser("look", help="say as JSON what `add --brought` would make of a file, and write nothing")
    look.add_argument("source", type=Path, help="a file, or a tar of several")
    look.add_argument("--data", required=True, type=named, metavar="DATASET", help="whose pictures it is asked about")
    look.add_argument("--choices", default="{}", metavar="JSON", help="what was said of it; - for standard input")
    look.add_argument("--to", type=Path, metavar="FILE", help="(default: standard output)")
    look.add_argument("--left-out", type=Path, metavar="FILE.csv", help="write all rows that are left out, and why")
    look.set_defaults(command=say)


def say(options: argparse.Namespace) -> int:
    """What is refused is an answer too: {"refused": why}, with columns and classes to choose from where there are."""
    with aside() as folder:
        said = _looked(options, folder)
    text = json.dumps(said, ensure_ascii=False)
    if options.to is None:
        print(text)
    else:
        atomic.write(options.to, text)
    return 1 if "refused" in said else 0


@contextlib.contextmanager
def aside() -> Iterator[Path]:
    """An empty folder for what is unpacked and converted. Processes like this one are killed, as when a person says
    something otherwise meanwhile: the next removes what was left, which it finds in the home."""
    home = home_dir()
    with contextlib.ExitStack() as stack:
        if os.access(home, os.W_OK):
            scratch.sweep(home, ADDING)
            work = stack.enter_context(scratch.folder(home, ADDING)) / "work"
            work.mkdir()
        else:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield work


def _looked(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from ml import data
    from ml.artifacts.reader import Broken, Missing
    from ml.importing import adding, brought
    from ml.importing.graph import Unusable
    from ml.recording.columns import Unclear

    memory.leave_some()
    kind = ""
    try:
        kind, files = brought.told(brought.opened(options.source, folder / brought.NAMELESS))
        choices = adding.Choices.from_json(json_of(options.choices))
        dataset = data.load(options.data, home=home_dir())
        found = adding.understood(files, kind, dataset, home_dir(), choices, folder)
    except Unclear as unclear:
        return {"refused": str(unclear), "kind": kind, "columns": unclear.columns, "classes": unclear.classes}
    except Unusable as unusable:
        return {"refused": str(unusable), "kind": kind, "classes": unusable.classes}
    except Missing as missing:
        return {"refused": f"{missing} Try: {missing.command}" if missing.command else str(missing), "kind": kind}
    except (Broken, ValueError, OSError, KeyError, data.DataMissing) as problem:
        return {"refused": str(problem.args[0] if isinstance(problem, KeyError) else problem), "kind": kind}
    except MemoryError:
        return {"refused": f"{options.source.name} takes {memory.TOO_LITTLE}.", "kind": kind}
    if options.left_out and found.left_out:
        write_left_out(options.left_out, found.left_out)
    said = found.to_json()
    if said.get("doctor"):
        said["doctor"] = _usable(said["doctor"], said["preparation"], dataset.classes)
    return {"found": said, "kind": kind}


def _usable(table: dict[str, Any], stated: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """The doctor's table, each row with what must be said for it to be as stated."""
    from ml.importing import verdict
    from ml.inference.imported import Interface

    rows = [
        {**row, "wishes": verdict.wishes(Interface.model_validate({**stated, **row["fields"]}), classes)}
        for row in table["rows"]
    ]
    return {**table, "rows": rows}


def write_left_out(target: Path, left_out: Mapping[str, list[str]]) -> None:
    """A CSV of all rows that nothing becomes of. left_out: reason → names. Raises ValueError."""
    try:
        with target.open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.writer(file)
            table.writerow(["row", "why"])
            for reason, names in left_out.items():
                table.writerows([safe_cell(name), reason] for name in names)
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror or error}") from error
