"""What a training would cost, and how its learning rate would move."""

from dash import Dash, Input, Output, no_update

from dashboard import theme
from dashboard.figures import progress
from dashboard.format.numbers import roughly
from dashboard.pages.training.form_fields import CONTROLS, IMAGES, Ids
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from ml.artifacts import kinds
from ml.system.wording import quantity

FEW_STEPS = 100  # of a training, as a recipe for many images has with few


def estimate(services: Services, model: object, dataset: object, epochs: int, images: int) -> tuple[float | None, str]:
    """Seconds a training would take, None where nothing tells; and from what that is known."""
    if not isinstance(model, str) or not isinstance(dataset, str):
        return None, "Choose a model and a data set"
    forecast = services.jobs.estimate(model, dataset, epochs, images)
    if forecast is not None:
        seconds, runs = forecast
        return seconds, f"judged from the last {'training' if runs == 1 else f'{runs} trainings'} here"
    for entry in services.store.runs():
        manifest = entry.manifest
        trained = entry.ok and kinds.has(manifest, kinds.TRAINING)
        if trained and (manifest["model"], manifest["dataset"]["name"]) == (model, dataset):
            looked_at = manifest["config"]["epochs"] * manifest["train_images"]
            cores = manifest["machine"]["cores"]
            made = "one core" if cores == 1 else f"{cores} cores"
            words = f"were this machine like the {made} that made run {entry.run_id}"
            return manifest["training_seconds"] / looked_at * epochs * images, words
    return None, f"No training of {model[:60]} on these pictures yet to judge the time from"


def register(app: Dash, services: Services) -> None:
    """Time and schedule of what stands in the form."""

    @app.callback(
        Output(Ids.COUNT, "children"),
        Output(Ids.ESTIMATE, "children"),
        Output(Ids.ABOUT, "children"),
        Input(CONTROLS["model"], "value"),
        Input(CONTROLS["dataset"], "value"),
        Input(CONTROLS["epochs"], "value"),
        Input(CONTROLS["batch_size"], "value"),
        Input(IMAGES, "value"),
        Input(IMAGES, "max"),
        Input(Memory.DATA, "data"),
    )
    def show_estimate(model, dataset, epochs, batch, images, most, data):
        try:
            images, most, epochs, batch = int(images), int(most), int(epochs), int(batch)
        except (TypeError, ValueError, OverflowError):
            return no_update, None, services.jobs.options.about(model)
        seconds, source = estimate(services, model, dataset, epochs, images)
        words = f"{roughly(seconds).capitalize()}, {source}." if seconds is not None else f"{source}."
        ahead = data[2] if isinstance(data, list) and len(data) == 3 and isinstance(data[2], int) else 0
        if ahead:
            words += f" {'One is' if ahead == 1 else f'{ahead} are'} running or waiting, so this one would wait."
        steps = epochs * -(-images // max(batch, 1))
        if 0 < steps < FEW_STEPS:
            words += f" {quantity(steps, 'step')} in all, which is few: a smaller batch or more epochs learn more."
        return f"{images:,} of {most:,}", words, services.jobs.options.about(model)

    @app.callback(
        Output(Ids.SCHEDULE, "figure"),
        Output(Ids.SCHEDULE_NOTE, "children"),
        *(Input(CONTROLS[name], "value") for name in ("learning_rate", "epochs", "schedule", "warmup")),
        Input(theme.STATE, "data"),
    )
    def draw_schedule(rate, epochs, schedule, warmup, mode):
        settings = {"learning_rate": rate, "epochs": epochs, "schedule": schedule, "warmup": warmup}
        planned = services.jobs.options.planned(settings)
        if not planned:
            return no_update, "The learning rate over the training: one of its settings is not allowed."
        peak, end = max(y for _, y in planned), planned[-1][1]
        last = progress.rate_words(end) if end > peak / 1000 else "next to nothing"
        words = f"The learning rate over the training: up to {progress.rate_words(peak)}, at the end {last}."
        return progress.schedule(planned, mode=theme.mode_of(mode)), words
