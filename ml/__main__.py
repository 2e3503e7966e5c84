"""`python -m ml data | train | work | evaluate | predict | card | export | import | …`: see --help of each."""

import argparse
import os
import sys
from collections.abc import Mapping

from ml.artifacts.reader import Broken, Missing
from ml.commands import (
    artifacts,
    backup,
    card,
    data,
    demo,
    evaluate,
    export,
    import_run,
    predict,
    report,
    restore,
    runs,
    train,
    users,
    work,
)
from ml.data.fashion_mnist import DataMissing
from ml.models import NotInstalled, WeightsMissing
from ml.system import disk, memory
from ml.system.content_addressed import Gone
from ml.system.streams import print_utf8

VERBS = (
    data,
    train,
    work,
    evaluate,
    artifacts,
    predict,
    report,
    card,
    export,
    import_run,
    runs,
    backup,
    restore,
    users,
    demo,
)
PROGRAM = "python -m ml"
NO_COMMANDS: Mapping[str, str] = {}
EXPECTED = (Missing, Broken, DataMissing, WeightsMissing, NotInstalled, Gone, FileExistsError, KeyError, ValueError)
"""What a person can do something about: told in a sentence, without a traceback."""

# Threads that wait for each other sleep instead of spinning: beside other work, spinning takes 20 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(arguments: list[str] | None = None, *, program: str = PROGRAM, more: Mapping[str, str] = NO_COMMANDS) -> int:
    """Run one command; the exit status. program, more: as `parser` takes them."""
    print_utf8()
    options = parser(program, more).parse_args(arguments)
    try:
        return options.command(options)
    except EXPECTED as error:
        words = error.args[0] if error.args and not isinstance(error, UnicodeError) else error
        hint = f"\nTry: {error.command}" if isinstance(error, Missing) and error.command else ""
        print(f"{words}{hint}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"Out of memory: this takes {memory.TOO_LITTLE}.", file=sys.stderr)
        return 1
    except Exception as error:
        if not disk.full(error):
            raise
        print(f"{disk.FULL}: free some space, then try again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


def parser(program: str = PROGRAM, more: Mapping[str, str] = NO_COMMANDS) -> argparse.ArgumentParser:
    """Every command and option. program: its name; more: verbs that others do, each with its line of help."""
    top = argparse.ArgumentParser(program, description="Data, training, evaluation and artifacts.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    for name, line in more.items():
        commands.add_parser(name, help=line)
    return top


if __name__ == "__main__":
    sys.exit(main())
