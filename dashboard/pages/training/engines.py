"""What the network costs as it is, as ONNX and in int8, and what the smaller ones get wrong."""

from enum import StrEnum
from typing import Any

import pandas as pd
from dash import Dash, Input, Output, ctx, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, column_head, csv_link, help_line, job_progress, plain, worded
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.format.csv import table_url
from dashboard.format.numbers import milliseconds
from dashboard.format.proportion import Proportion
from dashboard.pages.training import runs
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.inference.onnx import need
from ml.jobs.queue import Refused
from ml.jobs.tables import Job

NOUN = "engines"
NAMES = {"torch": "torch, fp32", "onnx": "ONNX, fp32", "int8": "ONNX, int8"}
TICK_MS = 1_500


class Ids(StrEnum):
    FACE = "training-engines-face"
    BODY = "training-engines-body"
    MEASURE = "training-engines-measure"
    STATUS = "training-engines-said"
    TICK = "training-engines-interval"  # ticks while a measurement is under way


def layout(services: Services, selection: Selection) -> html.Div:
    """A part of the run's drawer."""
    return html.Div(
        [
            html.H3("Engines"),
            help_line(__doc__, className="small quiet"),
            slot(Ids.FACE),
            plain.place(Ids.BODY, className="engines"),
            html.Div(
                [
                    button("Measure on this machine", id=Ids.MEASURE, small=True),
                    html.Span(id=Ids.STATUS, className="small quiet", role="status"),
                ],
                className="row-ff",
            ),
            dcc.Interval(id=Ids.TICK, interval=TICK_MS, disabled=True),
        ],
        className="form",
    )


