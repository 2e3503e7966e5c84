"""Celery's worker of the queue `observe`, `python -m dashboard.observe`: runs the app's background callbacks.

They only relay what the job table says, so many fit into one process. Where no broker is set there is nothing to do.
"""

import os
import socket
import sys

from dash import CeleryManager

from dashboard.shell import create_app
from dashboard.web import server
from ml.jobs.broker import OBSERVE

CONCURRENCY = 32


def main() -> int:
    """Serve until told to stop; the exit status."""
    manager = create_app().launcher
    if not isinstance(manager, CeleryManager):
        server.stop("background callbacks run outside the web server only where CELERY_BROKER_URL is set.")
    name = f"{OBSERVE}-{os.getpid()}@{socket.gethostname()}"
    manager.handle.worker_main(
        [
            "worker", "--queues", OBSERVE, "--pool", "threads", "--concurrency", str(CONCURRENCY),
            "--hostname", name, "--without-gossip", "--without-mingle", "--loglevel", "INFO",
        ]
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
