"""Search: what a question finds in a run, beside it, and where it leads."""

import time

import numpy as np
import pytest

from dashboard.analysis import search
from dashboard.data.store import Store
from dashboard.format.images import png
from dashboard.records.decisions import Decisions
from dashboard.records.feedback import Feedback, Filter
from dashboard.records.runs import Records
from dashboard.records.views import Views
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from ml.stats.failure_modes import TAGS
from ml.system import atomic, database

PAGES = (("/", "Dashboard"), ("/review", "Review"), ("/feedback", "Feedback"))


@pytest.fixture
def services(home, no_artifacts):
    """Services over the toy run, whose people can say something of it."""
    rows = database.opener(home)
    records, decisions = Records(rows), Decisions(rows)
    store = Store(no_artifacts, home, records, None, decisions)
    feedback = Feedback(rows, home / "feedback", atomic.write)
    made = Services(store, Jobs(home, artifacts=no_artifacts), False, records, decisions, feedback)
    made.views = Views(rows)
    return made


def found(services, question, here="", path="/"):
    return search.answer(services, question, Selection.parse(here), path, PAGES)


def led(entry) -> Selection:
    """Where an entry leads, which every address of the app must be able to say."""
    there = Selection.parse(entry.search)
    assert not there.dropped, entry
    return there


def test_words_are_compared_without_capitals_and_accents():
    assert search.folded("Čapka") == "capka"
    assert search.tokens("T-shirt/top, often_forgotten") == ["t", "shirt", "top", "often", "forgotten"]
    place = search.Place.of(search.Entry("Class", "Žlutá Čapka"))
    assert place.holds(["cap", "zlu"]) == {0, 1}
    assert place.holds(["apka"]) == set(), "a word of the question begins a word"


def test_a_class_leads_to_its_images_with_their_number(services):
    run = services.store.open("toy")
    name, p = run.classes[1], run.predictions("test")
    entry = next(one for one in found(services, name.upper()) if one.more == "labelled so")
    assert (entry.kind, entry.path, led(entry)) == ("Class", "/", Selection(true=(name,)))
    assert entry.count == int((p.labels == 1).sum()) == int(run.mask(led(entry)).sum())
    for one in found(services, name):
        if one.count >= 0:
            assert int(run.mask(led(one)).sum()) == one.count, one
    here = "?run=toy&split=validation&pred=none&page=3&sample=2"
    kept = led(next(one for one in found(services, name, here) if one.more == "labelled so"))
    assert kept == Selection(run="toy", split="validation", true=(name,)), "other chips go, run and split stay"


def test_two_words_must_both_be_there_and_make_a_cell_or_a_mode_of_a_class(services):
    run = services.store.open("toy")
    p = run.predictions("test")
    wrong = np.flatnonzero(~p.right)
    assert len(wrong), "the toy run errs somewhere"
    truth, guess = run.classes[p.labels[wrong[0]]], run.classes[p.predicted[wrong[0]]]
    apart = [one for one in (truth, guess) if search.tokens(one)[-1]]
    cell = next(
        one for one in found(services, " ".join(apart)) if led(one).true == (truth,) and led(one).pred == (guess,)
    )
    both = (p.labels == p.labels[wrong[0]]) & (p.predicted == p.predicted[wrong[0]])
    assert (cell.kind, cell.count) == ("Images", int(both.sum()))
    mistakes = found(services, f"{truth} wrong")[0]
    assert led(mistakes) == Selection(true=(truth,), outcome=("wrong",))
    assert not any(one.kind == "Class" for one in found(services, f"{truth} zebra"))


def test_failure_modes_and_slices_are_found_by_name(services):
    run = services.store.open("toy")
    entry = next(one for one in found(services, "unsure") if one.kind == "Failure mode")
    assert (entry.title, led(entry).tag) == (TAGS["unsure"].title, ("unsure",))
    assert entry.count == len(run.tagged("test", "unsure"))


