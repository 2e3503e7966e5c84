"""Saved views, as a person saves one, finds it on another page, changes it, deletes it and thinks better of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.accessibility import violations

pytestmark = pytest.mark.browser
NAME = "<img src=x onerror=alert(1)>"


def opened(page):
    page.get_by_role("button", name="Views", exact=True).click()
    return page.get_by_role("dialog", name="Saved views")


@pytest.mark.allow_problems("409", "404")
def test_a_view_is_saved_found_changed_deleted_and_brought_back(live_server, page, idle):
    page.goto(f"{live_server}/?true=Bar%200&sort=id")
    page.wait_for_function(idle)
    n = page.inner_text("#selection-count")
    views = opened(page)
    expect(views).to_contain_text("No view is saved yet.")
    page.keyboard.press("Escape")
    expect(views).to_be_hidden()
    expect(page.get_by_role("button", name="Views", exact=True)).to_be_focused()

    # saved by keyboard, under the name that is offered
    page.get_by_role("button", name="Save view").focus()
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name="Save this view")
    expect(asked.get_by_label("Name")).to_have_value("true Bar 0")
    expect(asked).to_contain_text(f"Dashboard · toy · test · {n} images")
    assert not violations(page, context="#view-save")
    page.keyboard.press("Enter")
    expect(page.locator("[data-view-save]")).to_have_text("Saved")
    expect(asked).to_be_hidden()

    # the name is taken by another address: a free one is a click away
    page.click("[data-search]:has-text('Validation')")
    page.wait_for_function(idle)
    page.click("[data-view-save]")
    page.keyboard.press("Enter")
    expect(asked.get_by_role("alert")).to_contain_text("has this name")
    asked.get_by_role("button", name="Call it true Bar 0 (2)").click()
    expect(asked).to_be_hidden()

    # elsewhere: the list, narrowed by words and by page
    page.click("a[data-page='/training']")
    page.wait_for_function(idle)
    views = opened(page)
    lines = views.get_by_role("listitem")
    expect(lines).to_have_count(2)
    assert not violations(page, context="#views-list")
    views.get_by_label("Search").fill("no such")
    expect(views).to_contain_text("No view matches these filters.")
    views.get_by_role("button", name="Show all").click()
    views.get_by_label("Page").select_option(label="Dashboard (2)")
    expect(lines).to_have_count(2)

    # a name is text; Escape leaves the line as it was, and then the list
    lines.nth(1).get_by_role("button", name="Edit").click()
    views.get_by_label("Name").fill("nothing")
    page.keyboard.press("Escape")
    expect(lines.nth(1)).to_contain_text("true Bar 0")
    lines.nth(1).get_by_role("button", name="Edit").click()
    views.get_by_label("Name").fill(NAME)
    views.get_by_label("Description").fill("The first kind.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(lines.nth(1).get_by_role("link", name=NAME)).to_be_focused()
    expect(lines.nth(1)).to_contain_text("The first kind.")
    expect(lines.nth(1)).to_contain_text(re.compile(r"Dashboard · toy · .*, test"))

    # deleted, and brought back by the button that has the focus
    lines.nth(1).get_by_role("button", name="Delete").click()
    expect(lines).to_have_count(1)
    expect(views.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(lines.nth(1).get_by_role("link", name=NAME)).to_be_focused()

    # another tab deletes it meanwhile: said, and the list is as it is
    number = lines.nth(0).get_attribute("data-view")
    page.evaluate("(url) => fetch(url, {method: 'DELETE'})", f"/api/v1/views/{number}")
    lines.nth(0).get_by_role("button", name="Delete").click()
    expect(views.get_by_role("status")).to_contain_text("not here any more")
    expect(lines).to_have_count(1)

    lines.nth(0).get_by_role("link", name=NAME).click()
    expect(views).to_be_hidden()
    expect(page.locator("#selection-count")).to_have_text(n)
    expect(page).to_have_url(re.compile(r"/\?run=toy&data=\w{16}&split=test&true=Bar%200&sort=id$"))
    expect(page.locator("#app-dropped")).to_be_empty()
    expect(opened(page)).to_contain_text("shown now")
