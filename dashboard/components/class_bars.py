"""The frame of a bar chart over classes: names as buttons at the left, the chart, values at the right."""

from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard.components import clicks, graph, plain
from dashboard.format.proportion import Proportion
from dashboard.state.selection import Selection


def layout(id: str) -> html.Div:
    """Parts `<id>-names`, `<id>-graph` and `<id>-values` are filled by the panel's callback."""
    return html.Div(
        [
            plain.place(f"{id}-names", className="names"),
            html.Div(graph(f"{id}-graph"), className="plot"),
            plain.place(f"{id}-values", className="values"),
        ],
        id=f"{id}-bars",
        className="bars",
    )


def register(app: Dash, id: str, field: str, start: Callable[[Selection], Selection] = Selection.explicit) -> None:
    """A click on a bar narrows the selection by its class; start: what the address stands for where it says nothing."""

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(f"{id}-graph", "clickData"),
        State("app-keys-state", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_class(click: Any, keys: dict | None, search: str | None):
        name = clicked_class(click)
        if name is None:
            raise PreventUpdate
        return start(Selection.parse(search)).toggle(field, name, add=bool((keys or {}).get("ctrl"))).query()


def name_button(start: Selection, field: str, name: str, words: str) -> html.Button:
    """A class name that narrows the selection in true or pred; words: what a screen reader says."""
    return html.Button(
        name,
        type="button",
        title=name,
        **{
            "data-search": start.toggle(field, name).query(),
            "data-add": start.toggle(field, name, add=True).query(),
            "aria-label": words,
            "aria-pressed": str(name in getattr(start, field)).lower(),
        },
    )


def named_right(start: Selection, classes: Sequence[str], shares: Sequence[Proportion]) -> tuple[list, list[html.Span]]:
    """Names and values of a chart of how many of each true class are named right."""
    names, lines = [], []
    for name, share in zip(classes, shares, strict=True):
        low, high = share.ends
        doubt = f"interval {100 * low:.1f} to {100 * high:.1f}, {share.count} of {share.n}"
        names.append(name_button(start, "true", name, f"{name} {share.percent} percent, {doubt}"))
        lines.append((share.percent if share.n else "–", f"±{50 * (high - low):.1f}"))
    return names, value_lines(lines)


def value_lines(lines: Sequence[tuple[str, str]]) -> list[html.Span]:
    """(value, doubt or gap) right-aligned in two columns."""
    return [html.Span([html.B(value), html.Small(more)]) for value, more in lines]


def clicked_class(click: object) -> str | None:
    """The class of a clicked bar, None when the click is not one."""
    name = clicks.point(click).get("y")
    return name if isinstance(name, str) and len(name) <= 60 else None
