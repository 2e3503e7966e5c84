"""The Review page without a browser: queue, decisions over HTTP, files out and in, counts, a retraining."""

import csv
import io
import json
import re
import secrets
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.data.store import Store
from dashboard.exports.decisions_csv import LEFT_OUT, log
from dashboard.format.proportion import Proportion
from dashboard.services.jobs import Jobs
from dashboard.services.training_request import Invalid
from dashboard.state.selection import Selection
from ml.data import load
from ml.data.corrections import Corrections, freeze, read
from ml.stats.metrics import confusion_matrix, split_metrics
from tests.callbacks import fired_in_process
from tests.suspects import TEST, TOY, TRAIN, suspect


@pytest.fixture(scope="module")
def kept(toy_home, tmp_path_factory):
    """The toy run with its suspected labels, from which each test has a copy."""
    kept = Path(shutil.copytree(toy_home, tmp_path_factory.mktemp("suspected") / "home"))
    suspect(kept)
    return kept


@pytest.fixture
def suspected(kept, tmp_path):
    return Path(shutil.copytree(kept, tmp_path / "suspected"))


@pytest.fixture
def app(suspected, no_artifacts, no_worker):
    from dashboard.shell import create_app

    return create_app(no_artifacts, home=suspected)


@pytest.fixture
def client(app):
    return fired_in_process(app)


@pytest.fixture
def web(app):
    return app.server.test_client()


def decide(web, ids, action="relabel", label="Bar 2", split="test", **more):
    batch = secrets.token_hex(16)
    label = {"label": label} if action == "relabel" else {}
    body = {"run": "toy", "split": split, "ids": ids, "action": action, "who": "Ada", "batch": batch, **label, **more}
    return web.post("/api/v1/decisions", json=body)


def page(client, output, search="", **values):
    status, made = client.fire_with(
        f"{output}.tree",
        "review-view-state.data",
        {"url.search": search, "review-view-state.data": search or "?", **values},
    )
    assert status == 200
    return json.dumps(made[f"{output}"]["tree"]), made


def samples(tree):
    return [int(part.split('"')[2]) for part in tree.split('"data-sample')[1:]]


def test_the_queue_is_the_issues_most_suspect_first(client, web, suspected):
    tree, made = page(client, "review-queue-grid")
    assert samples(tree) == load(TOY)["test"].ids[:TEST].tolist()
    assert made["review-queue-title"]["children"] == "20 suspected of 400"
    assert '"data-front": "true"' in tree
    tree, made = page(client, "review-queue-grid", "?split=reference")
    assert samples(tree) == load(TOY)["train"].ids[:TRAIN].tolist()
    assert made["review-queue-title"]["children"] == "12 suspected of 600"
    sheet = tree.split("url(")[1].split(")")[0]
    assert web.get(sheet).status_code == 200
    assert web.get("/suspects/toy/3.png").mimetype == "image/png"
    assert web.get("/suspects/toy/3000.png").status_code == 404
    assert web.get("/suspects/toy/sheet/1-x.png").status_code == 404
    tree, _ = page(client, "review-queue-grid", "?true=Bar 1&pred=Bar 2&outcome=wrong&outcome=right&split=reference")
    assert samples(tree) == [1, 5, 9]
    tree, made = page(client, "review-queue-grid", "?split=validation")
    assert "suspects no label of these 200 images" in tree


def test_without_the_table_the_face_names_the_command(home, no_artifacts):
    from dashboard.shell import create_app

    client = fired_in_process(create_app(no_artifacts, home=home))
    for face, output in (("review-queue-face", "review-queue-grid"), ("review-sample-face", "review-sample-body")):
        changed = "review-view-state.data" if "queue" in face else "url.search"
        status, made = client.fire_with(f"{output}.tree", changed, {"url.search": "", "review-view-state.data": "?"})
        assert status == 200
        assert "python -m ml evaluate toy --only label_issues" in json.dumps(made[face])


