"""O3: Redis behind a link that is slow, torn or half open. Nobody waits, nothing piles up, each job ends once."""

import logging
import time
from collections.abc import Iterator

import psutil
import pytest

from dashboard.services.job_database import NO_BROKER
from ml.jobs.queue import JobTable
from tests.cluster.conftest import LIMIT, Cluster, until
from tests.cluster.link import Link
from tests.cluster.test_cluster import reaches, trained_once
from tests.cluster.test_web import Page, address, predictions, send  # noqa: F401
from tests.promises import FULL, promised

pytestmark = [pytest.mark.faults, pytest.mark.timeout(2 * LIMIT)]

FAULTS = ("slow", "torn", "deaf", "mute", "lost", "gone") if FULL else ("slow", "mute", "deaf")
PAGES = ("/", "/training", "/health", "/api/v1/runs")


@pytest.fixture
def link(redis, cluster, monkeypatch) -> Iterator[Link]:
    """What the cluster's processes take for their Redis."""
    redis.start()
    made = Link(redis.port)
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{made.port}/0")
    yield made
    made.close()


@pytest.fixture
def there(link, address) -> str:  # noqa: F811
    return address


def size(process: psutil.Process) -> tuple[int, int]:
    return process.num_threads(), process.num_fds()


def all_end(cluster: Cluster, table: JobTable, jobs: list[str]) -> None:
    """Each in one state, which it has once: usually two of them trained, the others given up, which is quicker."""
    for number, job_id in enumerate(jobs):
        if number < 2 or FULL:
            job, _ = reaches(cluster, table, table.get(job_id), "done", within=promised(60))
            trained_once(cluster, table, job)
        elif table.get(job_id).active:
            table.cancel(job_id)
        reaches(cluster, table, table.get(job_id), "done", "cancelled", within=promised(20))
        ends = [event["event"] for event in table.events(job_id) if event["event"] in ("done", "failed", "cancelled")]
        assert len(ends) == 1, table.events(job_id)


@pytest.mark.parametrize("end", ["ack_log_error", "reject_log_error"])
def test_o3_an_acknowledgement_that_is_lost_costs_no_place_in_the_queue(link, end):
    from kombu import Connection
    from redis.exceptions import RedisError

    from ml.jobs import celery_app

    came = []

    def done(body, message) -> None:
        came.append(body)
        link.mode = "mute" if body == "first" else "open"
        getattr(message, end)(logging.getLogger(__name__), (RedisError,))
        link.mode = "open"

    options = {**celery_app.SOCKETS, "socket_timeout": 0.5}
    with Connection(f"redis://127.0.0.1:{link.port}/0", transport_options=options) as connection:
        queue = connection.SimpleQueue(f"acknowledged-{end}")
        consumer = queue.consumer
        consumer.callbacks = [done]
        consumer.qos(prefetch_count=1)
        for body in ("first", "second"):
            queue.put(body)
        consumer.consume()
        for _ in range(2):
            connection.drain_events(timeout=20)
    assert came == ["first", "second"]


def test_o3_a_link_to_redis_that_is_bad_harms_nobody(
    cluster: Cluster,
    link: Link,
    there: str,
    predictions,  # noqa: F811
    count,
    tell,
):
    page, table = Page(there), JobTable(cluster.home)
    app = cluster.serving()
    workers = [cluster.start("ml", "work"), cluster.start("dashboard.observe")]
    until(lambda: page.banner() == "", 60, "all is well")
    # a worker opens its connections one after the other, eight of them; not until then is there a number to hold to
    until(lambda: sum(" ready." in log.read_text() for log in cluster.home.glob("*.log")) == len(workers), promised(30),
          "the workers are ready")  # fmt: skip
    jobs, waits, sizes = [], [], []

    def one(name: str, seconds: float) -> None:
        """A tab that starts a training, follows it and looks around, for so long."""
        ticket = page.start(name, epochs=1)
        jobs.append(ticket["job"])
        handles = page.relay(ticket)
        handles = {key: handles[key] for key in ("cacheKey", "job") if key in handles}
        over = time.monotonic() + seconds
        while time.monotonic() < over:
            for path in PAGES:
                began = time.monotonic()
                assert send(there, path)[0] == 200
                waits.append((time.monotonic() - began, link.mode, path))
            began = time.monotonic()
            page.relay(ticket, **handles)
            waits.append((time.monotonic() - began, link.mode, "relay"))
            began = time.monotonic()
            page.banner()
            waits.append((time.monotonic() - began, link.mode, "banner"))
            time.sleep(0.2)

    one("before", 4)
    until(lambda: len(predictions) > 2, 60, "torch is loaded, which the first prediction waits for")
    loaded = len(predictions)
    fewest, begun = link.open, [size(process) for process in (app, *workers)]
    for turn in range(count(1, 3)):
        for fault in FAULTS:
            link.mode = fault
            one(f"{fault}-{turn}", promised(count(5, 12)) if FULL else 6)
            if fault in ("mute", "deaf", "lost", "gone"):
                until(lambda: page.banner() == NO_BROKER, promised(5), f"{fault} is said")
            sizes.append((fault, link.open, [size(process) for process in (app, *workers)]))
            link.mode = "open"
            until(lambda: page.banner() == "", promised(20), f"well again after {fault}")
            if FULL:
                all_end(cluster, table, jobs)
    all_end(cluster, table, jobs)
    slowest = max(waits)
    assert slowest[0] < promised(2), slowest
    assert {status for status, _ in predictions} == {200}
    longest = max(seconds for _, seconds in predictions[loaded:])
    assert longest < promised(2), [round(seconds, 1) for _, seconds in predictions]
    assert max(page.statuses) < 500
    for fault, connections, now in sizes:
        assert connections <= fewest + 8, (fault, connections, fewest)
        for (threads, files), (threads_before, files_before) in zip(now, begun, strict=True):
            assert threads <= threads_before + 8, (fault, now, begun)
            assert files <= files_before + 16, (fault, now, begun)
    tell(
        f"{len(jobs)} trainings, each once; {len(predictions)} predictions, none failed; "
        f"{slowest[0]:.1f} s at most; {link.most} connections at most, {link.accepted} in all"
    )
