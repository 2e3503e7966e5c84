"""Charts are saved as pictures from the browser, with what stands beside them on the page."""

import csv
import io

from PIL import Image
from playwright.sync_api import expect

from tests.accessibility import SERIOUS, violations


def saved(page, card, kind):
    """The bytes and name of what the card's menu saves."""
    card.get_by_label("Save the chart").click()
    with page.expect_download() as waiting:
        card.locator(f"button[data-save={kind}]").click()
    return waiting.value.path().read_bytes(), waiting.value.suggested_filename


def test_a_chart_is_saved_as_png_and_svg(live_server, page, idle):
    page.goto(live_server)
    page.locator("#dashboard-confusion-graph .heatmaplayer .hm").first.wait_for(state="attached")
    page.wait_for_function(idle)
    card = page.locator(".ff-card", has=page.locator("#dashboard-confusion-graph"))
    content, name = saved(page, card, "png")
    assert name == "toy-confusion.png"
    picture = Image.open(io.BytesIO(content))
    shown = page.locator("#dashboard-confusion-graph").bounding_box()
    assert picture.format == "PNG"
    assert picture.width > 2 * shown["width"]
    assert len(picture.convert("RGB").getcolors(100_000)) > 20, "more than an empty sheet"
    content, name = saved(page, card, "svg")
    assert name == "toy-confusion.svg"
    words = content.decode()
    assert words.startswith("<svg")
    for said in ("Confusion", "toy, test", "predicted", "true", *(f"Bar {i}" for i in range(4))):
        assert said in words, said
    page.keyboard.press("Tab")
    card.get_by_label("Save the chart").click()
    page.keyboard.press("Escape")
    assert card.locator("details.save").get_attribute("open") is None


def test_a_view_is_saved_as_its_rows_and_as_a_report(live_server, page, new_page, idle, tmp_path):
    page.goto(f"{live_server}/?true=Bar%201&outcome=right&outcome=wrong")
    page.wait_for_function(idle)
    expect(page.locator("#selection-count")).not_to_be_empty()
    n = int(page.locator("#selection-count").inner_text().replace(",", ""))
    with page.expect_download() as waiting:
        page.locator("#selection-clear").get_by_text("CSV").click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert len(rows) == n > 0
    assert {row["true"] for row in rows} == {"Bar 1"}
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Report").click()
    waiting.value.save_as(tmp_path / "report.html")
    alone = new_page()
    alone.context.set_offline(True)
    alone.goto(f"file://{tmp_path}/report.html")
    assert alone.get_by_role("heading", name="How toy errs").is_visible()
    assert alone.locator(".tiles img").evaluate_all("all => all.length && all.every(one => one.naturalWidth > 0)")
    alone.set_viewport_size({"width": 390, "height": 844})
    assert alone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(alone, SERIOUS) == []