def test_the_picture_in_front_its_means_and_its_keys(client):
    fired = {"url.search": "?sample=2"}
    status, made = client.fire_with("review-sample-body.tree", "url.search", fired)
    assert status == 200
    body, pad = (json.dumps(made[f"review-sample-{part}"]["tree"]) for part in ("body", "pad"))
    assert f"/pictures/{TOY}/test/2.png" in body
    assert "suspect 3 of 20" in body
    assert body.count("data:image/png;base64") == 2
    assert [f'"data-class": "{i}"' in pad for i in range(5)] == [True] * 4 + [False]
    assert "Keep Bar 2" in pad
    assert "Relabel Bar 3, suggested" in pad
    status, made = client.fire_with("review-sample-body.tree", "url.search", {"url.search": "?split=reference"})
    assert "/suspects/toy/0.png" in json.dumps(made["review-sample-body"]["tree"])


def test_a_decision_opens_no_pictures(web, app, monkeypatch):
    def refuse(*_):
        raise AssertionError("pictures are opened to read labels")

    monkeypatch.setattr(Store, "pictures", refuse)
    ids = [int(one) for one in load(TOY)["test"].ids[:3]]
    assert decide(web, ids).status_code == 200
    batch = web.get("/export/decisions.csv?run=toy")
    assert batch.get_data(as_text=True).count("\n") == 4


