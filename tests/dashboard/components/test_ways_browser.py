"""Ways from what one sees to what one asks next, in a real browser."""

import re

from playwright.sync_api import expect

from dashboard.state.selection import Selection
from tests.accessibility import SERIOUS, violations


def test_a_cell_leads_to_its_images_one_of_them_to_its_like_and_to_its_label(shipped, page, idle, run):
    page.goto(shipped)
    page.wait_for_function(idle)
    page.locator("#dashboard-confusion-top button").first.click()
    see = page.locator("#dashboard-confusion-parts [data-goto]")
    expect(see).to_have_text(re.compile(r"See \d+ images"))
    n = int(re.search(r"\d+", see.inner_text())[0])
    expect(see).to_be_in_viewport()
    expect(page.locator("#selection-count")).to_have_text(f"{n:,}")
    page.wait_for_function(idle)
    see.press("Enter")
    expect(page.locator("#dashboard-gallery-grid [data-sample]").first).to_be_in_viewport()
    expect(page.locator("#dashboard-gallery-card")).to_be_focused()

    first = page.locator("#dashboard-gallery-grid [data-sample]").first
    example = int(first.get_attribute("data-sample"))
    first.click()
    drawer = page.locator("#sample-drawer")
    drawer.get_by_role("button", name="More like this in validation").click()
    expect(page).to_have_url(re.compile("ids="), timeout=60_000)
    found = Selection.parse(page.url.partition("?")[2])
    assert (found.run, found.split, found.sort, len(found.ids)) == (run.run_id, "validation", "given", 48)
    expect(page.locator("#dashboard-gallery-title")).to_have_text("48 images, in the order of the link")
    page.wait_for_function(idle)
    tiles = page.locator("#dashboard-gallery-grid [data-sample]")
    shown = tiles.evaluate_all("(all) => all.map((one) => Number(one.dataset.sample))")
    assert shown == list(found.ids)
    expect(page.locator("#dashboard-gallery-card")).to_be_in_viewport()

    tiles.nth(3).hover()  # the same from any tile, without the drawer
    press = page.get_by_role("button", name="More like this", exact=True)
    expect(press).to_be_visible()
    assert violations(page, SERIOUS) == []
    press.click()
    expect(page).not_to_have_url(re.compile("ids=" + ",".join(map(str, found.ids[:3]))))
    again = Selection.parse(page.url.partition("?")[2])
    assert (again.split, again.sort, len(again.ids), again.sample) == ("validation", "given", 48, None)
    assert found.ids[3] not in again.ids, "which is the image itself"
    page.wait_for_function(idle)
    tiles.nth(2).focus()
    tiles.nth(2).press("m")  # and by keyboard, from where the gallery has the focus
    expect(page).not_to_have_url(re.compile("ids=" + ",".join(map(str, again.ids[:3]))))
    expect(page.locator("#dashboard-gallery-card")).to_be_focused()
    expect(tiles.first).to_be_in_viewport()
    for _ in range(2):
        page.wait_for_function(idle)
        page.go_back()
    page.wait_for_function(idle)

    page.go_back()
    expect(page.locator("#selection-count")).to_have_text(f"{n:,}")
    page.wait_for_function(idle)
    drawer.get_by_role("button", name="Its label in Review").click()
    expect(page).to_have_url(re.compile(rf"/review\?.*ids={example}\b"))
    expect(page.locator("#review-queue-grid [data-sample]")).to_have_count(1)
    tile = page.locator(f'#review-queue-grid [data-sample="{example}"]')
    expect(tile).to_be_visible()
    page.wait_for_function(idle)
    tile.hover()
    expect(press).to_be_visible()  # on any page


def test_on_a_phone_the_navigation_shows_the_page_and_that_there_is_more(shipped, page, idle):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{shipped}/slices")
    page.wait_for_function(idle)
    here = page.locator("#app-links [aria-current=page]")
    expect(here).to_be_in_viewport(ratio=1)
    expect(page.locator("#app-links")).to_have_class(re.compile("more-left.*more-right|more-right.*more-left"))
    page.locator("#app-links [data-page='/monitoring']").click()
    expect(here).to_have_text("Monitoring")
    expect(here).to_be_in_viewport(ratio=1)
    expect(page.locator("#app-links")).not_to_have_class(re.compile("more-right"))
