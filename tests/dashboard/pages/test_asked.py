"""The studio asks the run that knows a picture's kind, says so, and takes a person's choice instead."""

import json
import re

import pytest
from playwright.sync_api import expect

from dashboard.data.store import Store
from dashboard.pages.prediction import answer, asked, picture
from dashboard.services.container import Services
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from ml.inference.classifier import Classifier
from tests.conftest import nothing_shipped, served
from tests.dashboard.pages.test_prediction import png, url, words


@pytest.fixture(scope="module")
def services(colour_home, tmp_path_factory):
    """`toy`, grey and small, and `colour`."""
    return Services(Store(nothing_shipped(tmp_path_factory.mktemp("none")), colour_home), Jobs(colour_home))


def given(services, run_id: str) -> dict:
    """What an upload of one of the run's test pictures leaves in the browser."""
    return picture.keep(url(png(services.store.open(run_id).pictures("test").images[3])), "it.png")


def test_an_upload_goes_to_the_run_that_knows_it_and_the_page_says_which_and_why(services):
    for shown_run, own in (("toy", "colour"), ("colour", "toy")):
        shown = answer.ask(services, Selection(run=shown_run), given(services, own), "auto")
        assert shown.state["run"] == own
        told = json.dumps(shown.asked, ensure_ascii=False)
        assert "was asked" in told
        assert "says " in told
        assert f"ask={shown_run}" in told, "the other one is a press away"


def test_the_empty_studio_makes_ready_every_run_that_may_be_asked(colour_home, tmp_path_factory, monkeypatch):
    fresh = Services(Store(nothing_shipped(tmp_path_factory.mktemp("none")), colour_home), Jobs(colour_home))
    started, opened = [], []
    warm, open_run = Services.warm, Classifier.open.__func__
    monkeypatch.setattr(Services, "warm", lambda *args, **how: started.append(warm(*args, **how)) or started[-1])
    monkeypatch.setattr(
        Classifier, "open", classmethod(lambda cls, run: opened.append(run.run_id) or open_run(cls, run))
    )
    answer.ask(fresh, Selection(run="toy"), None, "auto")
    started[0].join()
    assert sorted(opened) == ["colour", "toy"]
    answer.ask(fresh, Selection(run="toy"), given(fresh, "colour"), "auto")
    assert len(opened) == 2


def test_a_persons_choice_holds_and_is_in_the_address(services):
    selection = Selection.parse("?run=toy&ask=toy")
    assert selection.ask == "toy"
    assert "ask=toy" in selection.permalink()
    shown = answer.ask(services, selection, given(services, "colour"), "auto")
    assert shown.state["run"] == "toy"
    assert "as you chose" in json.dumps(shown.asked, ensure_ascii=False)
    assert "ask" not in selection.with_(run="colour").query(), "another run in the picker is another choice"
    gone = answer.ask(services, Selection(run="toy", ask="nowhere"), given(services, "colour"), "auto")
    assert "no run 'nowhere'" in words(gone.face)


def test_pictures_of_the_data_set_are_the_picked_runs(services):
    example = int(services.store.open("toy").pictures("test").ids[0])
    shown = answer.ask(services, Selection(run="toy", sample=example), None, "auto")
    assert shown.state["run"] == "toy"
    assert shown.asked is None


def test_the_first_screen_says_what_can_be_named(services):
    told = words(asked.nameable(services, Selection(run="toy")))
    for run_id in ("toy", "colour"):
        assert services.store.open(run_id).classes[0] in told
    assert "and 1 more" in told, "thirteen classes are too many for a line"
    assert "the run that knows its kind" in told
    alone = words(asked.nameable(services, Selection(run="toy", ask="toy")))
    assert services.store.open("colour").classes[-1] not in alone


def test_in_the_browser_a_choice_is_a_press_away(services, colour_home, tmp_path_factory, page):
    from dashboard.shell import create_app

    app = create_app(nothing_shipped(tmp_path_factory.mktemp("none")), home=colour_home)
    content = png(services.store.open("colour").pictures("test").images[3])
    with served(app) as address:
        page.goto(f"{address}/prediction?run=toy")
        expect(page.locator(".nameable")).to_contain_text("What it can name")
        page.locator("#prediction-upload input[type=file]").set_input_files(
            {"name": "it.png", "mimeType": "image/png", "buffer": content}
        )
        told = page.locator("#prediction-asked")
        expect(told).to_contain_text("was asked")
        expect(page.locator("#prediction-label")).not_to_be_empty()
        told.get_by_role("button", name="Ask it instead").click()
        expect(told).to_contain_text("as you chose")
        expect(page).to_have_url(re.compile("ask=toy"))
        told.get_by_role("button", name="Let the picture’s kind decide").click()
        expect(told).to_contain_text("Ask it instead")
        expect(page).not_to_have_url(re.compile("ask="))
