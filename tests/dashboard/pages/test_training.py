"""The Training page's cards one by one: what they say of rows and runs, and what they do with what nobody sends."""

import itertools
import json

import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboard.pages.training import (
    changed,
    form,
    form_estimate,
    form_fields,
    form_presets,
    live,
    live_curves,
    live_facts,
    other_runs,
    queue,
)
from dashboard.pages.training.other_runs import Other
from ml.jobs.queue import JobTable
from ml.training import wording
from ml.training.config import TrainConfig
from ml.training.fields import FIELDS
from tests.callbacks import fired_in_process
from tests.dashboard.services.test_jobs import ROW, start
from tests.training_form import untouched

pytestmark = pytest.mark.usefixtures("no_worker")

HOSTILE = [None, 0, -1, 1e308, "x", "x" * 5000, [], [[]], [None], {}, {"a": [1]}, True, "run:../../etc", "job:", "é"]


@pytest.fixture
def with_run(home, no_artifacts):
    """A client on the toy run."""
    from dashboard.shell import create_app

    return fired_in_process(create_app(no_artifacts, home=home))


def add(home, name, *, epochs=3, done=2, end=None, cause="", attempt=1, **values):
    """A job of two steps an epoch that has got so far."""
    table = JobTable(home)
    spec = TrainConfig(model="compact_cnn", dataset="bars", epochs=epochs, **values).model_dump(mode="json")
    job = table.submit(spec, name, epochs=epochs)
    if not done and not end:
        return job
    job = table.claim(job_id=job.id)
    table.beat(job, batch=2 * done, batches=2 * epochs, stage="training", left=98.0, speed=2000.0)
    for epoch in range(1, done + 1):
        table.add_epoch(job, {"epoch": epoch, **ROW, "validation_accuracy": 0.7 + 0.05 * epoch})
    steps = [{"batch": b, "loss": 1 / b, "accuracy": 0.5, "learning_rate": 0.1, "images_per_second": 900.0}
             for b in range(1, 2 * done + 1)]  # fmt: skip
    table.add_steps(job, steps)
    return table.finish(table.get(job.id), end, cause) if end else table.get(job.id)


def test_a_recipe_of_few_steps_says_so(client_of_form):
    assert "steps in all" not in client_of_form(55_000, 256, 3)
    assert "3 steps in all, which is few" in client_of_form(146, 256, 3)
    assert "1 step in all" in client_of_form(16, 256, 1)
    assert client_of_form(146, "x", 3) is None


@pytest.fixture
def client_of_form(app):
    client = fired_in_process(app)

    def words(images, batch, epochs):
        values = dict.fromkeys(("model", "dataset"), "mlp") | {"epochs": epochs, "batch_size": batch}
        values = {f"{form_fields.CONTROLS[name]}.value": value for name, value in values.items()}
        sizes = {f"{form_fields.IMAGES}.value": images, f"{form_fields.IMAGES}.max": images}
        _, drawn = client.fire_with(
            f"{form_fields.Ids.ESTIMATE}.children", f"{form_fields.IMAGES}.value", values | sizes
        )
        return drawn[form_fields.Ids.ESTIMATE]["children"]

    return words


def children(made, id):
    return json.dumps(made[f"{id}"]["tree"])


# ---- form


def test_every_choice_has_a_field_with_label_limits_help_and_a_place_for_errors(client, own):
    from dashboard.data.store import Store
    from dashboard.services.container import Services
    from dashboard.services.jobs import Jobs
    from dashboard.state.selection import Selection

    services = Services(Store(own, own), Jobs(own))
    text = json.dumps(form.layout(services, Selection()).to_plotly_json(), default=lambda part: part.to_plotly_json())
    assert set(form_fields.CONTROLS) == {*FIELDS, "name"}
    assert set(untouched()) == set(form_fields.CONTROLS.values())
    for name, id in form_fields.CONTROLS.items():
        assert f'"id": "{id}"' in text
        for what in ("label", "error"):
            assert f'"id": "{form_fields.part(name, what)}"' in text
    assert text.count('"data-help": ""') == 0
    for words in ("1 to 200", "0.00001 to 2", "0 to 0.9999", "the model's own", "One cycle"):
        assert words in text