def register(app: Dash, services: Services) -> None:
    """The table of the run whose drawer is open, and its measurement as a job."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.MEASURE, "disabled"),
        Output(Ids.STATUS, "children"),
        Output(Ids.TICK, "disabled"),
        Input(runs.Ids.OPEN, "data"),
        Input(Memory.TABLE, "data"),
        Input(Ids.TICK, "n_intervals"),
        Input(Ids.MEASURE, "n_clicks"),
        prevent_initial_call=True,
    )
    def draw_engines(opened: Any, _table: Any, _tick: Any, clicks: Any):
        if not isinstance(opened, str):
            raise PreventUpdate
        return drawn(services, opened, bool(clicks) and ctx.triggered_id == Ids.MEASURE)


def drawn(services: Services, run_id: str, wanted: bool) -> tuple[list[Any], bool, str, bool]:
    """The body, whether the button is off, what is said beside it, and whether nothing more is to come.

    wanted: measure it now. Raises Missing or Broken.
    """
    view, refused = services.store.open(run_id), ""
    if wanted:
        try:
            known = [entry.run_id for entry in services.store.runs() if entry.ok]
            services.jobs.evaluate(run_id, NOUN, runs=known)
        except Refused as refusal:
            refused = str(refusal)
    job = services.jobs.evaluation(run_id, NOUN)
    lacking = absent()
    off = services.read_only or bool(lacking) or bool(job and job.active)
    status = refused or (words(services, job) if job is not None else "") or lacking
    try:
        frame = view.engines()
    except Missing:
        body: list[Any] = [html.P("Not measured yet: it takes a minute or two.", className="small")]
    else:
        body = [*table(frame), *(html.P(line, className="small") for line in verdict(frame)), files(run_id, services)]
    return body, off, status, not (job is not None and job.active)


def absent() -> str:
    """What must be installed before anything can be measured; '' for nothing."""
    try:
        need("onnx", "onnxruntime")
    except Missing as missing:
        return f"{missing} Try: {missing.command}"
    return ""


def words(services: Services, job: Job) -> str:
    """How far a measurement is, or how it ended where it did not end well."""
    if job.state == "queued":
        return job_progress.waits(services, job)
    if job.active:
        return f"Under way: {job.stage or 'starting'}."
    return "" if job.state == "done" else f"The last measurement {job.state}. {job.cause}".strip()


def table(frame: pd.DataFrame) -> list[Any]:
    """A column an engine, a row a measure; every proportion with its interval."""
    rows = {row["engine"]: row for row in frame.to_dict("records")}
    held = frame.to_dict("records")[0]
    own = held["engine"]

    def right(row: dict[Any, Any]) -> Any:
        return _doubt(Proportion(int(row["correct"]), int(row["n"])))

    def alike(row: dict[Any, Any]) -> Any:
        return "" if row["engine"] == own else _doubt(Proportion(int(row["agreeing"]), int(row["n"])))

    lines = [
        ("File", lambda row: f"{row['bytes'] / 1000:,.0f} kB"),
        ("One picture, p50", lambda row: f"{milliseconds(row['p50_ms'] / 1000)} ms"),
        ("p95", lambda row: f"{milliseconds(row['p95_ms'] / 1000)} ms"),
        ("In batches", lambda row: f"{row['images_per_second']:,.0f} /s"),
        ("Accuracy, test", right),
        (f"As {NAMES.get(own, own).partition(',')[0]} says", alike),
    ]
    head = html.Tr([html.Td(), *(column_head(NAMES.get(name, name)) for name in rows)])
    body = [
        html.Tr([html.Th(worded(title), scope="row"), *(html.Td(value(row)) for row in rows.values())])
        for title, value in lines
    ]
    note = (
        f"n {held['n']:,} test pictures, 95 % intervals; {held['times']:,} single pictures in turns, batches of "
        f"{held['batch']}, one thread of {held['processor']}."
    )
    whole = html.Table([html.Thead(head), html.Tbody(body)])
    region = {"aria-label": "Engines side by side"}
    return [
        html.Div(whole, className="tablewrap", tabIndex="0", role="region", **region),
        html.P(note, className="small faint"),
    ]


def _doubt(share: Proportion) -> list[Any]:
    return [html.B(f"{100 * share.value:.2f} %"), html.Small(share.span)]


def verdict(frame: pd.DataFrame) -> list[str]:
    """What int8 gains, and in so many words where it loses."""
    rows = {row["engine"]: row for row in frame.to_dict("records")}
    small, full, eager = rows["int8"], rows["onnx"], rows.get("torch")  # an imported ONNX has no torch
    points = 100 * (small["accuracy"] - (eager or full)["accuracy"])
    gains: list[str] = []
    losses: list[str] = []

    def compare(better: bool, gain: str, loss: str) -> None:
        (gains if better else losses).append(gain if better else loss)

    size, one = small["bytes"] / full["bytes"], full["p50_ms"] / small["p50_ms"]
    many = small["images_per_second"] / full["images_per_second"]
    compare(size < 1, f"{100 * size:.0f} % of ONNX's size", f"a file of {100 * size:.0f} % of ONNX's")
    if eager:
        torch = eager["p50_ms"] / small["p50_ms"]
        compare(torch > 1, f"{torch:.1f} times as fast as torch for one picture", f"{torch:.2f} of torch's pace")
    compare(
        one > 1,
        f"{one:.1f} times as fast as ONNX{'' if eager else ' for one picture'}",
        f"{one:.2f} of ONNX's pace for one picture",
    )
    compare(many > 1, f"{many:.1f} times ONNX's pace in batches", f"{many:.2f} of ONNX's pace in batches")
    compare(points >= 0, f"{points:.2f} points more accuracy", f"{-points:.2f} points of accuracy")
    sentences = [f"int8 gains: {', '.join(gains)}."] if gains else []
    return [*sentences, f"int8 loses: {', '.join(losses)}."] if losses else sentences


def files(run_id: str, services: Services) -> html.Div:
    """The networks as files, and the table."""
    has = services.store.open(run_id).manifest["nouns"]
    links = [
        html.A(
            [icon("download"), NAMES[noun]],
            href=f"/export/runs/{run_id}/{noun}.onnx",
            className="btn-ff sm",
            download="",
            target="_self",
        )
        for noun in ("onnx", "int8")
        if noun in has
    ]
    return html.Div([*links, csv_link(table_url(NOUN, Selection(run=run_id)))], className="row-ff")


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row an engine: file, pace, accuracy and agreement with their intervals."""
    frame = run.engines()
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


TABLES = {"engines": of_run(csv_rows)}
