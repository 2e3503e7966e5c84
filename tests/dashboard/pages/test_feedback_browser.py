"""Feedback and monitoring as people see them: from an answer to the inbox, and to a chart."""

import re

import pytest
from playwright.sync_api import expect

from dashboard.records.feedback import Feedback
from dashboard.records.prediction_log import Monitor
from dashboard.services.jobs import Jobs
from ml.system import atomic, database
from tests.accessibility import violations
from tests.feedback import data_url, picture


def give(page, seed):
    """Drop a picture of one's own on the page; its answer's label."""
    import base64

    content = base64.b64decode(data_url(picture(seed, 120)).partition(",")[2])
    page.locator("#prediction-upload input").set_input_files(
        {"name": f"{seed}.png", "mimeType": "image/png", "buffer": content}
    )
    expect(page.locator("#prediction-feedback-form [data-feedback=open]")).to_be_visible()
    return page.locator("#prediction-label").inner_text()


def clean(page):
    page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")  # new colours
    assert violations(page) == []


def fits(page):
    page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")  # charts follow a moment later


@pytest.mark.allow_problems("422", "503", "Failed to load resource", "ERR_FAILED")
def test_from_an_answer_to_the_inbox_and_its_keys(home, live_server, page, idle, no_artifacts):
    jobs = Jobs(home, artifacts=no_artifacts)
    kept = Feedback(database.opener(jobs.home), home / "feedback", atomic.write)
    page.goto(f"{live_server}/prediction?run=toy")
    page.wait_for_function(idle)
    expect(page.locator("#prediction-feedback-card")).to_be_hidden()
    label = give(page, 1)
    expect(page.get_by_role("button", name=f"Right, it is {label}")).to_be_visible()
    page.fill("#prediction-feedback-note", "it has <b>sleeves</b>")
    # the server is away: the words say so, and what was typed stays
    page.route("**/api/v1/feedback", lambda route: route.abort())
    page.click("[data-feedback=open]")
    picks = page.locator("#prediction-feedback-classes button")
    expect(picks.first).to_be_focused()
    assert label not in picks.all_inner_texts()
    right = picks.first.inner_text()
    picks.first.press("Enter")
    expect(page.locator("#prediction-feedback-error")).to_contain_text("does not answer")
    expect(page.locator("#prediction-feedback-note")).to_have_value("it has <b>sleeves</b>")
    assert kept.listing() == []
    clean(page)
    page.unroute("**/api/v1/feedback")
    picks.first.dblclick()
    expect(page.locator("#prediction-feedback-status")).to_have_text(f"Thank you. It is kept: this is {right}.")
    (one,) = kept.listing()
    assert (one.label, one.note, one.sent) == (right, "it has <b>sleeves</b>", True)
    # a new answer is a new question
    give(page, 2)
    expect(page.locator("#prediction-feedback-note")).to_have_value("")
    expect(page.locator("#prediction-feedback-status")).to_have_text("")
    page.get_by_role("button", name="Right, it is").click()
    expect(page.locator("#prediction-feedback-status")).to_contain_text("Thank you")

    page.click("a[data-page='/feedback']")
    expect(page.locator("[data-pick]")).to_have_count(2)
    expect(page.locator(".fb-note")).to_have_text("it has <b>sleeves</b>")
    page.wait_for_function(idle)
    clean(page)
    page.locator("[data-pick]").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-pick='1']")).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator("#feedback-inbox-status")).to_have_text("1 accepted.")
    expect(page.locator("#feedback-finetune-start")).to_be_enabled()
    page.get_by_role("button", name="Accepted 1").click()
    expect(page.locator("[data-pick]")).to_have_count(1)
    expect(page).to_have_url(re.compile("state=accepted"))
    page.get_by_role("button", name="Choose all here").click()
    page.get_by_role("button", name="Delete", exact=False).first.click()
    expect(page.locator("#feedback-inbox-grid")).to_contain_text("No feedback matches")
    page.reload()  # what was deleted can be brought back after that too
    page.get_by_role("button", name="Undo delete").click()
    expect(page.locator("[data-pick]")).to_have_count(1)
    page.fill("#feedback-inbox-text", "nothing like it")
    page.press("#feedback-inbox-text", "Enter")
    expect(page.locator("#feedback-inbox-grid")).to_contain_text("No feedback matches")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{live_server}/feedback")
    expect(page.locator("[data-pick]")).to_have_count(2)
    fits(page)
    page.click("#app-theme-button")
    clean(page)


def test_monitoring_shows_what_is_answered_and_rests_in_a_hidden_tab(live_server, new_page, idle, monkeypatch):
    page = new_page()
    page.clock.install()  # of its whole context: its five seconds pass when they are told to
    page.goto(f"{live_server}/monitoring?run=toy")
    expect(page.locator("#monitoring-counted-face")).to_contain_text("has answered no picture in the last hour")
    clean(page)
    page.goto(f"{live_server}/prediction?run=toy")
    page.wait_for_function(idle)
    give(page, 3)
    page.goto(f"{live_server}/monitoring?run=toy&since=day")
    expect(page.locator("#monitoring-counted-stats .stat").first).to_contain_text("1")
    expect(page.locator("#monitoring-tests")).to_contain_text("Kolmogorov–Smirnov distance")
    page.wait_for_selector("#monitoring-mix-graph .bars path", state="attached")
    away = page.locator("[id^=monitoring-][id$=-csv]:not([id*=happenings]) a, details.save").filter(visible=True)
    expect(away).to_have_count(6)
    page.wait_for_function(idle)
    clean(page)
    requests = []
    page.on("request", lambda request: requests.append(request.url) if "_dash-update" in request.url else None)
    page.clock.run_for(6_000)
    page.wait_for_function(idle)
    assert len(requests) >= 3  # it follows by itself
    page.evaluate("() => Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait_for_function(idle)
    requests.clear()
    page.clock.run_for(6_000)
    page.wait_for_function(idle)
    assert requests == []
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_function(idle)
    assert requests
    page.click("[data-live]")
    page.wait_for_function(idle)
    requests.clear()
    page.clock.run_for(6_000)
    page.wait_for_function(idle)
    assert requests == []
    page.set_viewport_size({"width": 390, "height": 800})
    fits(page)
    page.click("#app-theme-button")
    page.wait_for_function(idle)
    clean(page)
    monkeypatch.setattr(Monitor, "minutes", lambda *_: [])
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator("#monitoring-counted-face")).to_contain_text("has answered no picture yet")
    expect(page.locator("#monitoring-tests-face")).to_contain_text("has answered no picture yet")
    expect(away).to_have_count(0)  # they would lead to what was shown before
    page.wait_for_function(idle)
