"""The one public import, `publish` and `show`, for training scripts and notebooks; and the installed command
`fashion-forward`: every verb of `python -m ml`, and `serve`, which is `python app.py`.

Callbacks for frameworks are in `fashion_forward.lightning`, `.transformers` and `.keras`, which load theirs. In the
installed package this folder also holds what lies beside it in a checkout: artifacts/ and assets/.
"""

import gc
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from fashion_forward.published import add_predictions, publish
from fashion_forward.showing import show, stop_showing

__all__ = ["add_predictions", "main", "publish", "serve", "show", "stop_showing"]
FRAMEWORKS = ("keras", "lightning", "transformers")

PATHS = ("FASHION_HOME", "FASHION_DB", "FASHION_DATA_DIR")


def __getattr__(name: str) -> ModuleType:
    """`fashion_forward.keras` and its like, loaded when they are first named."""
    if name in FRAMEWORKS:
        return importlib.import_module(f"fashion_forward.{name}")
    raise AttributeError(f"module 'fashion_forward' has no attribute {name!r}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    for name in PATHS:  # workers and trainers start in another folder than this one
        value = os.environ.get(name, "")
        if value and "://" not in value:
            os.environ[name] = str(Path(value).absolute())
    if given[:1] == ["serve"]:
        return serve(given[1:])
    from ml import __main__ as commands

    return commands.main(
        given, program="fashion-forward", more={"serve": "serve the app: fashion-forward serve --help"}
    )


def serve(arguments: list[str]) -> int:
    """Serve the app until it is stopped. Ends the process with a sentence where it cannot listen."""
    gc.disable()  # until server.warm, as in app.py
    from dashboard.web import server

    options = server.options(arguments, program="fashion-forward serve")  # a busy port ends it before slow imports
    from dashboard.shell import create_app

    app = create_app(options.artifacts, read_only=options.read_only)
    server.run(server.warm(app), options)
    return 0
