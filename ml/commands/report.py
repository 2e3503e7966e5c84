"""`python -m ml report`: a run's figures and numbers as files."""

import argparse
from pathlib import Path

from ml.commands import named


def add(commands: argparse._SubParsersAction) -> None:
    report = commands.add_parser("report", help="write a run's figures and numbers into a folder")
    report.add_argument("run", type=named)
    report.add_argument("--to", type=Path, help="the folder (default report-RUN)")
    report.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import report

    folder = options.to or Path(f"report-{options.run}")
    for path in report.write(pipeline.default_library(), options.run, folder):
        print(path)
    return 0
