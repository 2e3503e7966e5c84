"""`python -m ml data`: find, fetch and check Fashion-MNIST; fetch or import others; measure a data set."""

import argparse

from ml.commands import export_data, fetch_data, import_data, named, own_data, plan_import
from ml.system.paths import home_dir


def add(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="find, fetch and check Fashion-MNIST, or import pictures of your own")
    data.set_defaults(command=find)
    actions = data.add_subparsers(metavar="fetch | import | plan | export | list | picture | measure | remove | …")
    fetch_data.add(actions)
    import_data.add(actions)
    plan_import.add(actions)
    export_data.add(actions)
    own_data.add(actions)
    known = actions.add_parser("measure", help="measure a data set's pictures and look for near-duplicates among them")
    known.add_argument("name", type=named)
    known.set_defaults(command=measure)


def find(options: argparse.Namespace) -> int:
    from ml.data import fashion_mnist

    dataset = fashion_mnist.load()
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits.items())
    print(f"{dataset.title} in {fashion_mnist.find()}: {counts}; checksums match")
    return 0


def measure(options: argparse.Namespace) -> int:
    from ml.data import load
    from ml.data.intake.measures import measure as measured

    dataset = load(options.name, home=home_dir())
    folder = measured(home_dir(), dataset)
    searched = f"{len(dataset['train']):,}{'' if dataset.complete else ' shipped'} training pictures"
    print(f"{folder}: properties, and near-duplicates of {searched}")
    return 0
