"""Many at once: U5, L1 and L2 of the reliability plan, on the whole app in a process of its own.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import asyncio
import io
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.load import Load, cameras, crowd
from tests.faults.test_uploads import MB, Server, server
from tests.promises import FULL, promised

pytestmark = pytest.mark.faults
__all__ = ["server"]  # the fixture


def alone(asked: Coroutine[Any, Any, Any]) -> Any:
    """What it gives, from a thread of its own: after a browser test Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked).result()


def pictures(count: int, side: int, kind: str = "PNG") -> list[bytes]:
    found = []
    for seed in range(count):
        levels = np.random.default_rng(seed).integers(0, 256, (7, 7)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(levels).resize((side, side)).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def said(load: Load) -> str:
    return f"{load.rate:.0f}/s, p95 {1000 * load.quantile(0.95):.0f} ms, p99 {1000 * load.quantile(0.99):.0f} ms"


def kept_files(running: Server) -> set[Path]:
    """What is in the server's home, the database's own files left out."""
    home = Path(running.process.environ()["FASHION_HOME"])
    return {
        path for path in home.rglob("*") if path.is_file() and ".sqlite" not in path.name and "-wal" not in path.name
    }


def test_u5_five_cameras_get_the_newest_frame_answered(server, count, tell):
    frames = pictures(8, 320, "JPEG")
    alone(cameras(server.address, frames, clients=5, pace=10, seconds=1))
    before, files, written = server.memory(), kept_files(server), server.process.io_counters().write_bytes
    seen = alone(cameras(server.address, frames, clients=5, pace=10, seconds=count(5, 60)))
    assert not seen.errors, seen.errors[:3]
    ages = sorted(seen.ages)
    late = ages[int(0.95 * len(ages))]
    tell(f"{seen.answered} of {seen.taken} frames answered, p95 {1000 * late:.0f} ms old")
    assert late < promised(0.5)
    assert seen.answered >= count(5, 60), "each camera is answered again and again"
    assert server.memory() - before < 50 * MB
    assert kept_files(server) == files
    assert server.process.io_counters().write_bytes - written < MB, "frames are not kept on disk"


def test_l1_many_users_are_answered_and_pages_go_on(server, count, tell):
    load = alone(crowd(server.address, pictures(20, 28), users=count(50, 200), think=1.0, seconds=count(5, 60)))
    tell(said(load))
    assert not load.errors, load.errors[:3]
    assert load.quantile(0.95) < promised(0.4)
    assert load.quantile(0.99) < promised(1.0)
    assert load.rate > (150 if FULL else 20)
    assert load.quantile(0.95, load.pages) < promised(0.5)


def test_l2_users_are_answered_while_a_training_runs(server, count, tell):
    from dashboard.services.jobs import Jobs
    from ml.jobs.queue import JobTable
    from ml.training.config import TrainConfig

    home = Path(server.process.environ()["FASHION_HOME"])
    model = "small_resnet" if FULL else "compact_cnn"  # which trains as long as users ask
    config = TrainConfig(model=model, dataset="synthetic-4-28x28x1", epochs=100, batch_size=16, threads=1)
    table = JobTable(home)
    job = table.submit(config.model_dump(mode="json"), "under-users", epochs=config.epochs)
    jobs = Jobs(home)

    def pace(seconds: float) -> float:
        """Batches a second."""
        first, began = table.get(job.id), time.monotonic()
        time.sleep(seconds)
        last = table.get(job.id)
        assert last.state == "running", last
        return (last.batch - first.batch) / (time.monotonic() - began)

    try:
        jobs.wake()
        limit = time.monotonic() + promised(60)  # torch is loaded first, beside whoever else is busy
        while table.get(job.id).epoch < 1:
            assert time.monotonic() < limit, table.get(job.id)
            time.sleep(0.2)
        before = pace(count(2, 8))
        began, first = time.monotonic(), table.get(job.id)
        load = alone(crowd(server.address, pictures(20, 28), users=count(15, 50), think=1.0, seconds=count(4, 60)))
        last = table.get(job.id)
        beside = (last.batch - first.batch) / (time.monotonic() - began)
        tell(f"{said(load)}; training at {100 * beside / max(before, 1e-9):.0f} % of its pace")
        assert not load.errors, load.errors[:3]
        assert load.quantile(0.95) < promised(0.8)
        assert last.state == "running"
        assert beside > 0
        if FULL:
            assert beside > before / 2
    finally:
        jobs.cancel(job.id)
        limit = time.monotonic() + 30
        while jobs.view().active and time.monotonic() < limit:
            time.sleep(0.2)
        assert not jobs.view().active
