"""`python -m ml artifacts`: rebuild what ships."""

import argparse
import json
import sys

from ml.commands import train
from ml.system.paths import ARTIFACTS, home_dir


def add(commands: argparse._SubParsersAction) -> None:
    artifacts = commands.add_parser("artifacts", help="rebuild what ships: pictures, the trained runs, index, README")
    artifacts.add_argument("--pictures", action="store_true", help="only the pictures")
    artifacts.add_argument("--runs", nargs="+", metavar="RUN", help="only these of the shipped runs")
    take = "ship a run of one's own as it is, without any picture, and describe its data set, which can be fetched"
    artifacts.add_argument("--take", metavar="RUN", help=take)
    artifacts.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.artifacts import schema, writer
    from ml.data import fashion_mnist
    from ml.data.intake import measures
    from ml.publishing.shipped import DEFAULT, SHIPPED

    if options.take:
        return ship(options.take)
    writer.write_pictures(ARTIFACTS, fashion_mnist.load())
    measures.measure(ARTIFACTS, fashion_mnist.load())
    (ARTIFACTS / "README.md").write_text(schema.readme(), encoding="utf-8")
    if options.pictures:
        return 0
    for run_id, config in SHIPPED.items():
        if options.runs and run_id not in options.runs:
            continue
        finished = ARTIFACTS / "runs" / run_id
        if finished.exists():
            print(f"{run_id} is there already; delete {finished} to train it again", file=sys.stderr)
            continue
        # recordings are large: the default run alone ships with one
        train.train(config, run_id, ARTIFACTS, f"python -m ml artifacts --runs {run_id}", record=run_id == DEFAULT)
    writer.write_index(ARTIFACTS, DEFAULT, [r for r in SHIPPED if (ARTIFACTS / "runs" / r).is_dir()])
    return 0


def ship(run_id: str) -> int:
    """A run of FASHION_HOME, or one that ships and is to lose its pictures."""
    from ml.artifacts import schema
    from ml.publishing import pictureless

    folder = pictureless.ship(ARTIFACTS, home_dir(), run_id)
    (ARTIFACTS / "README.md").write_text(schema.readme(), encoding="utf-8")
    described = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["dataset"]["name"]
    dataset = ARTIFACTS / "datasets" / described
    print(f"{folder}: {pictureless.weighed(folder)}")
    print(f"{dataset}: {pictureless.size(dataset) / 1e6:.2f} MB, no picture")
    return 0
