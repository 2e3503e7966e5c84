"""Feedback from a page to the rows and out again: checks, pictures, CSV, archive, what a training may learn from."""

import base64
import csv
import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dashboard.api.feedback import COOKIE
from dashboard.data.store import Store
from dashboard.format.proportion import Proportion
from dashboard.pages.prediction import feedback as feedback_card
from dashboard.records.feedback import Feedback
from dashboard.records.runs import Records
from dashboard.services import feedback
from dashboard.services.container import Services
from dashboard.services.feedback import Outcome
from dashboard.services.jobs import Jobs
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.artifacts.writer import write_pictures
from ml.data import load
from ml.system import atomic, database
from tests.callbacks import fired_in_process
from tests.feedback import answered, data_url, judgement, picture, sent

TOY = "synthetic-4-28x28x1"


@pytest.fixture
def page(app):
    return fired_in_process(app)


@pytest.fixture
def web(app):
    return app.server.test_client()


@pytest.fixture
def services(home, no_artifacts):
    jobs = Jobs(home, artifacts=no_artifacts)
    records = Records(database.opener(jobs.home))
    store = Store(no_artifacts, home, records)
    return Services(
        store, jobs, records=records,
        feedback=Feedback(database.opener(jobs.home), home / "feedback", atomic.write),
    )  # fmt: skip


def rows(services):
    return services.feedback.listing()


def test_the_page_keeps_what_is_said_once_and_gives_the_browser_a_random_number(page, web, services):
    photo = np.dstack([picture(1, 300)] * 3)
    photo[:, :, 0] = 7
    src = data_url(photo)
    state = answered(page, src=src)
    body = judgement(state, "Bar 2", sent=src, note="a  note\nin two lines")
    first = sent(web, body)
    assert (first.status_code, first.json) == (201, {"number": 1, "label": "Bar 2", "right": state["said"] == "Bar 2"})
    assert sent(web, body).status_code == 200
    (one,) = rows(services)
    assert (one.run, one.said, one.label, one.note, one.origin) == (
        "toy",
        state["said"],
        "Bar 2",
        "a note in two lines",
        "",
    )
    client = web.get_cookie(COOKIE)
    assert client.value == one.client
    assert client.http_only
    assert client.same_site == "Strict"
    kept = Image.open(io.BytesIO(web.get(f"/feedback/pictures/{one.picture}/sent.png").data))
    assert kept.format == "PNG"
    assert np.array_equal(np.asarray(kept), photo)
    assert Image.open(io.BytesIO(web.get(f"/feedback/pictures/{one.picture}.png").data)).size == (28, 28)


def test_a_visitor_without_a_cookie_is_capped_by_address_and_what_is_done_names_who(app, page, services):
    body = judgement(answered(page, src=data_url(picture(1))), "Bar 2", sent=data_url(picture(1)))
    for number in range(3):
        fresh = app.server.test_client()  # no cookie: a new client each time
        assert sent(fresh, {**body, "key": f"{number:032x}"}).status_code == 201
    assert len({one.client for one in rows(services)}) == 3
    (mark,) = {one.address for one in rows(services)}
    assert len(mark) == 32
    assert "127" not in mark
    judge = {"numbers": [1, 2], "state": "accepted"}
    assert sent(app.server.test_client(), judge, "/api/v1/feedback/judge").json == {"changed": 2}
    named = {"Authorization": "Basic " + base64.b64encode(b"Ann:x").decode()}
    gone = app.server.test_client().post("/api/v1/feedback/delete", json={"numbers": [1]}, headers=named)
    assert gone.json == {"changed": 1}
    said = [(one.feedback, one.what, one.who) for one in services.feedback.deeds()]
    visitor = f"visitor {mark[:6]}"
    assert said == [(1, "deleted", f"Ann, {visitor}"), (2, "accepted", visitor), (1, "accepted", visitor)]
    told = app.server.test_client().get("/export/feedback-log.csv").get_data(as_text=True)
    assert f'deleted,"Ann, {visitor}"' in told
    _, made = page.fire_with("feedback-inbox-foot.tree", "url.search", {"url.search": ""})
    assert "What was done" in json.dumps(made["feedback-inbox-foot"])


