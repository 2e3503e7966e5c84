"""The door MAKE and the Training page, callback by callback, without a browser and without training."""

import json
import os
import stat
import sys
import time
from types import SimpleNamespace

import pytest

from dashboard.pages.training.live_facts import sentence
from dashboard.services.job_database import READ_ONLY
from dashboard.services.jobs import Jobs
from dashboard.services.training_request import Invalid
from ml.jobs import liveness
from ml.jobs.liveness import Workers
from ml.jobs.queue import QUEUE, JobTable, Refused
from ml.training.config import TrainConfig
from tests.training_form import untouched

GOOD = {
    "model": "compact_cnn", "dataset": "bars", "epochs": 2, "batch_size": 64, "learning_rate": "0.003",
    "optimiser": "adamw", "train_images": None, "augment": ["flip"], "seed": 7, "name": "",
}  # fmt: skip
ROW = {
    "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 0.9, "validation_accuracy": 0.75,
    "learning_rate": 0.1, "seconds": 2.0, "images_per_second": 300.0,
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("no_worker")


@pytest.fixture
def jobs(own, no_artifacts):
    return Jobs(own, artifacts=no_artifacts)


FORM = {
    **untouched(), "training-model-select": "compact_cnn", "training-dataset-select": "bars",
    "training-epochs-input": 2, "training-batch-input": 64, "training-rate-input": "0.003",
    "training-images-range": 600, "training-augment-checks": ["flip"], "training-seed-input": 7,
}  # fmt: skip


def start(client, intent="i", **changes):
    values = {f"{name}.value": value for name, value in {**FORM, **changes}.items()}
    values |= {
        "training-start.n_clicks": 1,
        "training-images-range.max": 600,
        "training-intent-state.data": intent,
    }
    return client.fire_with("training-ticket-state.data", "training-start.n_clicks", values)


# ---- the door


def test_the_door_loads_no_torch():
    import subprocess

    code = "import sys, dashboard.services.jobs, dashboard.pages.training; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_submitted_job_is_a_row_with_the_whole_config(jobs, own):
    job = jobs.submit(GOOD)
    row = JobTable(own).get(job.id)
    assert (row.state, row.run_id, row.epochs) == ("queued", "compact_cnn-7", 2)
    assert row.spec["learning_rate"] == 0.003
    assert row.spec["augment"] == ["flip"]


def test_names_are_made_and_count_up(jobs):
    names = [jobs.submit(GOOD, taken=frozenset({"compact_cnn-7-2"})).run_id for _ in range(3)]
    assert names == ["compact_cnn-7", "compact_cnn-7-3", "compact_cnn-7-4"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, "1 to 200"),
        ("epochs", 10**9, "1 to 200"),
        ("epochs", float("nan"), "1 to 200"),
        ("epochs", None, "1 to 200"),
        ("epochs", [3], "1 to 200"),
        ("batch_size", 3.5, "16 to 2,048"),
        ("learning_rate", "1e400", "0.00001 to 2"),
        ("learning_rate", {"a": 1}, "0.00001 to 2"),
        ("optimiser", "magic", "one of adamw, sgd"),
        ("augment", ["flip", "explode"], "flip, crop, colour, shift, erase"),
        ("seed", -1, "0 to 2,147,483,647"),
        ("train_images", 1, "100 to"),
        ("model", "resnet", "compact_cnn"),
        ("model", "../../etc", "one of small_resnet"),
        ("dataset", "cifar", "not on this machine"),
        ("name", "../up", "of which its address is made"),
        ("name", 5, "of which its address is made"),
        ("name", "кепка", "of which its address is made"),
        ("name", "a" * 81, "of which its address is made"),
        ("name", "taken", "is taken"),
    ],
)
def test_what_does_not_check_out_is_refused_beside_its_field(jobs, field, value, words):
    with pytest.raises(Invalid) as invalid:
        jobs.submit({**GOOD, field: value}, taken=frozenset({"taken"}))
    assert list(invalid.value.errors) == [field]
    assert words in invalid.value.errors[field]
    assert jobs.view().jobs == []


