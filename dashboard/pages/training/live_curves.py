"""The curves of the training in front, and of others beside it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import Dash, Input, Output, State

from dashboard import theme
from dashboard.figures import progress
from dashboard.pages.training import other_runs
from dashboard.pages.training.live_facts import Ids, in_use
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from ml.jobs.tables import Job
from ml.stats.intervals import wilson

HEIGHT = 190  # about what a curve gets on a wide screen
CURVES = {
    "loss": ("Loss", "lower is better", Ids.LOSS_GRAPH),
    "accuracy": ("Accuracy", "in percent; band: 95 % interval", Ids.ACCURACY_GRAPH),
    "rate": ("Learning rate", "dots: as planned", Ids.RATE_GRAPH),
    "speed": ("Throughput", "training images a second", Ids.SPEED_GRAPH),
}


def _only(more: dict[str, Any], measure: str) -> dict[str, Any]:
    """The options that a measure has a use for."""
    needless = {"interval"} - ({"interval"} if measure == "accuracy" else set())
    return {name: value for name, value in more.items() if name not in needless}


def keys(picked: object) -> list[str]:
    """What is to be drawn beside, at most three; picked: whatever the browser says."""
    run_keys = [key for key in picked if isinstance(key, str)] if isinstance(picked, list) else []
    return list(dict.fromkeys(run_keys))[: progress.OTHERS]


def within(job: Job, steps: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """The measures within the epochs by column, `epoch` being how many were done by then."""
    if not job.batches:
        return {}
    columns = columns_of(steps, ("loss", "accuracy", "learning_rate", "images_per_second"))
    return {"epoch": [row["batch"] / job.batches * job.epochs for row in steps], **columns}


def columns_of(rows: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, list[float]]:
    """nan stands for what a script did not tell."""
    return {name: [row.get(name, math.nan) for row in rows] for name in names}


def register(app: Dash, services: Services) -> None:
    """The curves, and what can be drawn beside them."""

    @app.callback(
        *(Output(id, "figure") for _, _, id in CURVES.values()),
        Input(Memory.CURVES, "data"),
        Input(theme.STATE, "data"),
        Input(Ids.PICK, "value"),
        Input("url", "search"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def draw_curves(_curves, mode, picked, search, shown):
        job = services.jobs.view(shown).job
        front = services.jobs.training(job.id) if job is not None else None
        more: dict[str, Any] = {"mode": theme.mode_of(mode), "height": HEIGHT}
        if front is not None:
            job, history, steps = front
            own = progress.Training("", columns_of(history, other_runs.MEASURES), within(job, steps))
            more |= {"epochs": job.epochs, "planned": services.jobs.options.planned(job.spec, job.batches or 600)}
            dataset = job.spec.get("dataset")
        else:
            key = f"run:{in_use(services, search)}"
            own = other_runs.training(services, key) or progress.Training()
            dataset = (other_runs.config(services, key) or {}).get("dataset")
        n = services.jobs.options.validation_images(dataset)
        if n and own.history.get("epoch"):
            low, high = wilson(np.round(np.array(own.history["validation_accuracy"]) * n), n)
            more["interval"] = (low.tolist(), high.tolist())
        beside = [training for key in keys(picked) if (training := other_runs.training(services, key)) is not None]
        return tuple(progress.curves(own, beside, measure=measure, **_only(more, measure)) for measure in CURVES)

    @app.callback(
        Output(Ids.PICK, "options"),
        Output(Ids.PICK_NOTE, "children"),
        Input(Memory.FRONT, "data"),
        Input(Memory.TABLE, "data"),
        Input(Ids.PICK, "value"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def list_others(_front, _table, picked, shown):
        view = services.jobs.view(shown)
        others = other_runs.listing(services, view.jobs, without=view.job.run_id if view.job else None)
        chosen = [key for key in keys(picked) if key in {one.key for one in others}]
        full = len(chosen) >= progress.OTHERS
        options = [
            {
                "value": one.key, "disabled": full and one.key not in chosen,
                "label": one.title if one.accuracy is None else f"{one.title} · {100 * one.accuracy:.1f} %",
            }
            for one in others
        ]  # fmt: skip
        names = {one.key: one.title for one in others}
        return options, ", ".join(names[key] for key in chosen) or "none"