def test_one_address_has_a_part_in_a_training_and_no_more():
    def row(number: int, client: int, address: str) -> SimpleNamespace:
        return SimpleNamespace(number=number, client=str(client), address=address)

    cookieless = [row(i, i, "a") for i in range(500)]
    others = [row(500 + i, 1000 + i % 3, "") for i in range(30)]
    keep = feedback.capped([*others, *cookieless])
    assert keep == [*range(30), *range(30 + 500 - feedback.ADDRESS, 530)], "the newest of it, all of the others"
    assert len(feedback.capped([row(i, 0, "a") for i in range(500)])) == feedback.CLIENT


def test_a_large_picture_is_kept_at_768_pixels_upright_and_without_its_exif(page, web, services):
    photo = Image.fromarray(np.dstack([picture(2, 900)] * 3)).crop((0, 0, 900, 600))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", exif=exif)
    upload = {"prediction-upload.contents": f"data:image/jpeg;base64,{_base64(buffer.getvalue())}"}
    _, changed = page.fire_with("prediction-picture-state.data", "prediction-upload.contents", upload)
    src = changed["prediction-picture-state"]["data"]["src"]
    assert sent(web, judgement(answered(page, src=src), "Bar 0", sent=src)).status_code == 201
    (one,) = rows(services)
    kept = Image.open(io.BytesIO(services.feedback.picture(one.picture, sent=True)))
    assert kept.size == (512, 768)
    assert not kept.getexif()


def _base64(content):
    import base64

    return base64.b64encode(content).decode()


def test_what_this_server_did_not_answer_is_refused_and_leaves_no_row(page, web, services):
    state = answered(page, src=data_url(picture(3)))
    good = judgement(state, "Bar 1", sent=data_url(picture(3)))
    other = answered(page, src=data_url(picture(4)))
    for change in (
        {"prediction": "0" * 32}, {"prediction": ""}, {"prediction": other["prediction"]}, {"image": other["image"]},
        {"sent": data_url(picture(4))}, {"sent": ""}, {"said": "Bar 3" if state["said"] != "Bar 3" else "Bar 2"},
        {"confidence": "1.000000"}, {"origin": "test 1"}, {"label": "Trousers"}, {"label": ""}, {"key": "1"},
        {"note": "x" * 501}, {"note": "\x00"}, {"note": 5}, {"label": None}, {"sent": 5}, {"origin": []},
    ):  # fmt: skip
        answer = sent(web, {**good, **change})
        assert answer.status_code == 422, change
        assert len(answer.json["error"]) > 20, change
    assert sent(web, {**good, "run": "nothing"}).status_code == 404
    for body in ([], "x", None, 5):
        assert sent(web, body).status_code == 422
    assert web.post("/api/v1/feedback", data="{", content_type="application/json").status_code == 400
    assert web.post("/api/v1/feedback", data="x=1").status_code == 415
    assert not rows(services)
    assert sent(web, good).status_code == 201  # and the right one is taken


def test_judging_and_deleting_take_lists_of_numbers_alone(page, web, services):
    sent(web, judgement(answered(page, search="?run=toy&sample=3"), "Bar 0"))
    number = rows(services)[0].number
    assert rows(services)[0].origin == "test 3"
    for path in ("judge", "delete", "restore"):
        for numbers in (None, "1", [True], ["1"], [1.5], [2**40], [-1], [], list(range(1, 600))):
            answer = sent(web, {"numbers": numbers, "state": "accepted"}, f"/api/v1/feedback/{path}")
            assert answer.status_code == 422, (path, numbers)
    assert sent(web, {"numbers": [number], "state": []}, "/api/v1/feedback/judge").status_code == 422
    for path, state, left in (("judge", "accepted", 1), ("delete", "", 0), ("restore", "", 1)):
        assert sent(web, {"numbers": [number], "state": state}, f"/api/v1/feedback/{path}").json == {"changed": 1}
        assert len(rows(services)) == left
    assert rows(services)[0].state == "accepted"


