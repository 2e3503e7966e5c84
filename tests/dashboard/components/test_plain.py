"""Plain html: what Python returns stands on the page, as text where it is text, and what stays keeps the focus."""

from pathlib import Path

import pytest
from dash import Dash, Input, Output, dcc, html

from dashboard.components import plain
from dashboard.web import errors, security

ASSETS = Path(__file__).resolve().parents[3] / "assets"


@pytest.fixture
def address(serving):
    app = Dash("plain", assets_folder=str(ASSETS), assets_ignore=r"^(?!plain\.js$).*", on_error=errors.on_error)
    around = [html.H1(["A", html.B("list")], className="head", style={"--n": 1}), html.P(id="below"), "and text"]
    app.layout = plain.settled(
        html.Section(
            [dcc.Input(id="n", value=2, type="number"), plain.place("list", "ul", className="all"), html.Div(around)]
        )
    )

    @app.callback(plain.children("list"), Input("n", "value"))
    def draw(n):
        if not n:
            return None
        return [
            html.Li(
                [f"<b>{i}</b>", None, [html.Button(i, disabled=i > 8, title=f"{n}", **{"data-search": f"?page={i}"})]],
                className="one",
                style={"gridArea": "1 / 2", "--n": i},
            )
            for i in range(n)
        ]

    app.clientside_callback("(n) => String(n)", Output("below", "children"), Input("n", "value"))
    security.install(app, pages=["/"])
    return serving(app)


def test_what_has_no_id_becomes_one_component_around_what_has_one():
    inner = html.Ul([html.Li([html.B("a"), "b"]), None], id="list")
    whole = plain.settled([html.Div([html.P("words"), [inner, dcc.Store(id="kept")]], className="box"), "text"])
    drawn = whole.to_plotly_json()
    assert (drawn["namespace"], drawn["type"]) == ("fashion_forward", "Shape")
    words = {"type": "p", "props": {"children": "words"}}
    slots = [{"slot": 0}, {"slot": 1}]
    box = {"type": "div", "props": {"className": "box", "children": [words, slots]}}
    assert drawn["props"]["shape"] == [box, "text"]
    ul, store = drawn["props"]["children"]
    assert (ul.id, store.id) == ("list", "kept")
    item = {"type": "li", "props": {"children": [{"type": "b", "props": {"children": "a"}}, "b"]}}
    assert ul.children.to_plotly_json()["props"] == {"shape": [item, None]}
    quick = plain.settled(html.P(plain.element("B", ["x", html.I(id="named")], title="y"), id="around")).children
    bold = {"type": "b", "props": {"title": "y", "children": ["x", {"slot": 0}]}}
    assert (quick.shape, [one.id for one in quick.children]) == (bold, ["named"])
    assert plain.settled(["text", None, html.P(id="named"), 1])[0::3] == ["text", 1]


@pytest.mark.browser
def test_components_become_elements_and_stay_where_they_can(address, page, idle):
    page.goto(address)
    page.wait_for_function("() => document.querySelectorAll('#list li').length === 2")
    first = page.evaluate("() => document.querySelector('#list li').outerHTML")
    assert first == (
        '<li class="one" style="grid-area:1 / 2;--n:0">&lt;b&gt;0&lt;/b&gt;'
        '<button title="2" data-search="?page=0">0</button></li>'
    )
    assert page.get_attribute("#list", "class") == "all"
    assert page.evaluate("() => document.querySelector('section > div:last-child').outerHTML") == (
        '<div><h1 class="head" style="--n: 1;">A<b>list</b></h1><p id="below">2</p>and text</div>'
    )
    page.focus("#list li:nth-child(2) button")
    page.evaluate("() => window.dash_clientside.set_props('n', {value: 10})")
    page.wait_for_function("() => document.querySelectorAll('#list li').length === 10")
    assert page.evaluate("() => [document.activeElement.textContent, document.activeElement.title]") == ["1", "10"]
    assert page.locator("#list button[disabled]").count() == 1
    page.evaluate("() => window.dash_clientside.set_props('n', {value: 0})")
    page.wait_for_function("() => document.getElementById('list').childNodes.length === 0")
