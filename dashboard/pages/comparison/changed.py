"""Settings and facts in which the two runs differ."""

from dash import Dash, Input, Output, html

from dashboard.analysis import claims
from dashboard.analysis.comparison import changes
from dashboard.components import card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.format.csv import table_url
from dashboard.pages.comparison.letters import letter
from dashboard.services.container import Services
from dashboard.state.selection import Selection

FACE, BODY, CSV = "comparison-changed-face", "comparison-changed-body", "comparison-changed-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """A table of two columns."""
    region = html.Div(
        plain.place(BODY),
        className="tablewrap",
        tabIndex="0",
        role="region",
        **{"aria-label": "What was different, scrollable"},
    )
    body = [slot(FACE, "Reading the manifests"), region]
    return card("What was different", __doc__, body, tools=html.Span(id=CSV))


def register(app: Dash, services: Services) -> None:
    """Read off both manifests, whatever the selection."""

    @panel_callback(app, FACE, plain.children(BODY), Output(CSV, "children"), Input("app-view-state", "data"))
    def draw_changed(search: str | None):
        selection = Selection.parse(search)
        return table(services.store.compare(selection)), csv_link(table_url("changes", selection))


def table(pair: RunPair) -> list:
    """One row a difference."""
    differences, same = changes(pair)
    head = html.Thead(
        html.Tr(
            [
                html.Th(html.Span("What", className="sr")),
                html.Th([letter("a"), pair.a.title]),
                html.Th([letter("b"), pair.b.title]),
            ]
        )
    )
    rows = [html.Tr([html.Th(name, scope="row"), html.Td(a), html.Td(b)]) for name, a, b in differences]
    words = "" if claims.claim(pair).known else claims.UNKNOWN
    if same:
        words = f"{same} other setting{' is' if same == 1 else 's are'} the same. {words}".strip()
    parts: list = [html.Table([head, html.Tbody(rows)])] if rows else []
    return [
        *parts,
        html.P(words if differences else f"Nothing: all {same} settings are the same.", className="faint small"),
    ]


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """Settings and facts that differ."""
    return ["what", pair.a.run_id, pair.b.run_id], [list(line) for line in changes(pair)[0]]


TABLES = {"changes": of_pair(csv_rows)}
