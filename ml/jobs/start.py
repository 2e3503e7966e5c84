"""How a worker begins: `start_worker` from the web server, `work` behind `python -m ml work`."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ml import settings
from ml.jobs.broker import broker
from ml.jobs.processes import trim
from ml.jobs.worker import Worker
from ml.system.paths import ROOT, home_dir


def start_worker(home: Path) -> subprocess.Popen:
    """Start a worker process that lives on without this one. Where one is there already, the new one leaves at once."""
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "worker.log").open("ab") as log:
        trim(logs / "worker.log")
        child = subprocess.Popen(
            [sys.executable, "-m", "ml", "work"],
            cwd=ROOT, env={**os.environ, "FASHION_HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=child.wait, daemon=True).start()  # no zombie while this process lives
    return child


def work() -> int:
    """`python -m ml work`: 0 when it left for want of work or was told to, also when another worker is there.

    With CELERY_BROKER_URL set, a worker of the cluster instead, which stays.
    """
    if broker():
        from ml.jobs import cluster

        return cluster.serve()
    worker = Worker(home_dir(), idle=settings.Worker.read().idle)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())
    if not worker.run():
        print("another worker is at work")
    return 0
