"""`python -m ml work`: queued trainings, one after the other."""

import argparse
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.evaluation.context import EvaluationContext


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
    from ml.jobs.queue import JobTable
    from ml.jobs.shards import help_with
    from ml.system.paths import home_dir

    job = JobTable(home_dir()).get(job_id)
    if job is None:
        return 0
    if job.kind == "import":
        from ml.data import helping

        return help_with(job_id, helping.opened, home_dir())
    from ml import pipeline  # which loads torch
    from ml.evaluation import asking

    def context_of(run_id: str) -> "tuple[EvaluationContext, str]":
        run = (library := pipeline.default_library()).open(run_id)
        return pipeline.context_of(library, run), run.manifest["weights"]["sha256"]

    return help_with(job_id, functools.partial(asking.opened, context_of=context_of), home_dir())
