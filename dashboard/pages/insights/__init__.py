"""What the network is made of, what it learned, and how it arranges the images it is shown."""

from dashboard.components import selection_bar
from dashboard.components.page import SELECTION, Page, Part, Row
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
from ml.artifacts.kinds import NETWORK, TRAINING


def about(services: Services, selection: Selection) -> str:
    """Which run, and what it is."""
    try:
        run = services.store.shown(selection.run)
    except (LookupError, ValueError):
        return "No run to show."
    if not run.can(NETWORK):
        return f"{run.title}, predictions alone for the images of {run.dataset['title']}: no network to look into"
    model, numbers = run.manifest["model"], run.manifest["parameters"]
    article = "an" if model[:1] in "aeio" else "a"
    if not run.can(TRAINING):
        return f"{run.title}, {article} {model} of {numbers:,} numbers, for the images of {run.dataset['title']}"
    images = f"{run.manifest['train_images']:,} images of {run.dataset['title']}"
    return f"{run.title}, {article} {model} of {numbers:,} numbers learned from {images}"


PAGE = Page(
    path="/insights",
    title="Insights",
    about=about,
    split=selection_bar.splits,
    kind="insights",
    rows=(
        stages,
        SELECTION,
        Row(architecture),
        Part(epoch_playback.bar),
        Row((projection, 7), (map_2d, 5)),
        Row(epoch_playback),
        Row(datamap),
        Row((history, 8), (calibration, 4)),
        Row((picture, 3), (filters, 4), (activations, 5), id=stages.INSIDE_AT),
        Row(how_it_works),
        Row(examples),
    ),
)
