"""One line a decision, the newest first. All of them go out as CSV, and such a file can be taken in again."""

import base64
import binascii
import codecs
import secrets
import time

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, csv_link, plain
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.exports import decisions_csv
from dashboard.records.decisions import Decision
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, UNLABELLED
from ml.artifacts.reader import Broken, Missing
from ml.system.wording import quantity

FACE, BODY = "review-log-face", "review-log-body"
UPLOAD, NOTE = "review-import-upload", "review-import-note"
DECISIONS_SHOWN = 12


def layout(services: Services, selection: Selection) -> html.Article:
    """The list, the way out and the way back."""
    take = None
    if not services.read_only:
        take = dcc.Upload(
            html.Span([icon("upload"), "Take in a CSV"], className="btn-ff sm"), id=UPLOAD,
            max_size=decisions_csv.CSV_BYTES, multiple=False, accept=".csv,text/csv",
            style={}, style_active={}, style_reject={},
        )  # fmt: skip
    note = html.P(id=NOTE, className="small quiet", role="status")
    body = [slot(FACE, "Reading the decisions"), html.Div([note, plain.place(BODY)])]
    return card("Decisions", __doc__, body, tools=[html.Span(id="review-log-csv"), take])


def register(app: Dash, services: Services) -> None:
    """List them, and take files in."""

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        Output("review-log-csv", "children"),
        Input("review-view-state", "data"),
        Input("review-done-state", "data"),
    )
    def list_decisions(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        current_labels = services.decisions.current_labels(run.data_version)
        if current_labels.problem:
            return html.P(current_labels.problem, className="quiet"), None
        newest = services.decisions.log(run.data_version, limit=DECISIONS_SHOWN)
        csv = csv_link(f"/export/decisions.csv{Selection(run=selection.run).query()}")
        if not newest:
            return html.P(
                "Nothing decided yet. Each key press is one decision, kept as it is made.", className="quiet"
            ), csv
        total = services.decisions.count(run.data_version)
        ends = ["" if n == 1 else "s" for n in (total, len(current_labels.by))]
        words = f"{total:,} decision{ends[0]} of {len(current_labels.by):,} image{ends[1]}."
        if total > DECISIONS_SHOWN:
            words += f" Below are the newest {DECISIONS_SHOWN}; the file has all of them."
        body = [
            html.P(words, className="quiet small"),
            html.Ul([line(services, one) for one in newest], className="decisions"),
        ]
        return body, csv

    if services.read_only:
        return

    @app.callback(
        Output(NOTE, "children"),
        Output("review-done-state", "data"),
        Output(UPLOAD, "contents"),
        Input(UPLOAD, "contents"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def take_in(contents: object, search: str | None):
        if contents is None:
            raise PreventUpdate
        try:
            run = services.store.shown(Selection.parse(search).run)
            rows = decisions_csv.read(text_of(contents), run)
            new, here = services.decisions.bring(rows, secrets.token_hex(16))
        except (Declined, Missing, Broken) as declined:
            return str(declined), None, None
        return f"{quantity(len(rows), 'decision')} read: {new:,} new, {here:,} here already.", time.time(), None


def text_of(contents: object) -> str:
    """The text in what dcc.Upload sends. Raises Declined."""
    if not isinstance(contents, str) or len(contents) > 2 * decisions_csv.CSV_BYTES:
        raise Declined("This file is larger than 10 MB.")
    try:
        content = base64.b64decode(contents.partition(",")[2], validate=True)
        return content.decode("utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Declined("This is no text in UTF-8: save the file as “CSV UTF-8”.") from None


def line(services: Services, decision: Decision) -> html.Li:
    """When, who, what of which image; and the way to take the press back."""
    none = NO_LABEL if decision.split == UNLABELLED else "left out"
    what = {
        "keep": f"{none} → {decision.after}, as predicted" if none == NO_LABEL else f"kept as {decision.after}",
        "exclude": f"left out (was {decision.before or none})",
        "relabel": f"{decision.before or none} → {decision.after}",
    }[decision.action]
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(decision.at)) + " UTC"
    take = button(
        "Undo",
        kind="ghost",
        small=True,
        disabled=services.read_only,
        **{"data-press": "undo", "data-batch": decision.batch, "aria-label": f"Undo {decision.example_id}: {what}"},
    )
    words = [html.B(f"#{decision.example_id}", className="mono"), f" {what}"]
    more = f"{decision.split}, {decision.who}, {at}{', from a file' if decision.imported else ''}"
    return html.Li([html.Div([html.Span(words), html.Span(more, className="faint small")]), take])
