"""Images that nobody has labelled: which of them to label next, and what people said of them."""

from collections.abc import Iterable

import numpy as np

from dashboard.data.run import RunData
from dashboard.records.decisions import CurrentLabels
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, UNLABELLED, label_name

ORDERS = {
    "unsure": "Most uncertain",
    "unlike": "Most unlike training",
    "diverse": "Diverse",
}
MEANS = {
    "unsure": "Those that the run is least sure of: the smallest largest probability comes first.",
    "unlike": "Those furthest from the training images, by the mean distance to the five nearest in its features.",
    "diverse": "One of each of 48 groups of alike images, the largest group first and of each the one nearest its "
    "middle; then a second one of each.",
}


def order_of(selection: Selection) -> str:
    """One of ORDERS: that of the address, else the most uncertain."""
    return selection.sort if selection.sort in ORDERS else "unsure"


def rows(run: RunData, selection: Selection) -> np.ndarray:
    """Places in the run's predictions of these images, under the filters of the address, what to label next first.

    Raises Missing, Broken.
    """
    return run.ordered(selection.with_(split=UNLABELLED, sort=order_of(selection)))


def guesses(run: RunData, ids: Iterable[int] | None = None) -> dict[int, str]:
    """example id → the class that the run predicts, of those asked for that are here, all when None."""
    known = run.without_labels()
    chosen = range(len(known.ids)) if ids is None else np.flatnonzero(np.isin(known.ids, list(ids))).tolist()
    return {int(known.ids[row]): run.classes[known.predicted[row]] for row in chosen}


def labelled(run: RunData, current_labels: CurrentLabels) -> dict[int, int]:
    """example id → class id of those that people gave a label; a class that this run has not is none."""
    return {
        example: run.classes.index(decision.after)
        for example, decision in current_labels.within(UNLABELLED).items()
        if decision.after in run.classes
    }


def unlike(run: RunData, row: int) -> str:
    """How unlike the training pictures one is, in words."""
    known = run.without_labels()
    share = float(known.percentile[row])
    if np.isnan(share):
        return f"Its five nearest training images are {known.unlike[row]:.2f} away on average."
    return f"Further from the training images than {share:.0f} % of validation."


def csv_rows(run: RunData, selection: Selection, current_labels: CurrentLabels) -> tuple[list[str], list[list]]:
    """Head and one row an image, in the order of the queue, with what was decided of it."""
    known = run.without_labels()
    head = ["split", "example_id", "label", "predicted", "confidence", "unlike", "percentile", "diverse", "decision"]
    body: list[list] = []
    for row in rows(run, selection).tolist():
        decision = current_labels.of(UNLABELLED, int(known.ids[row]))
        share = float(known.percentile[row])
        now = NO_LABEL if decision is None else decision.after or "(left out)"
        body.append(
            [
                UNLABELLED, int(known.ids[row]), label_name(run.classes, None), run.classes[known.predicted[row]],
                f"{known.confidence[row]:.6f}", f"{known.unlike[row]:.6f}", "" if np.isnan(share) else f"{share:.2f}",
                int(known.diverse[row]), decision.action if decision else "", now,
            ]
        )  # fmt: skip
    return [*head, "label now"], body
