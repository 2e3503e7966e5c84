"""Builders used by more than one page. Each returns Dash components; none reads data."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from dashboard.components.icons import icon
from dashboard.format import glossary
from dashboard.theme import class_variable

__all__ = [
    "STATES",
    "badge",
    "button",
    "card",
    "column_head",
    "csv_link",
    "dot",
    "graph",
    "help_line",
    "icon",
    "page_head",
    "save_menu",
    "segmented",
    "stat",
    "term_mark",
    "way",
    "whisker",
    "worded",
]

# the badge of each state of a job, and of a run that cannot be read
STATES = {
    "queued": "mute", "running": "info", "done": "good", "failed": "bad", "cancelled": "mute", "interrupted": "warn",
    "broken": "bad",
}  # fmt: skip


def card(
    title: str, help_text: Any, body: Any, *, tools: Any = None, id: str | None = None, level: int = 2
) -> html.Article:
    """A card: title, one sentence on how to read it, tools at the right, body. help_text: of a text, its first line.

    Where the body has a chart, the tools end with a menu that saves it as a picture.
    """
    heading = [getattr(html, f"H{level}")(title, className="card-title"), help_line(help_text) if help_text else None]
    content = html.Div(body)
    if any(isinstance(part, dcc.Graph) for part in content._traverse()):
        tools = [*(tools if isinstance(tools, list | tuple) else [] if tools is None else [tools]), save_menu()]
    head = html.Div(
        [html.Div(heading), html.Div(tools, className="tools") if tools is not None else None], className="card-h"
    )
    more = {"id": id} if id else {}
    return html.Article([head, *(body if isinstance(body, list) else [body])], className="ff-card", **more)


def help_line(help_text: Any, **more: Any) -> html.P:
    """A card's sentence, its terms of the field as links to the glossary; a component, some callback's, stays itself.

    help_text: as of `card`.
    """
    if not isinstance(help_text, str):
        return html.P(help_text, **more)
    words = [term_link(piece, slug) if slug else piece for piece, slug in pieces(help_text.partition("\n")[0])]
    return html.P(words if len(words) > 1 else words[0], **more)


def term_link(words: str, slug: str, **more: Any) -> html.A:
    """A word that leads to what it means: assets/help.js shows that over the page.

    In another tab where no script runs: what stands on the page, an upload say, is not in its address.
    """
    return html.A(words, href=f"/glossary#{slug}", target="glossary", className="term", **more)


def worded(label: Any) -> Any:
    """A short label, the name of a number or a badge, its terms of the field as links; a component stays itself."""
    if not isinstance(label, str) or not any(slug for _, slug in pieces(label)):
        return label
    return html.Span([term_link(piece, slug) if slug else piece for piece, slug in pieces(label)])


def term_mark(words: str) -> html.A | None:
    """A question mark that leads to the first term in words, for beside a button, which cannot hold a link."""
    named = next(((piece, slug) for piece, slug in pieces(words) if slug), None)
    if named is None:
        return None
    return term_link("?", named[1], **{"aria-label": f"What is {named[0]}?", "data-mark": ""})


def column_head(words: Any, **more: Any) -> html.Th:
    """The head of a table's column, its terms of the field as links."""
    return html.Th(worded(words), scope="col", **more)


@lru_cache(maxsize=256)
def pieces(sentence: str) -> tuple[tuple[str, str], ...]:
    """(text, slug of the term that it is, or '') of a sentence."""
    return tuple((text, term.slug if term else "") for text, term in glossary.linked(sentence))


def page_head(title: str, sentence: Any, actions: Any = None) -> html.Div:
    """A page's title, its sentence and its actions."""
    return html.Div(
        [html.Div([html.H1(title), html.P(sentence)]), html.Div(actions, className="actions") if actions else None],
        className="head",
    )


def segmented(id: str, options: Sequence[tuple[str, str]], value: str, label: str) -> dbc.RadioItems:
    """A row of alternatives, one chosen; options are (value, words)."""
    return html.Div(
        dbc.RadioItems(
            id=id,
            options=[{"value": v, "label": words} for v, words in options],
            value=value,
            name=id,  # makes one group of them: Tab finds the chosen one, the arrows change it
            className="seg",
            inline=True,
        ),
        role="group",
        **{"aria-label": label},
    )


def button(
    words: Any,
    *,
    id: Any = None,
    kind: str = "",
    small: bool = False,
    search: str | None = None,
    path: str | None = None,
    **more: Any,
) -> html.Button:
    """kind: '', 'primary', 'ghost' or 'danger'. search, path: the address a click goes to, without a callback."""
    classes = " ".join(c for c in ("btn-ff", kind, "sm" if small else "") if c)
    extra = {"data-search": search} if search is not None else {}
    if path is not None:
        extra["data-path"] = path
    return html.Button(words, className=classes, type="button", **({"id": id} if id else {}), **extra, **more)


