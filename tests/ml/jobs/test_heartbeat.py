"""What a training tells the job table, also when that is away for a while."""

import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from ml.jobs import heartbeat, trainer
from ml.jobs.heartbeat import Heartbeat, Pace
from ml.jobs.queue import Lost


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
    beating = Heartbeat(away, None)
    beating.epochs += [{"epoch": 1}, {"epoch": 2}]
    beating.steps += [{"batch": 3}]
    with pytest.raises(OperationalError):
        beating.flush()
    assert len(beating.epochs) == 2
    sleep = time.sleep

    def wait(seconds):
        away.back = True
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", wait)
    heartbeat.patiently(lambda: trainer._finish(away, None, beating, "done", ""))
    assert (away.epochs, away.steps) == ([{"epoch": 1}, {"epoch": 2}], [{"batch": 3}])
    assert away.ends == [("done", "")]
    assert not beating.epochs
    assert not beating.steps


def test_a_trainer_out_of_touch_waits_until_it_knows_whose_job_it_is(monkeypatch):
    monkeypatch.setattr(heartbeat, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "FENCE_SECONDS", 0.2)
    monkeypatch.setattr(heartbeat.traceback, "print_exc", lambda: None)
    away = Away()
    away.back = True
    beating = Heartbeat(away, None)
    beating.start()

    def becomes(alone):
        limit = time.monotonic() + 5
        while beating.alone != alone:
            assert time.monotonic() < limit
            time.sleep(0.01)

    becomes(False)
    away.back = False
    becomes(True)
    away.back = True
    becomes(False)
    beating.ended.set()
    beating.join()


def test_a_heartbeat_that_was_stopped_leaves_the_process_alone_when_its_job_has_ended(monkeypatch):
    exits, away = [], Away()

    def lost(job, **progress):
        raise Lost

    def leave(status):
        exits.append(status)
        threading.Event().wait()  # a process that has ended does nothing more

    monkeypatch.setattr(heartbeat.os, "_exit", leave)
    monkeypatch.setattr(heartbeat, "TICK_SECONDS", 0.01)
    away.back = True
    stopped, goes_on = Heartbeat(away, None), Heartbeat(away, None)
    for one in (stopped, goes_on):
        one.start()
    stopped.stop()
    assert not stopped.is_alive()
    monkeypatch.setattr(away, "beat", lost)
    monkeypatch.setattr(away, "cancelling", lost)
    limit = time.monotonic() + 5
    while not exits:
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert exits == [75]  # the one that was not stopped: its job is another's
