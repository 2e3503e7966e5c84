"""A page as it is declared: rows of panels. Layout, order of registration, CSV files and the report follow from them.

A panel is a module with `layout(services, selection)`, `register(app, services)` and, where its data can be had as CSV,
`TABLES`, a builder of dashboard.exports.tables by noun. The first line of its docstring is its help text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import lazy_panel, needs, page_head, report_link, selection_bar
from dashboard.components.icons import icon
from dashboard.exports.tables import Builder
from dashboard.format.csv import table_url
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.people import acting

COLUMNS = 12
Layout = Callable[[Services, Selection], Any]


@dataclass(frozen=True)
class Part:
    """What stands between panels and is registered elsewhere, or by nobody."""

    layout: Layout


SELECTION = Part(selection_bar.layout)


class Stack:
    """Panels one above the other in one column of a row."""

    def __init__(self, columns: int, *modules: ModuleType):
        self.columns, self.modules = columns, modules


# A panel alone takes all columns; (panel, columns, *panels within it), whose layouts come after the selection.
Cell = ModuleType | tuple[Any, ...] | Stack


class Row:
    """Panels side by side in a grid of twelve columns. lazy: drawn once this row, which has that id, nears the window.

    The panels of a lazy row have `register(app, services, address_store)`: what holds the address from then on.
    """

    def __init__(self, *cells: Cell, id: str = "", kind: str = "", hidden: bool = False, lazy: str = ""):
        self.cells, self.id, self.kind, self.hidden, self.lazy = cells, id or lazy, kind, hidden, lazy

    @property
    def store(self) -> str:
        return f"{self.lazy}-state" if self.lazy else ""


class Group:
    """Rows that one callback shows or hides."""

    def __init__(self, *rows: "Entry", id: str, hidden: Callable[[Services, Selection], bool] | None = None):
        self.rows, self.id, self.hidden = rows, id, hidden


Entry = Row | Group | Part | ModuleType  # a panel that is no part of a row stands on its own, outside the grid


@dataclass(frozen=True, kw_only=True)
class Page:
    """title: in the navigation; heading: above the page, the title where it is none.

    about: the page's sentence, or what makes it of the address; None where `head` draws it. split: the buttons that
    choose a split. actions: what else stands beside the heading. export: the noun of the table behind Export. head:
    draws what of the head follows the address otherwise. report: the view that the page's report shows. first: panels
    whose answers every click waits for; the browser asks in the order of registration. closed: the sentence that a
    read-only server shows in place of all panels. early: how the names of the callbacks begin whose answers come with
    the page itself, so that what they show stands before any script has run; still: whether all of that follows from
    address, reader, runs, pictures and database alone, so that it may be shown again while none has changed.
    """

    path: str
    title: str
    rows: Sequence[Entry]
    about: str | Callable[[Services, Selection], Any] | None
    heading: str = ""
    split: Callable[[Services, Selection], html.Div] | None = None
    actions: Callable[[Services, Selection], list] | None = None
    copy: bool = True
    export: str = ""
    head: Callable[[Dash, Services], None] | None = None
    report: Callable[[Services, Selection], Any] | None = None
    first: Sequence[ModuleType] = ()
    closed: str = ""
    kind: str = ""
    early: Sequence[str] = ()
    still: bool = False

    @property
    def name(self) -> str:
        """As ids of the page begin."""
        return self.path.strip("/") or "dashboard"

    def layout(self, services: Services, selection: Selection) -> html.Div:
        """Head, then rows."""
        sentence = self.about if isinstance(self.about, str) else html.Span(id=f"{self.name}-about")
        parts: list = [page_head(self.heading or self.title, sentence, self._actions(services, selection))]
        if self.closed and services.read_only:
            parts.append(html.Div(self.closed, className="notice", id=f"{self.name}-read-only"))
        else:
            for entry in self.rows:
                parts += placed(entry, services, selection)
            for row in lazy_rows(self.rows):
                parts += lazy_panel.layout(row.store)
        return html.Div(parts, className=self.kind or None)

    def register(self, app: Dash, services: Services) -> None:
        """All callbacks of the page: its panels, then its head."""
        if self.closed and services.read_only:
            return
        order = list(panels(self.rows))
        for module, store in sorted(order, key=lambda one: (bool(one[1]), one[0] not in self.first)):
            module.register(needs.asking(app, services, module), services, *([store] if store else []))
        for row in lazy_rows(self.rows):
            lazy_panel.register(app, row.store, row.id)
        if callable(self.about):
            self._register_head(app, services, self.about)
        if self.head is not None:
            self.head(app, services)

    @property
    def tables(self) -> dict[str, Builder]:
        """noun → the table of the panel that names it."""
        return merged([asked(module) for module, _ in panels(self.rows)])

    def _actions(self, services: Services, selection: Selection) -> list:
        elements: list = [html.Div(id=f"{self.name}-split")] if self.split else []
        elements += self.actions(services, selection) if self.actions is not None else []
        if self.report is not None and SELECTION not in flat(self.rows):  # whose bar has the link
            elements.append(report_link(self.name))
        if self.copy:
            words = [icon("link"), html.Span("Copy link")]
            elements.append(html.Button(words, type="button", className="btn-ff", **{"data-copy": ""}))
        elements += saved_views(changes=not services.read_only and acting.may("view"))
        return [*elements, html.Div(id=f"{self.name}-export")] if self.export else elements

    def _register_head(self, app: Dash, services: Services, about: Callable[[Services, Selection], Any]) -> None:
        names = ["about", *(["split"] if self.split else []), *(["export"] if self.export else [])]

        @app.callback(*(Output(f"{self.name}-{name}", "children") for name in names), Input("url", "search"))
        def draw_head(search: str | None):
            selection = Selection.parse(search)
            drawn = [about(services, selection)]
            if self.split:
                drawn.append(self.split(services, selection))
            if self.export:
                words, there = [icon("download"), "Export"], table_url(self.export, selection)
                drawn.append(html.A(words, href=there, className="btn-ff", download=""))
            return tuple(drawn) if len(drawn) > 1 else drawn[0]


def saved_views(*, changes: bool) -> list[html.Button]:
    """Save the page's address as a view, and the list of views; assets/views.js does both.

    changes: whether whoever looks may save.
    """
    save, listed = [icon("bookmark"), html.Span("Save view")], [icon("list"), html.Span("Views")]
    more: dict[str, Any] = {"type": "button", "className": "btn-ff", "aria-haspopup": "dialog"}
    keep = html.Button(save, title="Keep this view under a name", **more, **{"data-view-save": ""})
    return [*([keep] if changes else []), html.Button(listed, title="Saved views", **more, **{"data-views": ""})]


def asked(module: ModuleType) -> dict[str, Builder]:
    """The tables of a panel, each of runs that do what the panel needs."""
    said = tuple(getattr(module, "NEEDS", ()))
    return {noun: needs.table(builder, said) for noun, builder in getattr(module, "TABLES", {}).items()}


def merged(tables: Sequence[Mapping[str, Builder]]) -> dict[str, Builder]:
    """All of them as one. Raises ValueError where two panels give different tables the same name."""
    builders: dict[str, Builder] = {}
    for noun, builder in (one for each in tables for one in each.items()):
        if builders.setdefault(noun, builder) is not builder:
            raise ValueError(f"two panels have a table {noun!r}")
    return builders


def placed(entry: Entry, services: Services, selection: Selection) -> list:
    """The components of an entry."""
    if isinstance(entry, Group):
        inside = [part for row in entry.rows for part in placed(row, services, selection)]
        hidden = {"hidden": entry.hidden(services, selection)} if entry.hidden else {}
        return [html.Div(inside, id=entry.id, **hidden)]
    if isinstance(entry, Row):
        inside = [part for cell in entry.cells for part in celled(cell, services, selection)]
        more = {**({"id": entry.id} if entry.id else {}), **({"hidden": True} if entry.hidden else {})}
        return [html.Div(inside, className=f"ff-grid {entry.kind}".strip(), **more)]
    drawn = entry.layout(services, selection)
    return list(drawn) if isinstance(drawn, list | tuple) else [drawn]


def celled(cell: Cell, services: Services, selection: Selection) -> list:
    """The components of a cell, as wide as declared."""
    if isinstance(cell, Stack):
        inside = [module.layout(services, selection) for module in cell.modules]
        return [html.Div(inside, className=f"stack c{cell.columns}")]
    module, columns, *within = cell if isinstance(cell, tuple) else (cell, COLUMNS)
    drawn = module.layout(services, selection, *(part.layout(services, selection) for part in within))
    if columns:
        drawn.className = f"{getattr(drawn, 'className', None) or ''} c{columns}".strip()
    return [drawn]


def flat(rows: Sequence[Entry]) -> Iterator[Entry]:
    """Every entry, those of groups included."""
    for entry in rows:
        yield from flat(entry.rows) if isinstance(entry, Group) else (entry,)


def lazy_rows(rows: Sequence[Entry]) -> list[Row]:
    """Rows that wait until they are near."""
    return [entry for entry in flat(rows) if isinstance(entry, Row) and entry.lazy]


def panels(rows: Sequence[Entry]) -> Iterator[tuple[ModuleType, str]]:
    """Every panel in the order of the page, and the store it waits for, '' where it does not."""
    for entry in flat(rows):
        if isinstance(entry, Row):
            for cell in entry.cells:
                modules = cell.modules if isinstance(cell, Stack) else cell if isinstance(cell, tuple) else (cell,)
                yield from ((module, entry.store) for module in modules if isinstance(module, ModuleType))
        elif isinstance(entry, ModuleType):
            yield entry, ""
