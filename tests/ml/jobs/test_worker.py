"""What the worker starts when, and how it watches over it."""

import signal
import subprocess
import sys
import time

from sqlalchemy.exc import OperationalError

from ml.jobs import worker
from ml.jobs.queue import JobTable
from ml.jobs.worker import Child, Worker, arguments


def test_two_trainings_run_where_two_may(tmp_path, monkeypatch):
    table = JobTable(tmp_path)
    monkeypatch.setenv("FASHION_WORKERS", "2")
    begun = []
    own = Worker(tmp_path)
    monkeypatch.setattr(own, "_start", begun.append)
    for name in ("a", "b", "c"):
        table.submit({}, name, epochs=1)
    for _ in range(4):
        own.turn()
    assert [job.run_id for job in begun] == ["a", "b"]


def test_a_database_that_is_away_does_not_end_the_worker(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.01)
    own = Worker(tmp_path, idle=0.0)
    turns = iter([OperationalError("claim", {}, Exception("database is locked")), False])

    def turn():
        said = next(turns)
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(own, "turn", turn)
    assert own.run()
    assert list(turns) == []
    assert "database is locked" in capsys.readouterr().err


def test_tables_of_a_finished_run_wait_until_no_training_does(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    table = JobTable(tmp_path)
    begun = []
    own = Worker(tmp_path)
    monkeypatch.setattr(own, "_start", begun.append)
    later = table.submit({"nouns": ["projection"]}, "old", epochs=0, kind="evaluate")
    table.submit({}, "new", epochs=1)
    assert own.turn()
    assert [job.run_id for job in begun] == ["new"]
    own.turn()
    assert len(begun) == 1
    table.finish(begun[0], "done")
    own.turn()
    assert begun[1].id == later.id
    assert arguments(begun[1]) == ["evaluate", "old", "--only", "projection"]


def test_the_data_set_is_fetched_beside_a_training(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    table = JobTable(tmp_path)
    begun = []
    own = Worker(tmp_path)
    monkeypatch.setattr(own, "_start", begun.append)
    table.submit({}, "new", epochs=1)
    table.submit({}, "data", epochs=0, kind="data")
    own.turn()
    assert [arguments(job)[0] for job in begun] == ["train", "data"]


def test_an_evaluation_says_how_far_it_is_and_can_be_cancelled(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.0)
    own = Worker(tmp_path)
    table = own.table
    table.submit({"nouns": ["robustness"]}, "old", epochs=0, kind="evaluate")
    job = table.claim("evaluate")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        own._children[job.id] = Child(job, process, 0)
        own._look(own._children[job.id])
        assert table.get(job.id).stage == "computing"
        log = table.log(job)
        log.parent.mkdir(parents=True)
        log.write_text("computing robustness\ncomputing robustness: blur 3, 9/57\n/a.py:3: UserWarning: x\n  warn(x)\n")
        own._look(own._children[job.id])
        seen = table.get(job.id)
        assert (seen.stage, seen.batch, seen.batches) == ("computing robustness: blur 3", 9, 57)
        table.cancel(job.id)
        own._look(own._children[job.id])
        assert process.wait(10) == -signal.SIGKILL
        own._look(own._children[job.id])
        assert table.get(job.id).state == "cancelled"
        assert not own._children
    finally:
        process.kill()


def test_a_trainer_that_hangs_at_its_limit_of_memory_is_ended_and_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    monkeypatch.setattr(worker, "STARVED_SECONDS", 0.1)
    monkeypatch.setattr(worker.causes, "at_limit", lambda process: isinstance(process, int))
    table, own = JobTable(tmp_path), Worker(tmp_path)
    table.submit({}, "starved", epochs=1)
    job = table.claim()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    own._children[job.id] = Child(job, process, 0)
    try:
        until = time.monotonic() + 20
        while own._children:
            assert time.monotonic() < until
            own._look(own._children[job.id])
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    ended = table.get(job.id)
    assert ended.state == "failed"
    assert ended.cause.startswith("Out of memory")
