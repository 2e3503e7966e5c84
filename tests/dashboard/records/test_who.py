"""Every change carries the name of who made it, and is refused to whose role does not reach so far."""

import ast
import json
import secrets
from pathlib import Path

import pytest
from sqlalchemy import select

from dashboard.records.rows import Declined, NotAllowed
from dashboard.services.container import Services
from dashboard.shell import create_app
from ml.jobs import queue, tables
from ml.jobs.queue import JobTable, Refused
from ml.people import acting
from ml.people.acting import ROLES, Person

ROOT = Path(__file__).resolve().parents[3]
TRAINING = {"model": "mlp", "dataset": "synthetic-4-28x28x1", "epochs": 1}


@pytest.fixture
def services(home, no_artifacts, monkeypatch):
    """The services of an app that starts no worker."""
    found: list[Services] = []
    monkeypatch.setattr("dashboard.shell.frame", lambda one: found.append(one))
    monkeypatch.setattr("dashboard.services.jobs.Jobs.wake", lambda *_: False)
    monkeypatch.setattr("dashboard.services.training_request._missing", lambda *_: {})
    app = create_app(no_artifacts, home=home)
    app.layout()
    yield found[0]
    acting.leave()


def slices(services):
    return services.store.slices.save("toys", "some", {"test": [1, 2]}, rule="", run="toy")


def give(services):
    return services.feedback.give(
        key=secrets.token_hex(16), run="toy", dataset="toys", said="a", confidence=0.5, label="b", note="",
        client="0" * 32, picture=b"png",
    )  # fmt: skip


def view(services):
    kept = {"page": "/", "search": "?run=toy", "dataset": "toys", "run": "toy", "data": "0" * 16, "split": "test"}
    return services.views.save("Ten bags", "", kept)


def decided(services, batch):
    return services.decisions.decide("toys", "test", {1: "a"}, "exclude", batch=batch)


# act: (prepared by an owner, what is done)
WRITES = {
    "feedback": (None, lambda services, _: give(services)),
    "judge": (give, lambda services, made: services.feedback.judge([made[0].number], "accepted")),
    "decide": (None, lambda services, _: decided(services, "0" * 32)),
    "undo": (
        lambda services: decided(services, "1" * 32),
        lambda services, _: services.decisions.undo("toys", batch="1" * 32),
    ),
    "bring": (None, lambda services, _: services.decisions.bring([row()], "2" * 32)),
    "slice": (slices, lambda services, made: services.store.slices.rename(made.key, "others")),
    "view": (view, lambda services, made: services.views.remove(made[0].number)),
    "describe": (None, lambda services, _: services.records.rename("toy", "My run")),
    "archive": (None, lambda services, _: services.records.archive("toy")),
    "promote": (None, lambda services, _: services.records.promote("toy", "It is good.", None)),
    "delete": (None, lambda services, _: services.registry.delete("toy")),
    "dataset": (
        lambda services: (services.store.library.home / "datasets" / "pets").mkdir(parents=True),
        lambda services, _: services.imports.begin(staged(services), "beasts", {}),
    ),
    "import": (
        lambda services: services.registry.pack("toy"),
        lambda services, made: services.registry.take(made, "again"),
    ),
    "train": (None, lambda services, _: services.jobs.submit({**TRAINING, "name": "mine"})),
    "fetch": (None, lambda services, _: services.jobs.fetch()),
    "evaluate": (None, lambda services, _: services.jobs.evaluate("toy", "robustness", runs=["toy"])),
    "job": (
        lambda services: services.jobs.submit({**TRAINING, "name": "waits"}),
        lambda services, made: services.jobs.cancel(made.id),
    ),
}


def staged(services):
    """Something that may be imported."""
    place = services.store.library.home / "uploads" / ("f" * 24)
    place.mkdir(parents=True, exist_ok=True)
    about = {"name": "pets", "size": 0, "created": 1.0, "who": "", "file": "pets", "path": str(place)}
    (place / "about.json").write_text(json.dumps(about))
    return services.staging.get("f" * 24)


def row() -> dict:
    return {
        "id": "3" * 32, "dataset": "toys", "digest": "", "split": "test", "example_id": 3, "action": "exclude",
        "before": "a", "after": "", "who": "", "at": 1.0, "run": "toy",
    }  # fmt: skip


def test_every_act_is_tried_here():
    assert set(WRITES) == set(acting.ACTS) - {"account", acting.UNDECIDED}


@pytest.mark.parametrize("act", WRITES)
def test_an_act_takes_its_role_and_leaves_a_name(services, act):
    prepare, write = WRITES[act]
    made = prepare(services) if prepare else None
    before = len(services.happenings.listing())
    least = ROLES.index(acting.ACTS[act][0])
    if least:
        acting.enter(Person("Ada", ROLES[least - 1], "account"))
        with pytest.raises((NotAllowed, queue.NotAllowed), match=f"Ada has the role {ROLES[least - 1]}: it takes"):
            write(services, made)
        assert len(services.happenings.listing()) == before, "nothing was done"
    acting.enter(Person("Ada", ROLES[least], "account"))
    write(services, made)
    newest = services.happenings.listing()[0]
    assert (newest.who, newest.act) == ("Ada", act)
    assert len(services.happenings.listing()) == before + 1


def test_the_rows_carry_the_name_and_rows_without_say_nothing(services):
    old = services.records.rename("toy", "Before")
    acting.enter(Person("Ada", "own", "account"))
    assert services.records.promote("toy", "It is good.", None).who == "Ada"
    assert services.records.promotions()[0].who == "Ada"
    assert services.records.changes("toy")[-1] == old
    assert old.who == ""
    assert slices(services).who == "Ada"
    assert give(services)[0].who == "Ada"
    job = services.jobs.submit({**TRAINING, "name": "mine"})
    acting.enter(Person("Bo", "train", "account"))
    assert services.jobs.cancel(job.id).who == "Ada"
    table = JobTable(services.jobs.home)
    with table.engine.connect() as connection:
        assert connection.scalars(select(tables.events.c.who)).all() == ["Ada", "Bo"]


def test_what_fails_is_not_written_down(services):
    acting.enter(Person("Ada", "own", "account"))
    with pytest.raises(Declined):
        services.decisions.undo("toys", batch="9" * 32)
    slices(services)
    services.store.slices.save("toys", "more", {"test": [1]}, rule="", run="toy")
    with pytest.raises(Declined, match="Another slice"):
        services.store.slices.rename("saved-1", "more")
    with pytest.raises(Refused):
        services.jobs.cancel("nothing")
    assert [one.act for one in services.happenings.listing()] == ["slice", "slice"]


def test_the_dashboard_writes_through_the_one_place_alone():
    """Whatever begins a write transaction of its own would pass by the roles."""
    for file in (ROOT / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                begins = node.func.attr == "transaction" or (node.func.attr == "begin" and not node.args)
                assert not begins, f"{file}:{node.lineno}"
