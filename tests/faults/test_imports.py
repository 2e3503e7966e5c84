"""Faults of imports, J10 and J11 of the reliability plan, with real workers and importers.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ml.jobs.processes import printed_progress
from ml.jobs.queue import JobTable
from ml.jobs.start import start_worker
from tests.faults.trainings import processes, reaches, until
from tests.promises import promised

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

CHOICES = {"size": [32, 32]}


@pytest.fixture
def source(tmp_path):
    """So many pictures that an import takes seconds."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "fox"):
        folder = tmp_path / "pets" / name
        folder.mkdir(parents=True)
        for i in range(250):
            Image.fromarray(rng.integers(0, 256, (260, 200, 3)).astype(np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "pets"


def submit(table: JobTable, name: str, source, *, again: bool = False):
    spec = {
        "source": str(source), "upload": "", "shown": "pets", "choices": CHOICES, "title": "", "description": "",
        "new_version": again, "add": False,
    }  # fmt: skip
    return table.submit(spec, name, epochs=0, kind="import")


def described(home, name: str) -> dict:
    return json.loads((home / "datasets" / name / "dataset.json").read_text())


def leftovers(home) -> list:
    return list(home.glob("importing-*"))


def test_j10_a_killed_import_leaves_the_data_set_as_it_was_and_can_be_tried_again(own, source, count, tell):
    table = JobTable(own)
    whole = submit(table, "whole", source)
    start_worker(own)
    reaches(table, whole, "done", within=promised(60))
    broken = submit(table, "whole", source, again=True)
    before, luck, kills, worst = described(own, "whole"), random.Random(1), 0, 0.0
    for _ in range(count(3, 12)):
        start_worker(own)
        (process, *_), _ = until(lambda: processes(own, "import"), promised(30), "an importer")
        time.sleep(luck.uniform(0, 3))
        with contextlib.suppress(ProcessLookupError):  # then it was faster
            os.kill(process.pid, signal.SIGKILL)
        ended, seconds = reaches(table, broken, "interrupted", "done", within=promised(10))
        if ended.state == "done":
            break
        kills, worst = kills + 1, max(worst, seconds)
        assert "SIGKILL" in ended.cause
        assert described(own, "whole") == before, "the version before stands as it did"
        table.resume(broken.id)
    start_worker(own)
    reaches(table, broken, "done", within=promised(60))
    now = described(own, "whole")
    assert now["digest"] == before["digest"]
    assert now["version"] == before["version"] + 1
    assert table.receipt(table.get(broken.id))["digest"] == now["digest"]
    third = submit(table, "third", source)
    start_worker(own)
    reaches(table, third, "done", within=promised(60))
    assert not leftovers(own), "whoever imports next removes what was left"
    tell(f"{kills} kills; said within {worst:.1f} s; the same digest")


def test_j11_an_import_outlives_its_worker_and_ends_when_it_is_told_to(own, source, tell):
    table = JobTable(own)
    job = submit(table, "pets", source)
    start_worker(own)
    # by what the importer prints: a fast machine is done before the worker next looks
    until(lambda: printed_progress(table.log(table.get(job.id))).get("batch"), promised(30), "a picture")
    for worker in processes(own, "work"):
        worker.kill()
    until(lambda: (own / "datasets" / "pets" / "dataset.json").is_file(), promised(60), "a data set without a worker")
    start_worker(own)
    reaches(table, job, "done", within=promised(30))

    away = submit(table, "away", source)
    start_worker(own)
    until(lambda: table.get(away.id).state == "running" and processes(own, "import"), promised(30), "an importer")
    table.cancel(away.id)
    _, seconds = reaches(table, away, "cancelled", within=promised(5))
    assert not processes(own, "import")
    assert not (own / "datasets" / "away").exists()
    tell(f"cancelled within {seconds:.1f} s")
