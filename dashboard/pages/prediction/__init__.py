"""The prediction studio: any picture in; each step it takes, the answer, and how far to trust it out."""

from dash import Dash, dcc, html

from dashboard.components import button, icon, page_head
from dashboard.pages.prediction import (
    address,
    answer,
    batch,
    explained,
    familiarity,
    feedback,
    layers,
    other_runs,
    picture,
    preparation,
    saliency,
    samples,
    variants,
    whatif,
)
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH = "/prediction"
TITLE = "Prediction"
PANELS = (
    picture, answer, saliency, feedback, samples, preparation, variants, other_runs, familiarity, explained, layers,
    batch, whatif,
)  # fmt: skip
SENTENCE = "Give it any picture of one thing. You see each step the picture takes, the answer, and how far to trust it."


def layout(services: Services, selection: Selection) -> html.Div:
    """The page; reads the store at most for the class names, never the network."""
    classes = _classes(services, selection)
    actions = [
        button([icon("shuffle"), "Random sample"], id=samples.Ids.RANDOM),
        button(
            [icon("grid"), "From the test set"],
            id=samples.Ids.TOGGLE,
            **samples.toggle_state(selection.sample is None),
        ),
    ]
    return html.Div(
        [
            # the picture lives in this tab's memory alone: leaving the page forgets it
            *address.layout(),
            dcc.Store(id=picture.Ids.STATE, storage_type="memory"),
            dcc.Store(id=picture.Ids.SHOWN, storage_type="memory"),
            dcc.Store(id=answer.Ids.STATE, storage_type="memory"),
            page_head("Prediction studio", SENTENCE, actions),
            html.Div([picture.layout(), answer.layout(saliency.layout(), classes, selection)], className="ff-grid"),
            samples.layout(classes, opened=selection.sample is None),
            html.Div(
                [
                    whatif.layout(),
                    feedback.layout(),
                    preparation.layout(),
                    variants.layout(),
                    other_runs.layout(),
                    explained.layout(),
                    layers.layout(),
                    familiarity.layout(),
                ],
                className="ff-grid",
                id=answer.Ids.MORE,
                hidden=True,
            ),
            html.Div(batch.layout(), className="ff-grid"),
        ],
        className="prediction",
    )


def register(app: Dash, services: Services) -> None:
    """All callbacks of the page."""
    address.register(app)
    for panel in PANELS:
        panel.register(app, services)


def _classes(services: Services, selection: Selection) -> list[str]:
    try:
        return services.store.shown(selection.run).classes
    except (LookupError, ValueError):  # the answer panel says what is wrong with the run
        return []
