"""One image in a real browser: the network is announced in time, and its failure modes lead to all of their kind."""

import re

import pytest
from playwright.sync_api import expect

from tests.accessibility import SERIOUS, both_themes, violations


@pytest.fixture
def announced(page):
    """The addresses by which the page announced that an explanation will be asked for."""
    urls = []
    page.on("request", lambda request: urls.append(request.url) if "/explanations/warm" in request.url else None)
    return urls


def test_the_network_is_announced_by_the_pointer_on_an_image_and_not_before(shipped, page, idle, announced):
    page.goto(shipped)
    page.wait_for_function(idle)
    page.mouse.move(4, 400)  # beside everything
    page.locator("#dashboard-gallery-grid").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert announced == []
    with page.expect_request("**/explanations/warm*"):
        page.locator("#dashboard-gallery-grid [data-sample]").nth(3).hover()
    page.locator("#dashboard-gallery-grid [data-sample]").nth(5).hover()
    page.wait_for_timeout(500)
    assert len(announced) == 1


def test_an_address_that_opens_an_image_announces_it(shipped, page, run, announced):
    example = int(run.tagged("test", "confidently-wrong")[0])
    with page.expect_request("**/explanations/warm*"):
        page.goto(f"{shipped}/?sample={example}", wait_until="commit")
    assert announced == [f"{shipped}/explanations/warm?sample={example}"]


def test_failure_modes_lead_to_all_of_their_kind(shipped, page, idle, run):
    page.set_viewport_size({"width": 390, "height": 844})
    ids = run.tagged("test", "confidently-wrong")
    page.goto(f"{shipped}/?sample={ids[0]}")
    page.wait_for_function(idle)
    chips = page.locator("#sample-drawer-tags")
    expect(chips).to_contain_text("Check the labels first")
    chip = chips.get_by_role("button", name="confidently wrong")
    assert "Named wrong" in chip.get_attribute("title")
    for theme in both_themes(page, idle):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), theme
        assert violations(page, SERIOUS) == [], theme
    chip.press("Enter")
    expect(page).to_have_url(re.compile(r"\?tag=confidently-wrong$"))
    expect(page.locator("#selection-count")).to_have_text(f"{len(ids):,}")


def test_the_keyboard_walks_from_image_to_image_and_back_to_where_it_came_from(shipped, page, idle):
    page.goto(shipped)
    page.wait_for_function(idle)
    tile = page.locator("#dashboard-gallery-grid [data-sample]").nth(1)
    tile.focus()
    page.keyboard.press("Enter")
    title, body = page.locator("#sample-drawer-title"), page.locator("#sample-drawer-body")
    expect(title).to_contain_text("2 of")
    expect(body).to_be_focused()  # not the image behind it, whose arrows walk through the gallery
    for key, place in (("ArrowRight", 3), ("ArrowRight", 4), ("ArrowLeft", 3)):
        page.keyboard.press(key)
        expect(title).to_contain_text(f"{place} of")
        expect(body).to_be_focused()
    page.get_by_role("button", name="Next sample").focus()
    for key, place, name in (("Enter", 4, "Next"), ("Enter", 5, "Next"), ("ArrowLeft", 4, "Previous")):
        page.keyboard.press(key)  # the buttons are drawn anew for every image
        expect(title).to_contain_text(f"{place} of")
        expect(page.get_by_role("button", name=f"{name} sample")).to_be_focused()
    page.wait_for_function(idle)
    page.keyboard.press("Escape")
    expect(page.locator("#sample-drawer.open")).to_have_count(0)
    expect(tile).to_be_focused()
