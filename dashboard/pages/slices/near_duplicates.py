"""Near-duplicates: images that are in the data set twice, or nearly so. What is in train too was seen before."""

from typing import Any

import numpy as np
import pandas as pd
from dash import Dash, Input, Output, html

from dashboard.components import button, card, csv_link, dot, lazy_panel, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.format.csv import table_url
from dashboard.format.images import single_url
from dashboard.pages.slices import failure_modes
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED, label_name

ID = "slices-twins"
FACE, BODY, NEAR, CSV = f"{ID}-face", f"{ID}-body", f"{ID}-near", f"{ID}-csv"
DUPLICATES_SHOWN = 48


def layout(services: Services, selection: Selection) -> html.Article:
    """Pairs, the nearest first; drawn when they come near the window."""
    body = [slot(FACE, "Looking for pairs"), *lazy_panel.layout(NEAR), plain.place(BODY)]
    return card("Near-duplicates and leaks", __doc__, body, tools=html.Span(id=CSV), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Of the whole split."""
    lazy_panel.register(app, NEAR, f"{ID}-card")

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        Output(CSV, "children"),
        Input(NEAR, "data"),
        prevent_initial_call=True,
    )
    def list_pairs(search: Any):
        selection = lazy_panel.read(search)
        run = services.store.shown(selection.run)
        return body(run, selection, pairs(run, selection.split)), csv_link(table_url("duplicates", selection))


def pairs(run: RunData, split: str) -> pd.DataFrame:
    """Rows of the table of near-duplicates of a split, leaks from train first, then the nearest. Raises Missing."""
    frame = run.duplicates(split)
    order = np.lexsort((frame["example_id"], frame["distance"], frame["other_split"] != "train"))
    return frame.iloc[order]


def body(run: RunData, selection: Selection, frame: pd.DataFrame) -> list:
    """How many leak, then the pairs."""
    n = len(run.predictions(selection.split).ids)
    leaks = frame[frame["other_split"] == "train"]
    count, all_ = leaks["example_id"].nunique(), frame["example_id"].nunique()
    from_train = "in the rest of train" if selection.split == "reference" else "in train"
    head = html.Div(
        [
            failure_modes.share(f"have a near-duplicate {from_train}", count, n),
            failure_modes.share("have one anywhere", all_, n),
            button(
                f"Select these {all_:,}",
                small=True,
                search=selection.clear().with_(tag=("near-duplicate",)).query(),
                disabled=not all_,
            ),
        ],
        className="twins-head",
    )
    if frame.empty:
        return [
            head,
            html.P(f"No two images of {selection.split} and the rest are nearly the same.", className="quiet"),
        ]
    shown = frame.iloc[:DUPLICATES_SHOWN]
    rest = len(frame) - len(shown)
    more = [html.P(f"{rest:,} more pairs are in the CSV.", className="faint small")] if rest else []
    return [head, html.Ul([pair(run, selection, row) for row in shown.itertuples()], className="twins"), *more]


def pair(run: RunData, selection: Selection, row: Any) -> html.Li:
    """Two pictures with their labels; a conflict is said."""
    predictions = run.predictions(selection.split)
    label = predictions.label(predictions.row(row.example_id))
    mine, theirs = label_name(run.classes, label), run.label_of(row.other_split, row.other_id)
    other = "" if theirs is None else run.classes[theirs]
    r = 1 - row.distance**2 / 2
    alike = "identical" if row.distance < 1e-6 else f"r = {r:.4f}"
    conflict = bool(other) and other != mine and label is not None
    if other and label is None:
        alike = f"there {other}"  # which may be its label, too
    data = run.picture_set
    absent = html.Span("not on this machine", className="faint small gone")
    first: Any = absent
    if run.without(selection.split) is None:
        first = html.Img(src=single_url(data, selection.split, row.example_id), alt="", className="crisp")
    second = (
        html.Img(
            src=single_url(data, run.shelf_of(row.other_split, row.other_id), row.other_id), alt="", className="crisp"
        )
        if theirs is not None or row.other_split == UNLABELLED
        else absent
    )
    return html.Li(
        html.Button(
            [
                html.Span(
                    [
                        first,
                        second,
                    ],
                    className="two-up",
                ),
                html.Span(["" if label is None else dot(label), mine], className="l1"),
                html.Span(
                    [f"also {row.other_split} #{row.other_id}, ", html.B(f"there {other}") if conflict else alike],
                    className="l2 clash" if conflict else "l2",
                ),
            ],
            type="button",
            className="tile",
            **{
                "data-search": selection.with_(sample=int(row.example_id)).query(),
                "aria-label": f"Image {row.example_id}, {mine}, is nearly {row.other_split} image {row.other_id}"
                f"{f', labelled {other}' if conflict else ''}, {alike}",
            },
        )
    )


def csv_rows(run: RunData, selection: Selection) -> Table:
    """Every near-duplicate of the split's pictures, nearest first."""
    frame = run.duplicates(selection.split).sort_values(["distance", "example_id"], kind="stable")
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


TABLES = {"duplicates": of_run(csv_rows)}
