"""Tells Celery's workers that a job waits, and knows whether the broker can be reached.

Nobody waits for Redis: a thread sends and pings, with short timeouts. A message that is lost costs nothing, since the
job's row waits and an idle worker sends another (`ml.jobs.cluster`). Celery is imported only where CELERY_BROKER_URL is
set, and only by the thread.
"""

import logging
import threading
import time

from ml.jobs.broker import sockets

log = logging.getLogger(__name__)

PING_SECONDS = 1.0


class Notifier:
    """Sends one message a job, first come first; what cannot be sent now is sent when the broker is back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[str, None] = {}
        self._due = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reachable: bool | None = None

    def notify(self, job_id: str) -> None:
        """Tell the workers of a job; returns at once."""
        with self._lock:
            self._waiting[job_id] = None
        self._due.set()
        self._begin()

    @property
    def reachable(self) -> bool | None:
        """Whether the broker answered last; None until it was asked for the first time."""
        self._begin()
        return self._reachable

    def _begin(self) -> None:
        with self._lock:  # not before it is needed: a server may fork after it has built the app
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        import redis

        client = redis.Redis.from_url(self._url, **sockets())
        while True:
            began = time.monotonic()
            self._due.clear()
            try:
                client.ping()
                self._send()
                answered = True
            except Exception as error:  # whatever it is, the broker is of no use just now
                answered = False
                if self._reachable is not False:
                    log.warning("the broker cannot be reached: %s", error)
            self._reachable = answered
            wait = max(PING_SECONDS - (time.monotonic() - began), 0.1)
            if answered:
                self._due.wait(wait)
            else:
                time.sleep(wait)

    def _send(self) -> None:
        from ml.jobs import celery_app

        while True:
            with self._lock:
                job_id = next(iter(self._waiting), None)
            if job_id is None:
                return
            celery_app.send(job_id)
            with self._lock:
                self._waiting.pop(job_id, None)