def to_add(words: Any, kind: str = "", **more: Any) -> html.A:
    """A link to where a network or predictions are added, at the end of the Training page; assets/adding.js goes on."""
    classes = " ".join(c for c in ("btn-ff", kind) if c)
    about = {"data-page": "/training", "data-to-add": ""}
    return html.A(words, href="/training#add", className=classes, **about, **more)


def csv_link(href: str, words: str = "CSV", name: str = "") -> html.A:
    """A small button that downloads a table. name: of the file, where the address does not say it."""
    return html.A([icon("download"), words], href=href, className="btn-ff sm", download=name, target="_self")


def report_link(page: str, query: str | None = None) -> html.A:
    """A small button that downloads the report of a view as one file.

    page: its name, '' for that of a selection; query: of the view; without it the address as it is by then, which
    assets/clientside.js adds.
    """
    base = f"/export/{page}-report.html" if page else "/export/report.html"
    more = {"data-follows": base} if query is None else {}
    return html.A(
        "Report",
        href=f"{base}{query or ''}",
        className="btn-ff sm" if query is not None else "btn-ff",
        download="",
        target="_self",
        title="This view as one HTML file that opens with the network off",
        **more,
    )


def save_menu(*, titled: bool = False) -> html.Details:
    """Saves the charts of the card it stands in as PNG or SVG; assets/save.js does it, without the server.

    titled: the card's title says what they are of, not the run of the address.
    """
    choices = [
        html.Button(words, type="button", className="btn-ff sm ghost", **{"data-save": kind})
        for kind, words in (("png", "PNG picture"), ("svg", "SVG drawing"))
    ]
    summary = html.Summary(
        icon("picture"), className="btn-ff sm icon", title="Save the chart", **{"aria-label": "Save the chart"}
    )
    status = html.Span(className="small", role="status", **{"data-save-said": ""})
    more = {"data-titled": ""} if titled else {}
    return html.Details([summary, html.Div([*choices, status], className="menu")], className="save", **more)


def badge(words: str, kind: str = "mute", **more: Any) -> html.Span:
    """kind: good, info, mute, warn or bad."""
    return html.Span(worded(words), className=f"badge-ff {kind}", **more)


def dot(class_id: int | str) -> html.I:
    """A class's colour; its name always stands beside it."""
    return html.I(className="dot", style={"--c": class_variable(class_id)})


def whisker(
    value: float, low: float, high: float, axis: tuple[float, float], colour: str = "var(--ff-accent)"
) -> html.Span:
    """A hairline axis with a bar for the interval and a tick for the value. axis: its ends."""

    def at(x: float) -> str:
        return f"{100 * min(max((x - axis[0]) / (axis[1] - axis[0]), 0), 1):.2f}%"

    width = f"calc({at(high)} - {at(low)})"
    return html.Span(
        [
            html.I(className="bar", style={"left": at(low), "width": width, "background": colour}),
            html.I(className="tick", style={"left": at(value)}),
        ],
        className="whisk",
        **{"aria-hidden": "true"},
    )


def way(words: str, search: str, *, label: str = "") -> html.Button:
    """A number of images, in a line of text, that leads to them: to the selection, and to its gallery further down.

    label: what a screen reader says of it, where the words alone do not tell.
    """
    more = {"aria-label": label} if label else {}
    return html.Button(words, type="button", className="way-to", **{"data-search": search, "data-gallery": "", **more})


def stat(
    label: Any, value: str, unit: str, mark: Any, words: Any, *, search: str | None = None, words_of_link: str = ""
) -> html.Div | html.Button:
    """A number with its doubt. mark: a whisker, or what stands in its place; words: text, or a list with `way`s in it.

    search: the address that a click anywhere on the tile goes to; words_of_link: what a screen reader says of it.
    """
    if isinstance(label, list) and isinstance(label[-1], str):  # beside its mark a name may be long
        label = [*label[:-1], html.Span(label[-1], className="name")]
    parts = [
        html.Span(worded(label) if search is None else label, className="label"),
        html.B([value, html.Small(unit) if unit else None]),
        mark,
        html.Span(words, className="ci"),
    ]
    if search is None:
        return html.Div(parts, className="stat")
    return html.Button(
        parts, type="button", className="stat", title=words_of_link,
        **{"data-search": search, "data-gallery": "", "aria-label": words_of_link},
    )  # fmt: skip


def graph(id: Any, *, modebar: bool = False, **more: Any) -> dcc.Graph:
    """An empty chart that fills its box; the callback draws it."""
    return dcc.Graph(
        id=id,
        figure={
            "data": [],
            "layout": {
                "xaxis": {"visible": False},
                "yaxis": {"visible": False},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
            },
        },
        config={
            "displayModeBar": "hover" if modebar else False,
            "displaylogo": False,
            "modeBarButtonsToRemove": ["sendChartToCloud"],  # nothing leaves this machine
            "responsive": True,
            "doubleClick": False,
            "showTips": False,
        },
        **more,
    )
