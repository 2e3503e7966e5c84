"""A page follows from its declaration: what stands where, who is asked first, which tables there are."""

from types import ModuleType, SimpleNamespace

import dash
import pytest
from dash import Input, Output, html

from dashboard.components.page import SELECTION, Group, Page, Part, Row, Stack, merged
from dashboard.state.selection import Selection


def panel(name: str, order: list[str], **more: object) -> ModuleType:
    """A panel that writes down when it is registered."""
    module = ModuleType(name)
    module.layout = lambda services, selection, *within: html.Article([name, *within], className="ff-card")
    module.register = lambda app, services, *store: order.append(" ".join((name, *store)))
    for key, value in more.items():
        setattr(module, key, value)
    return module


@pytest.fixture
def order() -> list[str]:
    return []


def services(*, read_only: bool = False) -> SimpleNamespace:
    return SimpleNamespace(read_only=read_only)


def drawn(page: Page, **options: bool) -> list:
    return page.layout(services(**options), Selection()).children


def test_rows_become_a_grid_as_wide_as_declared(order):
    a, b, c, d, inner = (panel(name, order) for name in "abcde")
    page = Page(path="/x", title="X", about="Words.", rows=(d, Row((a, 7, inner), Stack(5, b, c), id="here")))
    alone, row = drawn(page)[1:]
    assert alone.className == "ff-card"
    assert (row.id, row.className) == ("here", "ff-grid")
    wide, stack = row.children
    assert wide.className == "ff-card c7"
    assert wide.children[1].children == ["e"]
    assert stack.className == "stack c5"
    assert [part.children for part in stack.children] == [["b"], ["c"]]


def test_what_every_click_waits_for_is_registered_first_and_what_is_lazy_last(order):
    a, b, c, lazy = (panel(name, order) for name in ("a", "b", "c", "lazy"))
    page = Page(
        path="/x", title="X", about="Words.", rows=(a, Row(lazy, lazy="x-low"), Row(b), Group(c, id="g")), first=(c,)
    )
    app = dash.Dash("declared")
    page.register(app, services())
    assert order == ["c", "a", "b", "lazy x-low-state"]
    ids = {part.id for part in page.layout(services(), Selection())._traverse() if getattr(part, "id", None)}
    assert {"x-low", "x-low-state", "x-low-state-seen", "g"} <= ids
    assert any("x-low-state.data" in key for key in app.callback_map)


def test_the_head_is_written_once(order):
    page = Page(
        path="/x",
        title="X",
        heading="The X",
        about=lambda services, selection: f"page {selection.page}",
        split=lambda selection: html.Div(selection.split),
        export="things",
        report=lambda services, selection: None,
        rows=(),
    )
    words, actions = drawn(page)[0].children
    assert words.children[0].children == "The X"
    assert [part.id for part in actions.children if getattr(part, "id", None)] == ["x-split", "x-export"]
    assert any(getattr(part, "children", "") == "Report" for part in actions.children)
    app = dash.Dash("head")
    page.register(app, services())
    (key,) = app.callback_map
    assert key == "..x-about.children...x-split.children...x-export.children.."


def test_the_report_stands_in_the_selection_bar_where_there_is_one():
    page = Page(path="/x", title="X", about="Words.", report=lambda services, selection: None, rows=(SELECTION,))
    actions = drawn(page)[0].children[1]
    assert not any(getattr(part, "children", "") == "Report" for part in actions.children)


def test_a_read_only_server_says_why_a_page_is_closed(order):
    page = Page(path="/x", title="X", about="Words.", closed="Not here.", rows=(Row(panel("a", order)),))
    _, notice = drawn(page, read_only=True)
    assert (notice.children, notice.id) == ("Not here.", "x-read-only")
    page.register(dash.Dash("closed"), services(read_only=True))
    assert order == []


def test_tables_are_those_of_the_panels_and_have_one_name_each(order):
    def build(services, selection):
        return "run", (["a"], [[1]])

    a, b = panel("a", order, TABLES={"one": build}), panel("b", order, TABLES={"two": build})
    page = Page(path="/x", title="X", about="Words.", rows=(a, Row((panel("c", order), 6, b))))
    assert page.tables == {"one": build, "two": build}
    assert merged([page.tables, {"one": build}]) == page.tables
    with pytest.raises(ValueError, match="'one'"):
        merged([page.tables, {"one": lambda services, selection: ("", ([], []))}])


def test_a_part_is_drawn_and_registered_by_nobody():
    page = Page(
        path="/x", title="X", about="Words.", rows=(Part(lambda services, selection: [html.B("1"), html.B("2")]),)
    )
    assert [part.children for part in drawn(page)[1:]] == ["1", "2"]
    app = dash.Dash("part")
    page.register(app, services())
    assert not app.callback_map


def test_a_head_of_its_own_draws_what_it_likes():
    def head(app, _):
        @app.callback(Output("y-about", "children"), Input("url", "search"))
        def draw(search):
            return "words"

    page = Page(path="/y", title="Y", about=None, head=head, rows=())
    app = dash.Dash("own")
    page.register(app, services())
    assert list(app.callback_map) == ["y-about.children"]
