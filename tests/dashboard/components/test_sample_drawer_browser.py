"""One image in a real browser: the network is announced in time, and its failure modes lead to all of their kind."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from dashboard.components import explanations
from dashboard.state.selection import Selection
from tests.accessibility import SERIOUS, both_themes, violations


@pytest.fixture
def announced(page):
    """The addresses by which the page announced that an explanation will be asked for."""
    urls = []
    page.on("request", lambda request: urls.append(request.url) if "/explanations/warm" in request.url else None)
    return urls


def test_the_network_is_announced_by_the_pointer_on_an_image_and_not_before(shipped, page, idle, announced):
    page.goto(shipped)
    page.wait_for_function(idle)
    page.mouse.move(4, 400)  # beside everything
    page.locator("#dashboard-gallery-grid").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert announced == []
    with page.expect_request("**/explanations/warm*"):
        page.locator("#dashboard-gallery-grid [data-sample]").nth(3).hover()
    page.locator("#dashboard-gallery-grid [data-sample]").nth(5).hover()
    page.wait_for_timeout(500)
    assert len(announced) == 1


def test_an_address_that_opens_an_image_announces_it(shipped, page, run, announced):
    example = int(run.tagged("test", "confidently-wrong")[0])
    with page.expect_request("**/explanations/warm*"):
        page.goto(f"{shipped}/?sample={example}", wait_until="commit")
    assert announced == [f"{shipped}/explanations/warm?sample={example}"]


def test_failure_modes_lead_to_all_of_their_kind(shipped, page, idle, run):
    page.set_viewport_size({"width": 390, "height": 844})
    ids = run.tagged("test", "confidently-wrong")
    page.goto(f"{shipped}/?sample={ids[0]}")
    page.wait_for_function(idle)
    chips = page.locator("#sample-drawer-tags")
    expect(chips).to_contain_text("Check the labels first")
    chip = chips.get_by_role("button", name="confidently wrong")
    assert "Named wrong" in chip.get_attribute("title")
    for theme in both_themes(page, idle):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), theme
        assert violations(page, SERIOUS) == [], theme
    chip.press("Enter")
    expect(page).to_have_url(re.compile(r"\?tag=confidently-wrong$"))
    expect(page.locator("#selection-count")).to_have_text(f"{len(ids):,}")


def test_the_keyboard_walks_from_image_to_image_and_back_to_where_it_came_from(shipped, page, idle):
    page.goto(shipped)
    page.wait_for_function(idle)
    tile = page.locator("#dashboard-gallery-grid [data-sample]").nth(1)
    tile.focus()
    page.keyboard.press("Enter")
    title, body = page.locator("#sample-drawer-title"), page.locator("#sample-drawer-body")
    expect(title).to_contain_text("2 of")
    expect(body).to_be_focused()  # not the image behind it, whose arrows walk through the gallery
    for key, place in (("ArrowRight", 3), ("ArrowRight", 4), ("ArrowLeft", 3)):
        page.keyboard.press(key)
        expect(title).to_contain_text(f"{place} of")
        expect(body).to_be_focused()
    page.get_by_role("button", name="Next sample").focus()
    for key, place, name in (("Enter", 4, "Next"), ("Enter", 5, "Next"), ("ArrowLeft", 4, "Previous")):
        page.keyboard.press(key)  # the buttons are drawn anew for every image
        expect(title).to_contain_text(f"{place} of")
        expect(page.get_by_role("button", name=f"{name} sample")).to_be_focused()
    page.wait_for_function(idle)
    page.keyboard.press("Escape")
    expect(page.locator("#sample-drawer.open")).to_have_count(0)
    expect(tile).to_be_focused()


MAPS = "#sample-drawer-why-grid img.over"
METHODS = ("grad-cam", "integrated", "occlusion")


@pytest.fixture
def maps(page):
    """The addresses of maps that the page asked for so far, without what precedes the image's number."""
    urls: list[str] = []
    page.on("request", lambda one: urls.append(one.url) if re.search(r"/explanations/.*\.png", one.url) else None)
    return urls


def of(run, example: int) -> list[tuple[int, str]]:
    """What the six maps of an image are of: class and method."""
    predictions = run.predictions("test")
    row = predictions.row(example)
    both = [one.id for one in explanations.targets(predictions.probabilities[row], run.classes, predictions.label(row))]
    return sorted((target, method) for target in both for method in METHODS)


