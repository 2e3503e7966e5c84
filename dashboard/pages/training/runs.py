"""Every run and every job: how good, how large, how long it took, and what can be done with it."""

import csv
import io
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html
from flask import Response

from dashboard.components import badge, button, card, csv_link, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.exports import safe
from dashboard.jobs import Job, View
from dashboard.pages.training.memory import Memory
from dashboard.pages.training.words import KINDS, duration, size
from dashboard.selection import Selection
from dashboard.store import Broken, Missing, RunEntry, wilson

CANCEL_ROW, RESUME_ROW = "training-runs-cancel", "training-runs-resume"  # buttons of the table, with the job's id
DASH = "–"
ENDED = 12  # jobs without a run that stay in the table


class Ids(StrEnum):
    FACE = "training-runs-face"
    BODY = "training-runs-table"
    AXIS = "training-runs-axis"
    HELP = "training-runs-help"


@dataclass(frozen=True)
class Row:
    """One line. job: the training behind it, if it was started from here; entry: the run, once there is one."""

    name: str
    state: str
    reason: str = ""
    job: Job | None = None
    entry: RunEntry | None = None
    right: int = 0
    n: int = 0
    f1: float | None = None

    @property
    def accuracy(self) -> float:
        return self.right / self.n


def layout(doors: Doors, selection: Selection) -> html.Article:
    region = html.Div(
        html.Div(id=Ids.BODY),
        className="tablewrap",
        tabIndex="0",
        role="region",
        **{"aria-label": "Runs and jobs, scrollable"},
    )
    return card(
        "Runs and jobs",
        html.Span("Accuracy on the test split with its 95 % interval.", id=Ids.HELP),
        [slot(Ids.FACE), region],
        tools=[csv_link("/export/runs.csv")],
    )


def state(view: View, entries: list[RunEntry]) -> list[Any]:
    """What, when it changes, makes the table look different; the runs first."""
    runs = [[entry.run_id, entry.ok] for entry in entries]
    return [runs, [[job.id, job.state, job.cancel] for job in view.jobs]]


def rows(doors: Doors) -> list[Row]:
    """What runs or waits, then runs in the listing's order, then what came to nothing, newest first."""
    jobs, entries = doors.jobs.view().jobs, doors.store.runs()
    known = {entry.run_id for entry in entries}
    by_run = {job.run_id: job for job in reversed(jobs) if job.state != "cancelled"}
    active = sorted((job for job in jobs if job.active), key=lambda job: (job.state != "running", job.number))
    lost = [job for job in jobs if not job.active and job.run_id not in known][:ENDED]
    return [
        *(Row(job.run_id, job.state, job=job) for job in active if job.run_id not in known),
        *(_run(doors, entry, by_run.get(entry.run_id)) for entry in entries),
        *(Row(job.run_id, job.state, job.cause, job=job) for job in lost),
    ]


def _run(doors: Doors, entry: RunEntry, job: Job | None) -> Row:
    if not entry.ok:
        return Row(entry.run_id, "broken", entry.reason, entry=entry)
    result = entry.manifest["results"]["test"]
    try:
        scores = doors.store.open(entry.run_id).scores("test")
        mean = scores[scores["class"].isna() & scores["metric"].str.contains("f1")]["value"]
        f1 = float(mean.iloc[0]) if len(mean) else None
    except (Missing, Broken):
        f1 = None
    state = job.state if job is not None and job.active else "done"
    return Row(entry.run_id, state, "", job, entry, result["correct"], result["n"], f1)


def axis(rows: list[Row]) -> tuple[float, float]:
    """Ends of the common axis: the intervals' ends, rounded outwards to 2 % (10 % where they lie far apart)."""
    ends = [float(end) for row in rows if row.n for end in wilson(row.right, row.n)]
    if not ends:
        return 0.0, 1.0
    step = 0.02 if max(ends) - min(ends) <= 0.2 else 0.1
    low = max(math.floor(min(ends) / step + 1e-9) * step, 0.0)
    return low, min(math.ceil(max(ends) / step - 1e-9) * step, 1.0)