def test_what_is_left_as_it_is_trains_the_defaults(client, own):
    defaults = {name: value for name, value in untouched().items() if "select" not in name or "optim" in name}
    start(client, **{**defaults, "training-images-range": 600, "training-schedule-select": "one_cycle"})
    (job,) = JobTable(own).listing()
    assert TrainConfig(**job.spec) == TrainConfig(model="compact_cnn", dataset="bars")


def test_a_teacher_is_a_run_that_is_here(client, own):
    status, made = start(client, **{form_fields.CONTROLS["teacher"]: "nobody , else"})
    assert status == 200
    assert made[form_fields.part("teacher", "error")]["children"] == "Teacher: there is no run nobody."
    status, made = start(client, **{form_fields.CONTROLS["teacher"]: "not a name!"})
    assert "a run, or up to four with commas between" in made[form_fields.part("teacher", "error")]["children"]


def test_what_no_browser_sends_is_refused_beside_its_field(client, own):
    anything = ("seed", "batch_norm", "flip_test", "pretrained")  # Python takes some of these for numbers and switches
    wrong = [-1, "1e400", {"a": 1}, ["x"], "'; DROP TABLE jobs"]
    for field, value in itertools.product([name for name in FIELDS if name not in anything], wrong):
        status, made = start(client, **{form_fields.CONTROLS[field]: value})
        assert status == 200, (field, value)
        assert made[form_fields.part(field, "error")]["children"].startswith(wording.label(field)), (
            field,
            value,
        )
        assert "training-ticket-state" not in made
    assert JobTable(own).listing() == []


def test_settings_that_do_not_go_together_say_why(client):
    _, made = start(client, **{"training-pretrained-check": True})
    assert "published weights" in made["training-pretrained-error"]["children"]
    assert "Traceback" not in made["training-pretrained-error"]["children"]


def test_presets_say_what_they_are_and_how_long_they_take(client, own):
    from dashboard.services.jobs import Jobs

    recipes = Jobs(own).options.presets()
    basis = form_presets.basis("Quick", recipes["quick"], "quick")
    values = {"training-basis-state.data": basis, "training-dataset-select.value": "bars"}
    _, made = client.fire_with("training-preset-select.options", "training-basis-state.data", values)
    options = made["training-preset-select"]["options"]
    assert [option["value"] for option in options] == [*recipes, "own"]
    note = str(made["training-preset-note"]["children"])
    assert f"{recipes['quick']['epochs']} epochs of {recipes['quick']['model']}" in note
    assert "90 %" not in note, "that was measured on another data set"
    assert "90 %" in str(form_presets.describe(basis, "", "fashion-mnist"))
    assert options[0]["label"] == "Quick"  # nothing tells how long it takes
    table = JobTable(own)
    job = table.submit({**recipes["quick"], "dataset": "bars"}, "done", epochs=1)
    job = table.claim(job_id=job.id)
    table.add_epoch(job, {"epoch": 1, **ROW, "images_per_second": 600 * recipes["quick"]["epochs"] / 240})
    table.finish(job, "done")
    _, made = client.fire_with("training-preset-select.options", "training-basis-state.data", values)
    assert made["training-preset-select"]["options"][0]["label"] == "Quick · 4 min"
    assert "About 4 min, judged from the last training here." in str(made["training-preset-note"]["children"])


def test_what_fills_the_form_may_be_anything(client):
    fired = (
        ("training-preset-select.options", "training-basis-state.data", "training-basis-state.data"),
        ("training-copy-notice.children", "training-copy-state.data", "training-copy-state.data"),
        ("training-schedule-graph.figure", "training-warmup-input.value", "training-warmup-input.value"),
        ("training-images-count.children", "training-epochs-input.value", "training-epochs-input.value"),
        ("training-form-partial.children", "training-dataset-select.value", "training-images-range.value"),
    )
    for value, (output, changed_, name) in itertools.product(HOSTILE, fired):
        values = {"training-dataset-select.value": "bars", name: value}
        assert client.fire_with(output, changed_, values)[0] in (200, 204), (output, value)


