"""The camera as people see it, on Chromium's own false one: a green wall with a ticking disc."""

import itertools
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dashboard.pages.prediction.answer_text import UNLIKE
from tests.accessibility import violations
from tests.conftest import CHROMIUM_FLAGS, WHOLE, chromium
from tests.promises import FULL, promised

FALSE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
ROOT = "#prediction-camera"
STRANGE = UNLIKE[0]["props"]["children"]  # the headline of an upload that is unlike the training data
# the browser's answers as people's browsers give them; this one says yes to everything
ASKS = "navigator.permissions.query = async () => ({state: window.says || 'prompt'})"
REFUSES = """() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (window.fails) throw new DOMException('no', window.fails);
        return real(wanted);
    };
}"""
COUNTS = """
    window.answered = window.most = 0;
    let underWay = 0;
    const real = window.fetch;
    window.fetch = async (...asked) => {
        if (asked[0] !== '/api/v1/frame') return real(...asked);
        underWay += 1;
        window.most = Math.max(window.most, underWay);
        try { return await real(...asked); } finally { underWay -= 1; window.answered += 1; }
    };
"""
# the next frame that asks which run is to answer is told of this one; `asked`: what it and those after it ask
TELLS = """(answer) => {
    const real = window.fetch;
    window.asked = [];
    window.fetch = async (...request) => {
        const run = request[0] === '/api/v1/frame' && request[1].body.get('run');
        if (!run || !(window.asked.length || run.startsWith('auto'))) return real(...request);
        window.asked.push(run);
        return window.asked.length > 1 ? real(...request) : Response.json(answer);
    };
}"""
ENDED = "() => window.track.readyState === 'ended'"


@pytest.fixture(scope="module")
def browser(browser):
    """Another Chromium, with a camera: the headless shell lets nobody use one."""
    launched = browser.browser_type.launch(executable_path=chromium(WHOLE), args=[*CHROMIUM_FLAGS, *FALSE])
    yield launched
    launched.close()


@pytest.fixture
def page(new_page):
    """In that Chromium."""
    return new_page()


def opened(page, address, idle, path="/prediction"):
    page.goto(f"{address}{path}")
    page.wait_for_function(idle)
    page.click(f"{ROOT} [data-camera=open]")


def live(page):
    expect(page.locator(ROOT)).to_have_attribute("data-state", "live")
    expect(page.locator(f"{ROOT} .said")).to_be_visible()
    page.evaluate(f"() => {{ window.track = document.querySelector('{ROOT} video').srcObject.getTracks()[0]; }}")


def clean(page):
    assert violations(page) == []


def still(label, run_id):
    """An answer of the run that does not change; the frames after it ask the same run."""
    top = [{"label": label, "probability": 0.8}]
    place = [[1 / 28, 0, 0], [0, 1 / 28, 0]]
    return {
        "run": run_id,
        "label": label,
        "confidence": 0.8,
        "top": top,
        "ms": 1,
        "height": 28,
        "width": 28,
        "place": place,
    }


def kept() -> set[Path]:
    """What lies in the server's home, the database's own files left out."""
    paths = Path(os.environ["FASHION_HOME"]).rglob("*")
    return {path for path in paths if path.is_file() and ".sqlite" not in path.name}


def test_frames_are_answered_as_they_come_and_a_frozen_one_goes_to_the_studio(
    shipped, run, page, idle, record_property
):
    page.add_init_script(COUNTS)
    answered = "() => window.answered"
    opened(page, shipped, idle)
    live(page)
    before = kept()
    page.wait_for_timeout(1_500)
    first, start = page.evaluate(answered), time.perf_counter()
    page.wait_for_timeout(10_000 if FULL else 3_000)
    rate = (page.evaluate(answered) - first) / (time.perf_counter() - start)
    record_property("fact", f"{rate:.1f} frames a second answered")
    assert rate >= 10 / promised(1.0)
    assert page.evaluate("() => window.most") == 1, (
        "the newest frame is asked about when the last one is answered, none waits in line"
    )
    # a green wall with a disc is no garment: the network names one, and the headline says what to make of that
    expect(page.locator(f"{ROOT} .said b")).to_have_text(STRANGE)
    guess = page.locator(f"{ROOT} .said span").inner_text()
    assert guess.removeprefix("A guess: ").partition(",")[0] in run.classes
    expect(page.locator(f"{ROOT} .pbar")).to_have_count(3)
    expect(page.locator(f"{ROOT} .pace")).to_contain_text("frames a second answered")
    drawn = "(sheet) => sheet.getContext('2d').getImageData(0, 0, 320, 320).data.some(Boolean)"
    assert page.locator(f"{ROOT} canvas").evaluate(drawn), "outline and explanation lie over the picture"
    square = page.locator(f"{ROOT} .view").bounding_box()
    assert square["width"] == pytest.approx(square["height"], abs=1)
    assert square["width"] > 200
    page.click(f"{ROOT} [data-camera=mirror]")
    expect(page.locator(ROOT)).to_have_attribute("data-mirror", "false")
    clean(page)
    page.click(f"{ROOT} [data-camera=freeze]")
    expect(page.locator("#prediction-picture-caption")).to_contain_text("camera.jpg · 480 × 480")
    expect(page.locator("#prediction-label")).not_to_be_empty()
    expect(page.locator("#prediction-picture-preview img")).to_be_visible()
    expect(page.locator("#prediction-feedback-form")).to_be_visible()
    expect(page.locator(ROOT)).to_have_attribute("data-state", "off")
    assert page.evaluate(ENDED), "its light is off"
    assert kept() == before, "no frame is kept"


