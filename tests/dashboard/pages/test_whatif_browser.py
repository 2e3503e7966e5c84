"""What if, as people use it: sliders, brush, steps, links, keys; the bars follow."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from ml.images import edits
from tests.accessibility import violations
from tests.feedback import data_url, picture
from tests.promises import promised

CARD = "#prediction-whatif"
PROMISED = 0.3  # seconds from a slider's movement to the bars
# drags a slider and waits for the bars of each value, as drawn; milliseconds
DRAG = """async ([id, values]) => {
    const slider = document.getElementById(id), card = document.getElementById('prediction-whatif'), took = [];
    slider.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}));
    for (const value of values) {
        const began = performance.now();
        slider.value = value;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        while (card.dataset.shown !== `rot:${value}`) await new Promise((done) => requestAnimationFrame(done));
        took.push(performance.now() - began);
    }
    slider.dispatchEvent(new Event('change', {bubbles: true}));
    return took;
}"""
BARS = """() => [...document.querySelectorAll('#prediction-whatif-bars tr')].map((row) => row.lastChild.textContent)"""


def clean(page):
    assert violations(page, context=CARD) == []


def pixels(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def opened(page, address, idle):
    page.goto(address)
    page.wait_for_function(idle)
    page.locator(CARD).scroll_into_view_if_needed()
    page.wait_for_selector(f"{CARD}[data-shown]")
    page.wait_for_function(idle)


def shown(page, text):
    page.wait_for_function("(text) => document.getElementById('prediction-whatif').dataset.shown === text", arg=text)


@pytest.mark.allow_problems("Failed to load resource", "ERR_FAILED")
def test_bars_follow_a_hand_and_every_step_is_in_the_address(live_server, page, new_page, idle):
    opened(page, f"{live_server}/prediction?run=toy&split=test&sample=7", idle)
    before = page.evaluate(BARS)
    expect(page.locator(f"{CARD}-said")).to_contain_text("Nothing is changed yet")
    page.evaluate(DRAG, [f"{CARD[1:]}-rot-0", [1]])  # the first one loads what it needs
    took = page.evaluate(DRAG, [f"{CARD[1:]}-rot-0", list(range(10, 60, 3))])
    assert np.percentile(took, 95) < 1000 * promised(PROMISED), took
    shown(page, "rot:58")
    assert page.url.endswith("sample=7&edits=rot:58")
    assert page.evaluate(BARS) != before
    expect(page.locator(f"{CARD}-strip li")).to_have_count(3)

    # a stroke is seen before the server answers, and is the server's afterwards
    canvas = page.locator(f"{CARD}-canvas")
    frame = canvas.bounding_box()
    cell = frame["width"] / 28
    at = lambda x, y: (frame["x"] + (x + 0.5) * cell, frame["y"] + (y + 0.5) * cell)  # noqa: E731
    page.route("**/api/v1/whatif", lambda route: route.abort())
    page.mouse.move(*at(4, 4))
    page.mouse.down()
    page.mouse.move(*at(20, 4), steps=6)
    page.mouse.move(*at(20, 9), steps=4)
    page.mouse.up()
    pixel = "(c) => [...c.getContext('2d').getImageData(12, 4, 1, 1).data]"
    assert canvas.evaluate(pixel) == [255, 255, 255, 255]
    expect(page.locator(f"{CARD}-error")).to_contain_text("Your changes are kept here")
    page.unroute("**/api/v1/whatif")
    expect(page.locator(f"{CARD}-error")).to_have_text("")  # it is asked again by itself
    painted = page.evaluate("() => document.getElementById('prediction-whatif').dataset.shown")
    assert page.url.endswith(f"edits={painted}")
    (turn, brush) = edits.parse(painted)
    assert turn.values == (58,)
    assert brush.strokes == (edits.Stroke(2, 255, ((4, 4), (20, 4), (20, 9))),)
    assert canvas.evaluate(pixel) == [255, 255, 255, 255]
    last = page.evaluate(BARS)

    # undo, redo, a step back in the strip, and the browser's own arrows
    page.keyboard.press("Control+z")
    shown(page, "rot:58")
    assert page.url.endswith("edits=rot:58")
    page.keyboard.press("Control+Shift+Z")
    shown(page, painted)
    page.locator(f"{CARD}-strip button").first.click()
    page.wait_for_function("() => document.getElementById('prediction-whatif').dataset.shown === ''")
    assert "edits" not in page.url
    assert page.evaluate(BARS) == before
    page.go_back()
    shown(page, painted)
    assert page.evaluate(BARS) == last
    page.wait_for_function(idle)
    clean(page)

    # the link gives another browser the same picture and the same answer
    other = new_page(viewport={"width": 390, "height": 844})
    opened(other, page.url, idle)
    shown(other, painted)
    assert other.evaluate(BARS) == last
    expect(other.locator(f"{CARD}-rot-0")).to_have_value("58")
    assert other.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    other.click("#app-theme-button")
    other.wait_for_function(idle)
    clean(other)


def test_by_keyboard_and_with_a_picture_of_ones_own(live_server, page, idle):
    page.goto(f"{live_server}/prediction?run=toy&edits=invert")
    expect(page.locator("#prediction-answer-face")).to_contain_text("This link holds changes to a picture")
    page.wait_for_function(idle)
    content = base64.b64decode(data_url(picture(5)).partition(",")[2])
    field = page.locator("#prediction-upload input")
    field.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": content})
    page.locator(CARD).scroll_into_view_if_needed()
    shown(page, "invert")  # made to the picture that was given
    expect(page.locator("[data-link=own]")).to_be_visible()
    expect(page.locator(f"{CARD}-invert")).to_be_checked()

    canvas = page.locator(f"{CARD}-canvas")
    canvas.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(f"{CARD}-where")).to_have_text("Column 10, row 14.")
    page.keyboard.down(" ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.up(" ")
    expect(page.locator(f"{CARD}-strip li")).to_have_count(3)
    (_, brush) = edits.parse(page.url.partition("edits=")[2])
    assert brush.strokes == (edits.Stroke(2, 255, ((9, 13), (9, 15))),)
    slider = page.locator(f"{CARD}-blur-0")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator(f"{CARD}-strip li")).to_have_count(4)  # three presses are one step
    assert page.url.endswith(",blur:0.3")
    # what the browser paints is what the server paints
    strokes = [edits.Stroke(3, 9, ((2, 3), (20, 11), (7, 25))), edits.Stroke(4, 200, ((27, 0),))]
    drawn = page.evaluate(
        """(strokes) => {
            const pixels = new Uint8ClampedArray(4 * 28 * 28);
            strokes.forEach((one) => dash_clientside.whatif.paint(pixels, 28, 28, one));
            return [...pixels].filter((_, i) => i % 4 === 0);
        }""",
        [json.loads(json.dumps(vars(one))) for one in strokes],
    )
    edited = edits.apply(np.zeros((28, 28, 1), np.uint8), [edits.Change("brush", strokes=tuple(strokes))])
    assert drawn == edited.ravel().tolist()

    # handed to the studio, it is a picture of one's own, without changes
    shown(page, page.url.partition("edits=")[2])
    source = page.locator(f"{CARD}-png").get_attribute("href")
    page.get_by_role("button", name="Use this picture").click()
    page.wait_for_function("() => !window.location.search.includes('edits')")
    expect(page.locator("#prediction-picture-caption")).to_contain_text("what-if.png")
    expect(page.locator(f"{CARD}-strip li")).to_have_count(1)
    page.wait_for_function(idle)
    kept = page.locator("#prediction-picture-preview img").get_attribute("src")
    assert np.array_equal(pixels(kept), pixels(source))
