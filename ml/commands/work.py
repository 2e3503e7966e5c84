"""`python -m ml work`: queued trainings, one after the other."""

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    work = commands.add_parser("work", help="do queued trainings, one after the other, until there are none")
    work.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.jobs.start import work

    return work()