def test_numbers_lead_to_images_of_the_split_that_is_named(services):
    run = services.store.open("toy")
    ids = run.predictions("test").ids[[2, 5]].tolist()
    one = found(services, f"#{ids[0]}")[0]
    assert led(one) == Selection(ids=(ids[0],), sort="given", sample=ids[0])
    assert run.classes[run.predictions("test").labels[2]] in one.more
    other = int(run.predictions("validation").ids[0])
    assert led(found(services, f"validation {other}")[0]).split == "validation"
    both = found(services, f"{ids[1]}, {ids[0]}")[0]
    assert (both.count, led(both).ids) == (2, (ids[1], ids[0])), "in the order in which they were given"
    assert found(services, "999999999") == []


def test_runs_pages_and_words_are_found_by_what_they_are_called(services):
    services.records.rename("toy", "Wool")
    services.records.annotate("toy", "before the hems were relabelled")
    services.records.tag("toy", ["autumn"])
    for question in ("wool", "hems before", "AUTUMN", "toy"):
        entry = next(one for one in found(services, question, path="/review") if one.kind == "Run")
        assert (entry.path, led(entry).run) == ("/review", "toy"), question
    kept = {"page": "/insights", "search": "?run=toy&split=test&tag=unsure", "dataset": "bars", "run": "toy",
            "data": "", "split": "test"}  # fmt: skip
    services.views.save("Hems in doubt", "ask a tailor", kept)
    view = next(one for one in found(services, "tailor") if one.kind == "View")
    assert (view.title, view.path, led(view)) == ("Hems in doubt", "/insights", Selection.parse(kept["search"]))
    page = found(services, "revi")[0]
    assert (page.kind, page.path) == ("Page", "/review")
    word = found(services, "expected calibration")[0]
    assert (word.kind, word.term) == ("Word", "ece")


def test_notes_and_decisions_are_found_and_lead_to_where_they_stand(services):
    run = services.store.open("toy")
    example, before, after = int(run.predictions("test").ids[4]), run.classes[0], run.classes[1]
    services.decisions.decide(
        run.data_version, "test", {example: before}, "relabel", label=after, who="Zoë", run="toy", batch="0" * 32
    )
    entry = next(one for one in found(services, "zoe") if one.kind == "Decision")
    assert (entry.path, led(entry).ids, led(entry).sample) == ("/review", (example,), example)
    assert after in entry.title
    services.feedback.give(
        key="1" * 32, run="toy", dataset="bars", said=before, confidence=0.75, label=after,
        note="Čapka with a hem\nred", client="a" * 32, picture=png(np.zeros((28, 28, 1), np.uint8)),
    )  # fmt: skip
    note = next(one for one in found(services, "capka hem") if one.kind == "Note")
    assert (note.path, note.title) == ("/feedback", "Čapka with a hem red")
    listed = services.feedback.listing(Filter(text=led(note).text))
    assert [item.note for item in listed] == ["Čapka with a hem\nred"], "the page it leads to shows it"


def test_what_is_not_there_is_not_found_and_nothing_is_taken_for_granted(services, tmp_path):
    for question in ("", "   ", "zebra", "%", "\x00", "(", "a" * 500, "١٢", "²", "#", "-1"):
        found(services, question)
    assert found(services, "") == found(services, "zebra quagga") == []
    assert {one.kind for one in found(services, "calibration", "?run=gone")} >= {"Word"}
    nothing = Services(Store(tmp_path, tmp_path), Jobs(tmp_path, artifacts=tmp_path))
    assert [one.kind for one in found(nothing, "review")] == ["Page"], "without a run"


def test_a_question_is_answered_in_milliseconds(services):
    found(services, "bar")  # words are made once

    def seconds(question):  # of this thread: what others of the process do meanwhile is not the question's
        began = time.thread_time()
        found(services, question)
        return time.thread_time() - began

    questions = ("bar", "bar 1", "unsure", "e", "17", "calibration")
    assert max(min(seconds(question) for _ in range(3)) for question in questions) < 0.1


def test_the_route_answers_what_a_page_shows(app):
    client = app.server.test_client()
    answer = client.get("/search?q=review&here=%3Frun%3Dtoy%26true%3DBar&path=/nowhere", base_url="http://127.0.0.1")
    assert answer.headers["Cache-Control"] == "no-store"
    page = next(one for one in answer.get_json() if one["kind"] == "Page")
    assert (page["title"], page["path"], page["search"]) == ("Review", "/review", "?run=toy&true=Bar")
    assert client.get("/search", base_url="http://127.0.0.1").get_json() == []
