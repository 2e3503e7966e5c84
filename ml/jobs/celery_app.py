"""Our Celery app: its queues, how patient it is with Redis, and how a job's id is sent.

Imports Celery: see requirements-cluster.txt.
"""

from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer

from ml.jobs.broker import OBSERVE, TASK, TIMEOUT_SECONDS, TRAIN, broker
from ml.settings import Cluster

VISIBILITY_SECONDS = 7 * 24 * 3600  # Redis hands a message out again after it: longer than any training
RECONNECT_SECONDS = 5  # at most, between two tries of a worker to find the broker again

app = Celery("fashion", broker=broker() or None, backend=Cluster.read().backend or broker() or None)
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_default_queue=OBSERVE,  # Dash's background callbacks
    task_routes={TASK: {"queue": TRAIN}},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        # who sends must not wait for a broker that is away; without these it would try for ever
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
    result_backend_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
    redis_socket_timeout=TIMEOUT_SECONDS,
    redis_socket_connect_timeout=TIMEOUT_SECONDS,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # a training needs no broker
    worker_consumer="ml.jobs.celery_app:ReconnectingConsumer",
    worker_hijack_root_logger=False,
    result_expires=3600,
)


class ReconnectingConsumer(Consumer):
    """Celery's consumer, which looks for a lost broker every few seconds instead of every half minute."""

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """As the base class; an attempt to connect waits at most `RECONNECT_SECONDS` for the next."""
        connection = self.app.connection_for_read(heartbeat=heartbeat)
        plain = connection.ensure_connection

        def ensure(errback: Any = None, max_retries: int | None = None, **more: Any) -> Any:
            return plain(errback, max_retries, **{**more, "interval_max": RECONNECT_SECONDS})

        connection.ensure_connection = ensure
        return self.ensure_connected(connection)


def send(job_id: str) -> None:
    """Put a job's id into the queue of the training workers. Raises what Celery and Redis raise."""
    app.send_task(TASK, [job_id], queue=TRAIN, retry=False, ignore_result=True)
