"""The studio in a browser while an answer is on its way."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from dashboard.pages.prediction.answer import ASKING, NO_PICTURE_YET

FACE = "#app-page #prediction-answer-face"


def test_a_question_that_takes_its_time_shows_that_it_waits(shipped, page, idle, run):
    page.goto(f"{shipped}/prediction")
    page.wait_for_function(idle)
    expect(page.locator(FACE)).to_contain_text(NO_PICTURE_YET)
    late, held = [], True

    def hold(route):
        late.append(route) if held and "prediction-answer-face" in route.request.post_data else route.continue_()

    def release():
        nonlocal held
        held = False
        while late:
            late.pop().continue_()

    page.route("**/_dash-update-component*", hold)
    page.locator("#prediction-samples-grid [data-search]").first.click()
    expect(page.locator(f"{FACE} .face.wait")).to_contain_text(ASKING)
    expect(page.locator(f"{FACE} .face.wait")).to_have_attribute("aria-busy", "true")
    expect(page.locator(FACE)).not_to_contain_text(NO_PICTURE_YET)
    release()
    expect(page.locator("#prediction-label")).not_to_be_empty(timeout=60_000)
    expect(page.locator(f"{FACE} .face")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"sample=\d+$"))

    held = True
    page.goto(page.url)  # the same by its address
    expect(page.locator(f"{FACE} .face.wait")).to_contain_text(ASKING)
    expect(page.locator("#app-page #prediction-picture-preview [aria-busy]")).to_have_count(1)
    release()
    expect(page.locator("#app-page #prediction-label")).not_to_be_empty(timeout=60_000)
    expect(page.locator(f"{FACE} .face")).to_have_count(0)
    expect(page.locator("#app-page #prediction-picture-preview img")).to_have_count(1)
    page.unroute("**/_dash-update-component*")
    page.wait_for_function(idle)


@pytest.mark.allow_problems("ERR_FAILED", "the server did not respond")
def test_a_question_that_gets_no_answer_says_so_and_can_be_asked_again(shipped, page, idle):
    page.goto(f"{shipped}/prediction")
    page.wait_for_function(idle)

    def lose(route):
        route.abort() if "prediction-answer-face" in route.request.post_data else route.continue_()

    page.route("**/_dash-update-component*", lose)
    page.locator("#prediction-samples-grid [data-search]").nth(1).click()
    bad = page.locator(f"{FACE} .face.bad")
    expect(bad).to_contain_text("did not answer")
    expect(page.locator(f"{FACE} .face.wait")).to_have_count(0)
    page.unroute("**/_dash-update-component*")
    bad.get_by_role("link", name="Try again").click()
    expect(page.locator("#app-page #prediction-label")).not_to_be_empty(timeout=60_000)
    expect(page.locator(f"{FACE} .face")).to_have_count(0)


def test_on_a_phone_the_answer_comes_into_sight_or_what_was_refused(shipped, page, idle, run):
    """The answer lies below the field, the camera and what one may send."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{shipped}/prediction")
    page.wait_for_function(idle)
    field = page.locator("#prediction-upload input[type=file]")
    picture = io.BytesIO()
    Image.fromarray(run.picture("test", 0).squeeze()).save(picture, "png")
    field.set_input_files({"name": "one.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    expect(page.locator("#prediction-label")).not_to_be_empty(timeout=60_000)
    page.wait_for_function(idle)
    for part in ("#prediction-label", "#prediction-confidence"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    field.set_input_files({"name": "one.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    expect(page.locator("#prediction-error")).to_contain_text("not a picture")
    expect(page.locator("#prediction-error")).to_be_in_viewport(ratio=1)
    page.locator("#prediction-samples-random").click()
    expect(page.locator("#prediction-label")).to_be_in_viewport(ratio=1, timeout=60_000)
