"""First line: what A says and its confidence in percent. Second: the same of B. Third: the label."""

import numpy as np
from dash import Dash, html

from dashboard.components import dot, gallery, tiles
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS

ID = "comparison-gallery"
SORTS = {"confident": "Furthest apart", "unsure": "Least confident", "id": "By id"}


def layout(services: Services, selection: Selection) -> html.Article:
    """The images of the selection, a page at a time."""
    return gallery.layout(ID, __doc__, selection, SORTS, "Fetching pictures")


def register(app: Dash, services: Services) -> None:
    """Exactly the selected images."""

    def find(selection: Selection) -> gallery.Matches:
        pair = services.store.compare(selection)
        return pair.ordered(selection), lambda rows: pictures(pair, selection, rows)

    gallery.register(app, ID, "pairs", SORTS, find)


def pictures(pair: RunPair, selection: Selection, rows: np.ndarray) -> list:
    """The images at these places of the comparison, with both answers and the label."""
    classes, answers = pair.a.classes, pair.answers
    first, second = pair.probabilities()
    captions = []
    for row in rows.tolist():
        label = int(answers.labels[row])
        lines, spoken = [], [f"true {classes[label]}"]
        sides = (("A", pair.a, answers.a, first), ("B", pair.b, answers.b, second))
        for name, run, predicted, probabilities in sides:
            guess, sure = int(predicted[row]), 100 * float(probabilities[row].max())
            kind = "l1 ok" if guess == label else "l1 off"
            known = run.can("top-k")
            line = [dot(guess), html.Span(classes[guess]), html.B(f"{int(sure)}") if known else None]
            lines.append(html.Span(line, className=kind, title=name))
            spoken.append(f"{name} predicted {classes[guess]}" + (f", confidence {sure:.0f} percent" if known else ""))
        lines.append(html.Span(f"is {classes[label]}", className="l2"))
        captions.append((lines, ", ".join(spoken)))
    return tiles.gallery(pair.a, selection, pair.ids[rows].tolist(), captions)


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The gallery's rows on a page about two runs, in its order."""
    rows, answers, names = pair.ordered(selection), pair.answers, pair.a.classes
    first, second = (p.max(1) for p in pair.probabilities())
    ids = pair.ids
    head = ["split", "example_id", "true", "A", "A confidence", "B", "B confidence", "who is right"]
    return head, [
        [
            selection.split, int(ids[i]), names[answers.labels[i]],
            names[answers.a[i]], f"{first[i]:.6f}" if pair.a.can("top-k") else "",
            names[answers.b[i]], f"{second[i]:.6f}" if pair.b.can("top-k") else "", BUCKETS[answers.bucket[i]],
        ]
        for i in rows
    ]  # fmt: skip


TABLES = {"pairs": of_pair(csv_rows)}
