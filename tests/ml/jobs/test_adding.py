"""A network or predictions that somebody brought, added by the worker: its row, its name, and what is left of it."""

import json
import os
import signal
import sys
import time

import pytest

from ml.artifacts.reader import Library
from ml.data import load
from ml.jobs import worker
from ml.jobs.queue import JobTable, Refused
from ml.jobs.worker import Worker, arguments, said
from ml.people import acting
from tests import own_networks
from tests.conftest import TOY


def submit(table: JobTable, name: str, source, **more):
    spec = {"source": str(source), "upload": "", "shown": "said.csv", "dataset": TOY, "choices": {}, **more}
    return table.submit(spec, name, epochs=0, kind="add")


def turned(own: Worker, table: JobTable, job, *states: str, kill: bool = False, seconds: float = 90):
    """The row once it is in one of the states; kill: end its process as soon as there is one."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        own.turn()
        now = table.get(job.id)
        if now.state in states:
            return now
        if kill and now.pid and now.stage not in ("", "starting"):
            os.kill(now.pid, signal.SIGKILL)
            kill = False
        time.sleep(0.05)
    raise AssertionError(table.get(job.id))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_addition_is_said_and_tried_again_and_a_wrong_one_says_why(table):
    own = Worker(table.home)
    csv = own_networks.predictions(load(TOY), table.home / "said.csv", more=2)
    acting.enter(acting.Person("mia", acting.TRAIN, "account"))
    try:
        job = submit(table, "said", csv)
    finally:
        acting.leave()
    assert job.who == "mia"
    killed = turned(own, table, job, "interrupted", "done", kill=True)
    assert (killed.state, "SIGKILL" in killed.cause) == ("interrupted", True)
    assert "said" in table.names()
    with pytest.raises(Refused, match="taken"):
        submit(table, "said", csv)
    with pytest.raises(Refused, match="taken"):
        table.submit({}, "said", epochs=1)
    table.resume(job.id)
    assert turned(own, table, job, "done", "failed").state == "done"
    receipt = table.receipt(table.get(job.id))
    assert (receipt["run"], receipt["kind"], receipt["matched"], receipt["unmatched"]) == ("said", "recorded", 600, 2)
    run = Library(table.home / "none", table.home).open("said")
    assert run.manifest["command"] == f"python -m ml runs add said --data {TOY} --predictions said.csv"
    assert str(table.home) not in str(run.manifest)

    wrong = table.home / "net.onnx"
    wrong.write_bytes(b"no network")
    failed = turned(own, table, submit(table, "net", wrong), "done", "failed")
    assert (failed.state, failed.cause) == (
        "failed", "net.onnx is no ONNX file: export the network as ONNX and give that file",
    )  # fmt: skip
    table.discard(failed.id)
    assert "net" not in table.names()


def test_a_name_that_is_trained_is_not_added(table):
    table.submit({}, "mine", epochs=1)
    with pytest.raises(Refused, match="taken"):
        submit(table, "mine", "/x")
    job = submit(table, "other", "/x", choices={"network": {"layout": "nhwc"}})
    assert arguments(job) == [
        "runs", "add", "other", "--data", TOY, "--choices=-", "--shown=said.csv", "--json", "--brought=/x",
    ]  # fmt: skip
    assert json.loads(said(job)) == {"network": {"layout": "nhwc"}}
    assert said(table.submit({}, "third", epochs=1)) == b""


def test_choices_may_be_long_and_what_cannot_be_started_fails_in_words(table, monkeypatch):
    own = Worker(table.home)
    long = {"predictions": {"names": {f"{'n' * 100}{i}": "bar 1" for i in range(2_000)}}}
    (table.home / "said.csv").write_bytes(b"id,predicted\n1,bar 0\n")
    first = submit(table, "long", table.home / "said.csv", choices=long)
    failed = turned(own, table, first, "done", "failed")
    assert failed.state == "failed"
    assert "said.csv writes a class otherwise" in failed.cause, "it read what was said"
    assert "could not be started" not in failed.cause

    def none(*_, **__):
        raise OSError(7, "Argument list too long")

    monkeypatch.setattr(worker.subprocess, "Popen", none)
    never = turned(own, table, submit(table, "never", table.home / "said.csv"), "done", "failed")
    assert (never.state, never.cause) == ("failed", "Its process could not be started: Argument list too long.")
