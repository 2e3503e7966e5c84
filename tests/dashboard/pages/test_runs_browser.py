"""Runs in a real browser: rename, tag, promote, delete, bring back, export and import one, and find one."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect

from dashboard.shell import create_app
from tests.accessibility import SERIOUS, violations

pytestmark = pytest.mark.browser


@pytest.fixture
def address(home, no_artifacts, serving):
    """The app on the runs `toy` and `second`."""
    folder = home / "runs" / "second"
    shutil.copytree(home / "runs" / "toy", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps({**manifest, "run_id": "second", "created": "2026-01-02T03:04:05Z"})
    )
    return serving(create_app(no_artifacts, home=home))


def training(page, address, idle, search=""):
    page.goto(f"{address}/training{search}")
    page.locator("#training-runs-table tbody tr").first.wait_for()
    page.wait_for_function(idle)


def rows(page):
    return page.locator("#training-runs-table tbody tr")


def row(page, run_id):
    return rows(page).filter(has=page.locator(f"[data-of='{run_id}']"))


def open_details(page, run_id, idle):
    row(page, run_id).get_by_role("button", name="Details").click()
    page.locator("#training-run-drawer.open").wait_for()
    expect(page.locator("#training-run-title-input")).not_to_have_value("")
    page.wait_for_function(idle)


def test_what_is_said_of_a_run_is_seen_everywhere(address, page, new_page, idle):
    training(page, address, idle)
    expect(rows(page)).to_have_count(2)

    # say something of it
    open_details(page, "second", idle)
    expect(page.locator("#training-run-close")).to_be_focused()
    page.fill("#training-run-title-input", "My <b>net</b>")
    page.fill("#training-run-tags-input", "keep, small")
    page.fill("#training-run-note-input", "for the talk")
    page.click("#training-run-save")
    expect(page.locator("#training-run-status")).to_have_text("Saved.")
    expect(row(page, "second")).to_contain_text("My <b>net</b>")
    expect(row(page, "second")).to_contain_text("for the talk")
    expect(page.locator("#run-picker option[value=second]")).to_contain_text("My <b>net</b> (second)")
    other = new_page()  # a second tab sees the same
    training(other, address, idle)
    expect(row(other, "second")).to_contain_text("keep")

    # make it the default
    page.fill("#training-run-reason-input", "fewer mistakes on validation")
    page.click("#training-run-promote")
    expect(page.locator("#training-run-status")).to_have_text("My <b>net</b> is the default now.")
    expect(row(page, "second").locator(".badge-ff")).to_have_text("default")
    expect(page.locator("#training-run-default")).to_contain_text("fewer mistakes on validation")
    page.click("#training-run-card-button")
    expect(page.locator("#training-run-card")).to_contain_text("Domain shift")
    page.keyboard.press("Escape")
    expect(page.locator("#training-run-drawer")).to_have_class("drawer")
    expect(row(page, "second").get_by_role("button", name="Details")).to_be_focused()
    fresh = new_page()
    fresh.goto(address)
    expect(fresh.locator("#run-picker")).to_have_value("second")
    expect(fresh.locator("#app-page .head p")).to_contain_text("My <b>net</b> on")


@pytest.mark.allow_problems("409", "422")  # imports that are refused
def test_a_run_is_deleted_brought_back_taken_out_and_in(address, page, idle, home, tmp_path):
    # delete the one that this tab shows; undo
    training(page, address, idle, "?run=toy")
    open_details(page, "toy", idle)
    page.click("#training-run-delete")
    expect(page.locator("#training-runs-notice")).to_have_text("toy was deleted.")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(f"{address}/training")
    assert not (home / "runs" / "toy").exists()
    page.click("#training-runs-undo")
    expect(rows(page)).to_have_count(2)
    assert (home / "runs" / "toy" / "manifest.json").is_file()

    # once more, and back from the list of what was deleted
    page.wait_for_function(idle)
    open_details(page, "toy", idle)
    page.click("#training-run-delete")
    expect(rows(page)).to_have_count(1)
    page.click(".gone summary")
    page.get_by_role("button", name="Bring back toy").click()
    expect(rows(page)).to_have_count(2)

    # out and in again
    page.wait_for_function(idle)
    open_details(page, "toy", idle)
    with page.expect_download() as caught:
        page.click("#training-run-links a")
    parcel = tmp_path / caught.value.suggested_filename
    caught.value.save_as(parcel)
    assert parcel.name == "toy.zip"
    page.click("#training-run-close")
    with page.expect_file_chooser() as chooser:
        page.click("#training-runs-import")
    chooser.value.set_files(parcel)
    expect(page.locator("#training-runs-notice")).to_have_text("The name toy is taken: give the run another one.")
    expect(page.locator("#training-import-name")).to_have_value("toy-2")
    page.fill("#training-import-name", "toy-again")
    page.get_by_role("button", name="Import under this name").click()
    expect(page.locator("#training-runs-notice")).to_have_text("toy-again is here now.")
    expect(rows(page)).to_have_count(3)
    expect(page.locator("#run-picker option[value=toy-again]")).to_be_attached()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"\x80\x04not a run")
    with page.expect_file_chooser() as chooser:
        page.click("#training-runs-import")
    chooser.value.set_files(broken)
    expect(page.locator("#training-runs-notice")).to_contain_text("Unsafe format")


def test_sorting_and_filters_survive_a_reload(address, page, idle):
    training(page, address, idle)
    names = page.locator("#training-runs-table tbody th b")
    header = page.locator("#training-runs-table th").filter(has=page.get_by_role("button", name="Run"))
    expect(header).not_to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(names).to_have_text(["second", "toy"])
    page.get_by_role("button", name="Run", exact=True).press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(names).to_have_text(["toy", "second"])
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_focused()
    page.fill("#training-runs-find", "sec")
    expect(names).to_have_text(["second"])
    page.wait_for_function(idle)
    page.reload()
    expect(names).to_have_text(["second"])
    expect(page.locator("#training-runs-find")).to_have_value("sec")
    page.fill("#training-runs-find", "")
    expect(names).to_have_text(["toy", "second"])
    expect(header).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#training-runs-table th[aria-sort]")).to_have_count(0)


def test_the_table_and_the_drawer_can_be_used_by_everybody(address, new_page, idle):
    for width, theme in ((1440, "light"), (390, "dark")):
        page = new_page(viewport={"width": width, "height": 844})
        page.context.add_cookies([{"name": "theme", "value": theme, "url": address}])
        training(page, address, idle)
        open_details(page, "second", idle)
        page.fill("#training-run-tags-input", "keep")
        page.click("#training-run-save")
        expect(row(page, "second")).to_contain_text("keep")
        page.click("#training-run-card-button")
        expect(page.locator("#training-run-card table").first).to_be_visible()
        assert violations(page, SERIOUS) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        page.context.close()


def test_a_run_is_opened_by_its_name_and_used_from_its_drawer(address, new_page, idle):
    """What a phone shows of the table is names: buttons at the ends of rows are a swipe away."""
    page = new_page(viewport={"width": 390, "height": 844})
    training(page, address, idle)
    name = row(page, "second").get_by_role("button", name="second", exact=True)
    name.scroll_into_view_if_needed()
    expect(row(page, "second").get_by_role("button", name="Details")).not_to_be_in_viewport()
    name.click()
    drawer = page.locator("#training-run-drawer.open")
    drawer.get_by_role("button", name="Use", exact=True).click()
    expect(drawer).to_contain_text("in use")
    expect(page).to_have_url(re.compile(r"[?&]run=second"))
    expect(page.locator("#training-changed-table table")).to_be_visible()
    table = page.locator(".differing").first
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth")
