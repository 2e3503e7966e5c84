"""What the network is made of, what it learned, and how it arranges the images it is shown."""

from dash import Dash, Input, Output, html

from dashboard.components import icon, page_head, selection_bar
from dashboard.pages.insights import (
    activations,
    architecture,
    calibration,
    datamap,
    epoch_playback,
    examples,
    filters,
    history,
    how_it_works,
    map_2d,
    picture,
    projection,
    stages,
)
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH, TITLE = "/insights", "Insights"
PANELS = (
    architecture, projection, map_2d, epoch_playback, datamap, history, calibration, picture, filters, activations,
    how_it_works, examples,
)  # fmt: skip


def layout(services: Services, selection: Selection) -> html.Div:
    """Light panels, the feature space, then what needs the network itself."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    return html.Div(
        [
            *stages.layout(),
            page_head("Insights", html.Span(id="insights-about"), [html.Div(id="insights-split"), copy]),
            selection_bar.layout(),
            html.Div([architecture.layout()], className="ff-grid"),
            epoch_playback.bar(),
            html.Div([projection.layout(), map_2d.layout()], className="ff-grid"),
            html.Div([epoch_playback.layout()], className="ff-grid"),
            html.Div([datamap.layout()], className="ff-grid"),
            html.Div([history.layout(), calibration.layout()], className="ff-grid"),
            html.Div(
                [picture.layout(), filters.layout(), activations.layout()], className="ff-grid", id=stages.INSIDE_AT
            ),
            html.Div([how_it_works.layout()], className="ff-grid"),
            html.Div([examples.layout()], className="ff-grid"),
        ],
        className="insights",
    )


def register(app: Dash, services: Services) -> None:
    """The page's head, the order of drawing, then the panels."""

    @app.callback(Output("insights-about", "children"), Output("insights-split", "children"), Input("url", "search"))
    def draw_head(search: str | None):
        selection = Selection.parse(search)
        return about(services, selection), selection_bar.splits(selection)

    stages.register(app)
    for panel in PANELS:
        panel.register(app, services)


def about(services: Services, selection: Selection) -> str:
    """Which run, and what it is."""
    try:
        run = services.store.shown(selection.run)
    except (LookupError, ValueError):
        return "No run to show."
    model, numbers = run.manifest["model"], run.manifest["parameters"]
    images = f"{run.manifest['train_images']:,} images of {run.dataset['title']}"
    return f"{run.title}, a {model} of {numbers:,} numbers learned from {images}"
