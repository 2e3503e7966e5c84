"""Our Celery app: its queues, how patient it is with Redis, and how a job's id is sent.

Imports Celery: see requirements-cluster.txt.
"""

import time
from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer
from kombu.transport import redis, virtual
from redis.exceptions import ConnectionError

from ml.jobs.broker import OBSERVE, TASK, TRAIN, broker, sockets
from ml.settings import Cluster

VISIBILITY_SECONDS = 7 * 24 * 3600  # Redis hands a message out again after it: longer than any training
RECONNECT_SECONDS = 5  # at most, between two tries of a worker to find the broker again
DEAF_SECONDS = 10.0  # Redis answers a worker that waits for a message every second that there is none
LISTEN_SECONDS = 2.0  # between two looks whether it still does
SOCKETS = sockets()

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
        **SOCKETS,
        # who sends must not wait for a broker that is away; without these it would try for ever
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
    result_backend_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
    **{f"redis_{name}": value for name, value in SOCKETS.items()},
    result_backend_thread_safe=True,  # or each thread that asks would have connections of its own
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # a training needs no broker
    worker_consumer="ml.jobs.celery_app:ReconnectingConsumer",
    worker_hijack_root_logger=False,
    result_expires=3600,
)


class ReconnectingConsumer(Consumer):
    """Celery's consumer, which looks for a lost broker every few seconds instead of every half minute.

    It also hears that nothing is heard: where a connection is open and dead, Celery would wait for a message for ever.
    """

    def register_with_event_loop(self, hub: Any) -> None:
        """As the base class, and listens. What it raises there makes Celery connect anew."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(LISTEN_SECONDS, lambda: listen(self.connection))

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """As the base class; an attempt to connect waits at most `RECONNECT_SECONDS` for the next."""
        connection = self.app.connection_for_read(heartbeat=heartbeat)
        plain = connection.ensure_connection

        def ensure(errback: Any = None, max_retries: int | None = None, **more: Any) -> Any:
            return plain(errback, max_retries, **{**more, "interval_max": RECONNECT_SECONDS})

        connection.ensure_connection = ensure
        return self.ensure_connected(connection)


class FreeingQoS(redis.QoS):
    """kombu's count of the messages a worker has in hand, which forgets one whose acknowledgement does not get through.

    kombu 5.6.2 would count it for ever: a worker that may have one message in hand would never take another. Redis
    still holds the message and hands it out again after `VISIBILITY_SECONDS`, when its job has long ended.
    """

    def ack(self, delivery_tag: str) -> None:
        """As the base class, and raises what it raises."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """As the base class, and raises what it raises."""
        try:
            super().reject(delivery_tag, requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)


redis.Channel.QoS = FreeingQoS


def listen(connection: Any) -> None:
    """Raises ConnectionError where Redis owes an answer for too long: kombu itself does not look at that."""
    cycle = getattr(getattr(connection, "transport", None), "cycle", None)
    for channel in list(getattr(cycle, "_channels", ())):
        if not hasattr(channel, "asked"):
            channel.asked, channel._brpop_start = time.monotonic(), _timed(channel, channel._brpop_start)
        elif channel._in_poll and time.monotonic() - channel.asked > DEAF_SECONDS:
            raise ConnectionError("the connection is open and nothing comes through it")


def _timed(channel: Any, plain: Any) -> Any:
    def start(*given: Any, **more: Any) -> None:
        channel.asked = time.monotonic()
        plain(*given, **more)

    return start


def send(job_id: str) -> None:
    """Put a job's id into the queue of the training workers. Raises what Celery and Redis raise."""
    app.send_task(TASK, [job_id], queue=TRAIN, retry=False, ignore_result=True)
