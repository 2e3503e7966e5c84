"""The first screen in a browser: it stands without scripts, the page takes its place unseen, nothing is lost."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from dashboard.first import screen
from tests.accessibility import SERIOUS, violations

pytestmark = [pytest.mark.browser, pytest.mark.first_screen]
SCRIPTS = re.compile(r"/_dash-component-suites/|/assets/all\.js")
FOLD = 1_000  # pixels from the top, within which everything stands from the start
SHIFTS = """window.shifts = []; new PerformanceObserver((list) => {
    const name = ({node}) => String(node && node.className);
    for (const one of list.getEntries()) window.shifts.push([one.value, ...one.sources.map(name)]);
}).observe({type: 'layout-shift', buffered: true});"""
# where what the reader looks at stands on the page: whatever has words of its own, pictures, charts
PLACES = """(root) => [...document.querySelector(root).querySelectorAll(
    'h1,h2,p,button:not([data-x]),a:not(.skip),.stat,.tile .px,.dash-graph,select')]
    .filter((one) => one.getClientRects().length && !one.closest('.selbar,.ff-nav,.drawer,details'))
    .map((one) => { const {x, y, width, height} = one.getBoundingClientRect();
        const words = one.matches('.dash-graph') ? '' : one.textContent.slice(0, 40);
        return {what: `${one.tagName} ${words}`, where: [x, y + scrollY, width, height]}; })"""


def held(page, url: str) -> Callable[[], None]:
    """Open an address whose scripts wait until what comes back is called."""
    waiting: list = []
    free = False
    page.route(SCRIPTS, lambda route: route.continue_() if free else waiting.append(route))
    page.goto(url, wait_until="commit")
    expect(page.locator("#first-layout")).to_be_attached()  # what comes after the screen

    def go() -> None:
        nonlocal free
        free = True
        for one in waiting:
            one.continue_()

    return go


def test_scores_matrix_and_gallery_are_in_sight_with_scripts_off(shipped, new_page, run):
    page = new_page(java_script_enabled=False)
    page.goto(shipped)
    screen = page.locator("#app-first")
    expect(screen.locator(".scores .hero-n")).to_be_visible()
    expect(screen.locator(".cm [data-x]")).to_have_count(len(run.classes) ** 2)
    expect(screen.locator(".cm [data-x]").first).to_be_visible()
    expect(screen.locator(".tile")).to_have_count(48)
    tile = screen.locator(".tile .px").first
    expect(tile).to_be_visible()
    assert "/sprites/" in tile.evaluate("(one) => getComputedStyle(one).backgroundImage")
    page.get_by_role("link", name="Insights").click()
    expect(page.locator("#app-first h1")).to_have_text("Insights")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_takes_over_without_a_jump(shipped, new_page, idle, width):
    page = new_page(viewport={"width": width, "height": 900})
    page.add_init_script(SHIFTS)
    go = held(page, shipped)
    before = page.evaluate(PLACES, "#app-first")
    page.mouse.wheel(0, 300)
    page.wait_for_function("() => scrollY > 250")
    top = page.evaluate("scrollY")
    go()
    page.wait_for_function(idle)
    assert page.locator("#app-first").count() == 0
    assert page.evaluate("scrollY") == top
    after = page.evaluate(PLACES, "#react-entry-point")
    # further down, panels are drawn once they come near the window, which they may or may not have by now
    before, after = ([one for one in seen if one["where"][1] < FOLD] for seen in (before, after))
    assert len(before) > 20
    assert [one["what"] for one in before] == [one["what"] for one in after]
    for old, new in zip(before, after, strict=True):
        assert old["where"] == pytest.approx(new["where"], abs=1), old["what"]
    assert page.evaluate("window.shifts.reduce((sum, [value]) => sum + value, 0)") == 0, page.evaluate("window.shifts")


@pytest.mark.parametrize("path", ["/", "/insights", "/training"])
def test_what_stands_first_has_names_for_everybody(shipped, new_page, path):
    page = new_page()
    held(page, shipped + path)
    expect(page.locator("#app-first h1")).to_be_visible()
    assert violations(page, SERIOUS) == []


@pytest.mark.parametrize("colours", ["light", "dark"])  # as the system has them: nobody chose any here
def test_nothing_is_asked_that_came_with_the_page(shipped, new_page, idle, colours):
    page = new_page(color_scheme=colours)
    asked = []
    page.on("request", lambda one: asked.append(one.url) if "/_dash-" in one.url and "suites" not in one.url else None)
    page.goto(shipped)
    page.wait_for_function(idle)
    expect(page.locator(".js-plotly-plot .heatmaplayer").first).to_be_visible()
    assert [one for one in asked if not one.endswith("/_dash-dependencies")] == []
    assert page.locator("html").get_attribute("data-bs-theme") == colours
    page.locator("#dashboard-gallery-select").select_option("id")  # from here on the server is asked
    page.wait_for_function(idle)
    assert any("_dash-update-component" in one for one in asked)


def test_focus_and_what_was_pressed_before_are_kept(shipped, new_page, idle, run):
    page = new_page()
    go = held(page, shipped)
    page.locator("#app-first details.save summary").nth(1).click()
    cell = page.locator('#app-first [data-x="Coat"][data-y="Shirt"]')
    n = cell.inner_text()
    cell.click()
    assert "true=" not in page.url
    page.locator("#app-first").get_by_role("button", name="Row %").focus()
    go()
    page.wait_for_function(idle)
    expect(page).to_have_url(re.compile(r"true=Shirt&pred=Coat"))
    expect(page.locator("#selection-count")).to_have_text(n)
    expect(page.locator("details.save").nth(1)).to_have_attribute("open", "")
    assert page.evaluate("document.activeElement.textContent") == "Row %"
    assert page.evaluate("Boolean(document.activeElement.closest('#react-entry-point'))")


def test_a_button_and_a_choice_pressed_before_do_what_they_say(shipped, new_page, idle):
    page = new_page()
    go = held(page, shipped)
    page.locator("#app-first").get_by_role("button", name="Log", exact=True).click()
    page.locator("#app-first .runpick select").select_option("mlp")
    go()
    page.wait_for_function(idle)
    expect(page.locator("#run-picker")).to_have_value("mlp")
    expect(page).to_have_url(re.compile("run=mlp"))
    expect(page).to_have_url(re.compile("matrix=log"))
    expect(page.locator("#dashboard-about")).to_contain_text("mlp")


def test_an_address_that_is_gone_back_to_is_asked_anew(shipped, new_page, idle):
    page = new_page()
    page.goto(f"{shipped}/?sort=id")
    page.wait_for_function(idle)
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function(idle)
    expect(page.locator("#app-first")).to_have_count(0)
    expect(page.locator("#dashboard-gallery-select")).to_have_value("id")


def test_scripts_run_once_the_screen_is_painted(shipped, new_page, idle):
    page = new_page()
    page.add_init_script(f"""{{
        const later = window.setTimeout, painted = () => performance.getEntriesByName('first-contentful-paint').length;
        window.setTimeout = (what, ms, ...more) => ms === {screen.LATE_MS} ? 0 : later(what, ms, ...more);
        let made;
        Object.defineProperty(window, 'dash_clientside', {{
            get: () => made, set: (value) => {{ made = value; window.paintedBefore ??= painted(); }},
        }});
    }}""")  # however long that takes
    page.goto(shipped)
    page.wait_for_function(idle)
    expect(page.locator("#app-first")).to_have_count(0)
    assert page.evaluate("window.paintedBefore") == 1


@pytest.mark.parametrize("hidden", [True, False])
def test_a_page_that_nobody_paints_is_there_too(shipped, new_page, idle, hidden):
    """A tab in the background, and a frame out of sight: requestAnimationFrame never comes."""
    page = new_page()
    page.add_init_script(f"""
        Object.defineProperty(document, 'hidden', {{ get: () => {str(hidden).lower()} }});
        window.requestAnimationFrame = () => 0;
    """)
    page.goto(shipped)
    page.wait_for_function(idle, polling=100)
    expect(page.locator("#app-first")).to_have_count(0)
    expect(page.locator("#app-page .scores .hero-n")).to_be_visible()


def test_the_colours_of_the_system_hold_from_the_first_frame(shipped, new_page, idle):
    def colours(page) -> list[str]:
        seen = "(all) => all.map((one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color].join())"
        return page.locator("#app-first .cm [data-x]").evaluate_all(seen)

    known = new_page(java_script_enabled=False)
    known.context.add_cookies([{"name": "theme", "value": "dark", "url": shipped}])
    known.goto(shipped)
    page = new_page(color_scheme="dark")
    go = held(page, shipped)
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert colours(page) == colours(known), "the cells of the matrix are those of the dark page"
    light = new_page(color_scheme="light")
    held(light, shipped)
    assert all(one != two for one, two in zip(colours(light), colours(known), strict=True))
    go()
    page.wait_for_function(idle)
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    expect(page.locator("#app-first")).to_have_count(0)