def test_twenty_decisions_are_twenty_rows_with_before_after_and_time(web, client):
    ids = load(TOY)["test"].ids[:TEST].tolist()
    for example in ids[:12]:
        assert decide(web, [example]).status_code == 200
    assert decide(web, ids[12:16], "exclude").status_code == 200
    assert decide(web, ids[16:], "keep").get_json()["decisions"][0]["who"] == "Ada"
    answer = web.get("/export/decisions.csv?run=toy")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert len(rows) == 20
    assert [int(row["example_id"]) for row in rows] == ids
    assert rows[0]["before"] == "Bar 0"
    assert rows[0]["after"] == "Bar 2"
    assert rows[13]["after"] == LEFT_OUT
    assert rows[17]["action"] == "keep"
    assert rows[2]["action"] == "keep"  # it is labelled Bar 2 already
    assert all(row["when"].endswith("Z") and row["who"] == "Ada" and row["run"] == "toy" for row in rows)
    tree, _ = page(client, "review-log-body")
    assert "20 decisions of 20 images" in tree
    assert "Below are the newest 12; the file has all of them." in tree
    tree, _ = page(client, "review-queue-tools")
    assert '"20"' in tree


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"ids": [10**6]}, 422, "no image 1000000"),
        ({"ids": []}, 422, "Ids"),
        ({"ids": [True]}, 422, "Ids"),
        ({"ids": "1"}, 422, "Ids"),
        ({"action": "drop"}, 422, "Action"),
        ({"label": "Bar 9"}, 422, "Label"),
        ({"label": ["Bar 1"]}, 422, "Label"),
        ({"split": "reference"}, 422, "Split"),
        ({"batch": "1"}, 422, "Batch"),
        ({"who": "x" * 61}, 422, "name"),
        ({"who": {"a": 1}}, 422, "name"),
        ({"run": "none"}, 404, "no run"),
        ({"run": 7}, 422, "Run"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_words(web, change, status, words):
    answer = decide(web, change.get("ids", [1]), **{name: value for name, value in change.items() if name != "ids"})
    assert (answer.status_code, words in answer.get_json()["error"]) == (status, True)
    assert web.get("/export/decisions.csv").get_data(as_text=True).count("\n") == 1


def test_requests_that_no_page_sends(web):
    assert web.post("/api/v1/decisions", data="x").status_code == 415
    assert web.post("/api/v1/decisions", data="{", content_type="application/json").status_code == 400
    assert web.post("/api/v1/decisions", json=[1]).status_code == 422
    assert web.post("/api/v1/decisions/undo", json={"run": "toy"}).status_code == 422
    cross = {"Origin": "http://elsewhere.example"}
    assert web.post("/api/v1/decisions", json={}, headers=cross).status_code == 403


def test_undo_over_http(web):
    batch = decide(web, [1, 2]).get_json()["decisions"][0]["batch"]
    decide(web, [3], "exclude")
    body = {"run": "toy", "who": "Ada"}
    assert [d["id"] for d in web.post("/api/v1/decisions/undo", json=body).get_json()["decisions"]] == [3]
    assert len(web.post("/api/v1/decisions/undo", json={**body, "batch": batch}).get_json()["decisions"]) == 2
    assert web.get("/export/decisions.csv").get_data(as_text=True).count("\n") == 1


def test_nothing_can_be_changed_read_only(suspected, no_artifacts):
    from dashboard.shell import create_app

    app = create_app(no_artifacts, home=suspected, read_only=True)
    web, client = app.server.test_client(), fired_in_process(app)
    assert decide(web, [1]).status_code == 403
    assert web.post("/api/v1/decisions/undo", json={"run": "toy"}).status_code == 403
    outputs = " ".join(callback["output"] for callback in client.dependencies)
    assert "review-import-note" not in outputs
    assert "review-retrain-note" not in outputs
    _, made = client.fire_with("review-sample-pad.tree", "url.search", {"url.search": ""})
    pad = json.dumps(made["review-sample-pad"]["tree"])
    assert pad.count('"disabled": true') == 4 + 3  # classes, keep, exclude, undo


def upload(client, text):
    import base64

    contents = "data:text/csv;base64," + base64.b64encode(text.encode()).decode()
    fired = {"review-import-upload.contents": contents, "url.search": ""}
    status, made = client.fire_with("review-import-note.children", "review-import-upload.contents", fired)
    assert status == 200
    return made["review-import-note"]["children"]


def test_a_file_goes_out_and_comes_back(web, client):
    decide(web, [1, 2], who="=cmd|' /C calc'!A0")
    decide(web, [3], "exclude", who="'+'")
    decide(web, [4], "keep")
    text = web.get("/export/decisions.csv").get_data(as_text=True)
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert upload(client, text) == "4 decisions read: 0 new, 4 here already."
    for _ in range(3):
        web.post("/api/v1/decisions/undo", json={"run": "toy", "who": "Ada"})
    assert upload(client, "\ufeff" + text) == "4 decisions read: 1 new, 3 here already."
    again = csv.DictReader(io.StringIO(web.get("/export/decisions.csv").get_data(as_text=True)))
    assert sorted((row["example_id"], row["who"]) for row in again) == sorted(
        (row["example_id"], row["who"]) for row in csv.DictReader(io.StringIO(text))
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "lacks dataset, split"),
        ("", "lacks"),
        (f"dataset,split,example_id,action,after\n{TOY},test,999999,keep,\n", "line 2: there is no image"),
        (f"dataset,split,example_id,action,after\n{TOY},test,1,relabel,Cat\n", "line 2: 'Cat' is no class"),
        (f"dataset,split,example_id,action,after\n{TOY},nowhere,1,keep,\n", "split 'nowhere'"),
        ("dataset,split,example_id,action,after\nother,test,1,keep,\n", "it is of 'other'"),
        (f"dataset,split,example_id,action,after\n{TOY},test,1,eat,\n", "no action"),
        (f"dataset,split,example_id,action,after,when\n{TOY},test,1,keep,,now\n", "no time"),
        (f"dataset,split,example_id,action,after,before\n{TOY},test,1,keep,,Cat\n", "no class"),
        ("dataset,split,example_id,action,after\n", "no decision in this file"),
    ],
)
def test_files_that_are_wrong_change_nothing(web, client, text, words):
    good = f"{TOY},test,2,keep,\n" if "line 2" in words else ""
    assert words in upload(client, text + good)
    assert web.get("/export/decisions.csv").get_data(as_text=True).count("\n") == 1