def test_the_settings_of_a_run_and_of_a_job_are_copied(with_run, home):
    _, made = with_run.fire_with("training-copy-box.children", "url.search", {"url.search": ""})
    assert "run:toy" in json.dumps(made["training-copy-box"]["children"])
    copy = {"training-copy-state.data": {"of": "run:toy"}}
    _, made = with_run.fire_with("training-copy-notice.children", "training-copy-state.data", copy)
    filled = made["training-basis-state"]["data"]
    assert (filled["title"], filled["preset"]) == ("toy", None)
    assert filled["values"]["model"] == "compact_cnn"
    assert filled["texts"]["augment"] == "none"
    assert "dataset" not in filled["values"]  # synthetic pictures cannot be chosen in the form
    assert "Not on this machine: data set" in made["training-copy-notice"]["children"]
    job = add(home, "mine", learning_rate=0.02)
    copy = {"training-copy-state.data": {"of": f"job:{job.id}"}}
    _, made = with_run.fire_with("training-copy-notice.children", "training-copy-state.data", copy)
    assert made["training-basis-state"]["data"]["values"]["learning_rate"] == 0.02
    copy = {"training-copy-state.data": {"of": "run:nowhere"}}
    _, made = with_run.fire_with("training-copy-notice.children", "training-copy-state.data", copy)
    assert "not known any more" in made["training-copy-notice"]["children"]
    assert "training-basis-state" not in made


def test_the_schedule_is_drawn_as_it_will_be(client):
    values = {
        "training-rate-input.value": "0.1", "training-epochs-input.value": 4, "training-warmup-input.value": "0",
        "training-schedule-select.value": "cosine",
    }  # fmt: skip
    _, made = client.fire_with("training-schedule-graph.figure", "training-rate-input.value", values)
    line = made["training-schedule-graph"]["figure"]["data"][0]
    assert (line["y"][0], line["x"][-1]) == (0.1, 4.0)
    assert line["y"] == sorted(line["y"], reverse=True)
    assert "next to nothing" in made["training-schedule-note"]["children"]
    values["training-warmup-input.value"] = "2"
    _, made = client.fire_with("training-schedule-graph.figure", "training-rate-input.value", values)
    assert "training-schedule-graph" not in made
    assert "not allowed" in made["training-schedule-note"]["children"]


def test_a_model_says_what_it_is(client):
    values = {"training-model-select.value": "mlp", "training-epochs-input.value": 1, "training-images-range.value": 9}
    _, made = client.fire_with("training-model-about.children", "training-model-select.value", values)
    assert made["training-model-about"]["children"].startswith("Two dense layers")
    values["training-model-select.value"] = ["mlp"]
    _, made = client.fire_with("training-model-about.children", "training-model-select.value", values)
    assert made["training-model-about"]["children"] == ""


def test_time_is_judged_from_a_run_and_says_so(with_run, home):
    class Services:
        from dashboard.data.store import Store
        from dashboard.services.jobs import Jobs

        jobs, store = Jobs(home), Store(home / "none", home)

    manifest = Services.store.open("toy").manifest
    dataset = manifest["dataset"]["name"]
    seconds, words = form_estimate.estimate(
        Services, "compact_cnn", dataset, manifest["config"]["epochs"], manifest["train_images"]
    )
    assert seconds == pytest.approx(manifest["training_seconds"])
    assert "run toy" in words
    manifest["machine"]["cores"] = 1
    assert form_estimate.estimate(Services, "compact_cnn", dataset, 1, 1)[1].endswith(
        "like the one core that made run toy"
    )
    assert form_estimate.estimate(Services, "mlp", dataset, 1, 1) == (
        None, "No training of mlp on these pictures yet to judge the time from",
    )  # fmt: skip
    assert form_estimate.estimate(Services, None, [], 1, 1)[0] is None


# ---- the card of the training in front


def test_curves_are_drawn_again_with_the_row_but_not_with_every_step(own):
    from dashboard.services.jobs import Jobs

    add(own, "one")
    jobs = Jobs(own)
    first = live.drawn(jobs.view(), None, 10.0)
    assert live.drawn(jobs.view(), first, 20.0) == first
    table = JobTable(own)
    table.beat(table.current(), batch=5)
    assert live.drawn(jobs.view(), first, 10.5) == first  # a moment ago
    later = live.drawn(jobs.view(), first, 13.0)
    assert later != first
    assert live.drawn(jobs.view(), later, 1.0) == later  # another server's clock, the same row
    for odd in HOSTILE:
        assert live.drawn(jobs.view(), odd, 1.0)[0] == jobs.view().job.id
        assert live.state(jobs.view(), odd, 1.0)[0] == jobs.view().job.id
    assert live.drawn(jobs.view("f" * 32), None, 1.0)[0] == jobs.view().job.id


