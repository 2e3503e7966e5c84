"""`python -m ml export`: a run as one zip, or its network as ONNX."""

import argparse
from pathlib import Path

from ml.commands import named


def add(commands: argparse._SubParsersAction) -> None:
    export = commands.add_parser("export", help="pack a run into one zip, or write its network as ONNX")
    export.add_argument("run", type=named)
    export.add_argument("--as", dest="form", choices=("zip", "onnx", "int8"), default="zip", help="(default: zip)")
    export.add_argument("--to", type=Path, help="the file (default RUN.zip, RUN.onnx or RUN-int8.onnx)")
    export.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml import pipeline
    from ml.publishing import model_card, run_archive

    library = pipeline.default_library()
    chosen = library.open(options.run)
    if options.form != "zip" and options.form not in chosen.nouns:
        pipeline.evaluate(library, chosen.run_id, [options.form])
        chosen = library.open(chosen.run_id)
    ending = {"zip": ".zip", "onnx": ".onnx", "int8": "-int8.onnx"}[options.form]
    target = options.to or Path(f"{chosen.run_id}{ending}")
    if options.form == "zip":
        content = run_archive.pack(chosen, model_card.markdown(chosen))
    else:
        content = chosen.graph(options.form)
    target.write_bytes(content)
    print(f"{target}: {len(content) / 1e6:.1f} MB")
    return 0
