"""`python -m ml evaluate`: score a run again, or make its optional tables."""

import argparse
import os
import sys

from ml.commands import named, sharing

TIES = 2  # answers that rounding may turn on another processor, where two classes were equally likely


def add(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("evaluate", help="score a run again, or make its optional tables")
    evaluate.add_argument("run", type=named)
    evaluate.add_argument("--split", choices=("test", "validation", "reference"), help="print right / n and compare")
    evaluate.add_argument("--only", nargs="+", metavar="NOUN", help="make these tables only")
    evaluate.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.evaluation import rescoring
    from ml.settings import Attempt

    if Attempt.read().lease and hasattr(os, "nice"):
        os.nice(10)  # as a job, it gives way to the web server
    library = pipeline.default_library()
    if options.split:
        right, n, changed, clear = rescoring.rescore(library, options.run, options.split)
        recorded = library.open(options.run).manifest["results"][options.split]["correct"]
        print(f"{right} / {n}")
        if clear or changed > TIES or abs(right - recorded) > changed:
            print(f"not as recorded ({recorded} / {n}): {changed} answers differ", file=sys.stderr)
            return 1
    if options.only or not options.split:
        with sharing(library.home) as share:

            def tell(words: str) -> None:
                print(words, file=sys.stderr)
                if share is not None:
                    share.progress(0, 0, words)

            made = pipeline.evaluate(library, options.run, options.only, tell, share)
        print(f"made {', '.join(made)}" if made else "made nothing: looked, and found none")
    return 0
