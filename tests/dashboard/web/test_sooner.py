"""What a start leaves undone is done when somebody asks for it."""

import datetime
from decimal import Decimal

import numpy as np
from dash import Patch, html
from dash._hooks import HooksManager
from flask import url_for
from plotly.io.json import to_json_plotly
from werkzeug.routing import Rule

from dashboard.web import sooner


def test_the_way_back_to_an_address_is_made_when_it_is_asked_for(monkeypatch):
    compiled = []
    compile_builder = Rule._compile_builder

    def counted(rule, append_unknown=True):
        compiled.append(rule.rule)
        return compile_builder(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", counted)
    server = sooner.Server("dashboard", static_folder=None)

    @server.get("/runs/<name>/<int:page>.png")
    def picture(name: str, page: int) -> str:
        return url_for("picture", name=name, page=page + 1, more="yes")

    assert server.test_client().get("/runs/a%20b/1.png").text == "/runs/a%20b/2.png?more=yes"
    assert compiled == ["/runs/<name>/<int:page>.png"]
    assert server.test_client().get("/runs/a/1.png").text == "/runs/a/2.png?more=yes"
    assert len(compiled) == 1


def test_hooks_of_other_packages_are_loaded_once(monkeypatch):
    loaded = []

    class Entry:
        def load(self):
            loaded.append(self)

    monkeypatch.setattr(HooksManager, "_registered", False)
    monkeypatch.setattr(sooner, "entry_points", lambda group: [Entry()] if group == "dash_hooks" else [])
    sooner.hooks()
    sooner.hooks()
    assert len(loaded) == 1
    assert HooksManager._registered, "Dash does not look through all packages again"


def test_answers_are_written_as_plotly_writes_them():
    points = np.arange(6, dtype=np.float32).reshape(2, 3)
    change = Patch()
    change["layout"]["shapes"] = [{"path": "M0,0L1,1Z"}]
    tree = html.Div([html.B("a < b / c > d\u2028"), None, 3, html.Span(["é", 0.5], id="x", **{"data-n": 7})])
    for value in (
        {"response": {"a": {"children": [tree, tree]}, "b": {"figure": {"x": points, "n": float("nan"), 3: (1, 2)}}}},
        {"response": {"a": {"figure": change}}},
        {"when": datetime.date(2024, 5, 1), "tree": tree, "share": Decimal("0.5"), "names": np.array(["a", "b"])},
        {"column": points[:, 1], "number": np.int64(4)},
    ):
        assert sooner.json_text(value) == to_json_plotly(value)


def test_answers_without_what_only_plotly_knows_are_not_copied(monkeypatch):
    monkeypatch.setattr(sooner, "to_json_plotly", lambda value: "asked")
    assert sooner.json_text({"a": html.Div(html.P("b"))}) != "asked"
    assert sooner.json_text({"a": Decimal("0.5")}) == "asked"
