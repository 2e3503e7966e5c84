"""The first page: how good, what is mistaken for what, and the pictures behind every number."""

from dashboard.components import selection_bar
from dashboard.components.page import SELECTION, Page, Row, Stack
from dashboard.exports import report_views
from dashboard.pages.dashboard import (
    accuracy,
    attention,
    calibration,
    confidence,
    confusion,
    contrast,
    distribution,
    gallery,
    scores,
)
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED, split_name
from ml.artifacts.kinds import TRAINING

SPLIT_ROLES = {
    "test": "images it never saw in training",
    "validation": "images that chose its best epoch",
    "reference": "of the images it was trained on",
    UNLABELLED: "images that nobody has labelled: predicted, never scored",
}


def about(services: Services, selection: Selection) -> str:
    """Which run, which pictures."""
    try:
        run = services.store.shown(selection.run)
        n = len(run.predictions(selection.split).ids)
    except (LookupError, ValueError):
        return "No run to show."
    role = SPLIT_ROLES[selection.split] if run.can(TRAINING) else "images"
    which = f"{split_name(selection.split)} split, {n:,} {role}"
    return f"{run.title} on {run.dataset['title']}, {which}"


PAGE = Page(
    path="/",
    title="Dashboard",
    about=about,
    split=selection_bar.splits,
    export="selection",
    report=report_views.selected,
    rows=(
        scores,
        SELECTION,
        Row((confusion, 7), Stack(5, accuracy, distribution)),
        contrast,
        Row((confidence, 7), (calibration, 5), lazy="dashboard-sure"),
        gallery,
        attention,
    ),
    first=(gallery,),
    early=(
        "dashboard-about.",
        "selection-",
        "dashboard-scores-",
        "dashboard-confusion-",
        "dashboard-gallery-",
        "dashboard-accuracy-",
        "dashboard-distribution-",
        "url.search@",  # what a chart or a choice that was not touched asks: nothing
    ),
    still=True,
)
