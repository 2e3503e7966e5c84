"""What to train, and how. Limits stand beside each field; the estimate comes from earlier runs."""

from collections.abc import Mapping
from typing import Any

from dash import Dash, dcc, html

from dashboard.components import button, card, graph, segmented
from dashboard.pages.training import form_estimate, form_presets, form_start
from dashboard.pages.training.form_fields import CONTROLS, NAMES, Ids, field_of
from dashboard.pages.training.form_presets import NO_PRESET, bases, describe
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.services.training_options import DataChoice
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.jobs.tables import SCRIPT
from ml.training import wording
from ml.training.fields import FIELDS

FIRST = (("model",), ("dataset",), ("epochs", "batch_size"), ("learning_rate", "seed"), ("name",))  # always in view
MORE = {
    "Steps": ("optimiser", "momentum", "schedule", "warmup"),
    "Against learning by heart": (
        "augment",
        "weight_decay",
        "label_smoothing",
        "dropout",
        "ema",
        "batch_norm",
        "flip_test",
    ),
    "Transfer": ("pretrained", "frozen_epochs", "frozen_layers", "layer_decay", "frozen_norm", "first_side"),
    "From another network": ("teacher", "teacher_share", "teacher_temperature"),
    "How it is computed": ("train_images", "micro_batch", "precision", "threads"),
}


def layout(services: Services, selection: Selection) -> html.Article:
    if services.read_only:
        words = (
            "This server shows runs and trains none. To train, start the app on your own machine without --read-only."
        )
        # the button stays, and says that it does nothing: other programs look for it
        off = button("Start training", id=Ids.START, kind="primary", disabled=True)
        return card("New run", "", html.Div([html.P(words), off], className="form"))
    choices = services.jobs.options.datasets()
    asked = [
        choice
        for name in (selection.dataset, _learned(services, selection))
        for choice in choices
        if choice.name == name
    ]
    first = [*asked, *choices, DataChoice("", "", 100, False)][0]
    presets = bases(services)
    basis = next(iter(presets.values()), None)
    values = {name: field.default for name, field in FIELDS.items()}
    values |= {**(basis["values"] if basis else {}), "dataset": first.name}
    chosen = basis["preset"] if basis else NO_PRESET
    offered = [(name, name.capitalize()) for name in (*presets, NO_PRESET)]
    more = [
        html.Summary([html.Span("More settings"), html.Small(id=Ids.MORE_NOTE, className="quiet")]),
        *(
            html.Div([html.H3(title), *_fields(names, services, values, first)], className="group")
            for title, names in _groups().items()
        ),
    ]
    fetch = [
        html.P(id=Ids.FETCHING, className="small quiet", role="status"),
        button("Fetch the full data set", id=Ids.FETCH, small=True),
    ]
    body = [
        html.Div(
            [
                segmented(Ids.PRESET, offered, chosen, "Preset"),
                html.P(describe(basis), id=Ids.PRESET_NOTE, className="small quiet"),
                html.Div(
                    [
                        html.Span(id=Ids.CHANGED, className="small", role="status"),
                        button("Reset", id=Ids.RESET, small=True, hidden=True),
                    ],
                    className="row-ff changes",
                ),
                html.Div([html.Span(id=Ids.COPY), html.P(id=Ids.COPIED, className="small quiet", role="status")]),
            ],
            className="presets",
        ),
        *(
            html.Div(
                [
                    *(field_of(name, services, values, first) for name in names),
                    html.P(id=Ids.ABOUT, className="faint about") if names == ("model",) else None,
                ],
                className="two" if len(names) > 1 else None,
                hidden=names == ("dataset",) and len(choices) < 2,
            )
            for names in FIRST
        ),
        html.Details(more, id=Ids.MORE, className="more"),
        html.Div(id=Ids.PARTIAL, className="partial"),
        html.Div(fetch, id=Ids.FETCH_BOX, hidden=True),
        button("Start training", id=Ids.START, kind="primary"),
        html.P(id=Ids.NOTICE, className="form-error", role="alert"),
        html.P(id=Ids.ESTIMATE, className="faint estimate"),
        dcc.Store(id=Memory.FIELDS, data=[[name, CONTROLS[name], wording.label(name)] for name in NAMES]),
        dcc.Store(id=Memory.PRESETS, data=presets),
        dcc.Store(id=Memory.BASIS, data=basis),
    ]
    words = "What to train, and how. Limits stand below each field; the one you are in says what it does."
    return card("New run", words, html.Div(body, className="form"), id=Ids.CARD)


def _learned(services: Services, selection: Selection) -> str | None:
    """The data set of the run in use, which a new one is most likely to learn from too."""
    try:
        return str(services.store.shown(selection.run).dataset["name"])
    except (Missing, Broken):
        return None


def _groups() -> dict[str, tuple[str, ...]]:
    """Headings and fields behind "More settings"; a choice that nobody has sorted in yet stands at the end."""
    placed = {name for names in (*FIRST, *MORE.values()) for name in names}
    rest = tuple(name for name in FIELDS if name not in placed)
    known = {title: tuple(name for name in names if name in FIELDS) for title, names in MORE.items()}
    return {title: names for title, names in {**known, "Further": rest}.items() if names}


def _fields(names: tuple[str, ...], services: Services, values: Mapping[str, Any], data: DataChoice) -> list[Any]:
    """Two narrow fields a row; a wide one has its own."""
    wide = ("train_images", "augment")
    parts: list[Any] = [html.Div(field_of(name, services, values, data)) for name in names if name in wide]
    parts.append(html.Div([field_of(n, services, values, data) for n in names if n not in wide], className="two"))
    if "schedule" in names:
        caption = "The learning rate over the training"
        figure = html.Div(graph(Ids.SCHEDULE), className="schedule", **{"aria-hidden": "true"})
        parts.append(html.Figure([html.Figcaption(caption, id=Ids.SCHEDULE_NOTE, className="small quiet"), figure]))
    return parts


def state(view: View, choices: list[DataChoice]) -> list[Any]:
    """What, when it changes, makes the form look different: data sets, a fetch, and how many wait."""
    fetching = view.fetching
    fetch = [fetching.id, fetching.state, fetching.cause] if fetching else []
    return [
        [[c.name, c.train_images, c.complete] for c in choices],
        fetch,
        sum(job.active for job in view.jobs if job.kind != SCRIPT),
    ]


def register(app: Dash, services: Services) -> None:
    if services.read_only:
        return

    form_start.register(app, services)
    form_estimate.register(app, services)
    form_presets.register(app, services)