def test_the_inbox_lists_filters_and_hands_out(page, web, services):
    for seed, label in ((5, "Bar 1"), (6, "Bar 2")):
        src = data_url(picture(seed))
        sent(web, judgement(answered(page, src=src), label, sent=src, note=f"=cmd|{seed}"))
    services.feedback.judge([1], "accepted")
    chosen = feedback.filtered(Selection.parse("?state=accepted&text=CMD&true=Bar 1&run=toy"))
    assert [one.number for one in services.feedback.listing(chosen)] == [1]
    _, drawn = page.fire_with("feedback-inbox-grid.tree", "url.search", {"url.search": "?state=new"})
    tree = str(drawn["feedback-inbox-grid"]["tree"])
    assert "=cmd|6" in tree
    assert "=cmd|5" not in tree
    assert "data-pick': '2'" in tree
    _, drawn = page.fire_with("feedback-inbox-grid.tree", "url.search", {"url.search": "?text=nothing"})
    assert "No feedback matches" in str(drawn["feedback-inbox-grid"]["tree"])
    table = list(csv.DictReader(io.StringIO(web.get("/export/feedback.csv").text)))
    assert [row["note"] for row in table] == ["'=cmd|6", "'=cmd|5"]
    assert {row["client"] for row in table} == {"client 1"}
    assert all(0 < float(row["confidence"]) <= 1 for row in table)  # a number, which no sign makes a text
    with zipfile.ZipFile(io.BytesIO(web.get("/export/feedback.zip").data)) as packed:
        assert sorted(packed.namelist()) == ["feedback.csv", "pictures/1-sent.png", "pictures/1.png"]
        assert Image.open(io.BytesIO(packed.read("pictures/1.png"))).size == (28, 28)


def test_fields_of_the_inbox_write_the_address(page):
    fields = {"feedback-inbox-class.value": "Bar 1", "feedback-inbox-text.value": "  blue ", "url.search": "?run=toy"}
    _, changed = page.fire_with(
        next(d["output"].strip(".") for d in page.dependencies if _writes(d)), "feedback-inbox-text.value", fields
    )
    assert [part["search"] for part in changed.values()] == ["?run=toy&true=Bar%201&text=blue"]


def _writes(dependency):
    return any(one["id"] == "feedback-inbox-text" for one in dependency["inputs"])


def test_opening_a_later_page_stays_there(page):
    # the fields appear with the page, which fires their callback
    fields = {"feedback-inbox-class.value": "all", "feedback-inbox-text.value": "", "url.search": "?run=toy&page=2"}
    output = next(d["output"].strip(".") for d in page.dependencies if _writes(d))
    assert page.fire_with(output, "feedback-inbox-text.value", fields) == (204, {})


def test_an_answer_of_the_api_with_a_ticket_can_be_judged(web, services):
    content = base64.b64decode(data_url(picture(5)).partition(",")[2])

    def ask(**more):
        return web.post("/api/v1/predict", data={"image": (io.BytesIO(content), "a.png"), "run": "toy", **more})

    assert "ticket" not in ask().json
    assert ask(ticket="yes").status_code == 400
    answer = ask(ticket="1").json
    body = {**answer["ticket"], "key": "a" * 32, "label": "Bar 3", "note": "seen from behind"}
    assert (answer["ticket"]["run"], answer["ticket"]["said"]) == (answer["run"], answer["label"])
    assert sent(web, {**body, "confidence": "1.000000", "key": "b" * 32}).status_code == 422  # another answer
    assert sent(web, {**body, "image": data_url(picture(6)), "key": "c" * 32}).status_code == 422  # another picture
    reply = sent(web, body)
    assert (reply.status_code, reply.json["label"]) == (201, "Bar 3")
    assert sent(web, body).status_code == 200
    (one,) = rows(services)
    assert (one.run, one.said, one.label, one.note) == ("toy", answer["label"], "Bar 3", "seen from behind")
    assert abs(one.confidence - answer["confidence"]) < 1e-6
    kept = Image.open(io.BytesIO(web.get(f"/feedback/pictures/{one.picture}.png").data))
    assert np.array_equal(np.asarray(kept), picture(5))


def test_a_read_only_server_takes_nothing_and_shows_nothing(page, web, services, home, no_artifacts):
    src = data_url(picture(7))
    body = judgement(answered(page, src=src), "Bar 1", sent=src)
    sent(web, body)
    name = rows(services)[0].picture
    reading = create_app(no_artifacts, home=home, read_only=True)
    public = reading.server.test_client()
    assert sent(public, {**body, "key": "0" * 32}).status_code == 403
    for path in ("judge", "delete", "restore"):
        answer = sent(public, {"numbers": [1], "state": "accepted"}, f"/api/v1/feedback/{path}")
        assert answer.status_code == 403
        assert "read-only" in answer.json["error"]
    for path in (f"/feedback/pictures/{name}.png", "/export/feedback.csv", "/export/feedback.zip"):
        assert public.get(path).status_code == 403
    reader = fired_in_process(reading)
    _, drawn = reader.fire_with(
        "prediction-answer-state.data", "prediction-address-asked.data",
        {"url.search": "?run=toy", "prediction-picture-state.data": {"src": src, "name": "a.png"}},
    )  # fmt: skip
    assert drawn["prediction-answer-state"]["data"]["prediction"] == ""
    assert "takes no feedback" in str(drawn["prediction-feedback-form"])
    _, drawn = reader.fire_with("app-page.children", "url.pathname", {"url.pathname": "/feedback"})
    assert "takes no feedback and shows none" in str(drawn)
    assert len(rows(services)) == 1


