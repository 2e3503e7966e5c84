"""Rows of small pictures cut from one sprite sheet, and pages of them."""

from collections.abc import Sequence

import numpy as np
from dash import html

from dashboard.components import button, dot, panel_states
from dashboard.components.plain import element
from dashboard.data.run import RunData
from dashboard.format.images import sprite_url, tile_style
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, PAGE_SIZE


def shown(selection: Selection, n: int) -> tuple[int, slice]:
    """The page of a gallery of n ≥ 1 images that the selection is on, the last where it is past that, and its rows."""
    page = min(selection.page, -(-n // PAGE_SIZE))
    return page, slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)


def gallery(run: RunData, selection: Selection, ids: Sequence[int], captions: Sequence[tuple[list, str]]) -> list:
    """One button a picture, which opens it; all pictures come in one sheet.

    captions: what stands under each picture, and what a screen reader says after "Image 7: ". Where the pictures are
    not here, in their place how they come.
    """
    if problem := run.without(selection.split):
        return [html.Div(panel_states.missing(problem), className="c12")]
    url = sprite_url(run.picture_set, selection.split, list(ids))
    height, width = run.dataset["height"], run.dataset["width"]
    return [
        element(
            "Button",
            [element("Span", className="px", style=tile_style(url, place, len(ids), height, width)), *lines],
            type="button",
            className="tile",
            **{
                "data-sample": str(example),
                "data-search": selection.with_(sample=example).query(),
                "aria-label": f"Image {example}: {label}",
                "aria-current": str(selection.sample == example).lower(),
            },
        )
        for place, (example, (lines, label)) in enumerate(zip(ids, captions, strict=True))
    ]


def answers(run: RunData, selection: Selection, rows: np.ndarray) -> list:
    """The images at these places of the run's predictions, with guess, confidence and label."""
    predictions = run.predictions(selection.split)
    captions = []
    for row in rows.tolist():
        guess, label = run.classes[predictions.predicted[row]], predictions.label(row)
        truth = NO_LABEL if label is None else run.classes[label]
        sure, right = 100 * float(predictions.confidence[row]), truth == guess and label is not None
        below = truth if label is None else "right" if right else f"is {truth}"
        lines: list = [
            element(
                "Span",
                [
                    dot(int(predictions.predicted[row])),
                    element("Span", guess),
                    *([element("B", f"{int(sure)}")] if run.can("top-k") else []),
                ],
                className="l1",
            ),
            element("Span", below, className="l2 ok" if right else "l2"),
        ]
        told = f", confidence {sure:.0f} percent" if run.can("top-k") else ""
        known = truth if label is None else f"true {truth}"
        captions.append((lines, f"{known}, predicted {guess}{told}"))
    return gallery(run, selection, predictions.ids[rows].tolist(), captions)


def pager(selection: Selection, page: int, n: int) -> list:
    """Where we are in n images, and the pages before and after."""
    first, last = (page - 1) * PAGE_SIZE, min(page * PAGE_SIZE, n)
    more = last < n
    return [
        html.Span(f"{first + 1:,} – {last:,} of {n:,}", className="quiet small"),
        html.Div(
            [
                button(
                    "Previous",
                    small=True,
                    search=selection.with_(page=page - 1).query() if page > 1 else None,
                    disabled=page == 1,
                ),
                button(
                    f"Next {min(PAGE_SIZE, n - last)}" if more else "Next",
                    small=True,
                    search=selection.with_(page=page + 1).query() if more else None,
                    disabled=not more,
                ),
            ],
            className="row-ff",
        ),
    ]


def neighbour_list(run: RunData, ids: Sequence[int], labels: Sequence[int], notes: Sequence[str] = ()) -> html.Ul:
    """Reference pictures with their labels; notes: a second line under each."""
    url = sprite_url(run.picture_set, "reference", list(ids))
    height, width = run.dataset["height"], run.dataset["width"]
    items = []
    for place, label in enumerate(labels):
        name = run.classes[label]
        picture = html.Span(
            className="px",
            role="img",
            style=tile_style(url, place, len(ids), height, width),
            **{"aria-label": f"Training image labelled {name}"},
        )
        note = html.Span(notes[place], className="cap faint") if place < len(notes) else None
        items.append(html.Li([picture, html.Span([dot(label), name], className="cap", title=name), note]))
    return html.Ul(items, className="nbs")
