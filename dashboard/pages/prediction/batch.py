"""Many files, a folder or a zip at once; folders named after the classes make a confusion matrix of your own pictures.

assets/batch.js makes them small, sends them to /api/v1/batch some at a time and draws what comes back: the server keeps
nothing between two questions. Here stands what it cannot draw, the matrix of how often which class was taken for which.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import button, card, graph, matrix, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.plain import element
from dashboard.figures import confusion as figure
from dashboard.format.proportion import Proportion
from dashboard.pages.prediction import request
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import TOPS
from dashboard.web.security import BATCH_BYTES
from ml.artifacts.reader import Broken, Missing
from ml.images.upload_archives import FILES
from ml.inference.engines import NAMES, offered
from ml.stats.intervals import wilson

NEEDS = ("network",)
PRIVACY = (
    "Large pictures are made small in your browser before they travel. They are read in memory, answered and "
    "forgotten; this tab keeps the answers until you leave the page."
)


MISTAKES = 8  # that are listed beside the matrix


class Ids(StrEnum):
    CARD = "prediction-batch-card"
    FACE = "prediction-batch-face"
    STATUS = "prediction-batch-said"  # progress, counts, errors: drawn by assets/batch.js
    GRID = "prediction-batch-grid"  # the gallery: drawn by assets/batch.js
    ENGINE = "prediction-batch-engine"
    MATRIX = "prediction-batch-matrix"
    GRAPH = "prediction-batch-graph"
    LABELS = "prediction-batch-labels"
    STATE = "prediction-batch-state"  # {"run", "pairs": [[true, label, count], …]} of what came back


def layout(services: Services, selection: Selection) -> html.Article:
    """What chooses files; everything else is drawn once there are some."""
    engine = html.Label(
        [
            html.Span("Computed by"),
            html.Select(
                choices(NAMES),
                id=Ids.ENGINE,
                className="form-select",
                **{"data-batch-engine": ""},
            ),
        ],
        className="pair small",
    )
    tools = [
        engine,
        button("Pictures or a zip", small=True, **{"data-batch": "files"}),
        button("A folder", small=True, **{"data-batch": "folder"}),
    ]
    note = f"{PRIVACY} At most {FILES:,} files; a zip may have {BATCH_BYTES // 10**6} MB."
    body = [
        html.P(note, className="quiet small"),
        plain.place(Ids.STATUS, className="batch-said"),
        slot(Ids.FACE),
        html.Div(id=Ids.MATRIX),
        plain.place(Ids.GRID, className="batch-grid"),
        dcc.Store(id=Ids.STATE),
    ]
    return card("Many pictures", (__doc__).splitlines()[0], body, tools=tools, id=Ids.CARD)


def register(app: Dash, services: Services) -> None:
    """The matrix of what came back, and what computes: of the studio's picture too."""

    @app.callback(
        Output(request.ENGINE, "options"),
        Output(request.ENGINE, "value"),
        Output(Ids.ENGINE, "children"),
        Input("app-view-state", "data"),
        State(request.ENGINE, "value"),
    )
    def list_engines(search: str | None, engine: Any):
        try:
            names = offered(services.store.shown(Selection.parse(search).run).manifest)
        except (Missing, Broken):
            names = NAMES
        options = [{"value": name, "label": words} for name, words in names.items()]
        return (
            options,
            no_update if engine == request.engine_of(engine) and engine in names else "torch",
            choices(names),
        )

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.MATRIX, "children"),
        Input(Ids.STATE, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_matrix(state: Any, mode: Any):
        if not isinstance(state, dict):
            raise PreventUpdate
        run = state.get("run")
        if not isinstance(run, str):
            return []
        classes = services.store.open(run).classes
        return drawn(counted(state.get("pairs"), classes), classes, theme.mode_of(mode))


def choices(names: Mapping[str, str]) -> list[html.Option]:
    """Engines, the run's own first and chosen."""
    return [html.Option(words, value=name) for name, words in names.items()]


def counted(pairs: Any, classes: list[str]) -> np.ndarray:
    """int [C, C], rows truths, of what the browser says: [[true, label, count], …]; else left out.

    The counts are of the reader's own pictures and shown to nobody else.
    """
    counts = np.zeros((len(classes), len(classes)), int)
    places = {name: i for i, name in enumerate(classes)}
    for pair in pairs[: len(classes) ** 2] if isinstance(pairs, list) else ():
        if not isinstance(pair, list) or len(pair) != 3:
            continue
        truth, guess, count = pair
        known = isinstance(truth, str) and isinstance(guess, str) and truth in places and guess in places
        if known and isinstance(count, int) and not isinstance(count, bool) and 0 < count <= FILES:
            counts[places[truth], places[guess]] = count
    return counts


def drawn(counts: np.ndarray, classes: list[str], mode: str) -> list[Any]:
    """Accuracy with n and interval, the matrix, and the same as a table of buttons."""
    n = int(counts.sum())
    if not n:
        return []
    share = Proportion(int(counts.diagonal().sum()), n)
    counts, classes, left_out = of_most(counts, classes)
    shown = figure.heatmap(
        counts, classes, ends=wilson(counts, counts.sum(axis=1, keepdims=True)), size=13 if len(classes) <= 13 else 0,
        mode=mode,
    )  # fmt: skip
    chart = graph(Ids.GRAPH)
    chart.figure = shown
    grid = html.Div(
        [plain.Plain(Ids.LABELS, "div", {"style": {"display": "contents"}}, labels(counts, classes)),
         html.Div(chart, className="plot")],
        className="cm",
        style={"--n": len(classes)},
    )  # fmt: skip
    return [
        html.H3("Your pictures as a confusion matrix"),
        html.P(
            [html.B(f"{share.percent} %"), f" named right (accuracy; {share.span}, {share.count:,} of {share.n:,} "
             "whose folder names a class; the interval is 95 %). Rows are your folders, columns predicted classes.",
             left_out],
            className="small",
        ),
        html.Div([html.Div([grid], className="cm-view"), mistakes(counts, classes)], className="batch-lay"),
        html.Details([html.Summary("As a table; a cell shows its pictures"), table(counts, classes)]),
    ]  # fmt: skip


def of_most(counts: np.ndarray, classes: list[str]) -> tuple[np.ndarray, list[str], str]:
    """The matrix of all classes; of many, of those with the most pictures, and what is said of that."""
    if len(classes) <= MANY_CLASSES:
        return counts, classes, ""
    met = counts.sum(0) + counts.sum(1)
    rows = sorted(np.argsort(-met, kind="stable")[: min(TOPS[2], int((met > 0).sum()))].tolist())
    return counts[np.ix_(rows, rows)], [classes[i] for i in rows], f" Drawn are the {len(rows)} classes met most often."


def labels(counts: np.ndarray, classes: list[str]) -> list[dict]:
    """Row and column names that narrow the gallery, recall at the right, precision below."""
    parts = [element("Span", ["yours ↓", element("Br"), "predicted →"], className="axis", style={"gridArea": "1 / 1"})]
    for i, name in enumerate(classes):
        for kind, place, field, hint in (
            ("cl", f"1 / {i + 2}", "data-batch-pred", "Show all predicted"),
            ("rl", f"{i + 2} / 1", "data-batch-true", "Show all of your folder"),
        ):
            parts.append(
                element(
                    "Button",
                    element("Span", name),
                    type="button",
                    className=kind,
                    title=name,
                    style={"gridArea": place},
                    **{field: name, "aria-label": f"{hint} {name}"},
                )
            )
    right, words, hints = counts.diagonal(), [], []
    for total, name in ((counts.sum(1), "recall"), (counts.sum(0), "precision")):
        shares = [Proportion(int(r), int(t)) for r, t in zip(right, total, strict=True)]
        words.append([f"{100 * one.value:.0f}" if one.n else "–" for one in shares])
        hints.append([f"{name} {one}" for one in shares])
    return [
        *parts,
        *matrix.margins(len(classes), words[0], words[1], ("recall", "precision"), (hints[0], hints[1])),
    ]


def mistakes(counts: np.ndarray, classes: list[str]) -> html.Div | None:
    """What was taken for what most often, with its share of the folder; each shows its pictures."""
    wrong = counts - np.diag(counts.diagonal())
    order = [int(place) for place in np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]]
    cells = [divmod(place, len(classes)) for place in order if wrong.flat[place]]
    if not cells:
        return None
    lines = []
    for i, j in cells:
        share = Proportion(int(counts[i, j]), int(counts[i].sum()))
        where = {"data-batch-true": classes[i], "data-batch-pred": classes[j]}
        button = html.Button(
            [html.B(f"{share.count:,}"), html.Span(f"{classes[i]} taken for {classes[j]}"),
             html.Span(f"{share.percent} % of {share.n:,} ({share.span})", className="faint small")],
            type="button", **where,
        )  # fmt: skip
        lines.append(html.Li(button))
    return html.Div([html.H3("Mistaken most often"), html.Ul(lines)], className="batch-wrong")


def table(counts: np.ndarray, classes: list[str]) -> html.Div:
    """One button a cell, arrow keys move; it narrows the gallery below."""
    top = [html.Span("yours ↓ predicted →", className="head-t")]
    rows = [html.Div([*top, *(html.Span(c, className="head-t", title=c) for c in classes)], className="row-t")]
    for i, truth in enumerate(classes):
        line: list[Any] = [html.Span(truth, className="head-t", title=truth)]
        for j, guess in enumerate(classes):
            count = int(counts[i, j])
            label = {"aria-label": f"{count} of your {truth}, predicted {guess}"}
            where = {"data-batch-true": truth, "data-batch-pred": guess}
            line.append(html.Button(str(count), type="button", className="" if count else "zero", **where, **label))
        rows.append(html.Div(line, className="row-t"))
    return html.Div(
        html.Div(rows, role="group", style={"--n": len(classes)}, **{"data-arrows": str(len(classes))},
                 **{"aria-label": f"Your pictures, {len(classes)} by {len(classes)}"}),
        className="cm-table bare batch-table",
    )  # fmt: skip