def test_as_labelled_and_as_reviewed_by_hand(web, client, suspected):
    run = Store(suspected, suspected).open("toy")
    predictions = run.predictions("test")
    wrong = np.flatnonzero(~predictions.right)[:2]
    right = int(np.flatnonzero(predictions.right)[0])
    first, second = (int(row) for row in wrong) if len(wrong) == 2 else (right, right + 1)
    decide(web, [int(predictions.ids[first])], label=run.classes[predictions.predicted[first]])
    decide(web, [int(predictions.ids[second])], "exclude")
    rows = list(csv.DictReader(io.StringIO(web.get("/export/reviewed.csv?split=test").get_data(as_text=True))))
    all_ = {row["labels"]: (int(row["right"]), int(row["n"])) for row in rows if row["class"] == "all"}
    labels = predictions.labels.copy()
    labels[first] = predictions.predicted[first]
    keep = np.arange(len(labels)) != second
    assert all_["as labelled"] == (int(predictions.right.sum()), 400)
    assert all_["as reviewed"] == (int((predictions.predicted == labels)[keep].sum()), 399)
    tree, _ = page(client, "review-scores-body")
    assert "As labelled" in tree
    assert "of 399" in tree
    reviewed = "?outcome=wrong&outcome=right&labels=reviewed"
    for search, n in (("?outcome=wrong&outcome=right", 400), (reviewed, 399)):
        fired = {"url.search": search, "url.pathname": "/"}
        _, made = client.fire_with("selection-count.children", "url.search", fired)
        assert made["selection-count"]["children"] == str(n)
    assert "Remove labels as reviewed" in json.dumps(made["selection-chips"]["tree"])
    _, made = client.fire_with(
        "app-dropped.children", "url.search", {"url.search": reviewed, "url.pathname": "/training"}
    )
    assert "does not follow" in made["app-dropped"]["children"]


def test_a_report_says_both_and_mixes_neither(web, app):
    run = app.store.open("toy")
    predictions = run.predictions("test")
    queue = load(TOY)["test"].ids[:TEST].tolist()
    decide(web, [queue[0]], label=run.classes[predictions.predicted[predictions.row(queue[0])] - 1])
    decide(web, [queue[1]], "exclude")
    decide(web, [queue[2]], "keep")
    now = run.reviewed("reviewed").predictions("test")
    labelled = Proportion(int(predictions.right.sum()), 400)
    reviewed = Proportion(int((now.right & now.kept).sum()), 399)
    assert labelled != reviewed
    for search in ("?run=toy", "?run=toy&labels=reviewed"):
        text = web.get(f"/export/review-report.html{search}").text
        assert f"<td>{labelled}</td><td>{reviewed}</td>" in text
        assert f"it names <b>{labelled}</b> right" in text
        assert "in this view, and of these 3 have been decided" in text
        cells = [int(n or 0) for n in re.findall(r'class="c"[^>]*>(\d*)<', text)]
        assert cells == run.confusion(Selection()).ravel().tolist()  # as labelled, whatever the address asks for
        tiles = text.partition('class="tiles"')[2]
        assert [int(one) for one in re.findall(r'<small class="quiet">(\d+)</small>', tiles)] == queue
        assert tiles.count("<img") == TEST
        states = re.findall(r"<small>(undecided|kept|left out|now Bar \d)</small>", tiles)
        assert states[1:] == ["left out", "kept", *["undecided"] * (TEST - 3)]
    text = web.get("/export/report.html?run=toy&labels=reviewed").text
    assert f"it names <b>{reviewed}</b> right" in text
    assert "Of the whole split, as reviewed" in text
    decide(web, load(TOY)["train"].ids[:2].tolist(), "exclude", split="train")
    text = web.get("/export/review-report.html?split=reference").text
    assert '<th scope="row">images left out</th><td>2</td>' in text
    assert text.partition('class="tiles"')[2].count("<img") == TRAIN


