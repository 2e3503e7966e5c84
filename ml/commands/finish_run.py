"""`python -m ml runs finish`: what a script told becomes its run, at its end or when somebody asks for it later."""

import argparse
import json
import sys

from ml.commands import named
from ml.system.paths import home_dir


def action(actions: argparse._SubParsersAction) -> None:
    end = actions.add_parser("finish", help="publish what a script told of a run and could not publish itself")
    end.add_argument("name", type=named, help="what the script called it")
    end.add_argument("--json", action="store_true", help="end with one line of JSON that says what was made")
    end.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.telling import finish

    def tell(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    made = finish.finish(home_dir(), options.name, tell)
    print(json.dumps(made, ensure_ascii=False) if options.json else home_dir() / "runs" / options.name)
    return 0
