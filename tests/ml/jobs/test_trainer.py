"""The trainer's own judgements: pace, causes, and whose job it is. Real trainings are in tests/faults."""

import errno

import pytest
from sqlalchemy.exc import OperationalError

from ml.jobs import trainer
from ml.jobs.queue import JobTable
from ml.jobs.trainer import LEASE, MEMORY, OUT_OF_MEMORY, Pace, Pulse, cause_of, run_job


def test_pace_looks_at_the_last_ten_seconds():
    pace = Pace(batch_size=100)
    assert pace.at(0, 1000, now=0.0) == (None, None)
    assert pace.at(10, 1000, now=5.0) == (pytest.approx(495), pytest.approx(200))
    pace.at(20, 1000, now=10.0)
    # ten times faster from here on; the slow start drops out of the window
    pace.at(120, 1000, now=15.0)
    left, speed = pace.at(220, 1000, now=20.0)
    assert speed == pytest.approx(2000)
    assert left == pytest.approx(39)


class DataMissing(RuntimeError):
    """Named like the one in ml.data."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), OUT_OF_MEMORY),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), "disk is full"),
        (PermissionError(errno.EACCES, "denied", "/secret/place"), "cannot be written"),
        (DataMissing("look in /secret/place"), "fetch the data set"),
        (KeyError("unknown model 'x'; known: a, b"), "unknown model 'x'"),
        (FileExistsError(errno.EEXIST, "exists", "/secret/place"), "exists already"),
        (ZeroDivisionError("secret"), "ZeroDivisionError"),
    ],
)
def test_causes_are_sentences_without_paths(error, words, monkeypatch):
    monkeypatch.delenv(MEMORY, raising=False)
    assert words in cause_of(error)
    assert "secret" not in cause_of(error)


def test_a_job_is_run_only_with_its_lease(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    table = JobTable(tmp_path)
    with pytest.raises(LookupError):
        run_job("0" * 32, home=tmp_path)
    job = table.submit({}, "a", epochs=1)
    monkeypatch.delenv(LEASE, raising=False)
    with pytest.raises(LookupError):
        run_job(job.id, home=tmp_path)
    table.claim()
    monkeypatch.setenv(LEASE, "another")
    with pytest.raises(LookupError, match="python -m ml work"):
        run_job(job.id, home=tmp_path)
    assert table.get(job.id).state == "running"


class Away:
    """A job table whose database cannot be reached until it is `back`."""

    def __init__(self):
        self.back, self.epochs, self.steps, self.ends = False, [], [], []

    def _reach(self):
        if not self.back:
            raise OperationalError("update", {}, Exception("server closed the connection"))

    def add_epoch(self, job, row):
        self._reach()
        self.epochs.append(row)

    def add_steps(self, job, rows):
        self._reach()
        self.steps += rows

    def finish(self, job, state, cause, again):
        self._reach()
        self.ends.append((state, cause))

    def beat(self, job, **progress):
        self._reach()
        return False

    cancelling = beat


def test_what_a_database_that_is_away_refuses_is_told_later(monkeypatch):
    monkeypatch.setattr(trainer, "TICK_SECONDS", 0.01)
    away = Away()
    pulse = Pulse(away, None)
    pulse.epochs += [{"epoch": 1}, {"epoch": 2}]
    pulse.steps += [{"batch": 3}]
    with pytest.raises(OperationalError):
        pulse.flush()
    assert len(pulse.epochs) == 2
    sleep = trainer.time.sleep

    def wait(seconds):
        away.back = True
        sleep(seconds)

    monkeypatch.setattr(trainer.time, "sleep", wait)
    trainer._patiently(lambda: trainer._finish(away, None, pulse, "done", ""))
    assert (away.epochs, away.steps) == ([{"epoch": 1}, {"epoch": 2}], [{"batch": 3}])
    assert away.ends == [("done", "")]
    assert not pulse.epochs
    assert not pulse.steps


def test_a_trainer_out_of_touch_waits_until_it_knows_whose_job_it_is(monkeypatch):
    monkeypatch.setattr(trainer, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(trainer, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(trainer, "FENCE_SECONDS", 0.2)
    monkeypatch.setattr(trainer.traceback, "print_exc", lambda: None)
    away = Away()
    away.back = True
    pulse = Pulse(away, None)
    pulse.start()

    def becomes(alone):
        limit = trainer.time.monotonic() + 5
        while pulse.alone != alone:
            assert trainer.time.monotonic() < limit
            trainer.time.sleep(0.01)

    becomes(False)
    away.back = False
    becomes(True)
    away.back = True
    becomes(False)
    pulse.ended.set()
    pulse.join()
