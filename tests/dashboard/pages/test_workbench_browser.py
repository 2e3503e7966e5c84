"""The matrix, a contrast of two cells, and the threshold, in a real browser on the run that ships."""

import re

import numpy as np
from playwright.sync_api import Page, expect

from dashboard.state.selection import Selection
from tests.accessibility import SERIOUS, violations
from tests.charts import rest_on

COUNT, SLIDER = "#selection-count", "#dashboard-confidence-slider"


def expected(run, page: Page) -> int:
    return int(run.mask(Selection.parse("?" + page.url.partition("?")[2])).sum())


def test_a_threshold_moves_everything_and_is_one_step_back(shipped, page, idle, run):
    page.goto(shipped)
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    expect(page.locator("#dashboard-confidence-face")).not_to_be_empty()  # below the fold: not asked for yet
    page.locator("#dashboard-sure").scroll_into_view_if_needed()
    expect(page.locator("#dashboard-confidence-answers")).to_contain_text("10,000 of 10,000")
    page.wait_for_function(idle)
    page.locator(SLIDER).scroll_into_view_if_needed()
    steps = page.evaluate("history.length")
    box = page.locator(SLIDER).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], y)
    page.mouse.down()
    for share in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        page.mouse.move(box["x"] + share * box["width"], y)
        page.wait_for_timeout(120)
    page.mouse.up()
    expect(page.locator(SLIDER)).to_have_value(re.compile(r"(8|9)\d"))
    # the last of the movement comes when the page is free for it
    page.wait_for_url(f"**reject=0.{page.input_value(SLIDER)}*")
    page.wait_for_function(idle)
    selection = Selection.parse("?" + page.url.partition("?")[2])
    assert selection.outcome == ("wrong",)
    p = run.predictions("test")
    sure = p.confidence.astype(float) >= selection.reject
    expect(page.locator(COUNT)).to_have_text(f"{int((sure & ~p.right).sum()):,}")
    answers = page.locator("#dashboard-confidence-answers")
    expect(answers).to_contain_text(f"{sure.sum():,} of 10,000")
    expect(answers).to_contain_text(f"{100 * p.right[sure].mean():.1f}")
    expect(page.locator("#dashboard-gallery-title")).to_have_text(f"{(sure & ~p.right).sum():,} images")
    expect(page.locator("#dashboard-confusion-parts")).to_contain_text(f"{(sure & p.right).sum():,} right")
    assert page.evaluate("history.length") == steps + 1
    page.go_back()
    expect(page.locator(COUNT)).to_have_text(f"{int((~p.right).sum()):,}")
    expect(page.locator(SLIDER)).to_have_value("0")

    bin_ = page.locator("#dashboard-calibration-bins .bins").first.locator("button").nth(13)
    bin_.focus()
    page.keyboard.press("Enter")
    inside = (p.confidence.astype(float) > 13 / 15) & (p.confidence.astype(float) <= 14 / 15)
    expect(page.locator(COUNT)).to_have_text(f"{int(inside.sum()):,}")
    expect(bin_).to_have_attribute("aria-pressed", "true")
    page.locator("#dashboard-calibration-bins .bins").nth(1).locator("button").nth(14).click()
    expect(page.get_by_role("button", name="Remove scaled confidence")).to_be_visible()
    page.wait_for_function(idle)
    assert int(page.locator(COUNT).inner_text().replace(",", "")) == expected(run, page)
    assert violations(page, SERIOUS) == []


