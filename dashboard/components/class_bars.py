"""The frame of a bar chart over classes: names as buttons at the left, the chart, values at the right."""

from collections.abc import Sequence

from dash import html

from dashboard.components import graph, plain


def layout(id: str) -> html.Div:
    """Parts `<id>-names`, `<id>-graph` and `<id>-values` are filled by the panel's callback."""
    return html.Div(
        [
            *plain.place(f"{id}-names", className="names"),
            html.Div(graph(f"{id}-graph"), className="plot"),
            *plain.place(f"{id}-values", className="values"),
        ],
        id=f"{id}-bars",
        className="bars",
    )


def name_button(name: str, search: str, add: str, words: str, pressed: bool) -> html.Button:
    """A class name that narrows the selection; words: what a screen reader says."""
    return html.Button(
        name,
        type="button",
        title=name,
        **{"data-search": search, "data-add": add, "aria-label": words, "aria-pressed": str(pressed).lower()},
    )


def value_lines(lines: Sequence[tuple[str, str]]) -> list[html.Span]:
    """(value, doubt or gap) right-aligned in two columns."""
    return [html.Span([html.B(value), html.Small(more)]) for value, more in lines]


def clicked_class(click: object) -> str | None:
    """The class of a clicked bar, None when the click is not one."""
    try:
        name = click["points"][0]["y"]  # type: ignore[index]
    except (TypeError, KeyError, IndexError):
        return None
    return name if isinstance(name, str) and len(name) <= 60 else None
