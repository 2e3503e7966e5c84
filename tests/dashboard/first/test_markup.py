"""Components as HTML, and a matrix as a grid of cells."""

import orjson
import pytest
from dash import html
from plotly.io.json import to_json_plotly

from dashboard.components import plain
from dashboard.first.drawings import cells, colour
from dashboard.first.markup import markup


def drawn(*components) -> str:
    return markup(orjson.loads(to_json_plotly(list(components))))


def test_html_is_written_as_the_browser_draws_it():
    image = html.Img(src="/a.png", alt='a "b" <c>')
    field = html.Label("Text", htmlFor="there", className="l")
    style = {"--n": 3, "gridArea": "1 / 2", "width": 40, "opacity": 0.5, "top": 0}
    box = html.Div([image, None, "1 < 2 & 3", 4], id="own", style=style, hidden=True, **{"data-x": "7"})
    assert drawn(box, field) == (
        '<div hidden="" style="--n:3;grid-area:1 / 2;width:40px;opacity:0.5;top:0" data-x="7">'
        '<img alt="a &quot;b&quot; &lt;c&gt;" src="/a.png">1 &lt; 2 &amp; 34</div>'
        '<label class="l" for="first-there">Text</label>'
    )


def test_a_field_has_its_name_and_no_id_of_the_page_that_takes_over():
    import dash_bootstrap_components as dbc

    choice = dbc.RadioItems([{"value": one, "label": one} for one in ("All", "Some")], "All", id="shown")
    select = dbc.Select(id="order", options=[{"value": "a", "label": "a"}], value="a")
    text = drawn(html.Label("Order", htmlFor="order"), select, choice)
    assert text.startswith('<label for="first-order">Order</label><select id="first-order" class="form-select">')
    assert 'type="radio" aria-label="All" checked>' in text
    assert ' id="shown"' not in text


def test_text_never_becomes_an_element():
    words = "<script>alert(1)</script>\"'>"
    text = drawn(
        html.Button(words, title=words, **{"data-name": words}), plain.Plain("a", "p", {"title": words}, words)
    )
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
    assert drawn(html.A("there", href=" JavaScript:alert(1)"), html.A("here", href="/?a=1")) == (
        '<a>there</a><a href="/?a=1">here</a>'
    )


def test_what_plain_and_shape_hold_is_drawn_with_its_slots():
    inner = plain.Plain("place", "ul", {"className": "list"}, [plain.element("Li", "one", className="a")])
    settled = plain.settled([html.Section([html.H2("Title"), html.Div(inner, id="named")], className="s")])
    expected = '<section class="s"><h2>Title</h2><div><ul class="list"><li class="a">one</li></ul></div></section>'
    assert drawn(settled) == expected


def test_a_value_on_the_scale_has_the_colour_between_its_neighbours():
    scale = [[0, "rgba(0,0,0,.5)"], [0.5, "#ffffff"], [1, "rgb(255, 0, 0)"]]
    assert colour(scale, 0, 1) == "rgba(0,0,0,0.5)"
    assert colour(scale, 0.25, 1) == "rgba(128,128,128,0.75)"
    assert colour(scale, 0.75, 0.5) == "rgba(255,128,128,0.5)"
    assert colour(scale, 1, 1) == colour(scale, 7, 1) == "rgba(255,0,0,1)"
    with pytest.raises(ValueError, match="no colour"):
        colour([[0, "red"], [1, "#ffffff"]], 0, 1)


def test_a_matrix_has_a_cell_for_every_pair_and_no_other_chart_has_cells():
    import numpy as np

    from dashboard.figures import accuracy, confusion

    counts = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 5]])
    chosen = np.array([[False, True, False], [False] * 3, [False] * 3])
    text = cells(confusion.heatmap(counts, ["A", "B<", "C"], chosen=chosen))
    assert text.count("<button") == 9
    assert '--n:3;--m:3;font-size:13px"' in text
    places = [part.split(">")[0] for part in text.split("<button")[1:]]
    assert [("outline" in one) for one in places] == [False, True, *[False] * 7]
    assert 'data-x="B&lt;" data-y="A"' in places[1]
    assert [part.split(">")[1].split("<")[0] for part in text.split("<button")[1:]] == [
        "8",
        "2",
        "",
        "1",
        "9",
        "",
        "",
        "",
        "5",
    ]
    assert len({part.split("background:")[1].split(";")[0] for part in places}) >= 4
    assert cells({"data": [], "layout": {}}) == cells(None) == ""
    bars = accuracy.bars(*(np.array([1, 2]) for _ in range(4)), ["A", "B"], colours=["#000000"] * 2, floor=0.0)
    assert cells(bars) == ""