def test_a_change_of_state_is_told_at_once_and_a_batch_once_a_second(own):
    from dashboard.services.jobs import Jobs

    add(own, "one")
    jobs, table = Jobs(own), JobTable(own)
    first = live.state(jobs.view(), None, 10.0)
    table.beat(table.current(), batch=5)
    assert live.state(jobs.view(), first, 10.5) == first
    later = live.state(jobs.view(), first, 11.0)
    assert later != first
    table.cancel(table.current().id)
    assert live.state(jobs.view(), later, 11.1) != later


def test_steps_stand_between_the_epochs(own):
    from dashboard.services.jobs import Jobs

    job, _, steps = Jobs(own).training(add(own, "one").id)
    assert live_curves.within(job, steps)["epoch"] == [0.5, 1.0, 1.5, 2.0]
    assert live_curves.within(job, steps)["loss"] == [1, 1 / 2, pytest.approx(1 / 3), 1 / 4]
    assert Jobs(own).training("f" * 32) is None


def test_four_charts_with_others_beside(client, own):
    old, job = add(own, "old", end="interrupted"), add(own, "new")
    picked = {"training-beside-checks.value": [f"job:{old.id}", "run:nowhere", 7, None, f"job:{old.id}"]}
    _, made = client.fire_with("training-loss-graph.figure", "training-curves-state.data", picked)
    figures = {id: made[id]["figure"] for id in made}
    assert len(figures) == 4
    names = [trace.get("name") for trace in figures["training-loss-graph"]["data"]]
    assert "old, validation loss" in names
    assert "train loss" in names
    assert "planned" in [trace.get("name") for trace in figures["training-rate-graph"]["data"]]
    listing = client.fire_with("training-beside-checks.options", "training-beside-checks.value", picked)[1]
    assert listing["training-beside-note"]["children"] == "old, interrupted"
    offered = [option["value"] for option in listing["training-beside-checks"]["options"]]
    assert offered == [f"job:{old.id}"]  # not the one in front
    assert job.id not in str(offered)


def test_what_is_drawn_beside_may_be_anything(client, own):
    add(own, "one")
    for value, output in itertools.product(HOSTILE, ("training-loss-graph.figure", "training-beside-checks.options")):
        values = {"training-beside-checks.value": value, "training-shown-state.data": value}
        assert client.fire_with(output, "training-beside-checks.value", values)[0] == 200, value


def test_before_the_first_training_the_run_in_use_shows_how_it_learned(with_run):
    _, made = with_run.fire_with("training-status.children", "training-live-state.data", {"url.search": ""})
    assert made["training-live-sentence"]["children"].startswith("No training yet. The form starts one.")
    assert "how toy learned" in made["training-live-sentence"]["children"]
    assert (made["training-status"]["children"], made["training-progress"]["children"]) == ("", "–")
    assert made["training-cancel"]["hidden"]
    _, made = with_run.fire_with("training-loss-graph.figure", "training-curves-state.data", {"url.search": ""})
    names = [trace.get("name") for trace in made["training-loss-graph"]["figure"]["data"]]
    assert "validation loss" in names


def test_any_job_can_be_brought_to_the_front_and_left_again(client, own):
    old, new = add(own, "old", end="failed", cause="The disk is full."), add(own, "new")
    shown = {"training-shown-state.data": old.id}
    _, made = client.fire_with("training-status.children", "training-live-state.data", shown)
    assert made["training-status"]["children"] == "failed"
    assert "The disk is full. Resume goes on after epoch 2." in made["training-live-sentence"]["children"]
    assert "Back to the current training" in json.dumps(made["training-live-back"]["children"])
    assert "Sure? 2 epochs go" in json.dumps(made["training-discard-box"]["children"])
    _, made = client.fire_with("training-status.children", "training-live-state.data", {})
    assert made["training-live-title"]["children"].startswith("new")
    assert made["training-live-back"]["children"] is None
    assert "80.0 %" in json.dumps(made["training-live-best"]["children"])
    del new


def act(client, what, of, live_state=None):
    values = {"training-asked-state.data": {"act": what, "of": of}, "training-live-state.data": live_state}
    return client.fire_with("training-acted-state.data", "training-asked-state.data", values)


