"""Right as they are, wrong then: each image as it came, and as it was asked about. Click one to attack it."""

import base64
from enum import StrEnum
from typing import Any
from zlib import crc32

import numpy as np
from dash import Dash, Input, Output, html

from dashboard.analysis import robustness
from dashboard.analysis.robustness import Flips
from dashboard.components import button, card, csv_link, dot, panel_states, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.plain import element
from dashboard.data.run import RunData
from dashboard.exports.tables import of_services
from dashboard.format.csv import table_url
from dashboard.format.images import fitted, inline_url, jpeg, resized, sheet, sprite_url, tile_style
from dashboard.format.proportion import Proportion
from dashboard.pages.robustness import cells
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import MAX_IDS
from ml.images.form import to_channels
from ml.robustness.catalogue import ATTACKS, PHOTO_SIDE

NEEDS = ("network",)
# pixels a side of a picture made worse: up to which it is shown to the last level, and at most, for a page of them
# travels with the answer
EXACT, MAX_TILE_SIDE = 48, 112
EACH, EACH_ATTACKED = 24, 6  # images a page: an attack of so many small ones takes a second or two, or of a few large


class Ids(StrEnum):
    FACE = "robustness-flipped-face"
    BODY = "robustness-flipped-body"
    GRID = "robustness-flipped-grid"
    NOTE = "robustness-flipped-note"
    PAGER = "robustness-flipped-pager"
    CSV = "robustness-flipped-csv"
    WORSE_FACE = "robustness-worse-face"


def layout(services: Services, selection: Selection) -> html.Article:
    """A page of pairs; the second of each comes when it has been made."""
    body = [
        slot(Ids.FACE, "Looking for the images that flip"),
        html.Div(
            [
                html.P(id=Ids.NOTE, className="quiet small"),
                html.Div([slot(Ids.WORSE_FACE), html.Div()]),
                plain.place(Ids.GRID, className="tiles pairs"),
                html.Div(id=Ids.PAGER, className="pager"),
            ],
            id=Ids.BODY,
        ),
    ]
    return card(
        "Flipped images",
        __doc__,
        body,
        tools=html.Div(id=Ids.CSV, className="row-ff"),
        id="robustness-flipped-card",
    )


def register(app: Dash, services: Services) -> None:
    """What flips comes from the table; the pictures made worse are made again, in a callback of their own."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.GRID),
        Output(Ids.NOTE, "children"),
        Output(Ids.PAGER, "children"),
        Output(Ids.CSV, "children"),
        Input(cells.STATE, "data"),
    )
    def list_flipped(state: Any):
        selection = cells.read(state)
        run = services.store.shown(selection.run)
        if selection.under is None:
            curves = " or a point of the curves" if run.can("gradients") else ""
            return nothing(f"Choose a cell of the heatmap{curves} above."), None, None, None
        flips = robustness.flips(run, selection.under)
        csv = csv_link(table_url("flipped", selection))
        if not len(flips.rows):
            return nothing(f"No image flips under {perturbation(flips)}."), note(run, flips), None, csv
        ways = [gallery(selection, flips), csv]
        return (
            tiles(run, selection, flips),
            note(run, flips),
            pager(selection, len(flips.rows), each(run, selection)),
            ways,
        )

    @panel_callback(app, Ids.WORSE_FACE, Output(Ids.BODY, "style"), Input(cells.STATE, "data"))
    def draw_worse(state: Any):
        selection = cells.read(state)
        if selection.under is None:
            return {}
        run = services.store.shown(selection.run)
        flips = robustness.flips(run, selection.under)
        rows = flips.rows[shown(selection, len(flips.rows), each(run, selection))]
        if not len(rows):
            return {}
        images = robustness.worsened(services, run, flips, rows)
        return {sheet_name(run, selection): f"url({inline_sheet(images)})"}


def nothing(sentence: str) -> html.Div:
    """In place of the images, across all columns."""
    return html.Div(panel_states.empty(sentence), className="rb-none")


def perturbation(flips: Flips) -> str:
    """The cell in words: 'noise, severity 3'."""
    return robustness.words(flips.name, flips.degree)


def inline_sheet(images: np.ndarray) -> str:
    """uint8 [n, h, w, c] as a data URL: small ones to the last level, photographs small and as JPEG."""
    if max(images.shape[1:3]) <= EXACT:
        return inline_url(sheet(images))
    size = fitted(images.shape[1], images.shape[2], MAX_TILE_SIDE)
    made = sheet(np.stack([resized(one, size) for one in images]))
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(to_channels(made, 3))).decode()}"


def each(run: RunData, selection: Selection) -> int:
    """How many images a page has."""
    attacked = robustness.split_under(selection.under or ":0")[0] in ATTACKS
    return EACH_ATTACKED if attacked and min(form(run)) >= PHOTO_SIDE else EACH


def page_of(selection: Selection, n: int, many: int = EACH) -> int:
    """From 1; the last one where the address names one past it. many: images a page."""
    return max(min(selection.page, -(-n // many)), 1)


def shown(selection: Selection, n: int, many: int = EACH) -> slice:
    """The rows of the page."""
    page = page_of(selection, n, many)
    return slice((page - 1) * many, page * many)


def sheet_name(run: RunData, selection: Selection) -> str:
    """Of the CSS variable that holds the pictures, so that no picture is ever beside another's original."""
    return f"--worse-{crc32(f'{run.run_id} {selection.under} {selection.page}'.encode()):x}"


