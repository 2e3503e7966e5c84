"""The Insights page as a person uses it: turn, recolour, point, click, draw around, choose a picture."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.accessibility import violations
from tests.conftest import TOY_RUN, nothing_shipped, served

pytestmark = pytest.mark.browser

CHART = "document.querySelector('#insights-projection-graph .js-plotly-plot')"
CAMERA = f"JSON.stringify({CHART}._fullLayout.scene.camera.eye)"
# the map's canvas shows points
DRAWN = """() => {
    const canvas = document.querySelector('#insights-plane-graph canvas.dots');
    if (!canvas || !canvas.width) return false;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value, place) => place % 4 === 3 && value > 100);
}"""
# where on the page the scene's foremost point is
NEAREST = f"""() => {{
    const chart = {CHART}, scene = chart._fullLayout.scene._scene;
    const {{model, view, projection}} = scene.glplot.cameraParams;
    const times = (m, v) => [0, 1, 2, 3].map((row) => [0, 1, 2, 3].reduce((sum, k) => sum + m[4 * k + row] * v[k], 0));
    const box = scene.container.getBoundingClientRect(), {{x, y, z}} = chart._fullData[0];
    let best = [Infinity];
    for (let i = 0; i < x.length; i += 1) {{
        const at = [x[i], y[i], z[i]].map((value, axis) => value * scene.dataScale[axis]);
        const p = times(projection, times(view, times(model, [...at, 1])));
        if (p[2] / p[3] < best[0])
            best = [p[2] / p[3], box.x + box.width * (1 + p[0] / p[3]) / 2, box.y + box.height * (1 - p[1] / p[3]) / 2];
    }}
    return best.slice(1);
}}"""


@pytest.fixture(scope="module")
def address(colour_home, tmp_path_factory):
    from dashboard.shell import create_app

    home = shutil.copytree(colour_home, tmp_path_factory.mktemp("colour"), dirs_exist_ok=True)
    with served(create_app(nothing_shipped(tmp_path_factory.mktemp("nothing")), home=home)) as served_at:
        yield served_at + "/insights"


def opened(page: Page, address: str, idle: str) -> Page:
    page.goto(address)
    page.wait_for_selector("#insights-projection-graph canvas", state="attached", timeout=60_000)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_function(idle)
    return page


def middle(page: Page, chart: str) -> tuple[float, float, dict]:
    page.locator(chart).scroll_into_view_if_needed()
    box = page.locator(chart).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box


def test_recolouring_keeps_the_camera_and_a_click_opens_an_image(address, page, idle):
    opened(page, f"{address}?run=colour", idle)
    x, y, _ = middle(page, "#insights-projection-graph")
    before = page.evaluate(CAMERA)
    page.mouse.move(x - 160, y - 120)
    page.mouse.down()
    page.mouse.move(x - 100, y - 100, steps=5)
    page.mouse.up()
    page.wait_for_function(f"() => {CAMERA} !== '{before}'")
    turned = page.evaluate(CAMERA)
    assert turned != before
    page.get_by_text("Right or wrong").click()
    expect(page.locator("#insights-projection-legend button")).to_have_text(["right", "wrong"], timeout=20_000)
    page.wait_for_function(idle)
    assert page.evaluate(CAMERA) == turned
    tip = page.locator("#insights-projection-tip .glance")
    page.locator("#insights-projection-graph").scroll_into_view_if_needed()
    for step in range(40):  # as a hand does, until the scene has noticed it
        x, y = page.evaluate(NEAREST)
        page.mouse.move(x + step % 2, y)
        page.wait_for_timeout(500)
        if tip.count() and tip.is_visible():
            break
    expect(tip).to_be_visible()
    shown = re.search(r"#(\d+)", tip.inner_text()).group(1)
    page.mouse.down()
    page.wait_for_timeout(100)
    page.mouse.up()
    expect(page.locator("#sample-drawer")).to_have_class("drawer open", timeout=20_000)
    expect(page).to_have_url(re.compile(f"sample={shown}"))
    page.wait_for_function(idle)
    # on a slow machine a hover may arrive while the button is down, which turns the scene by a hair
    assert json.loads(page.evaluate(CAMERA)) == pytest.approx(json.loads(turned), abs=0.1)


def test_the_chosen_picture_goes_through_the_network(address, page, idle):
    opened(page, f"{address}?run=colour", idle)
    page.locator("#insights-inside").scroll_into_view_if_needed()
    maps = page.locator("#insights-activations-maps img")
    expect(maps).to_be_visible(timeout=60_000)
    page.wait_for_function(idle)
    before = maps.get_attribute("src")
    page.locator("#insights-picture-strip button").nth(4).click()
    expect(maps).not_to_have_attribute("src", before, timeout=20_000)
    expect(page.locator("#insights-picture-strip button").nth(4)).to_have_attribute(
        "aria-pressed", "true", timeout=20_000
    )
    page.wait_for_function(idle)
    expect(page.locator("#insights-lesson-steps")).to_contain_text(
        "4 dropout layers (25 %, 40 %, 30 %)", timeout=20_000
    )
    page.select_option("#insights-filters-layer", "body.4")
    expect(page.locator("#insights-filters-part option[value='63']")).to_have_text("Filter 64", timeout=20_000)


def test_the_document_downloads(address, page, idle):
    opened(page, f"{address}?run={TOY_RUN}", idle)
    with page.expect_download() as download:
        page.get_by_role("link", name="HTML").click()
    assert download.value.suggested_filename == f"{TOY_RUN}-feature-space-test.html"


def test_the_3d_chart_rests_when_nobody_is_there(address, page, idle):
    """Four frames a second instead of sixty, and at once more when the pointer moves."""
    opened(page, f"{address}?run={TOY_RUN}", idle)
    count = """() => new Promise((done) => {
        const before = window.requestAnimationFrame;
        let calls = 0;
        window.requestAnimationFrame = (step) => { calls += 1; return before(step); };
        setTimeout(() => { window.requestAnimationFrame = before; done(calls); }, 2000);
    })"""
    page.wait_for_timeout(4_000)
    assert 2 <= page.evaluate(count) <= 20
    page.mouse.move(300, 300)
    assert page.evaluate(count) > 20


def test_the_map_is_saved_with_its_points(address, page, idle):
    """They are on a canvas of ours, which plotly does not know of."""
    opened(page, f"{address}?run={TOY_RUN}", idle)
    card = page.locator(".ff-card", has=page.locator("#insights-plane-graph"))
    card.get_by_label("Save the chart").click()
    with page.expect_download() as waiting:
        card.locator("button[data-save=png]").click()
    picture = np.asarray(Image.open(waiting.value.path()).convert("RGB"))
    below = picture[len(picture) // 4 :].reshape(-1, 3)  # under the title
    colour = below.max(1).astype(int) - below.min(1)
    assert (colour > 60).mean() > 0.005


def test_it_is_readable_for_everybody(address, page, idle):
    opened(page, f"{address}?run=colour", idle)
    page.locator("#insights-inside").scroll_into_view_if_needed()
    expect(page.locator("#insights-activations-maps img")).to_be_visible(timeout=60_000)
    for theme, width in (("light", 1440), ("dark", 768), ("dark", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        if page.locator("html").get_attribute("data-bs-theme") != theme:
            page.locator("#app-theme-button").click()
            page.wait_for_timeout(500)
        page.wait_for_function(idle)
        page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")  # charts follow a moment later
        assert violations(page) == []


def test_a_run_that_does_not_say_its_layers_holds_nothing_up(toy_home, tmp_path, serving, page, idle):
    from dashboard.shell import create_app

    home = tmp_path / "home"
    shutil.copytree(toy_home, home)
    path = home / "runs" / TOY_RUN / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["layers"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    page.goto(f"{serving(create_app(nothing_shipped(tmp_path), home=home))}/insights")
    expect(page.locator("#insights-architecture-face")).to_contain_text("does not describe its layers")
    page.wait_for_selector("#insights-projection-graph canvas")
    page.wait_for_selector("#insights-calibration-bins button")
    page.wait_for_selector("#insights-examples-rows .ex-row .tile")