@pytest.mark.parametrize(("name", "run_id"), [("My Net 2", "my-net-2"), ("Über uns ", "uber-uns"), ("a_b-c", "a_b-c")])
def test_a_name_with_capitals_and_spaces_makes_an_id(jobs, name, run_id):
    assert jobs.submit({**GOOD, "name": name}).run_id == run_id


def test_a_name_whose_id_is_taken_is_refused(jobs):
    with pytest.raises(Invalid, match="my-net is taken"):
        jobs.submit({**GOOD, "name": "My Net"}, taken=frozenset({"my-net"}))


def test_unknown_inputs_are_refused(jobs):
    with pytest.raises(Invalid, match="no choice here"):
        jobs.submit({**GOOD, "weights": "/etc/passwd"})


def test_presets_fill_in_every_choice_of_a_recipe(jobs):
    presets = jobs.options.presets()
    assert "quick" in presets
    for values in presets.values():
        assert not {"dataset", "seed", "threads"} & set(values)
        assert TrainConfig(**values)
        assert set(TrainConfig.model_fields) - set(values) - {"train_images"} == {"dataset", "seed", "threads"}


def test_the_planned_rate_is_empty_where_settings_do_not_check_out(jobs):
    values = {"learning_rate": "0.1", "epochs": 4, "schedule": "constant", "warmup": 0}
    assert jobs.options.planned(values)[-1] == (4.0, 0.1)
    for wrong in ({"epochs": 0}, {"learning_rate": []}, {"schedule": None}, {"warmup": "1e400"}):
        assert jobs.options.planned({**values, **wrong}) == []
    assert jobs.options.planned({}) == []


def test_a_full_queue_is_refused_in_words(jobs):
    for _ in range(QUEUE + 1):  # the one that will run at once, and those that wait
        jobs.submit(GOOD)
    with pytest.raises(Refused, match="waiting already"):
        jobs.submit(GOOD)


def test_a_full_disk_is_refused_in_words(jobs, monkeypatch):
    monkeypatch.setattr(Jobs, "_free", lambda self: 10)
    with pytest.raises(Refused, match="disk is almost full"):
        jobs.submit(GOOD)


def test_read_only_changes_nothing(own, no_artifacts):
    job = Jobs(own, artifacts=no_artifacts).submit(GOOD)
    closed = Jobs(own, artifacts=no_artifacts, read_only=True)
    for act in (
        lambda: closed.submit(GOOD),
        lambda: closed.cancel(job.id),
        lambda: closed.resume(job.id),
        lambda: closed.fetch(),
        lambda: closed.evaluate("toy", "robustness", runs=["toy"]),
    ):
        with pytest.raises(Refused) as refusal:
            act()
        assert str(refusal.value) == READ_ONLY
    assert not closed.admit({"job": job.id, "attempt": 1})
    assert closed.view().job == job


def test_an_evaluation_is_a_row_and_the_one_under_way_is_not_doubled(jobs, no_worker, monkeypatch):
    runs = ["toy", "other"]
    assert jobs.evaluation("toy", "robustness") is None
    job = jobs.evaluate("toy", "robustness", runs=runs)
    assert (job.kind, job.run_id, job.spec, job.state) == ("evaluate", "toy", {"nouns": ["robustness"]}, "queued")
    assert no_worker == [jobs.home]
    assert jobs.evaluate("toy", "robustness", runs=runs) == job
    assert jobs.evaluation("toy", "robustness") == job
    assert jobs.evaluation("other", "robustness") is jobs.evaluation("toy", "label_issues") is None
    assert jobs.at_work("toy")
    # a second click that was decided upon before the first one's row was there
    monkeypatch.setattr(Jobs, "_evaluation", staticmethod(lambda *_: None))
    assert jobs.evaluate("toy", "robustness", runs=runs).id == job.id
    monkeypatch.undo()
    assert jobs.cancel(job.id).state == "cancelled"
    again = jobs.evaluate("toy", "robustness", runs=runs)
    assert again.id != job.id
    assert jobs.evaluation("toy", "robustness").id == again.id
    for run, noun in (
        ("gone", "robustness"),
        ("toy", "history"),
        (["toy"], "robustness"),
        ("toy", {"a": 1}),
        (None, None),
    ):
        with pytest.raises(Refused):
            jobs.evaluate(run, noun, runs=runs)


