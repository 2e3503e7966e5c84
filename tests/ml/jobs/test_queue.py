"""The job rows: who may do what, and that nobody else can."""

import os
import threading

import pytest

from ml.jobs.liveness import conclude
from ml.jobs.queue import ATTEMPTS, QUEUE, JobTable, Lost, Refused


def submit(table, name="a", **more):
    return table.submit({"seed": 1}, name, epochs=3, **more)


ROW = {
    "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 0.9, "validation_accuracy": 0.6,
    "learning_rate": 0.1, "seconds": 2.0, "images_per_second": 10.0,
}  # fmt: skip


def test_a_job_walks_from_queued_to_done(table):
    job = submit(table)
    assert (job.state, job.epochs, job.spec, len(job.id)) == ("queued", 3, {"seed": 1}, 32)
    assert table.position(job) == 1
    running = table.claim()
    assert running is not None
    assert (running.id, running.state, running.attempt) == (job.id, "running", 1)
    table.own(running)
    assert table.beat(running, batch=4, batches=9, stage="training") is False
    table.add_epoch(running, {"epoch": 1, **ROW})
    seen = table.get(job.id)
    assert (seen.batch, seen.batches, seen.epoch, seen.stage, seen.pid) == (4, 9, 1, "training", os.getpid())
    assert table.finish(running, "done").state == "done"
    assert table.history(job.id) == [{"epoch": 1, **ROW}]


def test_rows_survive_a_new_start(table, tmp_path):
    job = submit(table)
    assert JobTable(tmp_path).get(job.id) == job


def test_only_one_runs(table):
    first, second = submit(table, "a"), submit(table, "b")
    running = table.claim()
    assert running.id == first.id
    assert table.claim() is None
    table.finish(running, "failed", "why")
    assert table.claim().id == second.id


def test_eight_claims_at_once_give_one_job(table):
    submit(table, "a"), submit(table, "b")
    won = []
    gate = threading.Barrier(8)

    def claim():
        gate.wait()
        won.append(table.claim())

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 8
    assert [job.run_id for job in won if job] == ["a"]


def test_fifty_submits_at_once_fill_the_queue_and_no_more(table):
    refused = []

    def ask(k):
        try:
            submit(table, f"r{k}")
        except Refused as words:
            refused.append(str(words))

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.waiting() == QUEUE + 1  # one of them can start at once
    assert len(refused) == 49 - QUEUE
    assert all("waiting already" in words for words in refused)


def test_a_refusal_names_what_runs_and_how_many_wait(table):
    for name in ("a", "b", "c", "d", "e", "f"):
        submit(table, name)
    running = table.claim()
    with pytest.raises(Refused, match=r"^a is running, and 5 trainings are waiting already: the queue is full"):
        submit(table, "g")
    table.finish(running, "interrupted", "why")
    submit(table, "g")  # five wait, one of which can start at once
    with pytest.raises(Refused, match="6 trainings are waiting already"):
        table.resume(running.id)


def test_as_many_run_as_this_machine_may(tmp_path):
    table = JobTable(tmp_path, slots=2)
    for name in ("a", "b", "c"):
        submit(table, name)
    first, second = table.claim(), table.claim()
    assert (first.run_id, second.run_id) == ("a", "b")
    assert table.claim() is None
    table.finish(first, "done")
    assert table.claim().run_id == "c"
    assert table.claim(job_id=second.id) is None


def test_another_machines_trainings_take_no_slot_here(table, monkeypatch):
    submit(table, "a"), submit(table, "b")
    monkeypatch.setattr("ml.jobs.queue.socket.gethostname", lambda: "elsewhere")
    assert table.claim().host == "elsewhere"
    monkeypatch.undo()
    assert table.claim().run_id == "b"


def test_a_named_job_is_claimed_once_and_only_while_it_waits(table):
    first, second = submit(table, "a"), submit(table, "b")
    assert table.claim(job_id=second.id).run_id == "b"
    assert table.claim(job_id=second.id) is None
    assert table.claim(job_id="0" * 32) is None
    assert table.get(first.id).state == "queued"


