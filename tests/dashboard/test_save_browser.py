"""Charts are saved as pictures from the browser, with what stands beside them on the page."""

import io

from PIL import Image


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
