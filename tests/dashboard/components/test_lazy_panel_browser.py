"""Panels below the fold, in a real browser: asked once they are near the window, and never about another page."""

import json
import re
from urllib.parse import urlsplit

from playwright.sync_api import Request, expect

from dashboard.components import lazy_panel
from dashboard.pages import dashboard as page_of

(ROW,) = (row for row in page_of.PAGE.rows if getattr(row, "lazy", ""))


def addresses(request: Request, store: str) -> list[str]:
    """What a request says that the store holds."""
    inputs = json.loads(request.post_data or "{}").get("inputs", [])
    return [one.get("value") for one in inputs if isinstance(one, dict) and one.get("id") == store]


def test_panels_near_the_window_are_not_asked_about_the_page_that_takes_their_place(live_server, page, idle):
    asked: list[str] = []
    page.on("request", lambda one: asked.extend(addresses(one, ROW.store)))
    page.goto(f"{live_server}/?true=Bar%200")
    page.wait_for_function(idle)
    assert asked == [], "nobody has seen them"
    page.locator(f"#{ROW.id}").scroll_into_view_if_needed()
    expect(page.locator("#dashboard-confidence-graph .js-plotly-plot")).to_be_visible()
    page.wait_for_function(idle)
    assert {*asked} == {"?true=Bar%200"}

    page.locator("#selection-clear").get_by_text("Clear", exact=True).click()
    expect(page).not_to_have_url(re.compile("true="))
    page.wait_for_function(idle)
    assert {*asked} == {"?true=Bar%200", f"?{urlsplit(page.url).query}".rstrip("?")}, "they follow their own page"
    page.go_back()
    expect(page).to_have_url(re.compile("true="))
    page.wait_for_function(idle)

    before = len(asked)
    page.get_by_role("link", name="Training", exact=True).click()
    expect(page).to_have_url(re.compile("/training"))
    expect(page.locator("#training-start")).to_be_visible()
    page.wait_for_function(idle)
    assert asked[before:] == [], "the page that is left"


def test_which_address_a_store_takes(live_server, page, idle):
    """Its own page's once the panel was near the window; never another page's, nor the same one again."""
    page.goto(f"{live_server}/training?run=toy")
    page.wait_for_function(idle)
    taken = f"(given) => {{ const now = ({lazy_panel.SEARCH_WHEN_NEAR})(...given);" + (
        " return now === dash_clientside.no_update ? 'nothing' : now; }"
    )
    for near, search, before, now in (
        ("/training", "?run=toy", None, "?run=toy"),
        ("/training", None, None, ""),
        ("/training", "?run=toy", "?run=toy", "nothing"),
        ("/", "?run=toy", "?true=Bar%200", "nothing"),
        (None, "?run=toy", None, "nothing"),
    ):
        assert page.evaluate(taken, [near, search, before]) == now, (near, search, before)
