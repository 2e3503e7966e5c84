"""Each class as the network knows it: its most confident correct answers, and its most confident mistakes."""

from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, csv_link, dot, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.data.arrays import Predictions
from dashboard.data.run import RunData
from dashboard.format.csv import table_url
from dashboard.format.images import sprite_url, tile_style
from dashboard.format.proportion import Proportion
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection


class Ids(StrEnum):
    FACE = "insights-examples-face"
    ROWS = "insights-examples-rows"
    CSV = "insights-examples-csv"


EACH = 6  # right ones, and wrong ones, a class
SHEET = 8  # classes that share a sprite sheet
CLASSES = 24  # at a time


def layout(services: Services, selection: Selection) -> html.Article:
    """One row a class."""
    body = [slot(Ids.FACE), html.Div(panel_states.loading("Choosing examples"), id=Ids.ROWS)]
    return card("Examples of each class", __doc__, body, tools=html.Span(csv_link(""), id=Ids.CSV))


def register(app: Dash, services: Services) -> None:
    """Rows of the true classes that are selected, of all without such a selection."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.ROWS, "children"),
        Output(Ids.CSV, "children"),
        Input(LATER, "data"),
        Input("url", "search"),
        prevent_initial_call=True,
    )
    def list_examples(later: Any, search: str | None):
        if not later:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        every = selection.here().clear().with_(outcome=("wrong", "right"))
        return rows(run, selection), csv_link(table_url("selection", every))


def surest(predictions: Predictions, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a true class, EACH at most: named right, named wrong; the most confident first."""
    order = np.argsort(-predictions.confidence.astype(np.float64), kind="stable")
    mine = order[predictions.labels[order] == class_id]
    right = predictions.right[mine]
    return mine[right][:EACH], mine[~right][:EACH]


def rows(run: RunData, selection: Selection) -> list:
    """Head, then one line a class."""
    predictions = run.predictions(selection.split)
    chosen = run.class_ids(selection.true) or list(range(len(run.classes)))
    shown = chosen[:CLASSES]
    pairs = [surest(predictions, c) for c in shown]
    lines = []
    for start in range(0, len(shown), SHEET):
        part = pairs[start : start + SHEET]
        ids = [int(predictions.ids[i]) for right, wrong in part for i in (*right, *wrong)]
        sheet = Sheet(run, selection, predictions, ids)
        lines += [
            line(run, selection, sheet, c, *pair) for c, pair in zip(shown[start : start + SHEET], part, strict=True)
        ]
    head = html.Div(
        [
            html.Span("class, share named right (recall)"),
            html.Span("right, surest first"),
            html.Span("wrong, surest first; below, the predicted class"),
        ],
        className="ex-row ex-head",
        **{"aria-hidden": "true"},
    )
    rest = len(chosen) - len(shown)
    more = (
        [html.P(f"{rest} more classes: select one with Add filter above to see it.", className="faint small")]
        if rest
        else []
    )
    return [head, *lines, *more]


class Sheet:
    """Tiles of one sprite sheet, handed out in order."""

    def __init__(self, run: RunData, selection: Selection, predictions: Predictions, ids: list[int]) -> None:
        self.run, self.selection, self.predictions, self.ids = run, selection, predictions, ids
        run.pictures(selection.split)
        self.url = sprite_url(run.picture_set, selection.split, ids)
        self.next = 0

    def tile(self, row: int) -> html.Button:
        """The picture at a row of the predictions; a click opens it."""
        run, place = self.run, self.next
        self.next += 1
        example_id, label, guess = (
            self.ids[place],
            int(self.predictions.labels[row]),
            int(self.predictions.predicted[row]),
        )
        sure = 100 * float(self.predictions.confidence[row])
        known = run.can("top-k")
        style = tile_style(self.url, place, len(self.ids), run.dataset["height"], run.dataset["width"])
        caption = html.Span([dot(guess), html.Span(run.classes[guess])], className="cap") if guess != label else None
        return html.Button(
            [html.Span(className="px", style=style), caption],
            type="button",
            className="tile",
            title=run.classes[guess] + (f" {sure:.1f} %" if known else ""),
            **{
                "data-search": self.selection.with_(sample=example_id).query(),
                "aria-label": f"Image {example_id}: true {run.classes[label]}, predicted {run.classes[guess]}"
                + (f", confidence {sure:.0f} %" if known else ""),
            },
        )


def line(
    run: RunData, selection: Selection, sheet: Sheet, class_id: int, right: np.ndarray, wrong: np.ndarray
) -> html.Div:
    """A class: its name, its accuracy with interval and n, its pictures."""
    predictions = sheet.predictions
    mine = predictions.labels == class_id
    share = Proportion(int((mine & predictions.right).sum()), int(mine.sum()))
    name = run.classes[class_id]
    words = f"{share.percent} % ({share.span}) of {share.n:,}" if share.n else "no image in this split"
    show = button(
        "Select",
        small=True,
        kind="ghost",
        search=selection.clear().with_(true=(name,)).query(),
        **{"aria-label": f"Select {name}"},
    )
    none = html.Span("none", className="faint small")
    return html.Div(
        [
            html.Div([html.B([dot(class_id), name]), html.Span(words, className="faint small"), show], className="who"),
            html.Div([sheet.tile(i) for i in right] or none, className="six"),
            html.Div([sheet.tile(i) for i in wrong] or none, className="six"),
        ],
        className="ex-row",
    )
