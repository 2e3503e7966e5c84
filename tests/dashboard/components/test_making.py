"""What a run lacks is made at a press, by the job that the command beside it would be."""

import json

import pytest

from dashboard.components import making, panel_states
from dashboard.shell import create_app
from ml.artifacts.reader import Missing
from ml.jobs.queue import JobTable
from tests.callbacks import fired_in_process

pytestmark = pytest.mark.usefixtures("no_worker")
OUTPUT, STATE, CLOCK = f"{making.LINE}.children", f"{making.ASKED}.data", f"{making.TICK}.n_intervals"


@pytest.fixture
def client(home, no_artifacts):
    return fired_in_process(create_app(no_artifacts, home=home))


def pressed(client, changed=STATE, run="toy", noun="label_issues"):
    status, drawn = client.fire_with(OUTPUT, changed, {STATE: {"run": run, "noun": noun, "at": 1}, CLOCK: 1})
    return status, json.dumps(drawn.get(making.LINE, {}).get("children")), drawn.get(making.TICK, {}).get("disabled")


def test_a_command_that_is_a_job_has_a_button_and_no_other():
    def shown(command):
        return repr(panel_states.missing(Missing("Not yet.", command)))

    assert "data-make='toy label_issues'" in shown("python -m ml evaluate toy --only label_issues")
    for command in (
        "python -m ml evaluate toy --only projection",
        "python -m ml train --dataset x",
        "",
        "x label_issues",
    ):
        assert "data-make" not in shown(command), command


def test_two_presses_are_one_job_that_is_told_of_until_it_ends(client, home):
    status, words, still = pressed(client)
    assert (status, still) == (200, False)
    assert "queued" in words
    assert pressed(client)[2] is False
    table = JobTable(home)
    (job,) = table.listing(10, "evaluate")
    assert (job.kind, job.run_id, job.spec["nouns"]) == ("evaluate", "toy", ["label_issues"])
    job = table.claim("evaluate")
    table.beat(job, stage="computing label_issues", batch=1, batches=4)
    assert "step 1 of 4" in pressed(client, CLOCK)[1]
    table.finish(table.get(job.id), "failed", "There was no memory.")
    _, words, still = pressed(client, CLOCK)
    assert still
    assert "There was no memory." in words
    job = table.claim("evaluate") if pressed(client)[2] is False else None
    table.finish(job, "done")
    _, words, still = pressed(client, CLOCK)
    assert still
    assert "The label issues of toy are there." in words
    assert "Show them" in words


@pytest.mark.parametrize(("run", "noun"), [("gone", "label_issues"), ("toy", "weights"), ("toy", "../x"), ("", "")])
def test_what_cannot_be_made_is_refused_in_words(client, home, run, noun):
    status, words, still = pressed(client, run=run, noun=noun)
    assert (status, still) == (200, True)
    assert "There is no such run." in words or "This cannot be computed here" in words
    assert JobTable(home).listing(10, "evaluate") == []


def test_a_server_that_only_shows_offers_nothing(home, no_artifacts):
    app = create_app(no_artifacts, home=home, read_only=True)
    assert making.LINE not in json.dumps(app.whole().to_plotly_json(), default=str)
    assert not [one for one in fired_in_process(app).dependencies if making.LINE in one["output"]]
