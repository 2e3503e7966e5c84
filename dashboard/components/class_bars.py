"""A panel of bars over classes: names as buttons at the left, the chart, values at the right, a table as CSV.

A panel named `<id>` has the parts `<id>-face`, `<id>-names`, `<id>-graph`, `<id>-values`, `<id>-bars` and `<id>-csv`;
where there is a choice, `<id>-select`. Of many classes a part is shown, which `<id>-find`, `<id>-back` and `<id>-on`
move.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard import theme
from dashboard.analysis.class_parts import Listed, Part
from dashboard.components import button, clicks, csv_link, graph, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.figures.labels import told_apart
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.state.selection import Selection

Options = list[dict[str, str]]


@dataclass(frozen=True)
class Bars:
    """A chart with the buttons at its left and the (value, doubt or gap) at its right, a line a class from the top.

    options: what the choice offers, where that follows from the data; listed: which of all classes these are.
    note: what has to be known of them, in a few words beside the table, and in a sentence.
    """

    figure: dict[str, Any]
    names: list
    values: Sequence[tuple[str, str]]
    options: Options | None = None
    listed: Listed | None = None
    note: tuple[str, str] | None = None


def layout(id: str) -> list:
    """The body of the card; `register` fills it."""
    return [slot(f"{id}-face"), chart(id), moved(id)]


def moved(id: str) -> html.Div:
    """What leads through many classes; not there for a few."""
    parts = [
        html.Label("Find a class", htmlFor=f"{id}-find", className="visually-hidden"),
        dcc.Input(id=f"{id}-find", type="search", placeholder="Find a class", debounce=0.3, maxLength=60),
        html.Span(id=f"{id}-part", className="quiet small", role="status"),
        button("Previous", id=f"{id}-back", small=True),
        button("Next", id=f"{id}-on", small=True),
    ]  # fmt: skip
    return html.Div(parts, id=f"{id}-ways", className="class-ways", hidden=True)


def chart(id: str) -> html.Div:
    """Names, bars and values, without a face."""
    return html.Div(
        [
            plain.place(f"{id}-names", className="names"),
            html.Div(graph(f"{id}-graph"), className="plot"),
            plain.place(f"{id}-values", className="values"),
        ],
        id=f"{id}-bars",
        className="bars",
    )


def tools(id: str, choices: Sequence[tuple[str, str]] = (), label: str = "") -> list:
    """Of the card: what can be chosen, the first at the start, and the table."""
    chosen = [segmented(f"{id}-select", choices, choices[0][0], label)] if choices else []
    return [*chosen, html.Span(id=f"{id}-csv")]


def register(
    app: Dash,
    id: str,
    field: str,
    noun: str,
    draw: Callable[[Selection, str, str, Part], Bars],
    *,
    choice: bool = False,
    options: bool = False,
    start: Callable[[Selection], Selection] = Selection.explicit,
) -> None:
    """Redrawn with the address; a click on a bar narrows the selection by its class.

    draw: (selection, what is chosen, mode, which classes) → the bars; may raise Missing, Broken. field: true or pred.
    noun: of the table. choice: whether there is one; options: whether `draw` says what it offers. start: what the
    address stands for where it says nothing.
    """

    @panel_callback(
        app,
        f"{id}-face",
        Output(f"{id}-graph", "figure"),
        plain.children(f"{id}-names"),
        plain.children(f"{id}-values"),
        Output(f"{id}-bars", "style"),
        Output(f"{id}-csv", "children"),
        Output(f"{id}-ways", "hidden"),
        Output(f"{id}-part", "children"),
        Output(f"{id}-back", "disabled"),
        Output(f"{id}-on", "disabled"),
        *([Output(f"{id}-select", "options")] if options else []),
        Input("url", "search"),
        Input(f"{id}-find", "value"),
        Input(f"{id}-on", "n_clicks"),
        Input(f"{id}-back", "n_clicks"),
        *([Input(f"{id}-select", "value")] if choice else []),
        Input(theme.STATE, "data"),
    )
    def draw_bars(search: str | None, find: Any, on: Any, back: Any, *given: Any):
        selection, part = Selection.parse(search), Part.read(find, on, back)
        bars = draw(selection, str(given[0]) if choice else "", theme.mode_of(given[-1]), part)
        listed = bars.listed or Listed([])
        for one, short in zip(bars.names, told_apart([one.title for one in bars.names]), strict=True):
            one.children = short
        drawn = (
            split(bars.figure, bars.names, listed.cut),
            bars.names,
            value_lines(bars.values),
            {"--n": len(bars.names)},
            beside(bars.note, csv_link(table_url(noun, selection))),
            not listed.words,
            listed.words,
            not listed.back,
            not listed.on,
        )
        return (*drawn, bars.options) if options else drawn

    def chosen(selection: Selection, click: object, keys: clicks.Keys) -> Selection | None:
        name = clicks.name(click, "y")
        return start(selection).toggle(field, name, add=keys.ctrl) if name is not None else None

    clicks.lead(app, f"{id}-graph", chosen, keyed=True)


def split(figure: dict[str, Any], names: list, cut: int) -> dict[str, Any]:
    """The figure with a line where classes are left out between two of those shown; their names say so, too."""
    if not cut or cut >= len(names):
        return figure
    names[cut].className = "cut"
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": cut - 0.5, "y1": cut - 0.5}
    grid = figure["layout"]["template"]["layout"]["font"]["color"]
    shapes = [*figure["layout"].get("shapes", []), {**line, "line": {"color": grid, "width": 1, "dash": "dot"}}]
    return {**figure, "layout": {**figure["layout"], "shapes": shapes}}


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


def accuracies(
    start: Selection, classes: Sequence[str], shares: Sequence[Proportion]
) -> tuple[list, list[tuple[str, str]]]:
    """Names and values of a chart of the accuracy of each true class."""
    names, values = [], []
    for name, share in zip(classes, shares, strict=True):
        low, high = share.ends
        doubt = f"interval {100 * low:.1f} to {100 * high:.1f}, {share.count} of {share.n}"
        names.append(name_button(start, "true", name, f"{name} {share.percent} percent, {doubt}"))
        values.append((share.percent if share.n else "–", f"±{50 * (high - low):.1f}"))
    return names, values


def value_lines(values: Sequence[tuple[str, str]]) -> list[html.Span]:
    """(value, doubt or gap) right-aligned in two columns."""
    return [html.Span([html.B(value), html.Small(more)]) for value, more in values]


def beside(note: tuple[str, str] | None, link: Any) -> Any:
    """The link to a table, behind what has to be known of the bars."""
    if note is None:
        return link
    words = html.Span(note[0], className="quiet small", title=note[1])
    return html.Div([words, link], className="row-ff")
