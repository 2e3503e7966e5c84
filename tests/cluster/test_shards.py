"""An import that several workers share: whoever dies, only what he had in hand is done twice, and the data set is the
one that a machine alone makes."""

import contextlib
import json
import signal
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from ml.data import Choices, folder, import_dataset
from ml.jobs.queue import JobTable
from ml.jobs.reading import SHARDS
from ml.jobs.tables import shards
from tests.cluster.conftest import LIMIT, until
from tests.promises import promised

pytestmark = [pytest.mark.faults, pytest.mark.timeout(LIMIT)]

SIZE = (32, 32)
PICTURES, SHARD = 600, 75
SHARDS_OF_ALL = PICTURES // SHARD


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Pictures that are quickly made and slowly read, of which one is broken: a shard takes seconds."""
    place, rng = tmp_path_factory.mktemp("source") / "pets", np.random.default_rng(0)
    for name in ("cat", "dog", "fox"):
        (place / name).mkdir(parents=True)
        for i in range(PICTURES // 3):
            pixels = Image.fromarray(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8))
            pixels.resize((750, 750), Image.Resampling.NEAREST).save(place / name / f"{i:03}.png", compress_level=1)
    (place / "dog" / "007.png").write_bytes(b"no picture")
    return place


@pytest.fixture(scope="module")
def alone(pets, tmp_path_factory):
    """The home in which one process imported them."""
    home = tmp_path_factory.mktemp("alone")
    import_dataset(pets, "pets", Choices(size=SIZE), home=home)
    return home


@pytest.fixture
def table(cluster, monkeypatch):
    """Of a cluster with shards so small; what imports is ended with it."""
    monkeypatch.setenv("FASHION_SHARD", str(SHARD))
    cluster.redis.start()
    yield JobTable(cluster.home)
    for number in psutil.pids():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(number)
            if process.environ().get("FASHION_HOME") == str(cluster.home):
                process.kill()


def submit(table, source, name="pets"):
    spec = {
        "source": str(source), "upload": "", "shown": "pets", "choices": {"size": list(SIZE)}, "title": "",
        "description": "", "new_version": False, "add": False,
    }  # fmt: skip
    return table.submit(spec, name, epochs=0, kind="import")


def rows(table, job):
    with table.engine.connect() as connection:
        query = shards.select().where(shards.c.job == job.id).order_by(shards.c.number)
        return [dict(row) for row in connection.execute(query).mappings()]


def ends(cluster, table, job, state="done", within=120):
    try:
        return until(lambda: table.get(job.id).state == state and table.get(job.id), within, f"{job.run_id} {state}")[0]
    except AssertionError as late:
        log = table.log(job).read_text() if table.log(job).is_file() else ""
        raise AssertionError(f"{late}: {table.get(job.id)}\n{table.events(job.id)}\n{log}\n{cluster.log()}") from None


def described(home, name="pets"):
    found = json.loads((home / "datasets" / name / "dataset.json").read_text())
    return {key: value for key, value in found.items() if key != "imported"}


def several(table, job):
    """Once two processes have a shard in hand: their rows, the job's own first."""

    def look():
        held = [row for row in rows(table, job) if row["lease"]]
        return held if len({row["pid"] for row in held}) > 1 else None

    held, _ = until(look, 60, "two processes are at it")
    own = table.get(job.id).pid
    return sorted(held, key=lambda row: row["pid"] != own)


def story(table, job):
    return [event["cause"] for event in table.events(job.id) if event["event"] in ("shard", "shards")]


def test_who_helps_is_killed_and_one_shard_is_done_twice(cluster, table, pets, alone, tell):
    for name in ("left", "right"):
        cluster.start("ml", "work", machine=name)
    job = submit(table, pets)
    _, helping = several(table, job)
    began = time.monotonic()
    psutil.Process(helping["pid"]).kill()
    ends(cluster, table, job)
    assert described(cluster.home) == described(alone)
    assert table.receipt(table.get(job.id))["digest"] == folder.load(alone / "datasets" / "pets").digest
    lost, summary = story(table, job)
    assert lost.startswith(f"shard {helping['number']}: ")
    assert summary.startswith(f"{SHARDS_OF_ALL} shards: ")
    assert summary.endswith(f"; done again: {helping['number']}"), "and no other one"
    assert table.get(job.id).attempt == 1
    assert not rows(table, job)
    assert not [*(cluster.home / SHARDS).glob("*")]
    tell(f"a helper killed; {summary}; {time.monotonic() - began:.1f} s from then to the end")


def test_the_jobs_own_machine_falls_and_what_was_done_stays(cluster, table, pets, alone, tell):
    machines = {name: cluster.start("ml", "work", machine=name) for name in ("left", "right")}
    job = submit(table, pets)
    until(lambda: sum(row["done"] for row in rows(table, job)) >= 2, 60, "two shards are done")
    own = table.get(job.id)
    parts = next((cluster.home / SHARDS / job.id).glob("*/"))
    for process in (machines.get(own.host, machines["left"]), psutil.Process(own.pid)):
        process.kill()
    before = {file.name: file.stat().st_mtime_ns for file in parts.glob("*.parquet")}
    assert len(before) > 2
    ended = ends(cluster, table, job)
    assert ended.attempt == 2
    assert described(cluster.home) == described(alone)
    assert table.receipt(ended)["digest"] == folder.load(alone / "datasets" / "pets").digest
    assert len(story(table, job)[-1].partition("done again: ")[2].split(",")) <= 1
    assert not [*(cluster.home / SHARDS).glob("*")]
    tell(f"the job's own machine fell with {len(before) - 1} of {SHARDS_OF_ALL} shards done; {story(table, job)[-1]}")


def test_a_shared_import_is_cancelled_and_nothing_is_left(cluster, table, pets, tell):
    machine = cluster.start("ml", "work", machine="left")
    cluster.start("ml", "work", machine="right")
    job = submit(table, pets)
    held = several(table, job)
    table.cancel(job.id)
    began = time.monotonic()
    ends(cluster, table, job, "cancelled", promised(5))
    until(lambda: not any(psutil.pid_exists(row["pid"]) for row in held), promised(10), "its processes end")
    until(lambda: not [*(cluster.home / SHARDS).glob("*")], 5, "its shards are removed")
    assert not (cluster.home / "datasets" / "pets").exists()
    seconds = time.monotonic() - began
    # a worker that is told to stop hands its shard on
    job = submit(table, pets, "again")
    several(table, job)
    machine.send_signal(signal.SIGTERM)
    machine.wait(30)
    ends(cluster, table, job)
    assert described(cluster.home, "again")["counts"]["train"] > 0
    tell(f"cancelled, its processes gone and its shards removed within {seconds:.1f} s")