def test_what_a_cancelled_or_lost_job_with_twins_has_left_is_named(own):
    from dashboard.services import twins as planning
    from dashboard.services.jobs import Jobs
    from ml.jobs import twins

    def ended(name, end, done):
        table = JobTable(own)
        spec = TrainConfig(model="compact_cnn", dataset="bars", epochs=3).model_dump(mode="json")
        spec["twins"] = planning.plan(spec, name, "labels", None, [7, 8])
        job = table.claim(job_id=table.submit(spec, name, epochs=3).id)
        for one in twins.trainings(job)[:done]:
            (own / "runs" / one.run_id).mkdir(parents=True)
            manifest = {"config": one.config.model_dump(mode="json"), "twin": dict(one.twin)}
            (own / "runs" / one.run_id / "manifest.json").write_text(json.dumps(manifest))
        table.finish(job, end, "Killed." if end == "interrupted" else "")
        jobs = Jobs(own)
        return live_facts.sentence(table.get(job.id), jobs.view(job.id))

    assert ended("a", "cancelled", 0).endswith("; nothing was kept.")
    assert ended("b", "cancelled", 1).endswith("; 1 training of it was done by then and is kept: b-twin-s7.")
    told = ended("c", "interrupted", 2)
    assert told.endswith("Killed. Resume goes on; 2 trainings of it were done by then and are kept: c-twin-s7, c-s8.")


def test_rows_cancel_resume_and_discard(client, own):
    table = JobTable(own)
    job, waiting = add(own, "job"), add(own, "waiting", done=0)
    act(client, "cancel", waiting.id)
    assert table.get(waiting.id).state == "cancelled"
    table.finish(table.get(job.id), "interrupted", "why")
    _, made = act(client, "resume", job.id)
    assert made["training-ticket-state"]["data"] == {"job": job.id, "attempt": 2}
    assert table.get(job.id).state == "queued"
    table.finish(table.claim(), "failed", "why")
    act(client, "discard", job.id)
    assert table.get(job.id).state == "cancelled"
    _, made = act(client, "discard", job.id)
    assert "nothing to discard" in made["training-live-notice"]["children"]


def test_what_is_asked_of_jobs_may_be_anything(client, own):
    job = add(own, "one")
    for value in HOSTILE:
        assert act(client, value, job.id)[0] in (200, 204), value
        assert act(client, "cancel", value, value)[0] == 200, value
        values = {"training-asked-state.data": value}
        fired = client.fire_with("training-acted-state.data", "training-asked-state.data", values)
        assert fired[0] in (200, 204), value
    assert JobTable(own).get(job.id) == job


def test_the_log_comes_once_for_each_new_line_and_as_a_file(client, own):
    table, job = JobTable(own), add(own, "one")
    table.log(job).parent.mkdir(parents=True)
    table.log(job).write_text("epoch 1\n")
    values = {"training-log-button.n_clicks": 1, "training-front-state.data": [job.id]}
    _, made = client.fire_with("training-log-text.children", "training-front-state.data", values)
    assert made["training-log-text"]["children"] == "epoch 1\n"
    assert made["training-log-box"]["hidden"] is False
    assert "running, try 1 on " in children(made, live_facts.Ids.EVENTS)
    values["training-log-state.data"] = made["training-log-state"]["data"]
    assert client.fire_with("training-log-text.children", "training-front-state.data", values)[0] == 204
    table.log(job).write_text("epoch 1\nepoch 2\n")
    _, made = client.fire_with("training-log-text.children", "training-front-state.data", values)
    assert made["training-log-text"]["children"].endswith("epoch 2\n")
    values["training-log-button.n_clicks"] = 2
    _, made = client.fire_with("training-log-text.children", "training-log-button.n_clicks", values)
    assert made["training-log-box"]["hidden"] is True
    for odd in HOSTILE:
        values = {"training-log-button.n_clicks": 1, "training-front-state.data": odd, "training-log-state.data": odd}
        assert client.fire_with("training-log-text.children", "training-front-state.data", values)[0] in (200, 204)


def test_a_log_is_downloaded_whole_and_nothing_else_is(own, no_artifacts):
    from dashboard.shell import create_app

    table, job = JobTable(own), add(own, "one")
    table.log(job).parent.mkdir(parents=True)
    table.log(job).write_text("x" * 40_000)
    browser = create_app(no_artifacts, home=own).server.test_client()
    answer = browser.get(f"/training/log/{job.id}.txt", buffered=True)
    assert (answer.status_code, len(answer.data)) == (200, 40_000)
    assert "attachment" in answer.headers["Content-Disposition"]
    for name in ("f" * 32, "x", "../" + job.id, "%2e%2e", job.id.upper()):
        assert browser.get(f"/training/log/{name}.txt").status_code == 404


