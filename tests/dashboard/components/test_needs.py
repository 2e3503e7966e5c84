"""What a panel says that it needs is asked for it: all panels × kinds of runs, of which none breaks."""

import itertools
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from dash import Dash, Input, Output
from dash.html import Div

from dashboard.components import needs
from dashboard.components.page import Page, panels
from dashboard.components.panel import panel_callback
from dashboard.data.abilities import Abilities
from dashboard.exports.tables import of_run
from dashboard.shell import PAGES
from dashboard.state.selection import Selection
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Incapable, Missing, Run
from tests.callbacks import ADDRESS, fired_in_process

MANIFESTS: dict[str, dict[str, Any]] = {
    "trained": {"nouns": {"history": {}}},
    "answers": {"kind": "imported", "capabilities": ["probabilities"], "nouns": {}},
    "imported": {"kind": "imported", "capabilities": ["probabilities", "features", "gradients"], "nouns": {}},
    "looked-into": {
        "kind": "imported", "capabilities": ["probabilities", "features", "gradients", "layers"], "nouns": {}
    },
    "labels": {"kind": "recorded", "capabilities": [], "nouns": {}},
    "top": {"kind": "recorded", "capabilities": ["top-k"], "nouns": {}},
    "sure": {"kind": "recorded", "capabilities": ["probabilities"], "nouns": {}},
    "told": {"kind": "recorded", "capabilities": ["probabilities", "features"], "nouns": {"history": {}}},
}  # fmt: skip


class Shown(Abilities):
    """A run that is its manifest alone."""

    def for_selection(self, _selection):
        return self


def shown(run_id: str) -> Shown:
    run = Run.__new__(Run)
    run.run_id, run.manifest = run_id, MANIFESTS[run_id]
    return Shown(run)


STORE = SimpleNamespace(shown=shown, other=lambda *_: None)
SERVICES: Any = SimpleNamespace(store=STORE)


def forgetful(said: tuple[str, ...], read) -> ModuleType:
    """A panel that says what it needs, if that, and asks nobody whether it is there."""
    panel = ModuleType("forgetful")

    def register(app, services) -> None:
        @panel_callback(app, "forgetful-face", Output("forgetful", "children"), Input("url", "search"))
        def draw_forgetful(search: str | None):
            read(services.store.shown(Selection.parse(search).run))
            return "drawn"

        @app.callback(Output("forgetful-link", "children"), Input("url", "search"))
        def draw_link(search: str | None):
            read(services.store.shown(Selection.parse(search).run))
            return "drawn"

    tables = {"forgetful": lambda services, selection: read(services.store.shown(selection.run))}
    panel.__dict__.update({"NEEDS": said, "register": register, "TABLES": tables})
    return panel


def page_of(panel: ModuleType) -> tuple[Page, Any]:
    page, app = Page(path="/forgetful", title="Forgetful", rows=[panel], about=""), Dash("forgetful")
    app.layout = Div()
    page.register(app, SERVICES)
    return page, fired_in_process(app)


SAID = {tuple(module.NEEDS) for page in PAGES for module, _ in panels(page.rows) if hasattr(module, "NEEDS")}


def test_every_need_is_one_of_a_panel():
    assert {one for said in SAID for one in said} == {*kinds.NEEDS}


@pytest.mark.parametrize("said", sorted(SAID | {(one,) for one in kinds.NEEDS}))
def test_a_panel_that_forgets_what_it_needs_is_asked_for_it(said):
    """Where a run lacks it, neither callback nor table of the panel runs, and why stands in its place; else they do."""
    ran = []
    page, client = page_of(forgetful(said, lambda run: ran.append(run.run_id)))
    for run, manifest in MANIFESTS.items():
        ran.clear()
        lack = kinds.lacking(manifest, said)
        status, drawn = client.fire_with("forgetful.children", ADDRESS, {ADDRESS: f"?run={run}"})
        words = json.dumps(drawn["forgetful-face"]["children"])
        assert status == 200
        assert (ran == [run], words == "null") == (not lack, not lack), (run, said, words)
        if lack:
            assert json.dumps(kinds.lacks(lack, kinds.kind_of(manifest)))[1:-1] in words
            assert json.dumps(kinds.gives(lack, kinds.kind_of(manifest)))[1:-1] in words
            with pytest.raises(Incapable):
                page.tables["forgetful"](SERVICES, Selection(run=run))
            assert not ran
        else:
            page.tables["forgetful"](SERVICES, Selection(run=run))
            assert ran == [run, run]


@pytest.mark.parametrize(("run", "error"), [*itertools.product(MANIFESTS, (Missing("gone"), Broken("torn")))])
def test_a_callback_without_a_face_leaves_what_is_there_as_it_is(run, error):
    def read(_run):
        raise error

    _, client = page_of(forgetful((), read))
    status, _ = client.fire_with("forgetful-link.children", ADDRESS, {ADDRESS: f"?run={run}"})
    assert status == 204
    status, drawn = client.fire_with("forgetful.children", ADDRESS, {ADDRESS: f"?run={run}"})
    assert status == 200
    assert str(error) in json.dumps(drawn["forgetful-face"]["children"])


@pytest.mark.parametrize(
    ("id", "name", "value", "found"),
    [
        ("url", "search", "?run=a", "?run=a"), ("app-view-state", "data", "", ""),
        ("x-state", "data", "?run=a", "?run=a"),
        ("x-state", "data", {"search": "?run=b", "measured": ""}, "?run=b"), ("x-asked", "data", "?run=c", "?run=c"),
        ("x-state", "data", None, None), ("x-state", "data", ["a"], None), ("x-state", "data", "light", None),
        ("x-select", "value", "?run=a", None),
    ],
)  # fmt: skip
def test_where_the_address_is(id, name, value, found):
    assert needs.address([Input("other", "n_clicks"), Input(id, name)], [3, value]) == found


def test_tables_of_two_panels_that_need_the_same_are_one():
    rows = of_run(lambda run, selection: (["a"], []))
    assert needs.table(rows, ("features",)) is needs.table(rows, ("features",))
    assert needs.table(rows, ()) is rows
