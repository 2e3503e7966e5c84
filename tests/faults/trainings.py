"""Real workers and trainers for tests of faults: what they are given, whether they live, and how far they are."""

import contextlib
import os
import re
import time
from pathlib import Path

import psutil

from ml.jobs.queue import JobTable
from ml.jobs.tables import Job

SPEC = {"model": "compact_cnn", "dataset": "bars", "epochs": 6, "batch_size": 32, "seed": 3, "threads": 1}
TRACE = re.compile(r'Traceback|File "|site-packages|/usr/|/home/|/tmp/')


def processes(home: Path, *words: str) -> list[psutil.Process]:
    """Live processes that work on this home and have all words in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("FASHION_HOME") == str(home) and process.pid != os.getpid()
            if mine and process.status() != psutil.STATUS_ZOMBIE and all(w in process.cmdline() for w in words):
                found.append(process)
        except psutil.Error:
            continue
    return found


def end_all(home: Path) -> None:
    """Kill what works on this home, and what it began meanwhile: an evaluation that is left over takes ten seconds."""
    limit = time.monotonic() + 10
    while (found := processes(home)) and time.monotonic() < limit:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)


def until(true, seconds: float, what: str):
    """The first true answer; fails after so many seconds. Also how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        answer = true()
        if answer:
            return answer, time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def reaches(table: JobTable, job: Job, *states: str, within: float = 60) -> tuple[Job, float]:
    """The row once it has one of the states, and the seconds that took."""
    return until(
        lambda: (now := table.get(job.id)).state in states and now, within, f"{states}, but {table.get(job.id)}"
    )


def trained(table: JobTable, job: Job) -> None:
    """Wait until it is done, and call off what would be computed after it."""
    reaches(table, job, "done", within=200)
    call_off(table, job.run_id)


def call_off(table: JobTable, run_id: str) -> None:
    """Cancel what is computed after a training that is done: it takes as long again, and not every test is about it."""
    rows, _ = until(lambda: [row for row in table.listing(kind="evaluate") if row.run_id == run_id], 20, "a row")
    for row in rows:
        if row.active:
            table.cancel(row.id)


def training(table: JobTable, job: Job) -> Job | None:
    """The row, once its trainer is past loading."""
    now = table.get(job.id)
    return now if now is not None and now.state == "running" and now.stage == "training" else None


def submit(table: JobTable, name: str, **changes) -> Job:
    spec = {**SPEC, **changes}
    return table.submit(spec, name, epochs=spec["epochs"])


def contiguous(rows: list[dict[str, float]]) -> list[tuple[float, ...]]:
    """The measures by epoch, which must run from 1 without a gap; times left out."""
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    return [tuple(v for k, v in row.items() if k not in ("seconds", "images_per_second")) for row in rows]
