"""What is asked when an image is opened, walked to and closed, in a real browser."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.dashboard.components.test_unmoved import still  # noqa: F401

TILE = "#dashboard-gallery-grid [data-sample]"


def listened(page) -> list[str]:
    """The first output of each question so far."""
    names: list[str] = []

    def listen(request):
        if "/_dash-update-component" in request.url:
            names.append(json.loads(request.post_data)["output"].lstrip(".").split(".")[0])

    page.on("request", listen)
    return names


def looked_at(page, tile, idle) -> None:
    """Near the window, with everything around it drawn."""
    for _ in range(3):
        tile.scroll_into_view_if_needed()
        page.wait_for_timeout(300)  # what comes near is noticed between frames
        page.wait_for_function(idle)


def test_an_image_asks_for_nothing_that_stays(shipped, page, idle, still):  # noqa: F811
    page.goto(shipped)
    page.wait_for_function(idle)
    first, second = page.locator(TILE).nth(0), page.locator(TILE).nth(1)
    looked_at(page, first, idle)
    names = listened(page)
    for tile in (first, second):
        tile.click()
        expect(page).to_have_url(re.compile(f"sample={tile.get_attribute('data-sample')}$"))
        expect(tile).to_have_attribute("aria-current", "true")
        page.wait_for_function(idle)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/$"))
    expect(second).to_have_attribute("aria-current", "false")
    page.wait_for_function(idle)
    assert "sample-drawer-face" in names
    assert not {*names} & {*still}


def test_what_was_not_asked_is_asked_where_it_differs(shipped, page, idle, run):
    """A chip while an image is open, another page and the way back."""
    page.goto(shipped)
    page.wait_for_function(idle)
    page.locator(TILE).first.click()
    expect(page).to_have_url(re.compile(r"sample="))
    page.wait_for_function(idle)
    names = listened(page)
    page.evaluate("() => window.dash_clientside.set_props('url', {search: '?true=Coat'})")
    expect(page.locator("#selection-count")).to_have_text(f"{(run.predictions('test').labels == 4).sum():,}")
    page.wait_for_function(idle)
    assert "dashboard-confusion-face" in names
    page.locator(TILE).first.click()
    expect(page).to_have_url(re.compile(r"\?true=Coat&sample=\d+$"))
    page.wait_for_function(idle)
    page.get_by_role("button", name="Row %").click()
    expect(page).to_have_url(re.compile(r"\?true=Coat&matrix=row&sample=\d+$"))
    expect(page.get_by_role("button", name="Row %")).to_have_attribute("aria-pressed", "true")
    for there, heading in (("/slices", "Slices"), ("/", "Dashboard")):
        page.locator(f'nav a[data-page="{there}"]').click()
        expect(page.locator("#app-page h1")).to_have_text(heading)
        page.wait_for_function(idle)
    expect(page.locator("#dashboard-confusion-graph .heatmaplayer .hm").first).to_be_attached()
    expect(page.locator("#dashboard-accuracy-card .face.wait")).to_have_count(0)


@pytest.mark.parametrize("path", ["/slices", "/comparison"])
def test_on_other_pages_too(shipped, page, idle, still, path):  # noqa: F811
    page.goto(shipped + path)
    page.wait_for_function(idle)
    page.mouse.move(700, 500)
    tile = page.locator("#app-page [data-sample][data-search]:visible").first
    for _ in range(40):  # panels come as they come near the window
        page.mouse.wheel(0, 400)
        page.wait_for_function(idle)
        if tile.count():
            break
    looked_at(page, tile, idle)
    names = listened(page)
    tile.click()
    expect(page).to_have_url(re.compile(r"sample="))
    page.wait_for_function(idle)
    assert "sample-drawer-face" in names
    assert not {*names} & {*still}