def test_the_queue_is_a_file_too(web):
    queue = load(TOY)["test"].ids[:TEST].tolist()
    decide(web, [queue[1]], "exclude")
    rows = list(csv.DictReader(io.StringIO(web.get("/export/queue.csv?run=toy").text)))
    assert [int(row["example_id"]) for row in rows] == queue
    assert [(row["decision"], row["label now"]) for row in rows[:2]] == [("", rows[0]["label"]), ("exclude", LEFT_OUT)]
    few = list(csv.DictReader(io.StringIO(web.get(f"/export/queue.csv?split=reference&true={rows[0]['label']}").text)))
    assert {row["label"] for row in few} == {rows[0]["label"]}
    assert {row["split"] for row in few} == {"train"}


def test_scores_and_matrix_as_reviewed_are_those_of_an_evaluation(web, suspected, app):
    """What people decided changes exactly what the same evaluation makes of the changed labels."""
    for example in range(8):
        decide(web, [example], label="Bar 3")
    decide(web, [8, 9], "exclude")
    run = app.store.open("toy")
    before, after = run.predictions("test"), run.reviewed("reviewed").predictions("test")
    labels = before.labels.copy()
    labels[:8] = 3
    assert (after.labels == labels).all()
    assert np.flatnonzero(~after.kept).tolist() == [8, 9]
    expected = split_metrics(
        "test", labels[after.kept], before.probabilities[after.kept], run.manifest["config"]["seed"]
    )
    pd.testing.assert_frame_equal(run.reviewed("reviewed").scores("test"), expected)
    everything = Selection(outcome=("wrong", "right"))
    counts = run.for_selection(Selection(outcome=("wrong", "right"), labels="reviewed")).confusion(everything)
    assert counts.tolist() == confusion_matrix(labels[after.kept], before.predicted[after.kept], 4).tolist()
    assert run.for_selection(everything).confusion(everything).sum() == 400
    decide(web, [8], "keep")
    assert run.reviewed("reviewed").predictions("test").kept.sum() == 399


def test_retraining_names_a_frozen_file_and_later_decisions_change_nothing(web, client, app, suspected, no_worker):
    fired = {"review-retrain-start.n_clicks": 1, "review-retrain-recipe.value": "quick", "url.search": ""}
    _, made = client.fire_with("review-retrain-state.data", "review-retrain-start.n_clicks", fired)
    assert "No decision changes" in made["review-retrain-note"]["children"]
    decide(web, [1, 2, 3], split="train")
    decide(web, [5], "exclude", split="train")
    decide(web, [7], split="test")
    _, made = client.fire_with("review-retrain-state.data", "review-retrain-start.n_clicks", fired)
    job_id = made["review-retrain-state"]["data"]["job"]
    assert len(no_worker) == 1
    jobs = Jobs(suspected)
    job = jobs.training(job_id)[0]
    assert job.run_id == "patch_cnn-reviewed", "a run is called by its network"
    assert job.spec["model"] == "patch_cnn"
    planned = job.spec["twins"]["runs"]
    assert [one["seed"] for one in planned if one["side"] == "twin"] == [7, 8, 9], "quick, and nobody has tried it yet"
    twin = planned[0]
    assert twin["side"] == "twin"
    apart = {name for name in twin["config"] if twin["config"][name] != job.spec[name]}
    assert apart == {"labels"}, "the twin differs in the labels alone"
    usual = read(suspected, twin["config"]["labels"])
    assert (dict(usual.relabelled), len(usual.excluded)) == ({}, 1), "it leaves out as many, for as many steps"
    assert not usual.excluded & {1, 2, 3, 5}
    decide(web, [9], "exclude", split="train")
    frozen = read(suspected, job.spec["labels"])
    assert (dict(frozen.relabelled), frozen.excluded, frozen.against) == ({1: 2, 3: 2}, {5}, "toy")
    fired = {"review-retrain-interval.n_intervals": 1, "review-retrain-state.data": {"job": job_id}}
    _, made = client.fire_with("review-retrain-live.children", "review-retrain-interval.n_intervals", fired)
    assert made["review-retrain-interval"]["disabled"] is False
    assert "queued" in json.dumps(made["review-retrain-live"]["children"])