def told(urls: list[str], example: int) -> list[tuple[int, str]]:
    """The same, of the maps that were asked for."""
    asked = (re.search(rf"/{example}\.png.*[?&]target=(\d+)&method=([a-z-]+)", url) for url in urls)
    return sorted((int(one[1]), one[2]) for one in asked if one)


def press(tile) -> None:
    """A press that is not let go of, on the tile wherever the page has moved it by now."""
    tile.dispatch_event("pointerdown", {"button": 0, "bubbles": True})


def test_maps_are_begun_at_the_press_and_asked_for_once(shipped, page, idle, run, maps):
    page.goto(shipped)
    page.wait_for_function(idle)
    tile = page.locator("#dashboard-gallery-grid [data-sample]").nth(2)
    example = int(tile.get_attribute("data-sample"))
    tile.hover()
    page.wait_for_timeout(300)
    assert maps == [], "a pointer that passes by costs no maps"
    with page.expect_response(re.compile(r"method=occlusion.*"), timeout=60_000):
        press(tile)
    expect(page.locator("#sample-drawer.open")).to_have_count(0)
    tile.click()
    expect(page.locator("#sample-drawer-title")).to_contain_text(f"#{example}")
    for target, method in of(run, example):
        name = rf"{example}\.png.*target={target}&method={method}"
        expect(page.locator(f"{MAPS}[src*='target={target}&method={method}']")).to_have_attribute(
            "src", re.compile(name)
        )
    page.wait_for_function(idle)
    assert told(maps, example) == of(run, example)
    assert page.locator(MAPS).evaluate_all("(all) => all.map((one) => one.naturalWidth)") == [28] * 6


def test_a_press_that_opens_nothing_leaves_the_maps_that_are_under_way(shipped, page, idle, run, maps):
    shown, other = (int(one) for one in run.predictions("test").ids[run.ordered(Selection())[:2]])
    held = []
    page.route(re.compile(rf"/{shown}\.png.*method=occlusion"), lambda route: held.append(route))
    page.goto(f"{shipped}/?sample={shown}")
    first, second = ([one for one in of(run, shown) if (one[1] == "occlusion") is slow] for slow in (False, True))
    cell = f"{MAPS}[src*='/{shown}.png'][src*='target={{}}&method={{}}']"
    for one in first:
        expect(page.locator(cell.format(*one))).to_have_count(1, timeout=60_000)
    tile = page.locator(f"#dashboard-gallery-grid [data-sample='{other}']")
    with page.expect_response(re.compile(rf"/{other}\.png.*method=occlusion"), timeout=60_000):
        press(tile)
    for route in held:
        route.continue_()
    page.unroute_all()
    for one in second:
        expect(page.locator(cell.format(*one))).to_have_count(1, timeout=60_000)


def test_of_images_that_somebody_walks_past_only_quick_maps_are_made(shipped, page, idle, maps):
    page.goto(shipped)
    page.wait_for_function(idle)
    Image.new("RGBA", (28, 28)).save(empty := io.BytesIO(), "PNG")
    page.route("**/explanations/walked/*", lambda route: route.fulfill(body=empty.getvalue(), content_type="image/png"))
    with page.expect_request(re.compile(r"walked/3\.png\?target=0&method=occlusion")):
        page.evaluate(
            """async () => {
                performance.now = () => 1000;  // however busy the machine, no time passes between them
                for (const image of [1, 2, 3]) {
                    const maps = [['grad-cam', true], ['occlusion', false]].map(([way, quick]) => ({
                        id: `sample-drawer-why-map-0-${way}`, way, quick, alt: '',
                        src: `/explanations/walked/${image}.png?target=0&method=${way}`}));
                    window.dash_clientside.maps.show({maps}, 'auto');
                    await new Promise((done) => setTimeout(done, 50));
                }
            }"""
        )
    assert [sorted(set(told(maps, image))) for image in (1, 2, 3)] == [
        [(0, "grad-cam"), (0, "occlusion")],
        [(0, "grad-cam")],
        [(0, "grad-cam"), (0, "occlusion")],
    ]
