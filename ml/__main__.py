"""`python -m ml data | train | work | evaluate | predict | card | export | import | …`: see --help of each."""

import argparse
import os
import sys

from ml.artifacts.reader import Broken, Missing
from ml.commands import artifacts, card, data, demo, evaluate, export, import_run, predict, report, train, work
from ml.data.fashion_mnist import DataMissing
from ml.models import WeightsMissing
from ml.system.content_addressed import Gone

VERBS = (data, train, work, evaluate, artifacts, predict, report, card, export, import_run, demo)

# Threads that wait for each other sleep instead of spinning: beside other work, spinning takes 20 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except (Missing, Broken, DataMissing, WeightsMissing, Gone, FileExistsError, KeyError, ValueError) as error:
        words = error.args[0] if error.args else error
        hint = f"\nTry: {error.command}" if isinstance(error, Missing) and error.command else ""
        print(f"{words}{hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser("python -m ml", description="Data, training, evaluation and artifacts.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
