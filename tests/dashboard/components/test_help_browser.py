"""The tour and the search, as who is new here meets them: by mouse and keyboard, in both themes, on a phone."""

import re

from playwright.sync_api import expect

from dashboard.state.selection import Selection
from tests.accessibility import SERIOUS, violations

PERSON = "Object.defineProperty(navigator, 'webdriver', {get: () => false})"  # what drives a browser is offered no tour
STEPS = (
    (".runpick", "/"), ("#dashboard-confusion-body", "/"), (".selbar", "/"), ("#prediction-upload", "/prediction"),
    ("[data-help]", "/prediction"),
)  # fmt: skip


# the ring lies around it, as far as it is in the window
POINTED = """(selector) => {
    const ring = document.querySelector('.tour .ring');
    const there = [...document.querySelectorAll(selector)].find((one) => one.getClientRects().length);
    if (!ring || ring.hidden || !there) return false;
    const a = ring.getBoundingClientRect(), b = there.getBoundingClientRect();
    const near = (x, y) => Math.abs(x - y) <= 12;
    return near(a.left, b.left) && (near(a.top, b.top) || b.top < 0) && b.bottom > 0 && b.top < innerHeight;
}"""


def test_the_tour_points_at_what_is_there_can_be_left_and_found_again(shipped, new_page, idle):
    page = new_page()
    page.add_init_script(PERSON)
    page.goto(shipped)
    offer = page.get_by_role("complementary", name="Tour")
    expect(offer).to_contain_text("New here?")
    page.wait_for_function(idle)
    assert violations(page, SERIOUS) == []
    offer.get_by_role("button", name="Take the tour").click()
    tour = page.get_by_role("dialog")
    expect(offer).to_have_count(0)
    for number, (selector, path) in enumerate(STEPS, 1):
        expect(tour.get_by_role("status")).to_have_text(f"Step {number} of 5")
        last = number == len(STEPS)
        expect(tour.get_by_role("button", name="Done" if last else "Next")).to_be_focused()
        page.wait_for_function(idle)
        expect(page).to_have_url(f"{shipped}{path}")
        page.wait_for_function(POINTED, arg=selector)
        if number == 2:  # on a phone and in the other theme
            page.set_viewport_size({"width": 390, "height": 800})
            page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'dark')")
            page.wait_for_function(POINTED, arg=selector)
            box = tour.locator(".box").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 800
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert violations(page, SERIOUS) == []
            page.set_viewport_size({"width": 1440, "height": 900})
            page.keyboard.press("ArrowLeft")
            expect(tour.get_by_role("status")).to_have_text("Step 1 of 5")
            page.keyboard.press("ArrowRight")
            expect(tour.get_by_role("status")).to_have_text("Step 2 of 5")
        page.keyboard.press("Enter")
    expect(tour).to_have_count(0)
    expect(page.locator("[data-help]")).to_be_focused()
    page.reload()
    page.wait_for_function(idle)
    expect(offer).to_have_count(0)  # once is enough

    again = page.locator("#app-foot").get_by_role("button", name="Take the tour")
    again.click()
    expect(tour.get_by_role("status")).to_have_text("Step 1 of 5")
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(again).to_be_focused()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Help").get_by_role("button", name="Take the tour").click()
    expect(tour).to_have_count(1)
    expect(tour.get_by_role("status")).to_have_text("Step 1 of 5")
    page.mouse.click(700, 700)  # beside it
    expect(tour).to_have_count(0)


def test_what_is_searched_for_is_found_by_keyboard_and_opened_as_a_link(shipped, page, idle, run):
    page.goto(f"{shipped}/review")
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    found = page.get_by_role("dialog", name="Search")
    expect(found).to_contain_text("What can be found")
    assert violations(page, SERIOUS) == []
    field.fill("quagga")
    expect(found).to_contain_text("Nothing here is called “quagga”")
    field.fill("SHÍRT coat")
    options = found.get_by_role("option")
    expect(options.first).to_have_text(re.compile("Shirt predicted Coat.*42 images"))
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", options.first.get_attribute("id"))
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    assert violations(page, SERIOUS) == []
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shipped}/?true=Shirt&pred=Coat")
    expect(page.locator("#selection-count")).to_have_text("42")
    expect(page.locator("#dashboard-gallery-card")).to_be_focused()
    page.wait_for_function(idle)

    example = int(run.predictions("test").ids[17])
    page.keyboard.press("/")
    field.fill(f"test {example}")
    page.keyboard.press("Enter")  # before the answer is there
    expect(page.locator("#sample-drawer-title")).to_contain_text(f"#{example}")
    assert Selection.parse(page.url.partition("?")[2]).ids == (example,)
    page.wait_for_function(idle)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Search", exact=True).click()
    field.fill("brier")
    expect(options.first).to_contain_text("Brier score")
    options.first.click()
    expect(page.get_by_role("dialog", name="Help").locator("section.asked h4")).to_have_text("Brier score")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'dark')")
    page.keyboard.press("/")
    field.fill("s")
    expect(options.first).to_be_visible()
    assert violations(page, SERIOUS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("Escape")
    expect(found).to_have_count(0)