def test_what_can_be_asked_for_is_what_is_made_when_asked_for():
    from dashboard.services.jobs import EVALUATIONS
    from ml.evaluation import ON_DEMAND

    assert set(EVALUATIONS) <= set(ON_DEMAND)


def test_a_home_that_cannot_be_written_to_can_still_be_looked_at(tmp_path, no_artifacts):
    blocked = tmp_path / "file"
    blocked.write_text("")
    jobs = Jobs(blocked / "home", artifacts=no_artifacts)
    assert "cannot be used" in jobs.view().problem
    assert jobs.health() == {"database": "unavailable", "worker": "stopped", "broker": "none"}
    with pytest.raises(Refused, match="cannot be used"):
        jobs.cancel("0" * 32)


def test_a_missing_worker_is_woken_once(jobs, no_worker):
    assert jobs.view().job is None
    assert no_worker == []
    jobs.submit(GOOD)
    jobs.view()
    jobs.view()
    assert no_worker == [jobs.home]
    assert jobs.health() == {"database": "ok", "worker": "stopped", "broker": "none"}


def test_a_worker_that_is_still_loading_is_waited_for(jobs, monkeypatch):
    clock, started, alive = [1000.0], [], []
    fake = SimpleNamespace(monotonic=lambda: clock[0], time=time.time)
    monkeypatch.setattr("dashboard.services.job_database.time", fake)
    monkeypatch.setattr(Workers, "alive", lambda self, watch: bool(alive))
    child = SimpleNamespace(poll=lambda: None)
    monkeypatch.setattr("ml.jobs.start.start_worker", lambda home: started.append(clock[0] - 1000) or child)
    jobs.submit(GOOD)

    def look(seconds: int) -> None:
        for _ in range(seconds):
            jobs.view()
            clock[0] += 1

    look(59)
    assert started == [0]  # it lives, it has only not put its name down yet
    child.poll = lambda: 1
    look(181)
    assert started == [0, 59, 65, 77, 101, 149, 209]  # each that ended in vain doubles the pause, to a minute
    alive.append(True)
    look(1)
    alive.clear()
    look(2)
    assert started[7:] == [241]  # one that was there is missed at once
    look(3)
    assert started[8:] == [244]


def test_a_background_process_starts_once_for_a_live_attempt_and_never_for_a_forged_one(jobs):
    job = jobs.submit(GOOD)
    assert jobs.admit({"job": job.id, "attempt": 1})
    assert not jobs.admit({"job": job.id, "attempt": 1})
    for ticket in (None, [], {"job": "f" * 32, "attempt": 1}, {"job": job.id, "attempt": 9}, {"job": [job.id]}, "x"):
        assert not jobs.admit(ticket)
    jobs.cancel(job.id)
    assert not jobs.admit({"job": job.id, "attempt": 2})


def test_a_broken_off_training_can_be_given_up(jobs, own):
    job = jobs.submit(GOOD)
    table = JobTable(own)
    running = table.claim()
    table.partial(job).mkdir(parents=True)
    table.finish(running, "failed", "why")
    assert jobs.discard(job.id).state == "cancelled"
    assert not table.partial(job).exists()
    assert [row["event"] for row in jobs.events(job.id)] == ["queued", "running", "failed", "cancelled"]
    with pytest.raises(Refused, match="nothing to discard"):
        jobs.discard(job.id)
    jobs.read_only = True
    with pytest.raises(Refused, match="read-only"):
        jobs.discard(job.id)


