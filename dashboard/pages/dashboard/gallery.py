"""First line: the predicted class and its confidence in percent. Second: the label. Open one to see why."""

from dash import Dash, html

from dashboard.components import gallery, tiles
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED, label_name

ID = "dashboard-gallery"
SORTS = {
    "confident": "Most confidently wrong",
    "unsure": "Least confident",
    "id": "By id",
    "given": "As listed, nearest first",
}


OF_UNLABELLED = {
    "confident": "Most confident",
    "unsure": "Most uncertain",
    "unlike": "Most unlike training",
    "diverse": "Diverse sample",
    "id": "By id",
    "given": "As listed, nearest first",
}


def layout(services: Services, selection: Selection) -> html.Article:
    """The images of the selection, a page at a time."""
    return gallery.layout(ID, __doc__, selection, OF_UNLABELLED if selection.split == UNLABELLED else SORTS)


def register(app: Dash, services: Services) -> None:
    """Exactly the selected images."""

    def find(selection: Selection) -> gallery.Matches:
        run = services.store.shown(selection.run).for_selection(selection)
        return run.ordered(selection), lambda rows: tiles.answers(run, selection, rows)

    gallery.register(app, ID, "selection", SORTS, find, {UNLABELLED: OF_UNLABELLED})


def csv_rows(run: RunData, selection: Selection) -> Table:
    """The gallery's rows, in its order: id, truth, guess, confidence, one probability a class."""
    predictions = run.predictions(selection.split)
    rows = run.ordered(selection)
    head = ["split", "example_id", "true", "predicted", "confidence", *(f"p {name}" for name in run.classes)]
    body = [
        [
            selection.split,
            int(predictions.ids[i]),
            label_name(run.classes, predictions.label(i)),
            run.classes[predictions.predicted[i]],
            f"{predictions.confidence[i]:.6f}" if run.can("top-k") else "",
            *(f"{p:.6f}" if run.can("top-k") else "" for p in predictions.probabilities[i]),
        ]
        for i in rows
    ]
    return head, body


TABLES = {"selection": of_run(csv_rows)}