def test_the_twin_can_be_left_out(web, client, suspected, no_worker):
    decide(web, [1], split="train")
    fired = {"review-retrain-start.n_clicks": 1, "review-retrain-twin.value": [], "url.search": ""}
    _, made = client.fire_with("review-retrain-state.data", "review-retrain-start.n_clicks", fired)
    job = Jobs(suspected).training(made["review-retrain-state"]["data"]["job"])[0]
    assert "twins" not in job.spec


def test_what_a_finished_retraining_leads_to(app, suspected, no_artifacts):
    from dashboard.components.job_progress import comparison
    from dashboard.services.container import Services

    jobs, store = Jobs(suspected, artifacts=no_artifacts), Store(no_artifacts, suspected)
    services = Services(store, jobs)
    config = {"model": "quick_cnn", "dataset": TOY, "epochs": 1, "threads": 1, "batch_size": 64}
    job = jobs.retrain(config, "fixed", against="toy", relabelled={1: 2}, excluded=[])
    assert comparison(services, job, "toy") == ""
    import dataclasses
    import shutil

    shutil.copytree(suspected / "runs" / "toy", suspected / "runs" / "fixed")
    file = suspected / "runs" / "fixed" / "manifest.json"
    file.write_text(file.read_text().replace('"run_id": "toy"', '"run_id": "fixed"'))
    done, against = dataclasses.replace(job, state="done"), jobs.corrections(job).against
    assert comparison(services, done, None) == ""
    selection = Selection.parse(comparison(services, done, against))
    assert (selection.run, selection.against) == ("fixed", "toy")


def test_labels_that_are_nowhere_or_of_other_data_are_refused(suspected, no_artifacts):
    jobs = Jobs(suspected, artifacts=no_artifacts)
    values = {"model": "quick_cnn", "dataset": TOY, "epochs": 1}
    with pytest.raises(Invalid, match="not on this machine"):
        jobs.submit({**values, "labels": "0" * 16})
    with pytest.raises(Invalid, match="another data set"):
        jobs.submit({**values, "labels": freeze(suspected, Corrections("other", {1: 2}))})
    with pytest.raises(Invalid, match="Corrected labels"):
        jobs.submit({**values, "labels": "../../x"})


def test_the_head_of_the_file_says_what_is_in_it():
    head = ["id", "dataset", "split", "example_id", "action", "before", "after", "who", "when", "run", "digest"]
    assert log([]) == (head, [])


def test_what_has_to_be_reviewed_first_is_a_press_away(app):
    """A retraining learns from the training images: who decided on others is led there by the words that say so."""
    status, made = fired_in_process(app).fire_with(
        "review-retrain-what.children",
        "review-view-state.data",
        {"review-view-state.data": "?run=toy&split=validation"},
    )
    told = json.dumps(made["review-retrain-what"])
    assert status == 200
    assert "No decision of yours" in told
    led = Selection.parse(re.search(r'"data-search": "([^"]+)"', told)[1])
    assert (led.run, led.split) == ("toy", "reference")
    _, made = fired_in_process(app).fire_with(
        "review-retrain-what.children",
        "review-view-state.data",
        {"review-view-state.data": "?run=toy&split=reference"},
    )
    told = json.dumps(made["review-retrain-what"])
    assert "decide some of these first" in told.replace('", "', "").replace('["', "")
    assert "data-search" not in told, "nobody is led to where they are"