# ---- queue and history


def test_the_queue_comes_first_then_what_ended_last(client, own):
    add(own, "lost", end="failed", cause="Out of memory: try a smaller batch.")
    add(own, "running")
    add(own, "next", done=0)
    add(own, "after", done=0)
    _, made = client.fire_with(f"{queue.Ids.HELP}.children", "training-queue-state.data", {})
    text = children(made, queue.Ids.BODY)
    places = [text.index(f'"children": "{name}"') for name in ("running", "next", "after", "lost")]
    assert places == sorted(places)
    assert "1st in the queue" in text
    assert "2nd in the queue" in text
    assert "Out of memory: try a smaller batch." in text
    assert "Resume lost" in text
    assert "Cancel after" in text
    assert "Machine" not in text  # one only
    assert made[queue.Ids.HELP]["children"].startswith("running is training, 2 wait.")


def test_who_waits_is_told_when_it_begins_as_far_as_that_is_known(own):
    from dashboard.services.jobs import Jobs

    add(own, "running")  # 98 s are left
    one, two, three = (add(own, name, done=0) for name in ("one", "two", "three"))
    takes = {one.id: 300.0, two.id: None, three.id: 10.0}
    jobs = Jobs(own).view().jobs
    assert queue.begins(jobs, lambda job: takes[job.id]) == {one.id: 98.0, two.id: 398.0}
    row = queue.line(two, Jobs(own).view(), "Two", "", False, True, 398.0)
    assert "2nd in the queue, begins in about 7 min" in json.dumps(row, default=lambda part: part.to_plotly_json())
    assert queue.begins([job for job in jobs if job.state == "queued"], lambda job: 1.0) == {}


def test_the_queue_calls_a_training_as_people_do_and_offers_only_what_can_be_done(client, own):
    from dashboard.records.runs import Records
    from ml.system.database import opener

    Records(opener(own)).rename("my-net-2", "My Net 2 <b>")
    add(own, "my-net-2", end="cancelled")
    _, made = client.fire_with(f"{queue.Ids.HELP}.children", "training-queue-state.data", {})
    text = children(made, queue.Ids.BODY)
    assert '"children": "My Net 2 <b>"' in text
    assert "Show My Net 2 <b>" in text
    assert made[queue.Ids.HELP]["children"] == "Nothing runs and nothing waits."
    add(own, "lost", end="failed")
    _, made = client.fire_with(f"{queue.Ids.HELP}.children", "training-queue-state.data", {})
    assert made[queue.Ids.HELP]["children"].endswith("What ended early can be resumed or discarded.")


def test_an_empty_queue_says_so(client):
    _, made = client.fire_with(f"{queue.Ids.HELP}.children", "training-queue-state.data", {})
    assert "Nothing waits" in json.dumps(made[queue.Ids.FACE]["children"])


def test_read_only_offers_no_action_but_looking(own, no_artifacts):
    from dashboard.shell import create_app

    add(own, "broken", end="interrupted")
    client = fired_in_process(create_app(no_artifacts, home=own, read_only=True))
    text = children(client.fire_with(f"{queue.Ids.HELP}.children", "training-queue-state.data", {})[1], queue.Ids.BODY)
    assert "Show broken" in text
    assert "Resume" not in text
    _, made = client.fire_with("training-status.children", "training-live-state.data", {})
    assert made["training-resume"]["hidden"] is True
    assert made["training-discard-box"]["children"] is None
    assert made["training-live-use"]["children"] == []


# ---- what changed


