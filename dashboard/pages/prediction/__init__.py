"""The prediction studio: any picture in; each step it takes, the answer, and how far to trust it out."""

from dash import dcc

from dashboard.components import button
from dashboard.components.icons import icon
from dashboard.components.page import Page, Part, Row
from dashboard.pages.prediction import (
    address,
    answer,
    answer_state,
    batch,
    explained,
    familiarity,
    feedback,
    layers,
    no_network,
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


def actions(services: Services, selection: Selection) -> list:
    """A picture of the data set."""
    shown = samples.toggle_state(selection.sample is None)
    return [
        button([icon("shuffle"), "Random sample"], id=samples.Ids.RANDOM),
        button([icon("grid"), "From the test set"], id=samples.Ids.TOGGLE, **shown),
    ]


def memory(services: Services, selection: Selection) -> list[dcc.Store]:
    """The picture lives in this tab's memory alone: leaving the page forgets it."""
    ids = (picture.Ids.STATE, picture.Ids.SHOWN, answer_state.Ids.STATE)
    return [dcc.Store(id=id, storage_type="memory") for id in ids]


PAGE = Page(
    path="/prediction",
    title="Prediction",
    heading="Prediction studio",
    about=(
        "Give it any picture of one thing. You see each step the picture takes, the answer, and how far to trust it."
    ),
    actions=actions,
    copy=False,
    kind="prediction",
    rows=(
        address,
        Part(memory),
        no_network,
        Row((picture, 4), (answer, 8, saliency)),
        samples,
        Row(
            whatif, feedback, preparation, variants, other_runs, (explained, 6), (layers, 6), familiarity,
            id=answer_state.Ids.MORE, hidden=True,
        ),
        Row(batch),
    ),
)  # fmt: skip
