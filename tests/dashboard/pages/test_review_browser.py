"""The Review page in a real browser: keys, several at once, undo, no answer, a retraining's end."""

import csv
import io
import shutil

import pytest
from playwright.sync_api import Page, expect

from ml.data import load
from ml.data.corrections import read
from ml.jobs.queue import JobTable
from tests.suspects import TOY, suspect

pytestmark = pytest.mark.browser


@pytest.fixture
def app(home, no_artifacts, no_worker):
    """The whole app on the toy run, which has suspected labels."""
    from dashboard.shell import create_app

    suspect(home)
    return create_app(no_artifacts, home=home)


def opened(page: Page, address: str, idle: str) -> Page:
    page.goto(address)
    page.locator("#review-queue-grid [data-sample]").first.wait_for()
    page.wait_for_function(idle)
    expect(page.locator("#review-sample-pad [data-press=keep]")).to_be_enabled()
    return page


def rows(page: Page, server: str) -> list[dict[str, str]]:
    text = page.request.get(f"{server}/export/decisions.csv").text()
    return list(csv.DictReader(io.StringIO(text)))


def in_front(page: Page, example: int) -> None:
    expect(page.locator("#review-sample-body .mono")).to_have_text(f"#{example}")
    expect(page.locator(f'#review-queue-grid [data-sample="{example}"]')).to_have_attribute("aria-current", "true")


def test_keys_decide_move_on_and_take_back(live_server, page, idle):
    ids = load(TOY)["test"].ids.tolist()
    opened(page, f"{live_server}/review", idle)
    report = page.get_by_role("link", name="Report")
    with page.expect_download() as waiting:
        report.press("Enter")
    assert waiting.value.suggested_filename == "toy-test-review-report.html"
    page.locator("#review-split").get_by_text("Train").click()
    page.wait_for_url("**split=reference*")
    with page.expect_download() as waiting:  # of the address as it is by then
        report.click()
    assert waiting.value.suggested_filename == "toy-reference-review-report.html"
    page.locator("#review-split").get_by_text("Test").click()
    page.wait_for_function(idle)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("3")  # a digit in a name is no decision
    page.get_by_label("Your name").press("Backspace")
    page.locator("h1").click()
    in_front(page, ids[0])
    page.keyboard.press("2")
    in_front(page, ids[1])
    page.keyboard.press(" ")
    in_front(page, ids[2])
    page.keyboard.press("x")
    in_front(page, ids[3])
    page.keyboard.press("ArrowRight")
    in_front(page, ids[4])
    page.keyboard.press("ArrowLeft")
    in_front(page, ids[3])
    expect(page.locator("#review-decided")).to_have_text("3")
    expect(page.locator("#review-queue-grid .mark")).to_have_text(["Bar 2", "kept", "left out"])
    decisions = [
        (int(row["example_id"]), row["action"], row["before"], row["after"]) for row in rows(page, live_server)
    ]
    assert decisions == [
        (ids[0], "relabel", "Bar 0", "Bar 2"),
        (ids[1], "keep", "Bar 1", "Bar 1"),
        (ids[2], "exclude", "Bar 2", "(left out)"),
    ]
    assert {row["who"] for row in rows(page, live_server)} == {"Ada"}
    page.keyboard.press("u")
    in_front(page, ids[2])
    expect(page.locator("#review-decided")).to_have_text("2")
    page.keyboard.press("u")
    page.keyboard.press("u")
    expect(page.locator("#review-decided")).to_have_text("0")
    assert rows(page, live_server) == []


def test_several_at_once_by_mouse_and_keys(live_server, page, idle):
    ids = load(TOY)["test"].ids.tolist()
    opened(page, f"{live_server}/review", idle)
    tile = page.locator("#review-queue-grid [data-sample]")
    tile.nth(5).click(modifiers=["Control"])
    tile.nth(8).click(modifiers=["Shift"])
    tile.nth(6).click(modifiers=["Control"])
    expect(page.locator("#review-queue-grid [aria-pressed=true]")).to_have_count(3)
    expect(page.get_by_role("button", name="3 chosen")).to_be_visible()
    page.get_by_role("button", name="Relabel Bar 3").click()
    expect(page.locator("#review-decided")).to_have_text("3")
    expect(page.locator("#review-queue-grid [aria-pressed=true]")).to_have_count(0)
    assert [int(row["example_id"]) for row in rows(page, live_server)] == [ids[5], ids[7], ids[8]]
    page.keyboard.press(" ")  # the key that was clicked has given the focus back
    expect(page.locator("#review-decided")).to_have_text("4")
    assert rows(page, live_server)[-1]["action"] == "keep"
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator("#review-decided")).to_have_text("3")
    page.keyboard.press("a")
    page.keyboard.press("x")
    expect(page.locator("#review-decided")).to_have_text("20")
    page.keyboard.press("u")
    expect(page.locator("#review-decided")).to_have_text("3")


@pytest.mark.allow_problems("503|net::ERR")
def test_what_the_server_does_not_answer_is_sent_again(live_server, page, idle):
    opened(page, f"{live_server}/review", idle)
    page.route("**/api/v1/decisions", lambda route: route.abort())
    page.keyboard.press("2")
    page.keyboard.press("3")
    expect(page.locator("#review-trouble")).to_contain_text("2 decisions are not saved yet")
    assert rows(page, live_server) == []
    page.on("dialog", lambda dialog: dialog.accept())  # leaving with something unsaved asks first
    page.reload()
    page.unroute("**/api/v1/decisions")
    expect(page.locator("#review-decided")).to_have_text("2")
    assert [row["after"] for row in rows(page, live_server)] == ["Bar 2", "Bar 3"]


def test_a_retraining_ends_in_the_comparison_of_old_and_new(live_server, page, idle, home):
    opened(page, f"{live_server}/review?split=reference", idle)
    page.keyboard.press("3")
    page.keyboard.press("x")
    expect(page.locator("#review-retrain-what")).to_contain_text("1 label changed, 1 image left out")
    page.get_by_text("The quick recipe").click()
    page.get_by_role("button", name="Retrain with my decisions").click()
    expect(page.locator("#review-retrain-live")).to_contain_text("patch_cnn-reviewed")
    table = JobTable(home)
    job = table.claim()
    assert read(home, job.spec["labels"]).against == "toy"
    # what a trainer leaves behind, without the minute that it takes
    shutil.copytree(home / "runs" / "toy", home / "runs" / "patch_cnn-reviewed")
    manifest = home / "runs" / "patch_cnn-reviewed" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"run_id": "toy"', '"run_id": "patch_cnn-reviewed"'))
    table.finish(job, "done", "")
    page.wait_for_url("**/comparison?run=patch_cnn-reviewed&against=toy")
    expect(page.locator("#comparison-about")).to_contain_text("patch_cnn-reviewed against")
    page.go_back()
    expect(page.get_by_role("button", name="Compare old and new")).to_be_visible()
