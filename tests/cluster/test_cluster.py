"""Trainings on two machines: whatever dies, each is trained once, and the row's history shows one trainer at a time."""

import json
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from dashboard.services.job_database import NO_BROKER
from dashboard.services.jobs import Jobs
from ml.jobs.queue import JobTable, Refused
from ml.jobs.tables import Job
from ml.jobs.tables import workers as signed
from tests.cluster.conftest import LIMIT, SPEC, Cluster, until
from tests.promises import promised

pytestmark = [pytest.mark.faults, pytest.mark.timeout(LIMIT)]


def submit(jobs: Jobs, name: str, **changes) -> Job:
    return jobs.submit({**SPEC, **changes, "name": name})


def reaches(cluster: Cluster, table: JobTable, job: Job, *states: str, within: float = 200) -> tuple[Job, float]:
    def look() -> Job | None:
        now = table.get(job.id)
        return now if now.state in states else None

    try:
        return until(look, within, f"{job.run_id} {states}")
    except AssertionError as late:
        raise AssertionError(f"{late}: {table.get(job.id)}\n{table.events(job.id)}\n{cluster.log()}") from None


def workers(table: JobTable) -> set[int]:
    """The processes that have signed for being workers."""
    with table.engine.connect() as connection:
        return set(connection.scalars(select(signed.c.pid)))


def training(table: JobTable, job: Job) -> Job:
    """The row once its trainer has finished an epoch."""
    return until(
        lambda: (now := table.get(job.id)).state == "running" and now.epoch > 0 and now, 120, f"{job.run_id} trains"
    )[0]


def trained_once(cluster: Cluster, table: JobTable, job: Job) -> list[str]:
    """Checks the job's history: leases never overlap, epochs follow each other, one run. The events' names."""
    events = table.events(job.id)
    holder = None
    for event in events:
        if event["event"] == "running":
            assert holder is None, events
            holder = event["lease"]
        elif event["event"] == "owned":
            assert event["lease"] == holder, events
        elif event["event"] in ("done", "failed", "interrupted", "cancelled"):
            assert event["lease"] == holder, events
            holder = None
    assert holder is None
    assert [event["event"] for event in events].count("done") == 1
    epochs = [row["epoch"] for row in table.history(job.id)]
    assert epochs == list(range(1, job.epochs + 1))
    manifest = json.loads((cluster.home / "runs" / job.run_id / "manifest.json").read_text())
    assert manifest["command"].endswith(job.id)
    assert not table.partial(job).exists()
    assert cluster.several == []
    return [event["event"] for event in events]


def fell(machine: psutil.Process, cluster: Cluster, job: Job) -> None:
    """A machine loses power: its worker and its trainer are gone at once."""
    for process in [machine, *cluster.trainers(job.id)]:
        process.kill()


def test_j1_j3_and_o3_machines_and_redis_die_in_turn_and_each_job_is_trained_once(cluster, count, tell):
    """J1, J3 and O3 of a cluster, with PostgreSQL and two machines."""
    cluster.redis.start()
    machines = {name: cluster.start("ml", "work", machine=name) for name in ("left", "right")}
    jobs, table, luck = Jobs(cluster.home), JobTable(cluster.home), random.Random(7)
    until(lambda: jobs.health()["worker"] == "running", 60, "a worker is there")
    turns = count(1, 10)
    worst = max(one_after_the_other(cluster, jobs, table, machines, turn, luck.uniform(0, 1)) for turn in range(turns))
    tell(f"{turns} machines and {turns} Redis killed; the loss said within {worst:.1f} s; {3 * turns} runs, each once")


