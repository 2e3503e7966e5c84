"""The Training page in a real browser: one epoch on a part of the pictures, from the click to the run picker."""

import dataclasses
import re
import time

import psutil
import pytest
from playwright.sync_api import expect

from dashboard.pages.training.memory import IDLE_MS
from tests.accessibility import SERIOUS, violations
from tests.conftest import CHROMIUM_FLAGS, WHOLE, WINDOW, chromium
from tests.faults.trainings import call_off, end_all

pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path, no_artifacts, monkeypatch, serving):
    """The app on a home with one data set of 600 training pictures and no run."""
    from dashboard.shell import create_app
    from ml.artifacts.writer import write_pictures
    from ml.data import fashion_mnist, synthetic

    home = tmp_path / "own"
    dataset = dataclasses.replace(synthetic.load("synthetic-4-28x28x1"), name="bars", title="Bars")
    write_pictures(home, dataset, complete=True)
    monkeypatch.setenv("FASHION_WORKER_IDLE", "2")
    monkeypatch.setattr(fashion_mnist, "find", lambda: None)
    yield serving(create_app(no_artifacts, home=home))
    end_all(home)


def kill_trainer(table):
    """Kill the process of the newest job, once there is one."""
    until = time.monotonic() + 60
    while (pid := table.listing()[0].pid) is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    psutil.Process(pid).kill()


