"""Rows of scripts: begun, beaten, ended, called dead and taken back; the queue knows nothing of them."""

import pytest

from ml.jobs import liveness, scripts
from ml.jobs.liveness import Watch, Workers
from ml.jobs.queue import JobTable, Lost, Refused
from ml.jobs.scripts import Scripts, Taken

SPEC = {"dataset": "pets", "script": "train.py"}
NOBODY = {"pid": 2**22 - 1, "pid_started": 1.0, "boot": "another"}


@pytest.fixture
def rows(table):
    return Scripts(table.home)


def killed(monkeypatch):
    """What begins a row from now on says that its process is one that is no more."""
    own = scripts.this_process
    monkeypatch.setattr(scripts, "this_process", lambda: {**own(), **NOBODY})


def test_a_script_is_seen_with_its_epochs_and_its_end(table, rows):
    job = rows.begin("net", SPEC, epochs=3)
    assert (job.kind, job.state, job.epochs, job.attempt, job.spec) == ("script", "running", 3, 1, SPEC)
    rows.add_epochs(job, [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "validation_accuracy": 0.7}])
    rows.beat(job, batch=2, left=4.5)
    seen = table.current("train", "script")
    assert (seen.id, seen.epoch, seen.batch, seen.left, seen.beat) == (job.id, 2, 2, 4.5, 2)
    assert table.history(job.id) == [{"train_loss": 0.5, "epoch": 1}, {"validation_accuracy": 0.7, "epoch": 2}]
    rows.add_epochs(job, [{"epoch": 3, "train_loss": 9.0}, {"epoch": 2, "train_loss": 0.4}])
    assert [row["epoch"] for row in table.history(job.id)] == [1, 2]
    assert table.history(job.id)[1] == {"train_loss": 0.4, "epoch": 2}
    rows.finish(job, "done")
    assert table.get(job.id).state == "done"
    assert [one["event"] for one in table.events(job.id)] == ["running", "done"]


def test_the_queue_neither_claims_nor_counts_nor_changes_it(table, rows):
    job = rows.begin("net", SPEC, epochs=0)
    assert table.claim("train") is None
    assert table.claim("script") is None
    assert table.room("train")
    assert not table.busy()
    assert table.busy(("script",))
    assert table.listing() == []
    assert [one.id for one in table.listing(60, "train", "script")] == [job.id]
    for act in (table.cancel, table.resume, table.discard):
        with pytest.raises(Refused, match="A script publishes this run"):
            act(job.id)
    assert table.get(job.id).state == "running"
    workers = Workers(table)
    assert workers.unregister(workers.register())  # a script keeps no worker from leaving


def test_a_name_is_of_one_training_or_script_at_a_time(table, rows):
    job = rows.begin("net", SPEC, epochs=0)
    with pytest.raises(Refused, match="The name net is taken"):
        table.submit({"model": "mlp"}, "net", epochs=1)
    assert "net" in table.names()
    rows.finish(job, "interrupted")
    assert "net" not in table.names()
    table.submit({"model": "mlp"}, "net", epochs=1)
    with pytest.raises(Taken, match="A training or an import here is called net"):
        rows.begin("net", SPEC, epochs=0)


def test_a_process_that_is_gone_is_said_to_be_and_nothing_waits_for_it(table, rows, monkeypatch):
    killed(monkeypatch)
    job = rows.begin("net", SPEC, epochs=5)
    (reaped,) = liveness.reap(table, Watch(), again=True)
    assert (reaped.id, reaped.state) == (job.id, "interrupted")
    assert "ended without a word" in reaped.cause
    assert not table.busy()


def test_a_run_that_is_there_was_published_before_its_process_went(table, rows, monkeypatch):
    killed(monkeypatch)
    rows.begin("net", SPEC, epochs=5)
    (table.home / "runs" / "net").mkdir(parents=True)
    (table.home / "runs" / "net" / "manifest.json").write_text("{}")
    (reaped,) = liveness.reap(table, Watch())
    assert reaped.state == "done"


def test_one_that_was_called_dead_while_it_was_out_of_reach_takes_its_row_back(table, rows):
    job = rows.begin("net", SPEC, epochs=5)
    JobTable(table.home).finish(job, "interrupted", "Its process ended without a word.")
    rows.beat(job, batch=1)
    back = table.get(job.id)
    assert (back.state, back.cause, back.finished, back.batch) == ("running", "", None, 1)


def test_going_on_is_the_same_row_and_whoever_had_it_has_lost_it(table, rows):
    first = rows.begin("net", SPEC, epochs=5)
    rows.add_epochs(first, [{"epoch": 1, "train_loss": 0.5}])
    second = rows.begin("net", SPEC, epochs=5, job_id=first.id)
    assert (second.id, second.attempt, second.epoch) == (first.id, 2, 1)
    for act in (
        lambda: rows.beat(first),
        lambda: rows.add_epochs(first, [{"epoch": 2}]),
        lambda: rows.finish(first, "done"),
    ):
        with pytest.raises(Lost):
            act()
    assert len(table.history(second.id)) == 1
    assert rows.begin("other", SPEC, epochs=1, job_id="of another database").id != first.id
