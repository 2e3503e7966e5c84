"""Who is alive: beats that stand still, workers that come and go, jobs whose process is no more."""

import signal
import subprocess
import sys
import time

import pytest

from ml.jobs.liveness import Watch, Workers, reap


def test_a_stuck_process_of_this_machine_is_ended_with_its_job(table):
    table.submit({}, "a", epochs=3)
    job = table.claim()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stuck:
        table.own(job, stuck.pid)
        watch, began = Watch(seconds=0.2), time.monotonic()
        while not (ended := reap(table, watch, patience=0.2)):  # who looks too seldom, on a busy machine, begins anew
            assert time.monotonic() < began + 20
            time.sleep(0.05)
        assert time.monotonic() >= began + 0.2
        assert [reaped.state for reaped in ended] == ["interrupted"]
        assert stuck.wait(5) == -9


def test_a_stopped_process_of_this_machine_may_go_on_unless_its_end_was_asked_for(table):
    table.submit({}, "a", epochs=3)
    job = table.claim()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stopped:
        table.own(job, stopped.pid)
        stopped.send_signal(signal.SIGSTOP)
        watch, began = Watch(seconds=0.2), time.monotonic()
        while time.monotonic() < began + 0.6:
            assert reap(table, watch) == []
            time.sleep(0.02)
        table.cancel(job.id)
        while not (ended := reap(table, watch)):
            assert time.monotonic() < began + 20
            time.sleep(0.02)
        assert [one.state for one in ended] == ["cancelled"]
        assert stopped.wait(5) == -9


def test_a_silent_beat_is_stale_after_eight_seconds_of_this_clock():
    watch = Watch()
    assert not watch.stale("x", 1, now=100.0)
    assert not watch.stale("x", 1, now=107.9)
    assert watch.stale("x", 1, now=108.0)
    assert not watch.stale("x", 2, now=109.0)


def test_who_has_not_looked_cannot_say_who_was_silent():
    watch = Watch()
    assert not watch.stale("x", 1, now=100.0)
    assert not watch.stale("x", 1, now=160.0, fair=True)  # the database was away for a minute
    assert not watch.stale("x", 1, now=164.0, fair=True)
    assert watch.stale("x", 1, now=168.0, fair=True)


@pytest.mark.parametrize(
    ("published", "cancel", "state"),
    [(False, False, "interrupted"), (True, False, "done"), (True, True, "done"), (False, True, "cancelled")],
)
def test_reaping_a_dead_trainer(table, published, cancel, state):
    table.submit({}, "a", epochs=3)
    job = table.claim()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as dead:
        table.own(job, dead.pid)
    if cancel:
        table.cancel(job.id)
    table.partial(job).mkdir(parents=True)
    if published:
        folder = table.home / "runs" / "a"
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
    assert [reaped.state for reaped in reap(table, Watch())] == [state]
    assert table.get(job.id).state == state
    assert table.partial(job).exists() == (state != "cancelled")


def test_a_worker_stays_while_there_is_work(table):
    workers, watch = Workers(table), Watch()
    worker = workers.register()
    assert workers.alive(watch)
    table.submit({}, "a", epochs=3)
    assert not workers.unregister(worker)
    table.finish(table.claim(), "done")
    assert workers.unregister(worker)
    assert not workers.alive(watch)


def test_a_worker_of_another_machine_that_falls_silent_is_struck_off(table, monkeypatch):
    workers, watch = Workers(table), Watch(seconds=0.1)
    monkeypatch.setattr("ml.jobs.processes.socket.gethostname", lambda: "elsewhere")
    worker = workers.register()
    monkeypatch.undo()
    assert workers.alive(watch)
    workers.prune(watch)
    assert workers.beat(worker)
    time.sleep(0.15)
    workers.prune(watch)  # it beat meanwhile
    time.sleep(0.15)
    assert not workers.alive(watch)
    workers.prune(watch)
    assert not workers.beat(worker)