@pytest.mark.allow_problems("ERR_FAILED", "Failed to load resource", "404 .*/api/v1/frame")
def test_what_the_browser_says_no_to_has_words_and_a_way_on(shipped, run, new_page, idle):
    page = new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    missing = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status == 404 else None)
    page.add_init_script(ASKS)
    opened(page, shipped, idle)
    words = page.locator(f"{ROOT} .face p")
    expect(words).to_contain_text("none is kept")
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
    clean(page)
    page.evaluate(REFUSES)
    for error, reason in (
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "Another program may be using it"),
        ("NotAllowedError", "closed without an answer"),
    ):
        page.evaluate("(error) => { window.fails = error; }", error)
        page.click(f"{ROOT} [data-camera=start]")
        expect(words).to_contain_text(reason)
    page.keyboard.press("Escape")
    expect(page.locator(ROOT)).to_have_attribute("data-state", "off")
    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()
    page.evaluate("() => { window.says = 'denied'; }")
    page.keyboard.press("Enter")
    expect(words).to_contain_text("may not use the camera")
    clean(page)
    page.evaluate("() => { window.fails = null; }")
    page.get_by_role("button", name="Try again").press("Enter")
    live(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    clean(page)
    # a label that stays is read out; what flickers is not
    live_region = page.locator(f"{ROOT} > .visually-hidden")
    page.route("**/api/v1/frame", lambda route: route.fulfill(json=still("Bag", run.run_id)))
    expect(live_region).to_have_text("Bag, 80 %")
    turns = itertools.cycle(("Bag", "Coat"))
    page.unroute("**/api/v1/frame")
    page.route("**/api/v1/frame", lambda route: route.fulfill(json=still(next(turns), run.run_id)))
    page.wait_for_timeout(1_500)
    expect(live_region).to_have_text("Bag, 80 %")
    page.unroute("**/api/v1/frame")
    # what is unlike the training data is said first, and the label is a guess: as of an upload
    strange = {**still("Bag", run.run_id), "familiarity": {"percentile": 99.9, "unlike": True}}
    page.route("**/api/v1/frame", lambda route: route.fulfill(json=strange))
    expect(page.locator(f"{ROOT} .said b")).to_have_text(STRANGE)
    expect(page.locator(f"{ROOT} .said span")).to_have_text("A guess: Bag, 80 %")
    sizes = [
        page.locator(f"{ROOT} .said {part}").evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
        for part in ("b", "span")
    ]
    assert sizes[0] > sizes[1]
    expect(live_region).to_have_text(f"{STRANGE}. A guess: Bag, 80 %")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    clean(page)
    page.unroute("**/api/v1/frame")
    # the server is away: the picture goes on, the words say so, and it comes back by itself
    page.route("**/api/v1/frame", lambda route: route.abort())
    expect(page.locator(f"{ROOT} .refusal")).to_contain_text("The server does not answer")
    assert not page.evaluate("() => document.querySelector('#prediction-camera video').paused")
    page.unroute("**/api/v1/frame")
    expect(page.locator(f"{ROOT} .refusal")).to_be_empty()
    # the run that answered is gone: one frame finds out, the next asks which is to answer
    assert missing == []
    page.evaluate(TELLS, still("Bag", "gone"))
    page.wait_for_function("() => window.asked.length > 3")
    first, second, third, _ = page.evaluate("() => window.asked.slice(0, 4)")
    assert (first[:4], second, third) == ("auto", "gone", first)
    expect(page.locator(f"{ROOT} .refusal")).to_be_empty()
    assert len(missing) == 1
    # out of sight, it is off
    page.evaluate("""() => {
        Object.defineProperty(document, 'hidden', {value: true, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }""")
    expect(words).to_contain_text("out of sight")
    assert page.evaluate(ENDED)
    page.evaluate("() => { delete document.hidden; }")
    page.click(f"{ROOT} [data-camera=start]")
    live(page)
    page.get_by_role("link", name="Monitoring").click()
    page.wait_for_function(ENDED)


def test_without_https_it_says_why(shipped, page, idle):
    page.add_init_script("""
        Object.defineProperty(Navigator.prototype, 'mediaDevices', {value: undefined});
        Object.defineProperty(window, 'isSecureContext', {value: false});
    """)
    opened(page, shipped, idle)
    expect(page.locator(f"{ROOT} .face p")).to_contain_text("only to pages that come by https")
    page.get_by_role("button", name="Back to pictures").click()
    expect(page.locator("#prediction-upload")).to_be_visible()
