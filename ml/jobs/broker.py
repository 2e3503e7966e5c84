"""The bell of the cluster: tells Celery's workers that a job waits, and knows whether the broker can be reached.

Nobody waits for Redis: a thread rings and pings, with short timeouts. A message that is lost costs nothing, since the
job's row waits and an idle worker rings again (`ml.jobs.cluster`). Celery is imported only where CELERY_BROKER_URL is
set, and only by the thread.
"""

import importlib.util
import logging
import os
import threading
import time

log = logging.getLogger(__name__)

BROKER = "CELERY_BROKER_URL"
BACKEND = "CELERY_RESULT_BACKEND"  # where background callbacks leave their answers; the broker itself when unset
PING_SECONDS = 1.0
TIMEOUT_SECONDS = 1.5
TASK, TRAIN, OBSERVE = "fashion.work", "train", "observe"


def broker() -> str:
    """CELERY_BROKER_URL, or '' where trainings are this machine's own. Raises ValueError, in words."""
    url = os.environ.get(BROKER, "").strip()
    if url and not url.startswith(("redis://", "rediss://")):
        raise ValueError(f"{BROKER} must begin with redis:// or rediss://.")
    if url and any(importlib.util.find_spec(name) is None for name in ("celery", "redis")):
        raise ValueError(f"{BROKER} is set, but Celery is not installed: pip install -r requirements-cluster.txt")
    return url


class Notifier:
    """Rings in the order of asking; what cannot be told now is told when the broker is back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[str, None] = {}
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reachable: bool | None = None

    def ring(self, job_id: str) -> None:
        """Tell the workers of a job; returns at once."""
        with self._lock:
            self._waiting[job_id] = None
        self._asked.set()
        self._begin()

    @property
    def reachable(self) -> bool | None:
        """Whether the broker answered last; None until it was asked for the first time."""
        self._begin()
        return self._reachable

    def _begin(self) -> None:
        with self._lock:  # not before it is needed: a server may fork after it has built the app
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        import redis

        client = redis.Redis.from_url(self._url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
        while True:
            began = time.monotonic()
            self._asked.clear()
            try:
                client.ping()
                self._tell()
                answered = True
            except Exception as error:  # whatever it is, the broker is of no use just now
                answered = False
                if self._reachable is not False:
                    log.warning("the broker cannot be reached: %s", error)
            self._reachable = answered
            wait = max(PING_SECONDS - (time.monotonic() - began), 0.1)
            if answered:
                self._asked.wait(wait)
            else:
                time.sleep(wait)

    def _tell(self) -> None:
        from ml.jobs import cluster

        while True:
            with self._lock:
                job_id = next(iter(self._waiting), None)
            if job_id is None:
                return
            cluster.send(job_id)
            with self._lock:
                self._waiting.pop(job_id, None)
