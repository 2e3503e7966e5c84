"""Faults of trainings that end by themselves or are left alone, J1 to J9, with real workers and trainers.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dashboard.services.jobs import Jobs
from ml.jobs.queue import JobTable, Refused
from ml.jobs.start import start_worker
from tests.faults.trainings import TRACE, processes, reaches, submit, training, until
from tests.promises import FULL, promised

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

ROOT = Path(__file__).resolve().parents[2]


def test_j8_a_trainer_without_its_data_says_so(own):
    table = JobTable(own)
    job = submit(table, "gone", dataset="nowhere")
    start_worker(own)
    ended, _ = reaches(table, job, "failed")
    assert "nowhere" in ended.cause
    assert not TRACE.search(ended.cause)


def test_j8_a_training_whose_loss_is_no_number_stops_early_and_says_so(own):
    table = JobTable(own)
    wild = {"learning_rate": 2.0, "optimiser": "sgd", "weight_decay": 0.0, "schedule": "constant", "warmup": 0.0}
    job = submit(table, "wild", epochs=100, **wild)
    start_worker(own)
    ended, _ = reaches(table, job, "failed")
    assert "the loss became nan in epoch" in ended.cause
    assert ended.epoch < 100
    assert not TRACE.search(ended.cause)


# the names of files that are written aside, as a process that starts with it makes them
FORESEEN = """
import secrets
real = secrets.token_hex
secrets.token_hex = lambda count=None: "0" * 8 if count == 4 else real(count)
"""


def test_j8_a_full_disk_is_named_and_the_training_goes_on_once_there_is_room(own, monkeypatch, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(FORESEEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    table = JobTable(own)
    job = submit(table, "full", epochs=2)
    full = table.partial(job) / "checkpoint.pt.00000000.partial"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")  # every byte written to it is one too many
    start_worker(own)
    ended, _ = reaches(table, job, "failed")
    assert ended.cause == "The disk is full: free some space, then resume."
    assert not full.is_symlink()  # what was half written is taken away
    table.resume(job.id)
    start_worker(own)
    assert reaches(table, job, "done")[0].epoch == 2


# less than torch takes, less than all libraries, and enough until the first large batch
@pytest.mark.parametrize("megabytes", [300, 900, 1050])
def test_j8_a_trainer_that_runs_out_of_memory_says_so(own, monkeypatch, megabytes):
    monkeypatch.setenv("FASHION_TRAIN_MEMORY_MB", str(megabytes))
    table = JobTable(own)
    job = submit(table, "starved", batch_size=2048)
    start_worker(own)
    ended, _ = reaches(table, job, "failed")
    assert ended.cause.startswith("Out of memory")
    assert submit(table, "after").state == "queued"


def test_j3_a_killed_worker_leaves_its_trainer_and_a_new_one_finds_it(own):
    table = JobTable(own)
    job = submit(table, "orphan", epochs=100)
    waiting = submit(table, "next")
    start_worker(own)
    running, _ = until(lambda: (now := table.get(job.id)).stage == "training" and now, 60, "training")
    for process in processes(own, "work"):
        process.kill()
    until(lambda: not processes(own, "work"), 5, "the worker is gone")
    jobs = Jobs(own)
    until(lambda: jobs.view() and processes(own, "work"), promised(10), "a look at the page wakes a new worker")
    time.sleep(1)
    assert table.get(job.id).lease == running.lease
    assert table.get(waiting.id).state == "queued"
    assert [p.pid for p in processes(own, "train")] == [running.pid]
    jobs.cancel(job.id)
    reaches(table, job, "cancelled", within=promised(5))
    reaches(table, waiting, "running", within=promised(10))


def test_j1_and_j3_all_is_killed_at_once_and_the_page_says_so(own):
    table = JobTable(own)
    job = submit(table, "lost", epochs=100)
    start_worker(own)
    until(lambda: table.get(job.id).stage == "training", 60, "training")
    for process in processes(own):
        process.kill()
    jobs = Jobs(own)
    view, _ = until(lambda: (seen := jobs.view()).job.state == "interrupted" and seen, promised(10), "interrupted")
    assert view.job.cause
    with pytest.raises(Refused):
        jobs.cancel(job.id)


def test_j4_twenty_workers_at_once_are_one(own, count):
    table = JobTable(own)
    job = submit(table, "one", epochs=100)
    for _ in range(count(5, 20)):
        start_worker(own)
    until(lambda: table.get(job.id).stage == "training", 90, "training")
    until(lambda: len(processes(own, "work")) == 1, 30, "one worker stays")
    assert len(processes(own, "train")) == 1


def test_j9_a_trainer_that_is_stopped_is_called_stalled_in_words_and_goes_on(own, no_artifacts, tell):
    """Also when its worker is lost meanwhile: the next one finds a process that is there, and leaves it alone."""
    table, jobs = JobTable(own), Jobs(own, artifacts=no_artifacts)
    job = submit(table, "slow", epochs=200)
    start_worker(own)
    row, _ = until(lambda: training(table, job), 60, "training")
    trainer = psutil.Process(row.pid)
    trainer.suspend()
    try:
        said, took = until(lambda: jobs.view(job.id).stalled, promised(30), "called stalled")
        assert "silent for" in said
        for worker in processes(own, "work"):
            worker.kill()
        began = time.monotonic()
        while time.monotonic() - began < 12:  # longer than a silence that ends a job elsewhere
            assert jobs.view(job.id).job.state == "running"
            time.sleep(0.2)
    finally:
        trainer.resume()
    before = table.get(job.id).batch
    until(lambda: not jobs.view(job.id).stalled and table.get(job.id).batch > before, 30, "going on")
    assert table.get(job.id).attempt == 1
    tell(f"said after {took:.1f} s")
    table.cancel(job.id)
    reaches(table, job, "cancelled", within=30)


@pytest.fixture
def disk(own, tmp_path) -> Iterator[Path]:
    """A file system of its own where runs are written, which can be frozen; the database stays outside."""
    tools = [shutil.which(name) for name in ("mkfs.ext4", "mount", "umount", "fsfreeze")]
    if os.geteuid() or not all(tools):
        pytest.skip("only root can mount and freeze a file system")
    image, runs = tmp_path / "disk", own / "runs"
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    runs.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, runs], capture_output=True).returncode:
        pytest.skip("no loop device here")
    yield runs
    subprocess.run(["fsfreeze", "--unfreeze", runs], capture_output=True)
    for process in processes(own):
        process.kill()
        process.wait(20)
    subprocess.run(["umount", "--lazy", runs], check=True)


@pytest.mark.skipif(not FULL, reason="half a minute of waiting")
def test_j9_a_trainer_whose_disk_is_frozen_is_called_stalled_in_words_and_goes_on(disk, own, no_artifacts, tell):
    table, jobs = JobTable(own), Jobs(own, artifacts=no_artifacts)
    job = submit(table, "frozen", epochs=200)
    start_worker(own)
    until(lambda: table.get(job.id).epoch > 1, 90, "training")
    subprocess.run(["fsfreeze", "--freeze", disk], check=True)
    try:
        said, took = until(lambda: jobs.view(job.id).stalled, promised(30), "called stalled")
        assert "no batch has ended for" in said
        assert jobs.view(job.id).job.state == "running"
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", disk], check=True)
    before = table.get(job.id).batch, table.get(job.id).epoch
    until(lambda: not jobs.view(job.id).stalled, 30, "going on")
    until(lambda: (table.get(job.id).batch, table.get(job.id).epoch) > before, 30, "a batch")
    assert table.get(job.id).attempt == 1
    tell(f"said after {took:.1f} s")
    table.cancel(job.id)
    reaches(table, job, "cancelled", within=30)
