"""Suspected labels, one after the other: decide, take back, hand out, train again on what was decided."""

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard.analysis.label_review import split_of
from dashboard.components import icon, page_head, report_link
from dashboard.pages.review import log, queue, retrain, sample, scores
from dashboard.records.decisions import SPLITS, WHO
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH, TITLE = "/review", "Review"
PANELS = (sample, queue, scores, log, retrain)
DONE = "review-done-state"  # changes when a decision was written; assets/review.js sets it
VIEW = "review-view-state"  # the address without the image in front, changed only when that part does
READ = "This server shows decisions and takes none (it was started with --read-only)."


def layout(services: Services, selection: Selection) -> html.Div:
    """The image in front, what decisions do to the scores, a new training; beside them the queue, below the list."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    name = dbc.Input(
        id="review-who-input", placeholder="anonymous", maxlength=WHO, autocomplete="name", persistence=True,
        persistence_type="local", disabled=services.read_only,
    )  # fmt: skip
    who = html.Div(
        [html.Label("Your name", htmlFor="review-who-input", className="label quiet"), name], className="who"
    )
    return html.Div(
        [
            page_head(
                "Label review",
                html.Span(id="review-about"),
                [html.Div(id="review-split"), who, report_link("review"), copy],
            ),
            dcc.Store(id=DONE),
            dcc.Store(id=VIEW),
            html.Div(READ, className="notice") if services.read_only else None,
            html.Div(id="review-status", className="sr", role="status"),
            html.Div(id="review-trouble", className="notice", role="alert"),
            html.Div(
                [
                    html.Div([sample.layout(), scores.layout(), retrain.layout(services)], className="stack c7"),
                    queue.layout(),
                ],
                className="ff-grid first",
            ),
            html.Div([log.layout(services)], className="ff-grid"),
        ],
        className="review",
    )


def register(app: Dash, services: Services) -> None:
    """The page's head, then its panels."""
    app.clientside_callback(
        ClientsideFunction("review", "view"), Output(VIEW, "data"), Input("url", "search"), State(VIEW, "data")
    )

    @app.callback(Output("review-about", "children"), Output("review-split", "children"), Input("url", "search"))
    def draw_head(search: str | None):
        selection = Selection.parse(search)
        return about(services, selection), splits(selection)

    for panel in PANELS:
        panel.register(app, services)


def splits(selection: Selection) -> html.Div:
    """Test, validation, and what the run learned from."""
    address = {"train": "reference"}
    buttons = [
        html.Button(
            split.capitalize(),
            type="button",
            **{
                "data-search": selection.with_(split=address.get(split, split)).query(),
                "aria-pressed": str(split == split_of(selection)).lower(),
            },
        )
        for split in SPLITS
    ]
    return html.Div(buttons, className="seg", role="group", **{"aria-label": "Split"})


def about(services: Services, selection: Selection) -> str:
    """Whose suspicions, about what."""
    try:
        run = services.store.shown(selection.run)
    except (LookupError, ValueError):
        return "No run to show."
    kind = {
        "train": "labels it learned from, judged by five networks that had not seen them",
        "validation": "labels that chose its best epoch",
        "test": "labels it never saw",
    }[split_of(selection)]
    return f"{run.title} on {run.dataset['title']}: {kind}"
