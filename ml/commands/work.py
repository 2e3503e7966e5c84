"""`python -m ml work`: queued trainings, one after the other."""

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    work = commands.add_parser("work", help="do queued trainings, one after the other, until there are none")
    work.add_argument("--shards", metavar="JOB", help="help with a job that another worker runs, then leave")
    work.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    if options.shards:
        return _help(options.shards)
    from ml.jobs.start import work

    return work()


def _help(job_id: str) -> int:
    from ml.data import helping
    from ml.jobs.shards import help_with
    from ml.system.paths import home_dir

    return help_with(job_id, helping.opened, home_dir())