def register(app: Dash, doors: Doors) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.BODY, "children"),
        Output(Ids.HELP, "children"),
        Input(Memory.TABLE, "data"),
        Input("url", "search"),
        prevent_initial_call=True,
    )
    def list_runs(_state, search):
        found = rows(doors)
        if not found:
            raise Missing("There is no run and no job yet.", "python -m ml train --model fashion_cnn --epochs 10")
        selection = Selection.parse(search)
        low, high = axis(found)
        used = selection.run or doors.store.default_run()
        span = f"{100 * low:.0f} % to {100 * high:.0f} %"
        words = (
            f"Accuracy on the test split with its 95 % interval, on one common axis from {span}; n counts test images."
        )
        head = html.Thead(
            html.Tr(
                [
                    html.Th("Run", scope="col"),
                    html.Th("State", scope="col"),
                    html.Th("Accuracy", className="r", scope="col"),
                    html.Th(span, className="axis", scope="col"),
                    html.Th("n", className="r", scope="col"),
                    html.Th("Macro-F1", className="r", scope="col"),
                    html.Th("Parameters", className="r", scope="col"),
                    html.Th("Trained in", className="r", scope="col"),
                    html.Th(html.Span("Action", className="visually-hidden"), scope="col"),
                ]
            )
        )
        body = html.Tbody([_line(row, (low, high), used, selection, not doors.read_only) for row in found])
        return html.Table([head, body]), words

    @app.server.get("/export/runs.csv")
    def export_runs() -> Response:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(
            ["run", "state", "model", "dataset", "correct", "n", "accuracy", "low", "high", "macro_f1", "parameters",
             "seconds", "seed", "epochs", "learning_rate", "batch_size", "optimiser", "augment",
             "train_images", "reason"]
        )  # fmt: skip
        for row in rows(doors):
            writer.writerow([safe(cell) for cell in record(row)])
        return Response(
            text.getvalue(), mimetype="text/csv", headers={"Content-Disposition": 'attachment; filename="runs.csv"'}
        )


def record(row: Row) -> list[Any]:
    """One line of the CSV."""
    manifest = row.entry.manifest if row.entry is not None and row.entry.ok else {}
    config = manifest.get("config") or (row.job.spec if row.job else {})
    low, high = (float(end) for end in wilson(row.right, row.n)) if row.n else ("", "")
    share = [row.right, row.n, f"{row.accuracy:.6f}", f"{low:.6f}", f"{high:.6f}"] if row.n else [""] * 5
    return [
        row.name, row.state, config.get("model", ""), config.get("dataset", ""), *share,
        "" if row.f1 is None else f"{row.f1:.6f}", manifest.get("parameters", ""), manifest.get("training_seconds", ""),
        config.get("seed", ""), config.get("epochs", ""), config.get("learning_rate", ""), config.get("batch_size", ""),
        config.get("optimiser", ""), " ".join(config.get("augment", ())),
        manifest.get("train_images", config.get("train_images") or ""), row.reason,
    ]  # fmt: skip


def _line(row: Row, ends: tuple[float, float], used: str | None, selection: Selection, changes: bool) -> html.Tr:
    accuracy: list[Any] = [html.Span(DASH, className="faint")]
    line = None
    if row.n:
        low, high = (float(end) for end in wilson(row.right, row.n))
        accuracy = [html.B(f"{100 * row.accuracy:.1f}"), html.Small(f" ±{50 * (high - low):.1f}", className="faint")]
        line = whisker(row.accuracy, low, high, ends)
    manifest = row.entry.manifest if row.entry is not None and row.entry.ok else {}
    seconds = manifest.get("training_seconds", manifest.get("seconds"))
    if seconds is None and row.job is not None and row.job.started and row.job.finished:
        seconds = row.job.finished - row.job.started
    title = [html.B(row.name)]
    if manifest and not manifest["dataset"].get("complete", True):
        title.append(html.Small(f" {manifest['train_images']:,} images", className="faint"))
    if row.reason:
        title.append(html.Small(row.reason, className="reason"))
    return html.Tr(
        [
            html.Th(title, scope="row"),
            html.Td(badge(row.state, KINDS[row.state])),
            html.Td(accuracy, className="r"),
            html.Td(line),
            html.Td(f"{row.n:,}" if row.n else "", className="r"),
            html.Td(f"{100 * row.f1:.1f}" if row.f1 is not None else "", className="r"),
            html.Td(size(manifest["parameters"]) if manifest else "", className="r"),
            html.Td(duration(seconds) if seconds is not None else "", className="r"),
            html.Td(_action(row, used, selection, changes), className="r"),
        ]
    )


def _action(row: Row, used: str | None, selection: Selection, changes: bool) -> Any:
    """Use, Cancel or Resume; each button's accessible name tells which run it means."""
    job = row.job
    if changes and job is not None and job.active:
        return button(
            "Cancel", id={"type": CANCEL_ROW, "job": job.id}, small=True, disabled=job.cancel,
            **{"aria-label": f"Cancel {row.name}"},
        )  # fmt: skip
    if changes and job is not None and row.entry is None and job.state in ("interrupted", "failed"):
        return button(
            "Resume", id={"type": RESUME_ROW, "job": job.id}, small=True, **{"aria-label": f"Resume {row.name}"}
        )
    if row.entry is None or not row.entry.ok:
        return None
    if row.name == used:
        return html.Span("in use", className="faint")
    search = selection.with_(run=row.name).query()
    return button("Use", small=True, search=search, **{"aria-label": f"Use {row.name}"})
