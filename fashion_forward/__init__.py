"""The installed command `fashion-forward`: every verb of `python -m ml`, and `serve`, which is `python app.py`.

In the installed package this folder also holds what lies beside it in a checkout: artifacts/ and assets/.
"""

import gc
import os
import sys
from pathlib import Path

PATHS = ("FASHION_HOME", "FASHION_DB", "FASHION_DATA_DIR")


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
