"""`python -m ml demo`: the whole walk on made-up pictures."""

import argparse
from datetime import datetime

from ml.commands import train
from ml.system.paths import home_dir
from ml.training.config import TrainConfig


def add(commands: argparse._SubParsersAction) -> None:
    demo = commands.add_parser("demo", help="the whole walk on made-up pictures in under a minute")
    demo.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    run_id = f"demo-{datetime.now():%y%m%d-%H%M%S}"
    config = TrainConfig(model="compact_cnn", dataset="synthetic-10-28x28x1", epochs=5, batch_size=32)
    print(train.train(config, run_id, home_dir(), "python -m ml demo"))
    return 0