def test_a_second_cell_is_held_against_the_first(shipped, page, idle, run):
    page.goto(f"{shipped}/?true=Shirt&pred=Coat")
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    expect(page.locator("#dashboard-contrast")).to_be_hidden()
    rest_on(page, "#dashboard-confusion-graph", 4, 6)
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page).to_have_url(f"{shipped}/?true=Shirt&pred=Coat&contrast=Coat~Shirt")
    p = run.predictions("test")
    counts = [int(((p.labels == i) & (p.predicted == j)).sum()) for i, j in ((6, 4), (4, 6))]
    for side, n in zip("ab", counts, strict=True):
        expect(page.locator(f"#dashboard-contrast-{side}-head")).to_contain_text(f"{n} of 10,000 images")
        expect(page.locator(f"#dashboard-contrast-{side}-tiles [data-sample]")).to_have_count(min(12, n))
        expect(page.locator(f"#dashboard-contrast-{side}-mean img")).to_be_visible()
        expect(page.locator(f"#dashboard-contrast-{side}-graph .barlayer .point").first).to_be_attached()
    expect(page.locator(COUNT)).to_have_text(f"{counts[0]:,}")
    expect(page.locator("#dashboard-contrast").get_by_label("Save the chart")).to_be_visible()
    page.locator("#dashboard-contrast-true").select_option("Pullover")
    expect(page).to_have_url(re.compile("contrast=Pullover~Shirt"))
    page.wait_for_function(idle)
    page.get_by_role("button", name="Close the contrast").click()
    expect(page.locator("#dashboard-contrast")).to_be_hidden()
    page.wait_for_function(idle)
    line = page.locator("#dashboard-confusion-top button").first
    for key in ("Shift+Enter", "c"):  # by keyboard, two ways
        line.focus()
        page.keyboard.press(key)
        if key != "c":
            expect(page).to_have_url(re.compile("contrast=Shirt~T-shirt%2Ftop"))
            expect(page.locator("#dashboard-contrast-b-head")).to_contain_text("T-shirt/top")
            page.wait_for_function(idle)
    expect(page.locator("#dashboard-contrast")).to_be_hidden()  # the same cell again lets go of it
    expect(page).not_to_have_url(re.compile("contrast="))
    page.go_back()
    expect(page.locator("#dashboard-contrast")).to_be_visible()
    page.wait_for_function(idle)

    page.keyboard.press("Escape")
    expect(page.locator("#dashboard-contrast")).to_be_hidden()
    page.wait_for_function(idle)
    line.focus()
    page.keyboard.press("c")
    tile = page.locator("#dashboard-contrast-b-tiles [data-sample]").first
    tile.focus()
    page.wait_for_function(idle)
    page.keyboard.press("Enter")
    expect(page.locator("#sample-drawer-body")).to_be_focused()
    page.wait_for_function(idle)
    page.keyboard.press("Escape")  # what lies on top goes first, and the focus goes back one step at a time
    expect(page.locator("#sample-drawer.open")).to_have_count(0)
    expect(page.locator("#dashboard-contrast")).to_be_visible()
    expect(tile).to_be_focused()
    page.wait_for_function(idle)
    page.keyboard.press("Escape")
    expect(page.locator("#dashboard-contrast")).to_be_hidden()
    expect(line).to_be_focused()


def test_the_matrix_is_drawn_as_the_address_says(shipped, page, new_page, idle, run):
    page.goto(shipped)
    page.wait_for_selector("h1")
    page.wait_for_function(idle)
    for words in ("Row %", "Clusters", "Log", "Hidden", "Top 5"):
        page.locator("#dashboard-confusion-view, #dashboard-confusion-ways").get_by_text(words, exact=True).click()
        page.wait_for_function(idle)
    expect(page).to_have_url(f"{shipped}/?matrix=row,cluster,log,off,top5")
    expect(page.locator("#dashboard-confusion-most")).to_contain_text("logarithmic")
    page.get_by_role("button", name="Select all truly 5 others").click()
    p = run.predictions("test")
    mistakes = np.zeros(10, int)
    for who in (p.labels, p.predicted):
        mistakes += np.bincount(who[~p.right], minlength=10)
    rest = np.argsort(-mistakes, kind="stable")[5:]
    expect(page.locator(COUNT)).to_have_text(f"{int(np.isin(p.labels, rest).sum()):,}")
    page.wait_for_function(idle)
    fresh = new_page(viewport={"width": 390, "height": 844})
    fresh.goto(page.url)
    fresh.wait_for_selector("h1")
    fresh.wait_for_function(idle)
    expect(fresh.locator(COUNT)).to_have_text(page.locator(COUNT).inner_text())
    expect(fresh.get_by_role("button", name="Clusters")).to_have_attribute("aria-pressed", "true")
    assert fresh.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    fresh.locator("#dashboard-confusion-view").get_by_text("Table", exact=True).click()
    buttons = fresh.locator("#dashboard-confusion-table button")
    expect(buttons).to_have_count(36)
