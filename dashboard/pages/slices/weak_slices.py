"""Slices of images that are named wrong more often than the rest, drawn before any answer was looked at."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
import pandas as pd
from dash import Dash, Input, Output, html

from dashboard.components import button, card, csv_link, plain, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.format.csv import table_url
from dashboard.format.images import sprite_url, tile_style
from dashboard.format.numbers import chance
from dashboard.services.container import Services
from dashboard.state.selection import Selection

EACH = 8  # pictures of a slice
ROWS = 12  # slices at a time: their pictures come in one sheet
ORDERS = {
    "more": "Most mistakes more than elsewhere",
    "lift": "Highest error lift",
    "p": "Surest",
}
SIGNIFICANCE_LEVEL = 0.05


class Ids(StrEnum):
    FACE = "slices-found-face"
    BODY = "slices-found-body"
    ORDER = "slices-found-select"
    NOTE = "slices-found-note"
    MORE = "slices-found-more"
    CSV = "slices-found-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """The ranked list."""
    order = dbc.Select(
        id=Ids.ORDER, options=[{"value": k, "label": v} for k, v in ORDERS.items()], value="more", className="sm"
    )
    tools = [html.Label("Order", htmlFor=Ids.ORDER, className="sr"), order, html.Span(id=Ids.CSV)]
    body = [
        slot(Ids.FACE, "Looking for weak groups"),
        html.P(id=Ids.NOTE, className="quiet small"),
        plain.place(Ids.BODY, "ol", className="weak"),
        html.Div(
            button("Show more", id=Ids.MORE, small=True, n_clicks=0, hidden=True),
            className="pager",
        ),
    ]
    return card("Weak slices", __doc__, body, tools=tools)


def register(app: Dash, services: Services) -> None:
    """Ranked over the whole split; what is chosen is marked."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.NOTE, "children"),
        Output(Ids.MORE, "hidden"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input(Ids.ORDER, "value"),
        Input(Ids.MORE, "n_clicks"),
    )
    def list_slices(search: str | None, order: Any, more: Any):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        frame = ranked(run.slices(selection.split), order if isinstance(order, str) and order in ORDERS else "more")
        count = ROWS * (1 + min(more, 10)) if isinstance(more, int) and more >= 0 else ROWS
        shown = frame.iloc[:count]
        lines: list = []
        for start in range(0, len(shown), ROWS):
            lines += sheet(run, selection, shown.iloc[start : start + ROWS], services.read_only)
        return lines, note(frame, selection.split), len(frame) <= count, csv_link(table_url("slices", selection))


def ranked(frame: pd.DataFrame, order: str) -> pd.DataFrame:
    """Slices with a lift above one; more: mistakes beyond what the rate of the rest would give."""
    rest = frame["rest_wrong"] / frame["rest_n"].clip(lower=1)
    frame = frame.assign(more=frame["wrong"] - frame["n"] * rest)
    frame = frame[frame["lift"] > 1]
    by = {"more": ("more", False), "lift": ("lift_low", False), "p": ("p", True)}[order]
    # what may be chance comes after what is not
    surely = frame["p_adjusted"] < SIGNIFICANCE_LEVEL
    return frame.assign(surely=~surely).sort_values(["surely", by[0]], ascending=[True, by[1]], kind="stable")


def note(frame: pd.DataFrame, split: str) -> str:
    """How many, out of how many."""
    if frame.empty:
        return f"No group of {split} images is wrong more often than the rest."
    sure, tested = int((frame["p_adjusted"] < SIGNIFICANCE_LEVEL).sum()), int(frame["tested"].iloc[0])
    return (
        f"{sure} of {tested} groups of {split} images are weaker than the rest beyond chance (Fisher's exact test, "
        f"p < {SIGNIFICANCE_LEVEL} after Holm's correction for {tested}). Groups of alike images come from the "
        "network's own features; the others from what can be measured on an image."
    )


def worst(run: RunData, selection: Selection, key: str) -> list[int]:
    """Ids of the pictures of a strip: its surest mistakes."""
    predictions = run.predictions(selection.split)
    rows = predictions.ids.searchsorted(run.sliced(selection.split, key))
    order = np.lexsort((-predictions.confidence[rows].astype(np.float64), predictions.right[rows]))
    return predictions.ids[rows[order[:EACH]]].tolist()


def sheet(run: RunData, selection: Selection, frame: pd.DataFrame, read_only: bool) -> list:
    """Lines whose pictures come in one sheet."""
    strips = [worst(run, selection, key) for key in frame["slice"]]
    ids = list(dict.fromkeys(i for strip in strips for i in strip))
    return [
        line(run, selection, row, strip, ids, read_only) for row, strip in zip(frame.itertuples(), strips, strict=True)
    ]


