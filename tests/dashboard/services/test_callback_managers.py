"""What hands background callbacks to Celery: asks the job table first, and never waits for a broker that is away."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import Celery
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.exceptions import PreventUpdate

from dashboard.services.callback_managers import ClusterLauncher
from dashboard.services.jobs import Jobs
from ml.jobs.broker import broker
from ml.jobs.notifier import Notifier
from ml.system.paths import ROOT

TICKET = {"job": "f" * 32, "attempt": 1}


class Gate:
    """A job table that admits one ticket, and a broker that is away or there."""

    def __init__(self, home, reachable):
        self.home, self.reachable = home, reachable

    def admit(self, ticket):
        return ticket == TICKET

    def watched(self, job_id):
        return job_id == TICKET["job"]


class Broken:
    """Whatever is asked of it breaks."""

    def __getattr__(self, name):
        raise ConnectionError(name)


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    # Dash hands every later app's background callbacks to every manager it ever saw: these must be forgotten
    monkeypatch.setattr(BaseBackgroundCallbackManager, "managers", list(BaseBackgroundCallbackManager.managers))

    def make(reachable):
        app = Celery("test", broker="memory://", backend="cache+memory://", set_as_current=False)
        return ClusterLauncher(Gate(tmp_path, reachable), app)

    return make


def test_a_callback_carries_the_jobs_id_and_no_cookie(launcher):
    sent = []

    def apply_async(args, **options):
        sent.append((args, options))
        return object()

    job = SimpleNamespace(apply_async=apply_async)
    made = launcher(True)
    task = made.call_job_fn("key", job, [TICKET], {"cookies": {"a": "secret"}, "headers": {"Authorization": "secret"}})
    (key, progress, arguments, context), options = sent[0]
    assert (key, progress, arguments, context) == ("key", "key-progress", [{"job": TICKET["job"], "home": ""}], {})
    assert options == {"task_id": task, "retry": False, "ignore_result": True}
    assert made.job_running(task)
    assert not made.job_running("0" * 32 + ".1")
    for other in ([], [None], ["x"], [{"job": "x", "attempt": 1}]):
        with pytest.raises(PreventUpdate):
            made.call_job_fn("key", job, other, {})
    assert len(sent) == 1


@pytest.mark.parametrize("reachable", [True, False])
def test_a_broker_that_does_not_answer_is_no_error(launcher, reachable, monkeypatch):
    made = launcher(reachable)
    made.handle = Broken()
    assert made.get_progress("key") is None
    assert made.get_result("key", "task") is made.UNDEFINED
    assert made.get_updated_props("key") == {}
    assert made.result_ready("key") is False
    made.clear_cache_entry("key")
    made.terminate_job("task")
    with pytest.raises(PreventUpdate):
        made.call_job_fn("key", Broken(), [TICKET], {})


def test_all_servers_of_a_home_share_one_secret(launcher, tmp_path):
    first = launcher(False).get_or_create_signing_secret(lambda: b"one")
    assert first == b"one" == launcher(True).get_or_create_signing_secret(lambda: b"two")
    files = list((tmp_path / "cache").iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]


ELSEWHERE = """
import sys, tempfile
from pathlib import Path
from types import SimpleNamespace
from dashboard.services.callback_managers import local
local(SimpleNamespace(home=Path(sys.argv[1])))
print(*Path(tempfile.gettempdir()).iterdir())
"""


def test_where_the_home_cannot_be_written_to_the_cache_ends_with_the_process(tmp_path):
    (tmp_path / "home").touch()
    (tmp_path / "tmp").mkdir()
    said = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "home"], cwd=ROOT, check=True, capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ).stdout  # fmt: skip
    assert Path(said.strip()).name.startswith("fashion-forward-")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_brokers_address_is_checked_and_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://user:secret@host")
    with pytest.raises(ValueError, match="must begin with redis://") as wrong:
        broker()
    assert "secret" not in str(wrong.value)
    with pytest.raises(ValueError, match="redis"):
        Jobs(tmp_path)
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("ml.jobs.broker.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install -r requirements-cluster\.txt"):
        broker()
    monkeypatch.setenv("CELERY_BROKER_URL", " ")
    assert broker() == ""


def test_a_notifier_without_a_broker_says_so_at_once():
    notifier = Notifier("redis://127.0.0.1:1/0")
    notifier.notify("x")
    limit = time.monotonic() + 10
    while notifier.reachable is None and time.monotonic() < limit:
        time.sleep(0.02)
    assert notifier.reachable is False
