"""What the worker makes of a process that ended, and what it starts when."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from ml.jobs import worker
from ml.jobs.queue import JobTable
from ml.jobs.trainer import OUT_OF_MEMORY
from ml.jobs.worker import Child, Worker, arguments, told, trim, verdict


def child(kind="train", oom_kills=0, stalled=False):
    return Child(SimpleNamespace(kind=kind), None, oom_kills, stalled=stalled)


@pytest.mark.parametrize(
    ("status", "printed", "expected"),
    [
        (-signal.SIGKILL, "", ("interrupted", "SIGKILL")),
        (-signal.SIGTERM, "", ("interrupted", "SIGTERM")),
        (-signal.SIGSEGV, "", ("failed", "crashed (SIGSEGV)")),
        (-signal.SIGABRT, "RuntimeError: can't start new thread\n", ("failed", OUT_OF_MEMORY)),
        (worker.LOST, "", ("interrupted", "job table")),
        (1, "Traceback\nValueError: x", ("failed", "the log says more")),
        (1, "Traceback\nMemoryError", ("failed", OUT_OF_MEMORY)),
    ],
)
def test_how_a_training_ended(status, printed, expected, monkeypatch):
    monkeypatch.setattr(worker, "oom_kills", lambda: 0)
    state, cause = verdict(child(), status, printed)
    assert state == expected[0]
    assert expected[1] in cause


def test_a_kill_by_the_kernel_for_memory_is_told_from_one_by_a_person(monkeypatch):
    monkeypatch.setattr(worker, "oom_kills", lambda: 4)
    assert verdict(child(oom_kills=3), -9) == ("failed", OUT_OF_MEMORY)
    assert verdict(child(oom_kills=4), -9)[0] == "interrupted"


def test_other_kinds_and_stalls():
    assert verdict(child("data"), 0) == ("done", "")
    assert verdict(child("data"), 1)[0] == "failed"
    assert verdict(child("evaluate"), 0) == ("done", "")
    assert verdict(child(stalled=True), -9)[0] == "failed"


def test_a_log_keeps_its_end_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "job.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(1000):
            writer.write(f"line {number}\n".encode())
        trim(log, most=10_000)
        assert log.stat().st_size > 8_000  # not too long yet
        trim(log, most=4_000)
        writer.write(b"after\n")
    lines = log.read_text().splitlines()
    assert len(log.read_bytes()) < 1_100
    assert lines[0] == "(what came before was cut off)"
    assert lines[1:] == [f"line {number}" for number in range(1000 - len(lines[2:]), 1000)] + ["after"]
    trim(tmp_path / "none")


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


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("", {"stage": "computing"}),
        ("Traceback (most recent call last):\n  File\n", {"stage": "computing"}),
        ("computing slices\n", {"stage": "computing slices"}),
        ("learning from part 3 of 5\nmade slices\n", {"stage": "made slices"}),
        ("half, 3/4\nx" + "y" * 200, {"stage": "x" + "y" * 79}),
        ("z" * 9000 + "\nblur, 12/40\n", {"stage": "blur", "batch": 12, "batches": 40}),
    ],
)
def test_the_last_words_of_a_log(printed, expected, tmp_path):
    log = tmp_path / "job.log"
    assert told(log) == {"stage": "computing"}
    log.write_text(printed)
    assert told(log) == expected