def line(run: RunData, selection: Selection, row: Any, strip: list[int], ids: list[int], read_only: bool) -> html.Li:
    """A slice: name, numbers, pictures, what can be done with it."""
    chosen = row.slice in selection.slice
    rest = row.rest_wrong / max(row.rest_n, 1)
    against = "the rest" if pd.isna(row.among) else f"other images labelled {run.classes[int(row.among)]}"
    certain = row.p_adjusted < SIGNIFICANCE_LEVEL
    p = chance(row.p_adjusted)
    head = html.Div(
        [
            name_field(row.name, read_only, f"{run.run_id} {selection.split} {row.slice}"),
            html.Span(row.rule, className="mono faint"),
        ],
        className="who",
    )
    rate = html.Div(
        [
            html.B([f"{100 * row.rate:.1f}", html.Small(" % wrong")]),
            whisker(row.rate, row.low, row.high, (0, max(0.6, row.high)), "var(--ff-heat)"),
            html.Span(f"{100 * row.low:.1f} – {100 * row.high:.1f}, {row.wrong:,} of {row.n:,}", className="faint"),
        ],
        className="rate",
    )
    lift = html.Div(
        [
            html.B(times(row.lift)),
            html.Span(f"{times(row.lift_low)} – {times(row.lift_high)}", className="faint"),
            html.Span(f"as often as {against} ({100 * rest:.1f} %)", className="faint"),
        ],
        className="lift",
    )
    surety = html.Span(
        p if certain else f"{p}, may be chance",
        className=f"badge-ff {'info' if certain else 'mute'}",
        title=f"{p} after Holm's correction for {row.tested} tests; {chance(row.p)} alone",
    )
    do = html.Div(
        [
            surety,
            button(
                "Selected" if chosen else "Select",
                small=True,
                search=selection.toggle("slice", row.slice).query(),
                **{"aria-pressed": str(chosen).lower(), "aria-label": f"Select {row.name}", "data-slice": row.slice},
            ),
            None
            if read_only
            else button("Save", small=True, **{"data-keep": row.slice, "aria-label": f"Save {row.name}"}),
        ],
        className="do",
    )
    return html.Li(
        [head, rate, lift, pictures(run, selection, strip, ids), do], className="chosen-row" if chosen else ""
    )


def times(lift: float) -> str:
    """'2.4 ×'"""
    return f"{lift:.1f} ×" if lift < 99.5 else "> 99 ×"


def name_field(name: str, read_only: bool, draft: str) -> html.Span:
    """A name that can be written over before it is saved.

    draft: of what it is the name, so that a list drawn anew keeps what is being typed (assets/plain.js).
    """
    if read_only:
        return html.B(name)
    return html.Span(
        name,
        className="slice-name",
        title="Click to rename, then save",
        contentEditable="true",
        role="textbox",
        tabIndex="0",
        spellCheck="false",
        **{"aria-label": "Name of the slice", "data-name": name, "data-draft": draft},
    )


def pictures(run: RunData, selection: Selection, strip: list[int], ids: list[int]) -> html.Div:
    """Small pictures of one sheet, each of which opens; none where they are not here."""
    if problem := run.without(selection.split):
        return html.Div(
            html.Span("no pictures here", className="faint small", title=str(problem)), className="no-strip"
        )
    predictions = run.predictions(selection.split)
    address = sprite_url(run.picture_set, selection.split, ids)
    height, width = run.dataset["height"], run.dataset["width"]
    tiles = []
    for example in strip:
        row = predictions.row(example)
        guess, truth = run.classes[predictions.predicted[row]], run.classes[predictions.labels[row]]
        caption = f"{guess}, {'right' if guess == truth else f'is {truth}'}"
        tiles.append(
            html.Button(
                html.Span(className="px", style=tile_style(address, ids.index(example), len(ids), height, width)),
                type="button",
                className="tile" if guess != truth else "tile fine",
                title=caption,
                **{
                    "data-search": selection.with_(sample=example).query(),
                    "aria-label": f"Image {example}: {caption}",
                },
            )
        )
    return html.Div(tiles, className="strip-8")


def csv_rows(run: RunData, selection: Selection) -> Table:
    """Weak slices of the split as they were computed."""
    frame = run.slices(selection.split)
    among = [None if value != value else run.classes[int(value)] for value in frame["among"].astype(float)]
    frame = frame.assign(among=pd.Series(among, index=frame.index, dtype=object))
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


TABLES = {"slices": of_run(csv_rows)}
