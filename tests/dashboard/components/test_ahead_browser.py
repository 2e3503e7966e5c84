"""What is asked before Dash asks it (assets/ahead.js), in a real browser."""

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from dashboard.state.selection import Selection

GRAPH, GRID = "#dashboard-confusion-graph", "#dashboard-gallery-grid"
TILES = f"{GRID} [data-sample]"
COUNT = "#selection-count"


@pytest.fixture
def asked(page):
    """The requests of the page's callbacks so far, as Dash words them."""
    bodies: list[dict] = []

    def listen(request):
        if "/_dash-update-component" in request.url:
            bodies.append(json.loads(request.post_data))

    page.on("request", listen)
    return bodies


def of_gallery(bodies: list[dict]) -> list[str]:
    """The addresses that the gallery was asked for."""
    return [body["inputs"][0]["value"] for body in bodies if "dashboard-gallery-grid" in body["output"]]


def to_cell(page, row: int, column: int) -> None:
    """The pointer on a cell of the chart, which has heard of it."""
    area = page.locator(f"{GRAPH} .nsewdrag").first
    area.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = area.bounding_box()
    x, y = box["x"] + (column + 0.5) / 10 * box["width"], box["y"] + (row + 0.5) / 10 * box["height"]
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.locator(f"{GRAPH} .hovertext").first.wait_for(state="attached")


def query(page) -> str:
    return "".join(page.url.partition("?")[1:])


def test_a_click_on_a_cell_asks_once_for_its_images(shipped, page, idle, asked, run):
    page.goto(shipped)
    page.wait_for_function(idle)
    asked.clear()
    first, second = run.classes[5], run.classes[8]
    to_cell(page, 5, 5)
    page.mouse.down()
    page.mouse.up()
    there = Selection().cell(first, first)
    expect(page).to_have_url(re.compile(re.escape(there.query()) + "$"))
    page.wait_for_function(idle)
    assert of_gallery(asked) == [there.query()]
    assert len([body for body in asked if "selection-count" in body["output"]]) == 1
    assert not [body for body in asked if body["inputs"][0]["property"] == "clickData"], "its address is known here"
    n = int(run.mask(there).sum())
    expect(page.locator(COUNT)).to_have_text(f"{n:,}")
    expect(page.locator("#dashboard-gallery-title")).to_have_text(f"{n:,} images")
    expect(page.locator(TILES)).to_have_count(48)
    shown = page.locator(TILES).evaluate_all("(all) => all.map((one) => Number(one.dataset.sample))")
    assert shown == run.predictions("test").ids[run.ordered(there)[:48]].tolist()

    to_cell(page, 8, 8)  # a pointer that rests asks as well, and the click does not ask again
    page.wait_for_timeout(400)
    before = of_gallery(asked)
    page.mouse.down()
    page.mouse.up()
    expect(page).to_have_url(re.compile(re.escape(there.cell(second, second).query()) + "$"))
    page.wait_for_function(idle)
    assert of_gallery(asked) == before == [there.query(), there.cell(second, second).query()]

    page.mouse.down()  # the chosen cell lets go of itself
    page.mouse.up()
    expect(page).to_have_url(f"{shipped}/")
    page.go_back()
    expect(page).to_have_url(re.compile(re.escape(there.cell(second, second).query()) + "$"))
    page.go_back()
    page.wait_for_function(idle)
    assert query(page) == there.query()
    expect(page.locator(COUNT)).to_have_text(f"{n:,}")
    assert page.locator(TILES).evaluate_all("(all) => all.map((one) => Number(one.dataset.sample))") == shown


def test_an_address_made_in_the_browser_is_the_server_s(shipped, page, idle, run):
    start = Selection(outcome=("wrong",), conf=(0.5, 1.0))
    page.goto(shipped + "/" + start.query())
    page.wait_for_function(idle)
    made = page.evaluate(
        "(names) => names.map((a) => names.map((b) => window.dash_clientside.ahead.behind(a, b)))", list(run.classes)
    )
    assert made == [[start.cell(a, b).query() for b in run.classes] for a in run.classes]
    odd = ["it's (a) *bag*!", "50 %: a;b,c", "é~ü/ñ", "$& $1", "鞋"]
    quoted = page.evaluate("(names) => names.map(window.dash_clientside.ahead.quoted)", odd)
    assert quoted == [quote(name, safe=":;,.-~") for name in odd]