def test_the_callback_cache_is_private(jobs):
    folder = jobs.manager.handle.directory
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_time_is_judged_from_trainings_that_are_done(jobs, own):
    assert jobs.estimate("compact_cnn", "bars", 2, 600) is None
    job = jobs.submit(GOOD)
    table = JobTable(own)
    running = table.claim()
    table.add_epoch(running, {"epoch": 1, **ROW})
    table.finish(running, "done")
    seconds, trainings = jobs.estimate("compact_cnn", "bars", 2, 600)
    assert trainings == 1
    assert seconds == pytest.approx(2 * 600 / 300, abs=0.5)
    assert jobs.estimate("fashion_cnn", "bars", 2, 600) is None
    assert jobs.view().job.id == job.id


def test_data_sets_say_whether_they_are_whole(jobs, own, no_artifacts, monkeypatch):
    from ml.data import fashion_mnist

    monkeypatch.setattr(fashion_mnist, "find", lambda: None)
    assert [(c.name, c.train_images, c.complete) for c in jobs.options.datasets()] == [("bars", 600, True)]
    shipped = no_artifacts / "datasets" / "fashion-mnist"
    shipped.mkdir(parents=True)
    splits = {"test": 10_000, "validation": 5_000, "reference": 10_000}
    (shipped / "dataset.json").write_text(json.dumps({"title": "Fashion-MNIST", "splits": splits}))
    first = jobs.options.datasets()[0]
    assert (first.name, first.train_images, first.complete) == ("fashion-mnist", 10_000, False)
    assert jobs.options.validation_images("bars") == 200


# ---- the page


def test_start_makes_one_job_a_click_and_a_ticket(client, own):
    status, made = start(client)
    again = start(client)[1]
    jobs = JobTable(own).listing()
    assert status == 200
    assert len(jobs) == 1
    assert made["training-ticket-state"]["data"] == {"job": jobs[0].id, "attempt": 1}
    assert again["training-ticket-state"]["data"]["job"] == jobs[0].id
    assert jobs[0].spec["train_images"] is None
    assert made["training-intent-state"]["data"] != "i"


def test_start_takes_part_of_the_pictures(client, own):
    start(client, **{"training-images-range": 200})
    assert JobTable(own).listing()[0].spec["train_images"] == 200


def test_start_says_what_is_wrong_beside_the_field(client, own):
    _, made = start(client, **{"training-epochs-input": 0, "training-name-input": "No/"})
    assert made["training-epochs-error"]["children"] == "Epochs: a whole number from 1 to 200."
    assert "of which its address is made" in made["training-name-error"]["children"]
    assert JobTable(own).listing() == []


def observe(client, **values):
    return client.fire_with("training-live-state.data", "training-live-interval.n_intervals", values)


def test_observe_tells_news_once_and_slows_down_when_idle(client, own):
    _, made = observe(client, **{"training-live-interval.interval": 500})
    assert made["training-live-interval"]["interval"] == 3000
    seen = {f"{id}.data": props["data"] for id, props in made.items() if "data" in props}
    seen |= {"training-live-interval.interval": 3000}
    assert observe(client, **seen) == (204, {})
    start(client)
    _, made = observe(client, **seen)
    assert made["training-live-interval"]["interval"] == 500
    assert made["training-live-state"]["data"][1] == "queued"


def test_no_job_is_an_empty_face(client):
    _, made = client.fire_with("training-status.children", "training-live-state.data", {})
    assert "No training yet" in json.dumps(made["training-live-face"]["children"])
    assert "training-status" not in made


