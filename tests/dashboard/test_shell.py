"""The app as a whole."""

import pytest
from dash.development.base_component import Component

from dashboard.shell import create_app


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(home=tmp_path_factory.mktemp("home"))


def ids(component):
    """Every id in a component and what is in it, also in what one component draws as a whole."""
    for one in [component, *component._traverse()]:
        if isinstance(one, Component) and getattr(one, "id", None) is not None:
            yield one.id


def test_every_callback_names_what_a_page_has(app):
    """The browser is not given all pages to check this, as Dash would."""
    known = {one for one in ids(app.whole()) if isinstance(one, str)}
    named = set()
    for output, declared in app.callback_map.items():
        named |= {one["id"] for one in [*declared["inputs"], *declared["state"]]}
        named |= {one.rpartition(".")[0] for one in output.strip(".").split("...")}
    named = {one for one in named if one and not one.startswith("{")}  # patterns fit what callbacks make
    assert len(named) > 100
    assert named - known == set()


def test_no_page_load_carries_the_other_pages(app):
    page = app.server.test_client().get("/").text
    assert "validation_layout" not in page
    assert len(page) < 60_000