def one_after_the_other(
    cluster: Cluster, jobs: Jobs, table: JobTable, machines: dict[str, psutil.Process], turn: int, wait: float
) -> float:
    """Two jobs; the machine of one falls, then Redis does, and all goes on. Seconds until the loss was told."""
    from ml.jobs import celery_app

    first, second = (submit(jobs, f"{name}-{turn}", epochs=n) for name, n in (("first", 25), ("second", 12)))
    before = training(table, first)
    for job_id in (first.id, second.id, first.id, "0" * 32, "../x"):  # as Redis may say a thing twice, late or wrong
        celery_app.send(job_id)
    time.sleep(wait)
    # its machine falls: the other one takes over after eight silent seconds, and the page says so
    name = before.host if before.host in machines else "left"
    fell(machines[name], cluster, first)
    taken, noticed = until(lambda: (now := table.get(first.id)).lease != before.lease and now, 40, "the loss is seen")
    assert noticed < promised(10), table.events(first.id)
    assert "goes on by itself" in taken.cause
    # Redis falls too, with every message in it; who asks meanwhile is told and waits
    cluster.redis.kill()
    _, seconds = until(lambda: jobs.trouble() == NO_BROKER, 10, "the loss of Redis is told")
    assert seconds < promised(5)
    began = time.monotonic()
    third = submit(jobs, f"third-{turn}", epochs=2)
    assert time.monotonic() - began < promised(1)
    assert table.get(third.id).state == "queued"
    machines[name] = cluster.start("ml", "work", machine=name)
    cluster.redis.start()
    until(lambda: jobs.trouble() == "", 10, "all is well again")
    until(lambda: table.get(third.id).state != "queued" or len(cluster.trainers()) == 2, 30, "what waited goes on")
    for job in (first, second, third):
        reaches(cluster, table, job, "done")
    assert trained_once(cluster, table, first).count("interrupted") == 1
    for job in (second, third):
        assert trained_once(cluster, table, job).count("interrupted") == 0
    return noticed


def test_j3_a_trainer_outlives_its_worker_and_one_that_is_told_to_stop_hands_its_job_on(cluster, count, tell):
    cluster.redis.start()
    machine = cluster.start("ml", "work")
    from ml.jobs import celery_app

    jobs, table = Jobs(cluster.home), JobTable(cluster.home)
    job = submit(jobs, "kept", epochs=200, batch_size=16)
    before = training(table, job)
    kills = count(1, 5)
    for number in range(kills):
        machine.kill()
        machine = cluster.start("ml", "work")
        until(lambda: machine.pid in workers(table), 60, "another worker is there")  # noqa: B023
        celery_app.send(job.id)  # as Redis would when nobody acknowledged the first one
        seen = table.get(job.id).batch
        until(lambda: table.get(job.id).batch > seen, 20, "the trainer goes on")  # noqa: B023
        until(lambda: cluster.redis.client().llen("train") == 0, 20, "the message is read")
        assert table.get(job.id).lease == before.lease, number
        assert [process.pid for process in cluster.trainers(job.id)] == [before.pid]
    # the trainer falls as well, unwatched: the new worker goes on from its last epoch
    for trainer in cluster.trainers(job.id):
        trainer.kill()
    until(lambda: (now := table.get(job.id)).attempt == 2 and now.stage == "training", 60, f"goes on\n{cluster.log()}")
    assert table.get(job.id).epoch >= before.epoch
    # an orderly end: the worker stops its trainer, and the job waits for the next one
    machine.send_signal(signal.SIGTERM)
    reaches(cluster, table, job, "queued", within=20)
    machine.wait(30)
    assert cluster.trainers() == []
    cluster.start("ml", "work")
    training(table, job)
    assert table.get(job.id).attempt == 3
    jobs.cancel(job.id)
    reaches(cluster, table, job, "cancelled", within=promised(5))
    until(lambda: not cluster.trainers(), 10, "its process ends")
    assert not list(Path(cluster.home, "runs").glob("kept*"))
    assert cluster.several == []
    tell(f"{kills} workers, one trainer killed, one worker stopped; one trainer at a time")


def test_o3_a_database_that_is_away_ends_no_training(cluster, postgres, tell):
    cluster.redis.start()
    cluster.start("ml", "work")
    jobs, table = Jobs(cluster.home), JobTable(cluster.home)
    job = submit(jobs, "patient", epochs=200, batch_size=16)
    before = training(table, job)
    postgres.stop()
    try:
        with pytest.raises(Refused, match="database"):
            submit(jobs, "late")
        assert jobs.view().problem
        assert jobs.health()["database"] == "unavailable"
        time.sleep(9)  # longer than a silent trainer is given, and than it trains without a word from the table
        assert [process.pid for process in cluster.trainers(job.id)] == [before.pid]
    finally:
        postgres.start()
    seen = table.get(job.id).batch
    _, seconds = until(lambda: table.get(job.id).batch > seen, 30, f"it goes on\n{cluster.log()}")
    now = table.get(job.id)
    assert (now.lease, now.attempt) == (before.lease, 1)
    rows = table.history(job.id)
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    until(lambda: jobs.health()["worker"] == "running", 20, "the worker signs again")
    jobs.cancel(job.id)
    reaches(cluster, table, job, "cancelled", within=30)
    tell(f"PostgreSQL away for 9 s; the trainer waited and went on {seconds:.1f} s after its return")