def test_without_an_answer_there_is_no_form(page, services):
    for state in (None, [], "x", {"run": 5}, {"run": "toy"}, {"run": "toy", "said": 3}):
        assert feedback_card.form(services, state) == []
    values = {"url.search": "?run=toy", "prediction-picture-state.data": None}
    _, drawn = page.fire_with("prediction-answer-state.data", "prediction-address-asked.data", values)
    assert drawn["prediction-feedback-form"]["tree"] == []


def test_what_a_run_is_judged_on_never_teaches_it(page, web, services):
    run = services.store.open("toy")
    held = run.pictures("test").images[5, :, :, 0]
    for src, search in ((data_url(picture(8)), ""), (data_url(held), ""), ("", "?run=toy&split=validation&sample=1")):
        search = search and f"?run=toy&split=validation&sample={run.pictures('validation').ids[0]}"
        assert sent(web, judgement(answered(page, src=src, search=search), "Bar 1", sent=src)).status_code == 201
    services.feedback.judge([1, 2, 3], "accepted")
    lessons = feedback.lessons(services, run)
    assert ([one.number for one in lessons.kept], lessons.judged, lessons.wanted) == ([1], 2, (1,))
    assert lessons.images.shape == (1, 28, 28, 1)
    services.feedback.judge([1], "rejected")
    assert not feedback.lessons(services, run).kept


def test_a_fine_tuning_is_a_job_that_names_its_frozen_lessons(page, web, services, no_worker, home):
    write_pictures(home, load(TOY), complete=True)
    src = data_url(picture(9))
    sent(web, judgement(answered(page, src=src), "Bar 3", sent=src))
    _, changed = page.fire_with("feedback-finetune-what.children", "app-view-state.data", {"app-view-state.data": ""})
    assert changed["feedback-finetune-start"]["disabled"]
    services.feedback.judge([1], "accepted")
    _, changed = page.fire_with("feedback-finetune-what.children", "app-view-state.data", {"app-view-state.data": ""})
    assert not changed["feedback-finetune-start"]["disabled"]
    _, changed = page.fire_with(
        "feedback-finetune-state.data", "feedback-finetune-start.n_clicks", {"feedback-finetune-start.n_clicks": 1}
    )
    mine = changed["feedback-finetune-state"]["data"]
    (job,) = services.jobs.view().jobs
    before = services.store.open("toy").manifest["config"]
    assert job.id == mine["job"]
    assert job.run_id == "toy-feedback"
    assert no_worker
    assert job.spec["learning_rate"] == pytest.approx(before["learning_rate"] / 20)
    assert job.spec["epochs"] == 3
    assert job.spec["model"] == before["model"]
    lessons = services.jobs.lessons(job)
    assert (lessons.against, lessons.labels.tolist(), lessons.clients.tolist()) == ("toy", [3], [0])
    services.feedback.remove([1])  # what is deleted later changes nothing of it
    assert len(services.jobs.lessons(job)) == 1
    _, changed = page.fire_with(
        "feedback-finetune-live.children", "feedback-finetune-interval.n_intervals",
        {"feedback-finetune-state.data": mine, "feedback-finetune-interval.n_intervals": 1},
    )  # fmt: skip
    assert "toy-feedback" in str(changed)
    assert not changed["feedback-finetune-interval"]["disabled"]


def test_a_candidate_that_loses_more_than_half_a_point_is_not_proposed():
    old, test = Proportion(4500, 5000), Proportion(9000, 10_000)
    even = Outcome(old, Proportion(4475, 5000), test)
    assert even.proposed
    assert "−0.50 points" in even.sentence()
    assert "Nothing is promoted by itself" in even.sentence()
    worse = Outcome(old, Proportion(4474, 5000), test)
    assert not worse.proposed
    assert "not proposed" in worse.sentence()
    assert "88.6 – 90.3" in worse.sentence()