def note(run: RunData, flips: Flips) -> str:
    """How many of how many."""
    n, whole = len(flips.predictions.ids), run.dataset["counts"][robustness.SPLIT]
    part = "all of test" if n == whole else f"a stratified part, n = {n:,} of {whole:,} test images"
    share = Proportion(len(flips.rows), flips.right)
    return f"Under {perturbation(flips)}, {share} of those right as they are flip; asked about: {part}."


def tiles(run: RunData, selection: Selection, flipped: Flips) -> list:
    """One button an image: before, after, what is said then, and what it is."""
    predictions, rows = flipped.predictions, flipped.rows[shown(selection, len(flipped.rows), each(run, selection))]
    ids = predictions.ids[rows].tolist()
    table_url, (height, width) = sprite_url(run.picture_set, robustness.SPLIT, ids), form(run)
    background, worse_size = (
        {"backgroundImage": f"var({sheet_name(run, selection)})"},
        fitted(height, width, MAX_TILE_SIDE),
    )
    made = []
    for place, row in enumerate(rows.tolist()):
        truth, then = run.classes[predictions.labels[row]], run.classes[predictions.worse[row]]
        style = tile_style(table_url, place, len(ids), height, width)
        worse = {**tile_style("", place, len(ids), *worse_size), **background}
        pair = [
            element("Span", className="px", style=style),
            element("Span", className="px", style={**worse, "aspectRatio": style["aspectRatio"]}),
        ]
        made.append(
            element(
                "Button",
                [
                    element("Span", pair, className="two"),
                    element("Span", [dot(int(predictions.worse[row])), element("Span", then)], className="l1"),
                    element("Span", f"is {truth}", className="l2"),
                ],
                type="button",
                className="tile",
                **{
                    "data-sample": str(ids[place]),
                    "data-search": selection.with_(sample=ids[place]).query(),
                    "data-own": "sample,split",
                    "data-to": "robustness-lab-card",
                    "aria-label": f"Image {ids[place]}: true {truth}, predicted {then} under {perturbation(flipped)}",
                },
            )
        )
    return made


def gallery(selection: Selection, flipped: Flips) -> html.Button:
    """The way to these images as a selection; an address names so many at most."""
    ids = tuple(flipped.predictions.ids[flipped.rows[:MAX_IDS]].tolist())
    there = Selection(run=selection.run, against=selection.against, ids=ids)
    first = "the first " if len(ids) < len(flipped.rows) else ""
    return button(f"Open {first}{len(ids)} in the gallery", small=True, search=there.query(), path="/")


def form(run: RunData) -> tuple[int, int]:
    """Height and width of the pictures."""
    return run.dataset["height"], run.dataset["width"]


def pager(selection: Selection, n: int, many: int = EACH) -> list:
    """Where we are in n images, and the pages before and after."""
    page, last = page_of(selection, n, many), -(-n // many)

    def turn(words: str, to: int) -> html.Button:
        there = selection.with_(page=to).query() if 1 <= to <= last else None
        return button(words, small=True, search=there, disabled=there is None, **{"data-own": "under,page"})

    where = f"{(page - 1) * many + 1:,} – {min(page * many, n):,} of {n:,}"
    ways = html.Div([turn("Previous", page - 1), turn("Next", page + 1)], className="row-ff")
    return [html.Span(where, className="quiet small"), ways]


TABLES = {"flipped": of_services(robustness.flip_rows)}
