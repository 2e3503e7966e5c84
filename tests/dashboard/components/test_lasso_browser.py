"""Drawing around points of a flat map (assets/lasso.js), in a real browser."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.components import lasso
from dashboard.pages.insights import map_2d
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from dashboard.state.vocabulary import MAX_VERTICES

MAP = "#insights-plane-graph"
COUNT = "#selection-count"


@pytest.fixture
def asked(page):
    """The requests of the page's callbacks so far, as Dash words them."""
    bodies: list[dict] = []
    page.on(
        "request",
        lambda one: bodies.append(json.loads(one.post_data)) if "/_dash-update-component" in one.url else None,
    )
    return bodies


def of(bodies: list[dict], part: str) -> list[dict]:
    return [body for body in bodies if part in body["output"]]


def drag(page, corners: list[tuple[float, float]]) -> None:
    """The pointer pressed at the first corner and let go at the last, in shares of the chart."""
    area = page.locator(f"{MAP} .nsewdrag").first
    area.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = area.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    # no part of the outline, however late plotly hears of its end
    page.mouse.move(places[-1][0] + 90, places[-1][1] + 90)


def address(page) -> Selection:
    return Selection.parse("".join(page.url.partition("?")[1:]))


def ready(page, idle) -> None:
    page.locator(f"{MAP} .nsewdrag").first.wait_for(state="attached", timeout=60_000)
    page.wait_for_function(idle)


def test_what_is_drawn_around_is_counted_by_one_question(shipped, page, idle, asked, run):
    page.goto(f"{shipped}/insights")
    ready(page, idle)
    asked.clear()
    drag(page, [(0.2, 0.2), (0.6, 0.2), (0.6, 0.7), (0.2, 0.7), (0.2, 0.22)])
    expect(page.get_by_role("button", name="Remove lasso")).to_be_visible()
    expect(page).to_have_url(re.compile(r"lasso=map:"))
    page.wait_for_function(idle)
    there = address(page)
    assert 4 <= len(there.lasso.vertices) <= 6
    n = int(run.mask(there).sum())
    assert 300 < n < 9_000
    expect(page.locator(COUNT)).to_have_text(f"{n:,}")
    assert [body["inputs"][0]["value"] for body in of(asked, "selection-count")] == [there.query()]
    assert not [body for body in asked if body["inputs"][0]["id"] == map_2d.Ids.OUTLINE], "its address is known here"
    expect(page.locator(f"{MAP} .shapelayer path")).to_have_count(1)

    # again, from the address that this made; a box counts as well
    asked.clear()
    page.locator(f"{MAP} .modebar-btn[data-val=select]").click(force=True)
    drag(page, [(0.4, 0.4), (0.8, 0.75)])
    expect(page).not_to_have_url(re.compile(re.escape(there.query()) + "$"))
    page.wait_for_function(idle)
    box = address(page)
    (left, top), _, (right, bottom), _ = box.lasso.vertices
    assert box.lasso.vertices == ((left, top), (right, top), (right, bottom), (left, bottom))
    expect(page.locator(COUNT)).to_have_text(f"{int(run.mask(box).sum()):,}")
    assert [body["inputs"][0]["value"] for body in of(asked, "selection-count")] == [box.query()]

    # with Shift plotly alone knows what is meant
    asked.clear()
    page.keyboard.down("Shift")
    drag(page, [(0.3, 0.3), (0.7, 0.65)])
    page.keyboard.up("Shift")
    expect(page).not_to_have_url(re.compile(re.escape(box.query()) + "$"))
    page.wait_for_function(idle)
    assert len([body for body in asked if body["inputs"][0]["id"] == map_2d.Ids.OUTLINE]) == 1
    expect(page.locator(COUNT)).to_have_text(f"{int(run.mask(address(page)).sum()):,}")


def test_an_answer_that_does_not_come_keeps_nothing_waiting(shipped, page, idle, run):
    page.goto(f"{shipped}/insights")
    ready(page, idle)
    late, held = [], True

    def hold(route):
        late.append(route) if held and "lasso=map:" in route.request.post_data else route.continue_()

    page.route("**/_dash-update-component*", hold)
    drag(page, [(0.2, 0.2), (0.6, 0.2), (0.6, 0.7), (0.2, 0.7)])
    expect(page).to_have_url(re.compile(r"lasso=map:"))  # plotly has heard of the end, and the address is what it was
    held = False
    for route in late:
        route.continue_()
    page.wait_for_function(idle)
    expect(page.locator(COUNT)).to_have_text(f"{int(run.mask(address(page)).sum()):,}")
    page.go_back()
    expect(page).to_have_url(f"{shipped}/insights")
    expect(page.get_by_role("button", name="Remove lasso")).to_have_count(0)


def test_an_outline_made_in_the_browser_is_the_server_s(shipped, page, idle):
    page.goto(shipped)
    page.wait_for_function(idle)
    rng, outlines = np.random.default_rng(0), []
    for n in (3, 4, 40, 700, 4_000):
        for size in (0.4, 7.0, 180.0):
            turn = np.linspace(0, 2 * np.pi, n)
            wobble = size * (1 + 0.2 * np.sin(7 * turn) + rng.normal(0, 0.02, n))
            circle = np.stack([wobble * np.cos(turn), wobble * np.sin(turn)], axis=1)
            outlines.append((circle + rng.normal(0, 9, 2)).tolist())
    outlines += [[[0, 0], [1, 1], [0, 0]], [[2, 2]] * 5, [[0, 0], [5, 5]]]
    expected = [str(Lasso("map", lasso.simplified(one))).removeprefix("map:") for one in outlines]
    most = MAX_VERTICES
    made = page.evaluate(
        "([all, most]) => all.map((one) => window.dash_clientside.lasso.written(one, most))", [outlines, most]
    )
    assert made[-3:] == ["", "", ""]
    assert made[:-3] == expected[:-3]
