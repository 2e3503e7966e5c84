"""What /health says, and that it says it without paths, password or a name."""

import json
from types import SimpleNamespace

from dashboard.api import health
from ml.system import disk


def services(tmp_path, *, runs=(True,), database="ok", worker="stopped", broker="none", read_only=False):
    parts = {"database": database, "worker": worker, "broker": broker}
    return SimpleNamespace(
        jobs=SimpleNamespace(home=tmp_path / "not" / "there", health=lambda: parts),
        store=SimpleNamespace(runs=lambda: [SimpleNamespace(ok=ok is True, pending=ok is None) for ok in runs]),
        read_only=read_only,
    )


def test_all_is_well(tmp_path):
    state = health.state(services(tmp_path, runs=(True, True, False)))
    assert state["disk"].pop("free_mb") > 0
    assert state == {
        "status": "ok",
        "database": "ok",
        "worker": "stopped",
        "disk": {"status": "ok"},
        "runs": {"usable": 2, "broken": 1},
    }


def test_runs_that_are_still_being_checked_are_neither_usable_nor_broken(tmp_path):
    state = health.state(services(tmp_path, runs=(True, None, None, False)))
    assert (state["status"], state["runs"]) == ("ok", {"usable": 1, "broken": 1, "pending": 2})


def test_what_degrades(tmp_path, monkeypatch):
    assert health.state(services(tmp_path, runs=()))["status"] == "degraded"
    assert health.state(services(tmp_path, runs=(False,)))["status"] == "degraded"
    assert health.state(services(tmp_path, database="unavailable"))["status"] == "degraded"
    assert health.state(services(tmp_path, database="unavailable", read_only=True))["status"] == "ok"
    monkeypatch.setattr(health, "LOW_BYTES", 2**70)
    assert health.state(services(tmp_path))["disk"]["status"] == "low"
    assert health.state(services(tmp_path))["status"] == "degraded"


def test_a_full_disk_is_called_that(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "free", lambda _: 300_000)
    state = health.state(services(tmp_path))
    assert state["disk"] == {"status": "full", "free_mb": 0}
    assert state["status"] == "degraded"
    monkeypatch.setattr(disk, "free", lambda _: None)
    assert health.state(services(tmp_path))["disk"] == {"status": "unknown", "free_mb": None}


def test_a_cluster_needs_its_broker_and_a_worker(tmp_path):
    state = health.state(services(tmp_path, broker="ok", worker="running"))
    assert (state["status"], state["broker"], state["worker"]) == ("ok", "ok", "running")
    assert health.state(services(tmp_path, broker="unreachable", worker="running"))["status"] == "degraded"
    assert health.state(services(tmp_path, broker="ok"))["status"] == "degraded"
    assert health.state(services(tmp_path, broker="ok", read_only=True))["status"] == "ok"


def test_the_route_needs_neither_password_nor_name_and_gives_no_path(app, home, monkeypatch):
    monkeypatch.setenv("FASHION_PASSWORD", "secret")
    answer = app.server.test_client().get("/health", headers={"Host": "probe.example"})
    assert answer.status_code == 200
    assert answer.json["runs"] == {"usable": 1, "broken": 0}
    assert answer.json["status"] == "ok"
    assert "/" not in json.dumps(answer.json)
    assert str(home) not in answer.text
