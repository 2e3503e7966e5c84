"""A training that a script tells of, on the Training page: its row, curves and progress, and nothing to stop it by."""

import json
import math
from typing import Any

import pytest

from dashboard.data.store import Store
from dashboard.pages.training import changed, live, live_curves, live_facts, other_runs, queue
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from ml.artifacts.reader import Missing
from ml.jobs import scripts
from ml.jobs.queue import JobTable, Refused
from ml.jobs.scripts import Scripts
from tests.dashboard.pages.test_training import add

pytestmark = pytest.mark.usefixtures("no_worker")

SPEC = {"dataset": "bars", "script": "train.py"}
ACTS = ("cancel", "resume", "discard", "copy")


@pytest.fixture
def services(own) -> Services:
    return Services(Store(own, own), Jobs(own))


def begun(own, name="net", *, epochs=4, done=2):
    """A script that has told of so many epochs, of the second without a loss."""
    rows = Scripts(own)
    job = rows.begin(name, SPEC, epochs=epochs)
    told = [{"epoch": 1, "train_loss": 1.5, "validation_accuracy": 0.6}, {"epoch": 2, "validation_accuracy": 0.7}]
    rows.add_epochs(job, told[:done])
    rows.beat(job, batch=done, left=61.0)
    return rows, job


def facts(services: Services, shown: object = None) -> dict[str, Any]:
    names = [f"{one.component_id}.{one.component_property}" for one in live.FACTS]
    return dict(zip(names, live_facts.facts(services, "", shown), strict=True))


def words(made: Any) -> str:
    return json.dumps(made, default=lambda one: one.to_plotly_json())


def test_it_is_in_front_with_its_numbers_and_no_button_of_control(own, services):
    _, job = begun(own)
    seen = facts(services)
    assert seen["training-live-title.children"] == "net"
    sentence = seen["training-live-sentence.children"]
    assert sentence.startswith(f"Published by train.py on {job.host} (process {job.pid}), on bars. Started ")
    assert sentence.endswith("It is stopped where it runs.")
    assert seen["training-status.children"] == "running"
    assert seen["training-progress.children"] == "2/4"
    assert seen["training-live-left.children"] == "1 min 1 s"
    assert "70.0 %" in words(seen["training-live-accuracy.children"])
    assert seen["training-live-loss.children"] == live_facts.DASH
    assert (seen["training-live-bar.value"], seen["training-live-bar.max"]) == ("2", "4")
    assert seen["training-cancel.hidden"]
    assert seen["training-resume.hidden"]
    assert not any(f'"{act}"' in words(list(seen.values())) for act in ACTS)


def test_its_line_in_the_queue_can_be_shown_and_nothing_else(own, services):
    _, job = begun(own)
    view = services.jobs.view()
    line = words(queue.line(job, view, "net", job.id, False, True))
    assert "a script, process" in line
    assert '"show"' in line
    assert not any(f'"data-act": "{act}"' in line for act in ACTS)
    assert queue.summary(view.jobs, str) == "Nothing waits here. net is published by a script."
    add(own, "own", done=1)
    assert "net is published by a script." in queue.summary(services.jobs.view().jobs, str)
    assert not queue.begins(services.jobs.view().jobs, lambda job: 5.0)


def test_curves_are_drawn_of_what_was_told(own, services):
    begun(own)
    job, history, _ = services.jobs.training(services.jobs.view().job.id)
    columns = live_curves.columns_of(history, other_runs.MEASURES)
    assert columns["validation_accuracy"] == [0.6, 0.7]
    assert columns["train_loss"][0] == 1.5
    assert math.isnan(columns["train_loss"][1])
    drawn = other_runs.training(services, f"job:{job.id}")
    for measure in live_curves.CURVES:
        chart = live_curves.progress.curves(drawn, measure=measure, mode="light", epochs=4)
        assert "NaN" not in json.dumps(chart["data"])
    chart = live_curves.progress.curves(
        drawn, measure="accuracy", mode="light", epochs=4, interval=([0.5, math.nan], [0.7, math.nan])
    )
    band, *lines = chart["data"]
    assert band["x"] == [1.0, 1.0]
    assert [60.0, 70.0] in [line["y"] for line in lines]


def test_nothing_can_be_asked_of_it(own, services):
    _, job = begun(own)
    for act in (services.jobs.cancel, services.jobs.resume, services.jobs.discard):
        with pytest.raises(Refused, match="A script publishes this run"):
            act(job.id)
    assert other_runs.config(services, f"job:{job.id}") is None
    with pytest.raises(Missing, match="its settings are not known here"):
        changed.subject(services, job.id, "")


def test_a_script_that_died_is_said_and_how_to_go_on(own, services, monkeypatch):
    this = scripts.this_process
    monkeypatch.setattr(scripts, "this_process", lambda: {**this(), "pid": 2**22 - 1, "pid_started": 1.0, "boot": "x"})
    begun(own)
    seen = facts(services)
    assert seen["training-status.children"] == "interrupted"
    sentence = seen["training-live-sentence.children"]
    assert "The script ended without a word. What it told is kept." in sentence
    assert sentence.endswith("To go on after epoch 2: publish it under the same name with resume=True.")
    assert seen["training-resume.hidden"]
    assert not seen["training-discard-box.children"]


def test_one_that_is_silent_is_said_to_be_and_not_ended(own, services):
    begun(own)
    services.jobs._silence.seconds = 0.0
    services.jobs.view()
    seen = facts(services)
    assert seen["training-status.children"] == "running"
    assert "Silent: its process has been silent for" in seen["training-live-sentence.children"]


def test_no_worker_is_woken_for_it(own, services, no_worker):
    begun(own)
    services.jobs.view()
    assert not no_worker
    add(own, "own", done=0)
    services.jobs.view()
    assert len(no_worker) == 1


def test_its_end_is_said(own, services):
    rows, job = begun(own)
    rows.finish(job, "done")
    seen = facts(services)
    assert seen["training-status.children"] == "done"
    assert "Epoch 2 was best on validation." in seen["training-live-sentence.children"]
    assert JobTable(own).current("train") is None
