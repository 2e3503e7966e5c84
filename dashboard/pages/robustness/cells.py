"""Cells of a table as buttons that open their flipped images, and what of the address the tables depend on."""

from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.analysis import robustness
from dashboard.analysis.robustness import Cell
from dashboard.components import clicks, graph, plain, segmented
from dashboard.components.panel import slot
from dashboard.components.plain import element
from dashboard.figures.gaps import points
from dashboard.pages.robustness import measure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.robustness.catalogue import CORRUPTIONS

STATE = "robustness-cells-state"  # {search, measured}: what the tables depend on, changed only when that does


def layout(services: Services, selection: Selection) -> dcc.Store:
    """What the tables depend on."""
    return dcc.Store(id=STATE)


def register(app: Dash, _: Services) -> None:
    """The part of the address, in the browser: an attack's slider redraws no table."""
    app.clientside_callback(
        """(search, measured, before) => {
            const all = new URLSearchParams(search || ''), kept = new URLSearchParams();
            for (const name of ['run', 'against', 'under', 'page']) if (all.has(name)) kept.set(name, all.get(name));
            const now = {search: '?' + kept.toString(), measured: measured};
            const same = before && before.search === now.search && before.measured === now.measured;
            return same ? window.dash_clientside.no_update : now;
        }""",
        Output(STATE, "data"),
        Input("url", "search"),
        Input(measure.Ids.DONE, "data"),
        State(STATE, "data"),
    )


def read(state: Any) -> Selection:
    """What the store holds. Raises PreventUpdate while it is empty."""
    if not isinstance(state, dict) or not isinstance(state.get("search"), str):
        raise PreventUpdate
    return Selection.parse(state["search"])


def chart_or_table(id: str, height: int, *below: Any, scrolls: bool = False) -> list:
    """The body of a panel `<id>` whose chart, as a table, is for the keyboard. below: what stands under either."""
    table = plain.place(f"{id}-table", className="cm-table bare")
    both = [
        html.Div(graph(f"{id}-graph", style={"height": f"{height}px"}), className="chart"),
        html.Div(table, className="rb-scroll") if scrolls else table,
        *below,
        html.P(id=f"{id}-note", className="faint small"),
    ]
    return [slot(f"{id}-face", "Reading what was measured"), html.Div(both, id=f"{id}-body", className="rb-view")]


def tools(id: str, label: str) -> list:
    """Which of the two is shown, and the table as CSV."""
    choices = [("chart", "Chart"), ("table", "Table")]
    return [segmented(f"{id}-view", choices, "chart", label), html.Span(id=f"{id}-csv")]


def register_view(app: Dash, id: str, clicked: Callable[[Selection, object], Cell | None]) -> None:
    """Chart or table; a click on the chart opens the cell that `clicked` finds, which may raise Missing, Broken."""
    app.clientside_callback(
        "(view) => view === 'table' ? 'rb-view as-table' : 'rb-view'",
        Output(f"{id}-body", "className"),
        Input(f"{id}-view", "value"),
    )

    def choose(selection: Selection, click: object, _: clicks.Keys) -> Selection | None:
        cell = clicked(selection, click)
        return opened(selection, cell) if cell is not None else None

    clicks.lead(app, f"{id}-graph", choose)


def opened(selection: Selection, cell: Cell) -> Selection:
    """The flipped images of a cell; where it is open already, closed."""
    return selection.with_(under=None if selection.under == cell.address else cell.address, page=1)


def hover(cell: Cell, *, paired: bool) -> str:
    """What a chart says of a cell: its share with interval and n, or the gap."""
    share, what = cell.share, robustness.words(cell.name, cell.degree)
    kind = CORRUPTIONS.get(cell.name)
    level = f"<br>{kind.sentence}, {(cell.unit or kind.unit).format(cell.level)}" if kind else ""
    if not paired:
        return f"<b>{share.percent} %</b> right under {what}<br>{share.span}, {share.count:,} of {share.n:,}{level}"
    if cell.gap is None:
        return f"<b>no difference known</b><br>the other run was not asked about {what}{level}"
    middle, low, high = cell.gap
    return (
        f"<b>{points(middle)}</b> points under {what}<br>95 % interval {points(low)} to {points(high)}, "
        f"n {cell.shared:,}{level}"
    )


def spoken(cell: Cell, *, paired: bool) -> str:
    """The same for a screen reader."""
    words = hover(cell, paired=paired).replace("<br>", ". ").replace("<b>", "").replace("</b>", "")
    return f"{robustness.title(cell.name)}: {words}"


def number(cell: Cell, *, paired: bool) -> str:
    """What stands in a cell."""
    if not paired:
        return cell.share.percent
    return "" if cell.gap is None else points(cell.gap[0])


def table(
    rows: Sequence[tuple[str, Sequence[Cell]]],
    heads: Sequence[str],
    corner: str,
    selection: Selection,
    *,
    name: str,
    paired: bool = False,
    opens: Callable[[Cell], bool] = lambda cell: True,
) -> html.Div:
    """One button a cell, arrow keys move. rows: (title, cells); opens: whether a cell has images to show."""
    top = [element("Span", corner, className="head-t"), *(element("Span", one, className="head-t") for one in heads)]
    lines = [element("Div", top, className="row-t")]
    for title, row in rows:
        line: list = [element("Span", title, className="head-t", title=title)]
        for cell in row:
            line.append(
                element(
                    "Button",
                    number(cell, paired=paired) or "–",
                    type="button",
                    disabled=not opens(cell),
                    className="" if not paired or cell.sure else "zero",
                    **{
                        "aria-label": spoken(cell, paired=paired),
                        "aria-pressed": str(selection.under == cell.address).lower(),
                        "data-search": opened(selection, cell).query(),
                        "data-own": "under,page",
                    },
                )
            )
        lines.append(element("Div", line, className="row-t"))
    across = sum(map(opens, rows[0][1])) if rows else 0  # arrows step over buttons that open nothing
    return html.Div(lines, role="group", style={"--n": len(heads)}, **{"aria-label": name, "data-arrows": str(across)})