def test_the_live_card_shows_the_row(client, own):
    start(client)
    table = JobTable(own)
    _, made = client.fire_with("training-status.children", "training-live-state.data", {})
    assert made["training-status"]["children"] == "queued"
    assert "1st in the queue" in made["training-live-sentence"]["children"]
    job = table.claim()
    table.beat(job, batch=10, batches=20, stage="training", left=98.0, speed=2310.4)
    table.add_epoch(job, {"epoch": 1, **ROW})
    _, made = client.fire_with("training-status.children", "training-live-state.data", {})
    shown = {id: props.get("children") for id, props in made.items()}
    assert shown["training-status"] == "running"
    assert shown["training-progress"] == "1/2"
    assert shown["training-live-left"] == "1 min 38 s"
    assert shown["training-live-speed"] == "2,310 / s"
    assert shown["training-live-loss"] == "0.900"
    assert "75.0 %" in json.dumps(shown["training-live-accuracy"])
    assert made["training-live-bar"] == {"value": "10", "max": "20"}
    assert made["training-cancel"] == {"hidden": False, "disabled": False}
    assert made["training-resume"]["hidden"] is True


def test_a_trainer_that_is_silent_or_stands_still_is_called_stalled_until_it_moves(jobs, own, monkeypatch):
    jobs.submit(GOOD)
    table = JobTable(own)
    job = table.claim()
    table.own(job)
    clock = [1000.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: clock[0])

    def after(seconds, *, beats, batch):
        """What the page says when it has looked every two seconds meanwhile."""
        for _ in range(seconds // 2):
            clock[0] += 2
            if beats:
                table.beat(job, batch=batch, batches=100, stage="training")
            view = jobs.view(job.id)
        return view, sentence(view.job, view)

    view, said = after(40, beats=True, batch=3)
    assert "no batch has ended for 30 seconds" in view.stalled
    assert "Stalled: no batch" in said
    view, said = after(2, beats=True, batch=4)
    assert view.stalled == ""
    assert "Stalled" not in said
    view, said = after(24, beats=False, batch=4)
    assert "silent for 20 seconds" in view.stalled
    assert "Cancel ends it" in said
    assert view.job.state == "running"
    view, said = after(2, beats=True, batch=5)
    assert view.stalled == ""


def test_the_curves_come_from_the_table(client, own):
    start(client)
    table = JobTable(own)
    job = table.claim()
    table.add_epoch(job, {"epoch": 1, **ROW})
    table.add_epoch(job, {"epoch": 2, **ROW, "validation_accuracy": 0.8})
    values = {"app-theme-state.data": "dark"}
    _, made = client.fire_with("training-accuracy-graph.figure", "training-curves-state.data", values)
    texts = [note["text"] for note in made["training-accuracy-graph"]["figure"]["layout"]["annotations"]]
    assert sorted(texts) == ["train 50.0", "val 80.0"]


def test_cancel_and_resume_from_the_page(client, own):
    start(client)
    table = JobTable(own)
    job = table.claim()
    live = {"training-live-state.data": [job.id, "running"]}
    _, made = client.fire_with(
        "training-acted-state.data", "training-cancel.n_clicks", {**live, "training-cancel.n_clicks": 1}
    )
    assert made["training-acted-state"]["data"]
    assert table.get(job.id).cancel
    table.finish(table.get(job.id), "interrupted", "why")
    values = {**live, "training-resume.n_clicks": 1}
    _, made = client.fire_with("training-acted-state.data", "training-resume.n_clicks", values)
    assert table.get(job.id).state == "queued"
    _, made = client.fire_with(
        "training-acted-state.data",
        "training-cancel.n_clicks",
        {"training-live-state.data": 7, "training-cancel.n_clicks": 1},
    )
    assert "no such job" in made["training-live-notice"]["children"]


def test_read_only_shows_a_sentence_instead_of_the_form(own, no_artifacts):
    from dashboard.data.store import Store
    from dashboard.pages import training
    from dashboard.services.container import Services
    from dashboard.state.selection import Selection

    services = Services(Store(no_artifacts, own), Jobs(own, read_only=True), True)
    text = json.dumps(
        training.PAGE.layout(services, Selection()).to_plotly_json(), default=lambda o: o.to_plotly_json()
    )
    assert "trains none" in text
    assert "training-epochs-input" not in text
    assert "training-status" in text
