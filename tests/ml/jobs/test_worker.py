"""What the worker makes of a process that ended, and what it starts when."""

import signal
from types import SimpleNamespace

import pytest

from ml.jobs import worker
from ml.jobs.table import JobTable
from ml.jobs.trainer import OUT_OF_MEMORY
from ml.jobs.worker import Child, Worker, arguments, verdict


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
