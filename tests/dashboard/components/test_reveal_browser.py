"""What a click leads to is in sight, and stays there while panels above it are drawn (assets/reveal.js)."""

import re

from playwright.sync_api import expect


def on_a_phone(shipped, page, idle):
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(reduced_motion="no-preference")
    page.goto(shipped)
    page.wait_for_function(idle)


def test_the_images_of_a_tile_are_in_sight_on_a_phone(shipped, page, idle, run):
    """Four panels lie between, of which three are drawn on the way: the gallery then lay two screens below."""
    on_a_phone(shipped, page, idle)
    page.get_by_text(re.compile("^Worst, ")).first.click()
    page.wait_for_function(idle)
    expect(page.locator("#dashboard-confidence-graph, #dashboard-sure-graph").first).to_be_attached()
    expect(page.locator("#dashboard-gallery-grid [data-sample]").first).to_be_in_viewport()


def test_nobody_who_scrolls_away_is_led_back(shipped, page, idle):
    on_a_phone(shipped, page, idle)
    page.get_by_text(re.compile("^Worst, ")).first.click()
    expect(page.locator("#dashboard-gallery-card")).to_be_focused()
    page.keyboard.press("Home")
    page.wait_for_function(idle)
    page.evaluate("document.body.style.paddingTop = '40px'")
    expect(page.locator("#dashboard-gallery-card")).not_to_be_in_viewport()