@pytest.mark.parametrize("said", ["0", "-1", "65", "two", "1.5", "9" * 50, "²"])
def test_fashion_workers_is_a_number(tmp_path, monkeypatch, said):
    monkeypatch.setenv("FASHION_WORKERS", said)
    with pytest.raises(ValueError, match="whole number from 1 to 64"):
        JobTable(tmp_path)
    monkeypatch.setenv("FASHION_WORKERS", " 3 ")
    assert JobTable(tmp_path).slots == 3
    monkeypatch.setenv("FASHION_WORKERS", "")
    assert JobTable(tmp_path).slots == 1


def test_a_discarded_job_leaves_nothing_and_frees_its_name(table):
    job = submit(table, "a")
    with pytest.raises(Refused, match="queued: there is nothing to discard"):
        table.discard(job.id)
    running = table.claim()
    table.partial(job).mkdir(parents=True)
    (table.partial(job) / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(Refused, match="running"):
        table.discard(job.id)
    table.finish(running, "interrupted", "why")
    discarded = table.discard(job.id)
    assert (discarded.state, discarded.cause) == ("cancelled", "why")
    assert not table.partial(job).exists()
    assert submit(table, "a").id != job.id
    with pytest.raises(Refused, match="nothing to resume"):
        table.resume(job.id)
    with pytest.raises(Refused, match="no such job"):
        table.discard("0" * 32)


def test_every_change_is_written_down_with_its_lease(table):
    job = submit(table, "a")
    first = table.claim()
    table.own(first)
    table.cancel(job.id)
    table.finish(first, "interrupted", "why")
    table.resume(job.id)
    second = table.claim()
    table.finish(second, "done")
    rows = table.events(job.id)
    assert [(row["event"], row["attempt"], row["lease"]) for row in rows] == [
        ("queued", 0, None), ("running", 1, first.lease), ("owned", 1, first.lease), ("cancelling", 1, first.lease),
        ("interrupted", 1, first.lease), ("queued", 1, None), ("running", 2, second.lease), ("done", 2, second.lease),
    ]  # fmt: skip
    assert rows[2]["pid"] == os.getpid()
    assert rows[4]["cause"] == "why"
    assert table.events("0" * 32) == []


def test_what_lost_its_worker_goes_on_by_itself_a_few_times(table):
    job = submit(table, "a")
    for number in range(1, ATTEMPTS + 1):
        running = table.claim()
        assert running.attempt == number
        ended = table.finish(running, "interrupted", "Its worker was lost.", again=True)
        assert ended.cause.startswith("Its worker was lost.")
        assert (ended.state, ended.cause.endswith("It goes on by itself.")) == (
            ("queued", True) if number < ATTEMPTS else ("interrupted", False)
        )
    events = [row["event"] for row in table.events(job.id)]
    assert events == ["queued", "running", "interrupted"] * ATTEMPTS
    table.resume(job.id)
    assert table.finish(table.claim(), "failed", "why", again=True).state == "failed"


def test_one_intent_is_one_job(table):
    assert submit(table, "a", intent="click").id == submit(table, "b", intent="click").id
    assert len(table.listing()) == 1


def test_a_name_is_held_until_the_job_is_cancelled(table):
    job = submit(table, "a")
    with pytest.raises(Refused, match="taken") as refusal:
        submit(table, "a")
    assert refusal.value.field == "name"
    table.cancel(job.id)
    assert submit(table, "a").id != job.id


def test_cancel_waits_for_a_running_job_and_ends_a_waiting_one(table):
    first, second = submit(table, "a"), submit(table, "b")
    running = table.claim()
    assert table.cancel(second.id).state == "cancelled"
    assert table.cancel(first.id).state == "running"
    assert table.beat(running) is True
    assert table.cancelling(running) is True
    table.finish(running, "cancelled")
    with pytest.raises(Refused, match="nothing to cancel"):
        table.cancel(first.id)
    with pytest.raises(Refused, match="no such job"):
        table.cancel("0" * 32)


def test_who_lost_the_lease_changes_nothing(table):
    job = submit(table)
    old = table.claim()
    table.finish(old, "interrupted", "silent")
    table.resume(job.id)
    new = table.claim()
    assert (new.attempt, new.lease != old.lease) == (2, True)
    for act in (
        lambda: table.beat(old),
        lambda: table.cancelling(old),
        lambda: table.add_epoch(old, {"epoch": 1, **ROW}),
        lambda: table.finish(old, "done"),
    ):
        with pytest.raises(Lost):
            act()
    assert table.history(job.id) == []
    assert table.get(job.id).state == "running"


def test_resume_only_after_an_interruption_or_failure(table):
    job = submit(table)
    with pytest.raises(Refused, match="queued"):
        table.resume(job.id)
    table.finish(table.claim(), "done")
    with pytest.raises(Refused, match="done"):
        table.resume(job.id)


def test_history_stays_contiguous_when_epochs_are_told_again(table):
    submit(table)
    job = table.claim()
    for epoch in (1, 2, 3):
        table.add_epoch(job, {"epoch": epoch, **ROW})
    table.finish(job, "interrupted")
    table.resume(job.id)
    job = table.claim()
    for epoch in (1, 2):
        table.add_epoch(job, {"epoch": epoch, **ROW, "train_loss": 0.25})
    rows = table.history(job.id)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["train_loss"] == 0.25


def step(batch, **measures):
    return {"batch": batch, "loss": 1.0, "accuracy": 0.5, "learning_rate": 0.1, "images_per_second": 10.0, **measures}


def test_steps_are_replaced_from_where_a_training_goes_on(table):
    submit(table)
    job = table.claim()
    table.add_steps(job, [step(batch) for batch in (5, 10, 15)])
    table.add_steps(job, [])
    table.finish(job, "interrupted")
    with pytest.raises(Lost):
        table.add_steps(job, [step(20)])
    table.resume(job.id)
    again = table.claim()
    table.rewind(again, 8)
    assert table.steps(job.id) == [step(5)]
    table.add_steps(again, [step(9), step(13, loss=0.5)])
    table.add_steps(again, [step(13, loss=0.25)])
    assert table.steps(job.id) == [step(5), step(9), step(13, loss=0.25)]
    assert table.steps("0" * 32) == []


def test_many_steps_are_thinned_to_means_that_stay(table):
    submit(table)
    job = table.claim()
    table.add_steps(job, [step(batch, loss=float(batch)) for batch in range(1, 1001)])
    thin = table.steps(job.id, limit=300)
    assert [row["batch"] for row in thin] == list(range(4, 1001, 4))
    assert [row["loss"] for row in thin[:2]] == [2.5, 6.5]
    table.add_steps(job, [step(batch, loss=float(batch)) for batch in range(1001, 1004)])
    more = table.steps(job.id, limit=300)
    assert more[:250] == thin
    assert more[250] == pytest.approx(step(1003, loss=1002.0))
    assert len(table.steps(job.id)) <= 400


def test_current_prefers_running_then_waiting_then_latest_end(table):
    assert table.current() is None
    a, b = submit(table, "a"), submit(table, "b")
    assert table.current().id == a.id
    running = table.claim()
    assert table.current().id == a.id
    table.finish(running, "done")
    assert table.current().id == b.id
    table.cancel(b.id)
    assert table.current().id == b.id


def test_cancelling_an_import_leaves_a_training_of_the_same_name_alone(table):
    """A data set may be called as a run is."""
    (table.home / "runs" / "pets.partial").mkdir(parents=True)
    spec = {"source": "/pets", "choices": {}, "title": "", "description": "", "new_version": False}
    for _ in range(2):
        job = table.submit(spec, "pets", epochs=0, kind="import")
        table.claim("import")
        table.cancel(job.id)
        assert conclude(table, table.get(job.id)).state == "cancelled"
    job = table.submit(spec, "pets", epochs=0, kind="import")
    table.finish(table.claim("import"), "interrupted", "killed")
    table.discard(job.id)
    assert (table.home / "runs" / "pets.partial").is_dir()
