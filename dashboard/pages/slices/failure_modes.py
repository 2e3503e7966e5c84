"""What goes wrong, in kinds. Each is counted over the whole split; one click selects its images."""

import contextlib

import numpy as np
from dash import Dash, Input, Output, html

from dashboard.components import card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.arrays import NoLabels
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, always, of_run
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.reader import Broken, Missing
from ml.stats.failure_modes import TAGS
from ml.system.wording import quantity

FACE, BODY, CSV = "slices-modes-face", "slices-modes-body", "slices-modes-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """One line a failure mode: what it means, how many, how often wrong, what to do."""
    body = [slot(FACE, "Counting"), plain.place(BODY, className="modes")]
    return card("Failure modes", __doc__, body, tools=html.Span(id=CSV))


def register(app: Dash, services: Services) -> None:
    """Redrawn with the address: what is chosen is marked."""

    @panel_callback(app, FACE, plain.children(BODY), Output(CSV, "children"), Input("url", "search"))
    def draw_modes(search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        if selection.split == UNLABELLED:
            raise NoLabels
        return [line(run, selection, key) for key in TAGS], csv_link(table_url("modes", selection))


def counted(run: RunData, selection: Selection, key: str) -> tuple[int, int, int]:
    """Images with a tag, the mistakes among them, images of the split that were looked at. Raises Missing or Broken."""
    predictions = run.predictions(selection.split)
    ids = run.tagged(selection.split, key, selection.against)
    inside = predictions.right[predictions.ids.searchsorted(ids)]
    return len(ids), int((~inside).sum()), looked_at(run, selection, key, len(predictions.ids))


def looked_at(run: RunData, selection: Selection, key: str, n: int) -> int:
    """Of how many of a split's n images it was asked whether they have the tag."""
    moved = run.manifest.get("moved", {})
    return moved.get(selection.split, n) if key == "flips" else n


def line(run: RunData, selection: Selection, key: str) -> html.Div:
    """A failure mode, or why it cannot be told here."""
    tag = TAGS[key]
    name = html.Button(
        tag.title,
        type="button",
        className="chip add",
        title=tag.means,
        **{
            "data-search": selection.toggle("tag", key).query(),
            "data-add": selection.toggle("tag", key, add=True).query(),
            "data-tag": key,
            "aria-pressed": str(key in selection.tag).lower(),
        },
    )
    words = html.P([tag.means, html.Span(tag.do, className="do")])
    try:
        n, wrong, total = counted(run, selection, key)
        if total < len(run.predictions(selection.split).ids):
            again = html.Code(f"python -m ml evaluate {run.run_id} --only tags")
            part = f"Asked of {quantity(total, 'image')}, so that the run was ready sooner; of all: "
            words = html.Div([words, html.P([part, again], className="faint small")])
    except Missing as missing:
        made = [html.Br(), html.Code(missing.command)] if missing.command else []
        return html.Div([name, words, html.P([str(missing), *made], className="faint small why")], className="mode off")
    except Broken as broken:
        return html.Div([name, words, html.P(str(broken), className="faint small why")], className="mode off")
    return html.Div([name, words, share("of all", n, total), share("wrong", wrong, n)], className="mode")


def share(head: str, part: int, n: int) -> html.Div:
    """A proportion with its interval and n."""
    proportion = Proportion(part, n)
    if not n:
        return html.Div([html.B("–"), html.Span(head, className="faint")], className="share-of")
    return html.Div(
        [
            html.B([proportion.percent, html.Small(" %")]),
            html.Span(f"{head} ({proportion.span})", className="faint"),
            html.Span(f"{part:,} of {n:,}", className="faint"),
        ],
        className="share-of",
    )


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row a failure mode that can be told: its images in the split, and the mistakes among them."""
    predictions = run.predictions(selection.split)
    if not predictions.labelled:
        raise NoLabels
    rows = []
    for key, tag in TAGS.items():
        with contextlib.suppress(Missing, Broken):
            inside = np.isin(predictions.ids, run.tagged(selection.split, key, selection.against))
            wrong, n = int((inside & ~predictions.right).sum()), looked_at(run, selection, key, len(inside))
            rows.append([key, tag.title, n, int(inside.sum()), wrong, tag.means])
    return ["tag", "failure mode", "n", "images", "wrong", "meaning"], rows


TABLES = {"modes": of_run(csv_rows, beside=always)}  # of images on which the two disagree, too