def test_what_differs_from_the_newest_of_the_same_model(client, own):
    add(own, "other-model", end="interrupted")
    add(own, "before", end="interrupted", learning_rate=0.02)
    add(own, "now", seed=9, augment=("flip", "shift"))
    _, made = client.fire_with(f"{changed.Ids.HELP}.children", "training-front-state.data", {})
    text = children(made, changed.Ids.BODY)
    assert made[changed.Ids.HELP]["children"] == "3 settings differ; all others are the same."
    for words in ("Learning rate", "0.02", "Flip, Shift", "Seed", "Best on validation", "80.0 %"):
        assert words in text
    options = [option["label"] for option in made[changed.Ids.PICK]["options"]]
    assert options == ["before, interrupted", "other-model, interrupted"]
    chosen = made[changed.Ids.PICK]["options"][1]["value"]
    values = {f"{changed.Ids.PICK}.value": chosen}
    _, made = client.fire_with(f"{changed.Ids.HELP}.children", f"{changed.Ids.PICK}.value", values)
    assert made[changed.Ids.PICK]["value"] == chosen
    assert made[changed.Ids.HELP]["children"].startswith("2 settings differ")


def test_what_each_came_to_has_its_interval():
    mine, other = Other("job:a", "mine", {}, 0.889), Other("run:b", "b", {}, None)
    result = json.dumps(changed.table(mine, other, [], (5_000, 5_000)).to_plotly_json(), cls=PlotlyJSONEncoder)
    for words in ("88.9 %", "88.0 \\u2013 89.7, n 5,000", "Best on validation"):
        assert words in result
    assert "n 5,000" not in str(changed.table(mine, other, [], (None, 5_000)))


def test_without_jobs_the_run_in_use_is_compared(with_run):
    _, made = with_run.fire_with(f"{changed.Ids.HELP}.children", "training-front-state.data", {"url.search": ""})
    assert "one training only" in json.dumps(made[changed.Ids.FACE]["children"])


def test_what_is_compared_may_be_anything(client, own):
    add(own, "one", end="interrupted")
    add(own, "two")
    for value in HOSTILE:
        values = {f"{changed.Ids.PICK}.value": value, "training-shown-state.data": value, "url.search": "?run=é"}
        fired = client.fire_with(f"{changed.Ids.HELP}.children", f"{changed.Ids.PICK}.value", values)
        assert fired[0] == 200, value


def test_the_same_model_comes_before_what_ships():
    mine = Other("job:a", "mine", {"model": "mlp"}, None)
    same, shipped = Other("job:b", "b", {"model": "mlp"}, None), Other("run:c", "c", {"model": "x"}, None, True)
    assert changed.nearest(mine, [shipped, same]) is same
    assert changed.nearest(mine, [shipped]) is shipped
    run = Other("run:d", "d", {"model": "mlp"}, 0.9)
    assert changed.nearest(mine, [same, shipped, run]) is run
    assert changed.nearest(mine, [same, run, shipped], "c") is shipped, "the run in use comes first"
    assert changed.nearest(mine, [], "c") is None
    assert changed.summary(0, []) == "No setting differs: the same recipe and the same seed."
    assert changed.summary(1, ["Schedule"]) == "1 setting differs. Written down by one of the two only: schedule."


def test_runs_come_after_trainings_without_one(home):
    class Services:
        from dashboard.data.store import Store
        from dashboard.services.jobs import Jobs

        jobs, store = Jobs(home), Store(home / "none", home)

    add(home, "mine")
    others = other_runs.listing(Services, Services.jobs.view().jobs)
    assert [one.title for one in others] == ["mine, running", "toy"]
    assert others[1].accuracy > 0
    assert other_runs.listing(Services, Services.jobs.view().jobs, without="toy")[-1].title == "mine, running"
    assert len(other_runs.training(Services, "run:toy").history["epoch"]) == 2
    for odd in HOSTILE:
        assert other_runs.config(Services, odd) is None
        assert other_runs.training(Services, odd) is None


def test_a_finished_training_leads_to_its_comparison(home, no_artifacts):
    import shutil

    from dashboard.data.store import Store
    from dashboard.services.container import Services
    from dashboard.services.jobs import Jobs
    from dashboard.state.selection import Selection

    folder = shutil.copytree(home / "runs" / "toy", home / "runs" / "one")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "run_id": "one", "created": "2020-01-01T00:00:00Z"}))
    job = add(home, "one", end="done")
    services = Services(Store(no_artifacts, home), Jobs(home, artifacts=no_artifacts))
    offered = {str(one.children): one for one in live_facts._next(job, services, Selection())}
    there = getattr(offered["Compare with toy"], "data-search")
    assert (Selection.parse(there).run, Selection.parse(there).against) == ("one", "toy")
    assert getattr(offered["Compare with toy"], "data-path") == "/comparison"
