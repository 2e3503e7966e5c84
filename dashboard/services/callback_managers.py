"""What runs Dash's background callbacks: on this machine, or on Celery's workers where a broker is set.

Dash's managers start something for whatever a browser sends; these ask the job table first, and never let a broker that
is away become an error.
"""

import atexit
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from dash import CeleryManager, DiskcacheManager
from dash.exceptions import PreventUpdate

from dashboard.services.patience import Patience
from ml.system import atomic

SECRET = "callbacks.secret"


class Gate(Protocol):
    """What a launcher asks."""

    home: Path

    def admit(self, ticket: object) -> bool:
        """Whether a background callback may start for this ticket."""

    def watched(self, job_id: str) -> bool:
        """Whether there is still something to tell of the job."""

    @property
    def reachable(self) -> bool:
        """Whether the broker answers."""


def admitted(gate: Gate, args: Any) -> str:
    """The id of the job that a background callback is to be started for. Raises PreventUpdate."""
    ticket = args[0] if isinstance(args, list | tuple) and args else None
    if not isinstance(ticket, dict) or not gate.admit(ticket):
        raise PreventUpdate
    return str(ticket["job"])


class Launcher(DiskcacheManager):
    """Starts an interpreter on this machine for each."""

    def __init__(self, gate: Gate, cache: Any) -> None:
        super().__init__(cache)
        self._gate = gate

    def call_job_fn(self, key: str, job_fn: Any, args: Any, context: Any) -> Any:
        known = {"job": admitted(self._gate, args), "home": str(self._gate.home)}
        return super().call_job_fn(key, job_fn, [known], context)


def local(gate: Gate) -> Launcher:
    """New interpreters, since a fork after torch has run hangs, and a private cache.

    The cache holds pickles, so only this user may write it.
    """
    import multiprocess
    from diskcache import Cache

    multiprocess.set_start_method("spawn", force=True)
    folder = gate.home / "cache" / "callbacks"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        return Launcher(gate, Cache(str(folder)))
    except OSError:  # a home that cannot be written to: looking must work all the same
        aside = tempfile.mkdtemp(prefix="fashion-forward-")
        atexit.register(shutil.rmtree, aside, ignore_errors=True)
        return Launcher(gate, Cache(aside))


class ClusterLauncher(CeleryManager):
    """Hands them to Celery's workers of the queue `observe`. They end with their job, so nothing is ever terminated."""

    def __init__(self, gate: Gate, app: Any) -> None:
        super().__init__(app)
        self._gate, self._patience = gate, Patience()

    def call_job_fn(self, key: str, job_fn: Any, args: Any, context: Any) -> Any:
        job_id = admitted(self._gate, args)
        # the context would carry cookies and password through the broker; the callback needs none of it
        sent = [key, self._make_progress_key(key), [{"job": job_id, "home": ""}], {}]
        task_id = f"{job_id}.{secrets.token_hex(8)}"
        # Celery would listen for a result of each task, and nobody takes one: answers are kept under Dash's own keys
        if self._ask(lambda: job_fn.apply_async(sent, task_id=task_id, retry=False, ignore_result=True)) is None:
            raise PreventUpdate  # every tab reads the row as well
        return task_id

    def _ask(self, question: Callable[[], Any], otherwise: Any = None) -> Any:
        """The broker's answer; `otherwise` while it is away or takes its time. Every tab reads the row as well."""
        return self._patience.ask(question, otherwise) if self._gate.reachable else otherwise

    def job_running(self, job: Any) -> bool:
        return isinstance(job, str) and self._gate.watched(job.partition(".")[0])

    def terminate_job(self, job: Any) -> None:
        pass

    def terminate_unhealthy_job(self, job: Any) -> bool:
        return False

    def clear_cache_entry(self, key: str) -> None:
        self._ask(lambda: super(ClusterLauncher, self).clear_cache_entry(key))

    def get_progress(self, key: str) -> Any:
        return self._ask(lambda: super(ClusterLauncher, self).get_progress(key))

    def result_ready(self, key: str) -> bool:
        return bool(self._ask(lambda: super(ClusterLauncher, self).result_ready(key)))

    def get_result(self, key: str, job: Any) -> Any:
        return self._ask(lambda: super(ClusterLauncher, self).get_result(key, job), self.UNDEFINED)

    def get_updated_props(self, key: str) -> Any:
        return self._ask(lambda: super(ClusterLauncher, self).get_updated_props(key), {})

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> bytes:
        """The secret of all servers of this home; in a file, since every page needs it and Redis may be away."""
        file = self._gate.home / "cache" / SECRET
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not file.exists():
                atomic.create(file, generate(), 0o600)
            return file.read_bytes()
        return generate()


def cluster(gate: Gate) -> ClusterLauncher:
    """Celery's workers."""
    from ml.jobs import celery_app

    # what is imported with the first question would take the time that it has; nothing is connected here
    _ = celery_app.app.backend, celery_app.app.connection_for_write().transport
    return ClusterLauncher(gate, celery_app.app)
