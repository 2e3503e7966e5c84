"""What a start leaves undone is done when somebody asks for it."""

from dash._hooks import HooksManager
from flask import url_for
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