# what the browser is asked to notify, beside doing it; and a tab that nobody looks at
NOTIFIED = """
    window.told = [];
    const Real = window.Notification;
    window.Notification = class extends Real {
        constructor(title, options) { super(title, options); window.told.push([title, options.body, this]); }
    };
"""
HIDDEN = """(hidden) => {
    if (hidden) Object.defineProperty(document, 'hidden', {value: true, configurable: true});
    else delete document.hidden;
    document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def notified(browser, serving, heard):
    """A page in another Chromium, which may notify: the headless shell never does."""
    launched = browser.browser_type.launch(executable_path=chromium(WHOLE), args=CHROMIUM_FLAGS)
    yield heard(launched.new_context(viewport=WINDOW).new_page())
    launched.close()


def test_one_epoch_on_a_part_of_the_pictures(address, notified, new_page, idle, tmp_path):
    from ml.jobs.queue import JobTable

    page = notified
    page.context.grant_permissions(["notifications"], origin=address)
    page.add_init_script(NOTIFIED)
    page.goto(f"{address}/training")
    page.wait_for_selector("text=No training yet")
    assert page.inner_text("#training-status") == ""
    page.select_option("#training-model-select", "compact_cnn")
    page.fill("#training-epochs-input", "1000")
    page.fill("#training-batch-input", "32")
    page.fill("#training-name-input", "mine")
    page.click("#training-start")
    page.wait_for_selector("text=Epochs: a whole number from 1 to 200.")
    page.wait_for_function("() => document.activeElement.id === 'training-epochs-input'")
    assert page.get_attribute("#training-epochs-input", "aria-invalid") == "true"
    described = page.get_attribute("#training-epochs-input", "aria-describedby").split()
    assert "training-epochs-error" in described
    assert all(page.locator(f"[id='{part}']").count() == 1 for part in described)
    page.fill("#training-epochs-input", "1")
    page.wait_for_selector("text=Epochs: a whole number", state="hidden")
    assert page.get_attribute("#training-epochs-input", "aria-invalid") is None
    page.click("text=More settings")
    page.locator("#training-images-range").fill("200")
    page.wait_for_selector("text=200 of 600")
    page.dblclick("#training-start")
    page.wait_for_selector("#training-status:text-is('running')", timeout=30_000)
    page.evaluate(HIDDEN, True)
    other = new_page()  # a second tab sees the same
    other.goto(f"{address}/training")
    other.wait_for_selector("#training-status:text-matches('running|done')", timeout=60_000)
    page.wait_for_selector("#training-status:text-is('done')", timeout=90_000)
    call_off(JobTable(tmp_path / "own"), "mine")
    assert page.inner_text("#training-progress") == "1/1"
    page.wait_for_function("() => window.told.length === 1")  # who looked away is told, by the browser and the tab
    assert page.evaluate("() => window.told[0].slice(0, 2)") == [
        "Training done",
        page.inner_text("#training-live-title"),
    ]
    expect(page).to_have_title(re.compile("^Training done · .*Training"))
    page.evaluate("() => window.told[0][2].onclick()")
    page.evaluate(HIDDEN, False)
    expect(page).to_have_title(re.compile("^Training · .*Fashion Forward$"))
    page.wait_for_selector("#training-accuracy-graph >> text=/val \\d/")
    page.wait_for_selector("#run-picker option[value=mine]", state="attached")
    assert page.locator("#training-queue-table tbody tr").count() == 1  # two clicks were one wish
    page.click("#training-log-button")
    page.wait_for_selector("#training-log-text:not(:empty)")
    with page.expect_download() as download:
        page.click("#training-log-file")
    assert download.value.path().read_text() == page.text_content("#training-log-text")
    for theme in ("light", "dark"):
        if theme == "dark":
            page.click("#app-theme-button")
            page.wait_for_selector("html[data-bs-theme=dark]")
        page.wait_for_function(idle)
        assert violations(page, SERIOUS) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    other.reload()
    other.wait_for_selector("#training-status:text-is('done')")
    assert other.input_value("#training-name-input") == ""  # a tab of its own remembers nothing of the other
    page.reload()
    for name, kept in (("epochs", "1"), ("batch", "32"), ("name", "mine")):
        expect(page.locator(f"#training-{name}-input")).to_have_value(kept)
    page.wait_for_function(idle)
    page.select_option("#run-picker", "mine")
    page.click("text=Dashboard")
    page.wait_for_selector("#dashboard-about >> text=mine on Bars")


def test_a_slow_server_is_asked_again_only_after_its_answer(address, page, monkeypatch):
    """Dash throws an answer away when the same is asked anew meanwhile: a plain timer would never show anything."""
    from dashboard.services.jobs import Jobs

    quick = Jobs.view
    monkeypatch.setattr(Jobs, "view", lambda self, shown=None: (time.sleep(1.2), quick(self, shown))[1])
    page.goto(f"{address}/training")
    page.wait_for_selector("text=No training yet", timeout=60_000)


@pytest.mark.allow_problems("net::ERR", "did not respond", "429", "Callback error")
def test_a_server_that_is_gone_is_told_until_it_is_back(address, new_page, idle):
    page = new_page()
    page.clock.install()  # of its whole context
    page.goto(f"{address}/training")
    page.wait_for_selector("text=No training yet")
    notice = page.locator("#training-away")
    expect(notice).to_be_empty()
    page.wait_for_function(idle)

    def pass_by():
        for _ in range(2):  # one question that is not answered as the one before, one that finds it so
            page.clock.run_for(IDLE_MS)
            page.wait_for_function(idle)

    page.route("**/_dash-update-component*", lambda route: route.abort())
    pass_by()
    expect(notice).to_contain_text("has not answered since")
    page.unroute("**/_dash-update-component*")
    pass_by()
    expect(notice).to_be_empty()
    # what the server refuses of a page's own questions is told in its words: Dash itself says nothing
    refused = {"error": "You ask more than one client may. Come again in 2 seconds."}
    page.route("**/_dash-update-component*", lambda route: route.fulfill(status=429, json=refused))
    pass_by()
    expect(page.locator("#app-notice")).to_have_text(refused["error"])
    page.unroute("**/_dash-update-component*")


def test_presets_fill_the_form_and_what_is_changed_is_marked(address, page, idle):
    from dashboard.services.jobs import Jobs

    presets = Jobs().options.presets()
    page.goto(f"{address}/training")
    page.wait_for_function(idle)
    assert page.input_value("#training-epochs-input") == str(presets["quick"]["epochs"])
    page.get_by_label("Best").check()
    best = presets["best"]["epochs"]
    page.wait_for_function(f"() => document.getElementById('training-epochs-input').value === '{best}'")
    assert float(page.input_value("#training-rate-input")) == presets["best"]["learning_rate"]
    assert page.locator(".field.changed").count() == 0
    page.fill("#training-rate-input", "0.0333")
    page.wait_for_selector("text=Changed: learning rate")
    assert page.inner_text("#training-learning-rate-was") == f"Best: {presets['best']['learning_rate']:g}"
    page.click("text=More settings")
    page.select_option("#training-schedule-select", "constant")
    page.wait_for_selector("text=1 changed")
    page.wait_for_selector("#training-schedule-graph .scatterlayer path")
    page.reload()  # the form, and what it is compared with, come back
    page.wait_for_selector("text=Changed: learning rate, schedule")
    assert page.get_by_label("Best").is_checked()
    page.click("text=Reset to Best")
    page.wait_for_selector("text=Changed:", state="hidden")
    assert float(page.input_value("#training-rate-input")) == presets["best"]["learning_rate"]
    page.evaluate("dash_clientside.set_props('training-images-range', {value: 300})")
    page.fill("#training-epochs-input", "2")
    page.wait_for_selector("text=Changed: epochs, training images")
    page.click("text=Reset to Best")
    page.wait_for_selector("text=Changed:", state="hidden")
    assert page.input_value("#training-images-range") == page.get_attribute("#training-images-range", "max")
    page.get_by_label("Own").check()
    page.fill("#training-rate-input", "0.5")
    page.wait_for_function(idle)
    assert page.locator(".field.changed").count() == 0


def test_a_runs_settings_are_copied_from_its_details(home, no_artifacts, serving, page, idle):
    from dashboard.shell import create_app

    page.goto(f"{serving(create_app(no_artifacts, home=home))}/training")
    page.wait_for_function(idle)
    page.click("#training-runs-table >> text=Details")
    page.click("#training-run-facts >> text=Copy settings")
    page.wait_for_selector("text=The form has the settings of toy.")
    page.wait_for_selector("#training-run-drawer:not(.open)", state="attached")
    assert page.input_value("#training-epochs-input") == "2"
    assert page.get_by_label("Own").is_checked()
    page.fill("#training-epochs-input", "3")
    page.wait_for_selector("#training-epochs-was:text-is('toy: 2')")


def test_a_wrong_setting_behind_more_settings_is_unfolded_and_gets_the_focus(address, page, idle):
    page.goto(f"{address}/training")
    page.wait_for_function(idle)
    page.click("text=More settings")
    page.fill("#training-momentum-input", "7")
    page.wait_for_selector("#training-momentum-help", state="visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("#training-momentum-help", state="hidden")
    page.click("text=More settings")
    page.click("#training-start")
    page.wait_for_selector("text=Momentum: a number from 0 to 0.99.", state="visible")
    page.wait_for_function("() => document.activeElement.id === 'training-momentum-input'")


def test_curves_stream_and_a_broken_off_training_is_resumed(address, page, idle, tmp_path):
    from ml.jobs.queue import JobTable

    table = JobTable(tmp_path / "own")
    page.goto(f"{address}/training")
    page.wait_for_function(idle)
    page.select_option("#training-model-select", "fashion_cnn")
    for name, value in {"epochs": 200, "batch": 16, "name": "long"}.items():
        page.fill(f"#training-{name}-input", f"{value}")
    page.click("#training-start")
    page.wait_for_selector("#training-status:text-is('running')", timeout=30_000)
    graph = "document.getElementById('training-loss-graph').querySelector('.js-plotly-plot')"
    points = f"() => ({graph}.data.find((t) => t.name === 'train loss') || {{x: []}}).x.length"
    page.wait_for_function(f"() => ({points})() >= 3", timeout=60_000)
    seen = page.evaluate(points)
    page.wait_for_function(f"() => ({points})() > {seen}", timeout=30_000)
    expect(page).to_have_title(re.compile(r"^\d+ % · Training"))
    kill_trainer(table)
    page.wait_for_selector("#training-status:text-is('interrupted')", timeout=30_000)
    page.wait_for_selector("#training-queue-table >> text=Resume")
    page.click("#training-resume")
    page.wait_for_selector("#training-status:text-is('running')", timeout=30_000)
    page.wait_for_selector("#training-queue-table tbody tr:first-child td:nth-child(6):text-is('2')")  # the second try


def test_a_training_that_came_to_nothing_is_looked_at_and_discarded(address, page, tmp_path):
    from ml.jobs.queue import JobTable

    table = JobTable(tmp_path / "own")
    jobs = []
    for name in ("first", "second"):
        job = table.submit({"model": "mlp", "dataset": "bars", "seed": 1}, name, epochs=3)
        table.finish(table.claim(job_id=job.id), "interrupted", "The power went.")
        jobs.append(job)
    table.partial(jobs[0]).mkdir(parents=True)
    page.goto(f"{address}/training")
    page.wait_for_selector("#training-live-title:text('second')", timeout=60_000)
    page.get_by_role("button", name="Show first").click()
    page.wait_for_selector("#training-live-title:text('first')")
    assert "The power went." in page.inner_text("#training-live-sentence")
    page.click("#training-discard-box button")
    page.wait_for_selector("text=Sure?")
    assert table.get(jobs[0].id).state == "interrupted"  # one click is not enough
    page.click("#training-discard-box button")
    page.wait_for_selector("#training-status:text-is('cancelled')")
    assert not table.partial(jobs[0]).exists()
    page.click("text=Back to the current training")
    page.wait_for_selector("#training-live-title:text('second')")
    page.get_by_role("button", name="Discard second").click()
    page.get_by_role("button", name="Sure? Discard second").click()
    page.wait_for_selector("#training-status:text-is('cancelled')")
