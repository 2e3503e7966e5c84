"""One training on behalf of a job row: the process behind `python -m ml train --job ID`. Loads torch."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ml.jobs import causes, twins
from ml.jobs.broker import broker
from ml.jobs.causes import LOST
from ml.jobs.heartbeat import TICK_SECONDS, Heartbeat, Pace, patiently
from ml.jobs.queue import JobTable, Lost, Refused
from ml.jobs.tables import Job
from ml.settings import Attempt, Trainer
from ml.system.paths import ARTIFACTS, home_dir


class Stopped(Exception):
    """The system asked the trainer to end."""


def run_job(job_id: str, *, home: Path | None = None) -> int:
    """Train what the row says and write into the row how it went; the exit status (0 done, else not).

    Raises LookupError for an unknown job and for one that this process has no lease of.
    """
    table = JobTable(home or home_dir())
    job = table.get(job_id)
    if job is None or job.state != "running" or job.lease is None or job.lease != Attempt.read().lease:
        raise LookupError(f"job {job_id} is not this process's to run; the worker starts it: python -m ml work")
    try:
        patiently(lambda: table.own(job))
        _limit()
        heartbeat = Heartbeat(table, job)
        heartbeat.start()
        state, cause = _train(table, job, heartbeat)
        if state == "cancelled":
            from ml.artifacts import writer

            for partial in table.partials(job):
                writer.discard(partial)
        if cause:
            print(cause, file=sys.stderr)
        if state == "done":
            _track(table, job, heartbeat)
        heartbeat.stop()  # after the end it would find the job lost, and end this process before it has done the rest
        patiently(lambda: _finish(table, job, heartbeat, state, cause))
        if state == "done":
            _complete(table, job)
    except Lost:
        return LOST
    return 0 if state == "done" else 1


def _track(table: JobTable, job: Job, heartbeat: Heartbeat) -> None:
    """Tell MLflow of the published run, where that is asked for; the job is running until then."""
    from ml.artifacts.reader import Library
    from ml.publishing import mlflow

    if mlflow.wanted():
        heartbeat.progress = {**heartbeat.progress, "stage": "telling MLflow", "left": None, "speed": None}
        mlflow.tell(Library(ARTIFACTS, table.home), job.run_id)


def _finish(table: JobTable, job: Job, heartbeat: Heartbeat, state: str, cause: str) -> None:
    """Write the end down. Raises Lost, SQLAlchemyError."""
    heartbeat.flush()
    table.finish(job, state, cause, again=bool(broker()))  # in a cluster another worker goes on


def _train(table: JobTable, job: Job, heartbeat: Heartbeat) -> tuple[str, str]:
    """The state the job ends in, and why."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    heartbeat.progress = {"stage": "loading"}
    try:
        from ml.pipeline import Callbacks, train
        from ml.training.loop import Cancelled, Diverged
    except Exception as error:  # out of memory has many faces while libraries load
        traceback.print_exc()
        return "failed", causes.of_error(error)

    def check() -> None:
        while heartbeat.alone and not stopped.is_set():
            time.sleep(TICK_SECONDS)  # the heartbeat ends the process should the job be another's by now
        if heartbeat.cancelled.is_set():
            raise Cancelled
        if stopped.is_set():
            raise Stopped

    plan, place = twins.trainings(job), 0
    pace = Pace(plan[-1].config.batch_size)
    begun = False

    def own() -> bool:
        return place == len(plan) - 1  # epochs and measures of the others are in their runs alone

    def on_batch(done: int, total: int) -> None:
        nonlocal begun
        if not begun and job.attempt > 1 and own():
            with contextlib.suppress(SQLAlchemyError):  # then the first measures replace what is after them
                table.rewind(job, done)
        begun = begun or own()
        done, total = place * total + done, len(plan) * total
        left, speed = pace.at(done, total, time.monotonic())
        stage = twins.stage(plan, place)
        heartbeat.progress = {"batch": done, "batches": total, "stage": stage, "left": left, "speed": speed}
        check()

    def on_metrics(metrics) -> None:
        if own():
            heartbeat.steps.append(asdict(metrics))

    def on_step(words: str) -> None:
        heartbeat.progress = {**heartbeat.progress, "stage": words, "left": None, "speed": None}
        print(words, flush=True)
        check()

    def on_epoch(epoch) -> None:
        if own():
            heartbeat.epochs.append(asdict(epoch))
            with contextlib.suppress(SQLAlchemyError):  # the heartbeat tries again
                heartbeat.flush()
        print(
            f"epoch {epoch.epoch}/{job.epochs} loss {epoch.train_loss:.4f} validation loss {epoch.validation_loss:.4f} "
            f"validation accuracy {epoch.validation_accuracy:.4f}  {epoch.images_per_second:,.0f} images/s",
            flush=True,
        )

    try:
        for place, one in enumerate(plan):  # noqa: B007 (the callbacks read it)
            if not own() and twins.is_there(table.home, one):
                continue
            train(
                one.config,
                run_id=one.run_id,
                home=table.home,
                callbacks=Callbacks(on_batch, on_metrics, on_epoch, on_step),
                command=f"python -m ml train --job {job.id}",
                resume=job.attempt > 1,
                slow=False,
                twin=one.twin,
            )
    except (Cancelled, Stopped, Exception) as error:
        if table.published(job):
            return "done", ""
        if isinstance(error, Cancelled):
            return "cancelled", ""
        if isinstance(error, Stopped):
            return "interrupted", "The machine asked the training to stop."
        if isinstance(error, Lost):
            raise
        traceback.print_exc()
        return "failed", f"Diverged: {error}." if isinstance(error, Diverged) else causes.of_error(error)
    return "done", ""


def _complete(table: JobTable, job: Job) -> None:
    """Queue what takes long and nobody waits for: the run can be used without it."""
    from ml.evaluation import AFTER_PUBLISHING

    try:
        table.submit({"nouns": list(AFTER_PUBLISHING)}, job.run_id, epochs=0, kind="evaluate")
    except Refused:  # too many are waiting; the panels name the command that makes them
        print(f"left out: {', '.join(AFTER_PUBLISHING)}", flush=True)


def _limit() -> None:
    """Give way to the web server, and stay below FASHION_TRAIN_MEMORY_MB where that is set and the system can do it."""
    if hasattr(os, "nice"):
        os.nice(10)
    megabytes = Trainer.read().memory
    if megabytes and sys.platform != "win32":
        import resource

        size = megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
