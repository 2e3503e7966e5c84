"""The Training page in a real browser: one epoch on a part of the pictures, from the click to the run picker."""

import dataclasses
import os

import psutil
import pytest

from ml.jobs import worker

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
    monkeypatch.setenv(worker.IDLE, "2")
    monkeypatch.setattr(fashion_mnist, "find", lambda: None)
    yield serving(create_app(no_artifacts, home=home))
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("FASHION_HOME") == str(home):
                process.kill()
        except psutil.Error:
            continue


def test_one_epoch_on_a_part_of_the_pictures(address, page, new_page):
    from axe_playwright_python.sync_playwright import Axe

    page.goto(f"{address}/training")
    page.wait_for_selector("text=No training yet")
    assert page.inner_text("#training-status") == ""
    page.select_option("#training-model-select", "compact_cnn")
    page.fill("#training-epochs-input", "1000")
    page.fill("#training-batch-input", "32")
    page.fill("#training-name-input", "mine")
    page.click("#training-start")
    page.wait_for_selector("text=Epochs: a whole number from 1 to 100.")
    page.fill("#training-epochs-input", "1")
    page.locator("#training-images-range").fill("200")
    page.wait_for_selector("text=200 of 600")
    page.dblclick("#training-start")
    page.wait_for_selector("#training-status:text-is('running')", timeout=30_000)
    other = new_page()  # a second tab sees the same
    other.goto(f"{address}/training")
    other.wait_for_selector("#training-status:text-matches('running|done')")
    page.wait_for_selector("#training-status:text-is('done')", timeout=90_000)
    assert page.inner_text("#training-progress") == "1/1"
    page.wait_for_selector("#training-accuracy-graph >> text=/val \\d/")
    page.wait_for_selector("#run-picker option[value=mine]", state="attached")
    assert page.locator("#training-runs-table tbody tr").count() == 1  # two clicks were one wish
    for theme in ("light", "dark"):
        if theme == "dark":
            page.click("#app-theme-button")
            page.wait_for_selector("html[data-bs-theme=dark]")
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    other.reload()
    other.wait_for_selector("#training-status:text-is('done')")
