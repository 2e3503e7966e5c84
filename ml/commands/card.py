"""`python -m ml card`: a run's model card."""

import argparse

from ml.commands import named


def add(commands: argparse._SubParsersAction) -> None:
    card = commands.add_parser("card", help="print a run's model card as Markdown")
    card.add_argument("run", type=named)
    card.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import model_card

    print(model_card.markdown(pipeline.default_library().open(options.run)), end="")
    return 0