def test_a_late_answer_of_an_earlier_click_changes_nothing(shipped, page, idle, run):
    page.goto(shipped)
    page.wait_for_function(idle)
    lines = page.locator("#dashboard-confusion-top button")
    earlier, later = (lines.nth(i).get_attribute("data-search") for i in (0, 1))
    late = []

    def hold(route):
        if "dashboard-gallery-grid" in route.request.post_data and json.dumps(earlier) in route.request.post_data:
            late.append(route)
        else:
            route.continue_()

    page.route("**/_dash-update-component*", hold)
    lines.nth(0).click()
    expect(page).to_have_url(re.compile(re.escape(earlier) + "$"))
    lines.nth(1).click()
    expect(page).to_have_url(re.compile(re.escape(later) + "$"))
    there = Selection.parse(later)
    n = int(run.mask(there).sum())
    expect(page.locator("#dashboard-gallery-title")).to_have_text(f"{n:,} images" if n > 1 else "1 image")
    assert late, "the earlier answer was held back"
    for route in late:
        route.continue_()
    page.wait_for_function(idle)
    page.wait_for_timeout(500)
    ids = run.predictions("test").ids[run.ordered(there)[:48]].tolist()
    assert page.locator(TILES).evaluate_all("(all) => all.map((one) => Number(one.dataset.sample))") == ids
    page.unroute("**/_dash-update-component*")


def test_a_page_s_link_asks_for_the_page_when_the_pointer_rests_on_it(shipped, page, idle, asked):
    page.goto(shipped + "/?true=Bag")
    page.wait_for_function(idle)
    asked.clear()
    page.locator('nav a[data-page="/insights"]').hover()
    page.wait_for_timeout(400)
    pages = [body for body in asked if "app-page.children" in body["output"]]
    assert [body["inputs"][0]["value"] for body in pages] == ["/insights"]
    page.locator('nav a[data-page="/insights"]').click()
    expect(page.locator("h1")).to_have_text("Insights")
    page.wait_for_function(idle)
    assert len([body for body in asked if "app-page.children" in body["output"]]) == 1
    assert not of_gallery(asked), "the page that is left asks for nothing"
    assert query(page) == "?true=Bag"

    asked.clear()
    link = page.locator('nav a[data-page="/review"]')
    link.dispatch_event("pointerover")  # which writes the address into the link
    with page.expect_request(lambda one: "app-page.children" in (one.post_data or "")):
        link.dispatch_event("pointerdown", {"button": 0})  # the press alone, before anything rests or is clicked
    link.dispatch_event("click")
    expect(page.locator("#app-page h1")).not_to_have_text("Insights")
    page.wait_for_function(idle)
    assert len([body for body in asked if "app-page.children" in body["output"]]) == 1


@pytest.mark.allow_problems("ERR_INTERNET_DISCONNECTED", "the server did not respond")
def test_a_click_without_a_connection_says_so_and_the_next_one_asks_again(shipped, new_page, idle, run):
    page = new_page()
    page.goto(shipped)
    page.wait_for_function(idle)
    before = page.locator("#dashboard-gallery-title").inner_text()
    page.context.set_offline(True)
    page.locator("#dashboard-confusion-top button").first.click()
    expect(page.locator("#app-notice")).to_contain_text("cannot be reached")
    expect(page.locator("#dashboard-gallery-title")).to_have_text(before)
    page.context.set_offline(False)
    line = page.locator("#dashboard-confusion-top button").nth(1)
    n = int(run.mask(Selection.parse(line.get_attribute("data-search"))).sum())
    line.click()
    expect(page.locator("#dashboard-gallery-title")).to_have_text(f"{n:,} images")
    page.wait_for_function(idle)
    expect(page.locator("#app-notice")).to_be_empty()


def test_a_click_on_a_chart_counts_whether_plotly_has_seen_what_it_is_on_or_not(shipped, page, idle):
    """plotly looks at most every 50 ms for what the pointer is on, and forgets it while a button is held."""
    page.goto(shipped)
    page.wait_for_function(idle)
    to_cell(page, 5, 5)
    area, chart = f"{GRAPH} .nsewdrag", f"{GRAPH} .js-plotly-plot"
    page.evaluate(
        """chart => {
            window.heard = [];
            document.querySelector(chart).on('plotly_click', ({points: [{x, y}]}) => window.heard.push([y, x]));
        }""",
        chart,
    )
    press = """([area, by]) => {
        const place = document.querySelector(area), at = place.getBoundingClientRect();
        const where = {bubbles: true, clientX: at.left + 5, clientY: at.top + 5};
        place.dispatchEvent(new PointerEvent('pointerdown', where));
        place.dispatchEvent(new MouseEvent('click', {...where, clientX: where.clientX + by}));
    }"""
    page.evaluate(press, [area, 0])  # nothing of it reaches plotly
    assert page.evaluate("window.heard") == [["Sandal", "Sandal"]]
    expect(page).to_have_url(re.compile(r"\?true=Sandal&pred=Sandal$"))
    page.wait_for_function(idle)
    to_cell(page, 8, 8)
    page.evaluate(press, [area, 40])  # a drag
    assert len(page.evaluate("window.heard")) == 1
    page.mouse.down()
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"\?true=Bag&pred=Bag$"))
    assert page.evaluate("window.heard") == [["Sandal", "Sandal"], ["Bag", "Bag"]], "said once, by whoever says it"
