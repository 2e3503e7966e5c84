"""Suspected labels, one after the other: decide, take back, hand out, train again on what was decided."""

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard.analysis.label_review import split_of
from dashboard.components import selection_bar
from dashboard.components.page import Page, Part, Row, Stack
from dashboard.exports import report_views
from dashboard.pages.review import log, queue, retrain, sample, scores
from dashboard.records.decisions import SPLITS, WHO
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.kinds import TRAINING

DONE = "review-done-state"  # changes when a decision was written; assets/review.js sets it
VIEW = "review-view-state"  # the address without the image in front, changed only when that part does
REVIEW_READ_ONLY = "This server shows decisions and takes none (it was started with --read-only)."


def actions(services: Services, selection: Selection) -> list[html.Div]:
    """Who decides."""
    name = dbc.Input(
        id="review-who-input", placeholder="anonymous", maxlength=WHO, autocomplete="name", persistence=True,
        persistence_type="local", disabled=services.read_only,
    )  # fmt: skip
    label = html.Label("Your name", htmlFor="review-who-input", className="label quiet")
    return [html.Div([label, name], className="who")]


def memory(services: Services, selection: Selection) -> list:
    """What was decided, and what came of it in words."""
    return [
        dcc.Store(id=DONE),
        dcc.Store(id=VIEW),
        *([html.Div(REVIEW_READ_ONLY, className="notice")] if services.read_only else []),
        html.Div(id="review-status", className="sr", role="status"),
        html.Div(id="review-trouble", className="notice", role="alert"),
    ]


def register_view(app: Dash, services: Services) -> None:
    """The address without the image in front."""
    app.clientside_callback(
        ClientsideFunction("review", "view"), Output(VIEW, "data"), Input("url", "search"), State(VIEW, "data")
    )


def splits(services: Services, selection: Selection) -> html.Div:
    """Test, validation, what the run learned from, and what nobody has labelled."""
    address = {"train": "reference"}
    known = selection_bar.has_unlabelled(services, selection) or selection.split == UNLABELLED
    buttons = [
        html.Button(
            split.capitalize(),
            type="button",
            **{
                "data-search": selection.of_split(address.get(split, split)).query(),
                "aria-pressed": str(split == split_of(selection)).lower(),
            },
        )
        for split in SPLITS
        if split != UNLABELLED or known
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
        UNLABELLED: "images that nobody has labelled, what to label next first",
    }[split_of(selection)]
    if not run.can(TRAINING):
        kind = f"{split_of(selection)} labels"
    return f"{run.title} on {run.dataset['title']}: {kind}"


PAGE = Page(
    path="/review",
    title="Review",
    heading="Label review",
    about=about,
    split=splits,
    actions=actions,
    head=register_view,
    report=report_views.suspected,
    kind="review",
    rows=(Part(memory), Row(Stack(7, sample, scores, retrain), (queue, 5), kind="first"), Row(log)),
    first=(sample, queue),
)
