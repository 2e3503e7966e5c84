"""Where is it weak, and what to do next: groups with more mistakes than the rest, failure modes, near-duplicates."""

from dash import Dash, Input, Output, dcc, html

from dashboard.components import icon, page_head, selection_bar, strip
from dashboard.pages.slices import failure_modes, near_duplicates, saved, weak_slices
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH, TITLE = "/slices", "Slices"
PANELS = (failure_modes, weak_slices, saved, near_duplicates)
STRIP = "slices-strip"


def layout(services: Services, selection: Selection) -> html.Div:
    """The selection and its first images, then what can be selected."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    return html.Div(
        [
            page_head("Slices", html.Span(id="slices-about"), [html.Div(id="slices-split"), copy]),
            dcc.Store(id=saved.ASKED),
            dcc.Store(id=saved.DONE),
            html.Div(id=saved.NOTICE, className="notice", role="status"),
            selection_bar.layout(),
            strip.layout(STRIP, tools=saved.keep_selection(services)),
            html.Div([weak_slices.layout()], className="ff-grid"),
            html.Div([failure_modes.layout()], className="ff-grid"),
            html.Div([saved.layout()], className="ff-grid"),
            html.Div([near_duplicates.layout()], className="ff-grid"),
        ],
        className="slices",
    )


def register(app: Dash, services: Services) -> None:
    """The page's head, then its panels."""

    @app.callback(Output("slices-about", "children"), Output("slices-split", "children"), Input("url", "search"))
    def draw_head(search: str | None):
        selection = Selection.parse(search)
        return about(services, selection), selection_bar.splits(selection)

    strip.register(app, services, STRIP)
    for panel in PANELS:
        panel.register(app, services)


def about(services: Services, selection: Selection) -> str:
    """Which run, how often it is wrong."""
    try:
        run = services.store.shown(selection.run)
        right = run.predictions(selection.split).right
    except (LookupError, ValueError):
        return "No run to show."
    wrong = int((~right).sum())
    return f"{run.title} is wrong on {wrong:,} of {len(right):,} {selection.split} images: where, and why?"
