"""Copied links, as a person copies them and another one opens them."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_copied_link_names_run_images_and_split(live_server, new_page, idle):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{live_server}/?true=Bar%200&sort=id")
    page.wait_for_function(idle)
    expect(page.locator("#app-dropped")).to_contain_text("names no run")
    page.get_by_role("button", name="Copy link").first.click()
    page.wait_for_selector("text=Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    query = parse_qs(urlsplit(link).query)
    assert (query["run"], query["split"], query["true"], query["sort"]) == (["toy"], ["test"], ["Bar 0"], ["id"])
    assert len(query["data"][0]) == 16
    n = page.inner_text("#selection-count")
    other = new_page()
    other.goto(link)
    other.wait_for_function(idle)
    expect(other.locator("#selection-count")).to_have_text(n)
    expect(other.locator("#app-dropped")).to_be_empty()
    other.click("#dashboard-gallery-grid [data-sample] >> nth=0")  # one's own clicks bring no notes
    other.wait_for_function(idle)
    expect(other.locator("#app-dropped")).to_be_empty()


def test_the_tab_says_page_and_run(live_server, page, idle):
    page.goto(f"{live_server}/slices")
    expect(page).to_have_title("Slices · toy · Fashion Forward")
    page.click("a[data-page='/training']")
    expect(page).to_have_title("Training · toy · Fashion Forward")
    page.evaluate(
        """() => { document.getElementById('training-status').textContent = 'running';
                   Object.assign(document.getElementById('training-live-bar'), {max: 8, value: 3}); }"""
    )
    expect(page).to_have_title(re.compile("^37 % · Training"))
