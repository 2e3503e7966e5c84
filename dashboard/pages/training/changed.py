"""Which settings of the training in front differ from those of another, and what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, html

from dashboard.components import card, column_head, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.format.proportion import Proportion
from dashboard.pages.training import other_runs
from dashboard.pages.training.memory import Memory
from dashboard.pages.training.other_runs import Other
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.jobs.tables import SCRIPT
from ml.training import wording

DASH = "–"


class Ids(StrEnum):
    FACE = "training-changed-face"
    PICK = "training-changed-select"
    HELP = "training-changed-help"
    BODY = "training-changed-table"


def layout(services: Services, selection: Selection) -> html.Article:
    pick = html.Div(
        [
            html.Label("Against", htmlFor=Ids.PICK, className="label quiet"),
            dbc.Select(id=Ids.PICK, options=[], className="sm"),
        ],
        className="row-ff pick",
    )
    region = html.Div(
        plain.place(Ids.BODY),
        className="tablewrap differing",
        tabIndex="0",
        role="region",
        **{"aria-label": "What changed, scrollable"},
    )
    words = html.Span("Settings that differ; all others are the same.", id=Ids.HELP)
    return card("What changed", words, [slot(Ids.FACE), pick, region])


def subject(services: Services, shown: object, search: object) -> tuple[Other | None, list[Other]]:
    """What is compared, the training in front or else the run in use, and what it can be compared with."""
    view = services.jobs.view(shown)
    if view.job is not None:
        job = view.job
        if job.kind == SCRIPT:
            raise Missing("A script publishes this training, and its settings are not known here.")
        best = max((row["validation_accuracy"] for row in view.history), default=None)
        this = Other(f"job:{job.id}", services.store.marks().title(job.run_id), job.spec, best)
        others = other_runs.listing(services, view.jobs, without=job.run_id)
        return this, [one for one in others if one.config]
    run_id = Selection.parse(search).run or services.store.default_run()
    others = [one for one in other_runs.listing(services, view.jobs) if one.config]
    mine = next((one for one in others if one.key == f"run:{run_id}"), None)
    return mine, [one for one in others if one is not mine]


def nearest(this: Other, others: list[Other], used: str | None = None) -> Other | None:
    """What a training is compared with unless somebody chooses: the run in use, else the newest run of its model, else
    what ships. used: the id of the run in use."""
    if (in_use := next((one for one in others if one.key == f"run:{used}"), None)) is not None:
        return in_use
    same = [one for one in others if one.config.get("model") == this.config.get("model")]
    runs = [one for one in same if one.key.startswith("run:")]
    shipped = [one for one in others if one.shipped]
    return next(iter([*runs, *same, *shipped, *others]), None)


def register(app: Dash, services: Services) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.PICK, "options"),
        Output(Ids.PICK, "value"),
        Output(Ids.HELP, "children"),
        plain.children(Ids.BODY),
        Input(Memory.FRONT, "data"),
        Input(Memory.TABLE, "data"),
        Input(Memory.QUEUE, "data"),
        Input(Ids.PICK, "value"),
        State("url", "search"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def list_changes(_front, _table, _queue, chosen, search, shown):
        this, others = subject(services, shown, search)
        if this is None:
            raise Missing("There is no training whose settings could be compared.")
        key = None if ctx.triggered_id == Memory.FRONT else chosen  # a new training in front has its own nearest
        used = Selection.parse(search).run or services.store.default_run()
        other = next((one for one in others if one.key == key), None) or nearest(this, others, used)
        if other is None:
            raise Missing("There is one training only: with the second one this shows what changed.")
        other = replace(other, accuracy=other_runs.best(services, other))
        differing = wording.changes(this.config, other.config)
        options = [{"value": one.key, "label": one.title} for one in others]
        unknown = [label for label, *values in differing if wording.UNKNOWN in values]
        known = [change for change in differing if change[0] not in unknown]
        judged = [services.jobs.options.validation_images(one.config.get("dataset")) for one in (this, other)]
        return options, other.key, summary(len(known), unknown), table(this, other, known, judged)


def summary(differing: int, unknown: list[str]) -> str:
    """How many settings differ, and which only one of the two has written down."""
    words = f"{differing} {'setting differs' if differing == 1 else 'settings differ'}; all others are the same."
    if not differing:
        words = "No setting differs: the same recipe and the same seed."
    if unknown:
        names = ", ".join(label.lower() for label in unknown)
        words = f"{words.split(';')[0].rstrip('.')}. Written down by one of the two only: {names}."
    return words


def table(this: Other, other: Other, differing: list[tuple[str, str, str]], judged: Sequence[int | None]) -> html.Table:
    """One row a setting, and what each came to on its validation pictures. judged: how many those are, where known."""
    head = [column_head("Setting"), html.Th(this.title, scope="col"), html.Th(other.title, scope="col")]
    lines = [html.Tr([html.Th(label, scope="row"), html.Td(a), html.Td(b)]) for label, a, b in differing]
    came = [html.Td(_came(one.accuracy, n)) for one, n in zip((this, other), judged, strict=True)]
    result = html.Tr([html.Th("Best on validation", scope="row"), *came], className="result")
    return html.Table([html.Thead(html.Tr(head)), html.Tbody([*lines, result])])


def _came(accuracy: float | None, n: int | None) -> Any:
    """'88.9 %', its interval and n. accuracy: 0..1."""
    if accuracy is None:
        return DASH
    words = f"{100 * accuracy:.1f} %"
    if not n:
        return words
    return [words, html.Small(f"{Proportion(round(accuracy * n), n).span}, n {n:,}", className="faint")]
