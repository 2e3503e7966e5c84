"""The background callback that relays a job's row to one browser tab."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.services.jobs import Jobs

RELAY_SECONDS = 0.5


def relay(set_progress: Callable[[Any], None], ticket: dict[str, Any]) -> list[Any]:
    """The background callback: wakes the worker, then tells one tab of every change of the row until the job ends.

    Runs in an interpreter of its own and captures nothing: the ticket says it all, {"job": id, "home": folder}, the
    home written in by the launcher; '' is that of the machine it runs on. Its death costs nothing, since every tab
    reads the row too. It leaves when the server that started it is gone.
    """
    jobs = Jobs(Path(ticket["home"]) if ticket["home"] else None)
    table, shown = jobs.table(), None
    parent = multiprocessing.parent_process() or _multiprocess_parent()
    while table is not None and (parent is None or parent.is_alive()):
        job = table.get(ticket["job"])
        if job is None:
            break
        shown, before = [job.id, job.state, job.attempt, job.epoch, job.batch, job.stage, job.cancel], shown
        if not job.active:
            break
        jobs.wake()
        if shown != before:
            set_progress([shown])
        time.sleep(RELAY_SECONDS)
    return shown or []


def _multiprocess_parent() -> Any:
    import multiprocess

    return multiprocess.parent_process()
