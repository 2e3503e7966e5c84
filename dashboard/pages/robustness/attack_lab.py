"""Adversarial examples: the smallest changes that mislead the network most, along its own gradients; shown × 10."""

import math
import random
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis import robustness
from dashboard.analysis.robustness import EPSILON_STEPS, Question
from dashboard.components import badge, button, card, csv_link, dot, lazy_panel, plain, segmented
from dashboard.components.bars import probability_bars
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.exports.tables import of_services
from dashboard.format.csv import table_url
from dashboard.format.images import inline_url
from dashboard.format.numbers import percent
from dashboard.services.attacker import Attempt
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.robustness.catalogue import ATTACKS

NEEDS = ("gradients",)
ANY = "*"  # no class in particular; a select shows nothing for an empty value
LOUDER = 10  # times, what was added as it is shown
ID = "robustness-lab"


class Ids(StrEnum):
    CARD = "robustness-lab-card"
    FACE = "robustness-lab-face"
    BODY = "robustness-lab-body"
    NUMBER = "robustness-lab-number"
    WRONG = "robustness-lab-wrong"
    RANDOM = "robustness-lab-random"
    METHOD = "robustness-lab-method"
    TARGET = "robustness-lab-target"
    SLIDER = "robustness-epsilon-slider"  # assets/slide.js makes it the address's epsilon
    EPSILON_LABEL = "robustness-epsilon-said"
    CSV = "robustness-lab-csv"
    ADDRESS_STORE = "robustness-lab-asked"  # the address once the card came near the window
    SEARCHED = "robustness-smallest-asked"  # the part of it that the smallest epsilon depends on
    SEARCHING = "robustness-smallest-search"
    SMALLEST = "robustness-smallest-body"
    SMALLEST_FACE = "robustness-smallest-face"


def layout(services: Services, selection: Selection) -> html.Article:
    """Which picture and how it is attacked; what became of it; the smallest change that flips it."""

    def field(words: str, id: str, control: Any, more: Any = None) -> html.Div:
        return html.Div([html.Label(words, htmlFor=id), control, more], className="field")

    number = dbc.Input(id=Ids.NUMBER, type="number", min=0, step=1, debounce=True)
    target = dbc.Select(id=Ids.TARGET, options=[{"value": ANY, "label": "any other answer"}], value=ANY)
    slider = dbc.Input(
        id=Ids.SLIDER,
        type="range",
        min=0,
        max=len(EPSILON_STEPS) - 1,
        step=1,
        value=EPSILON_STEPS.index(robustness.EPSILON),
    )
    controls = html.Div(
        [
            html.Div(
                [
                    field("Image number", Ids.NUMBER, number, html.Small(id=Ids.WRONG, className="bad", role="alert")),
                    button([icon("shuffle"), "Random"], id=Ids.RANDOM),
                ],
                className="rb-pick",
            ),
            html.Div(
                [
                    html.Span("Attack", className="label"),
                    segmented(
                        Ids.METHOD, [(name, robustness.title(name)) for name in ATTACKS], robustness.METHOD, "Attack"
                    ),
                ],
                className="field",
            ),
            field("Towards", Ids.TARGET, target),
            field(
                "ε, how far each pixel may move",
                Ids.SLIDER,
                slider,
                html.Span(epsilon_label(None), id=Ids.EPSILON_LABEL),
            ),
            html.Div(
                [
                    html.H3("The smallest ε"),
                    html.Div(
                        [slot(Ids.SMALLEST_FACE, "Searching"), plain.place(Ids.SMALLEST, className="rb-least")],
                        id=Ids.SEARCHING,
                    ),
                ],
                className="rb-smallest",
            ),
        ],
        className="rb-controls",
    )
    body = [
        *lazy_panel.layout(Ids.ADDRESS_STORE),
        dcc.Store(id=Ids.SEARCHED),
        html.Div(
            [controls, html.Div([slot(Ids.FACE, "Asking the network"), plain.place(Ids.BODY, className="rb-answer")])],
            className="rb-lab",
        ),
    ]
    return card("One image under attack", __doc__, body, tools=html.Span(id=Ids.CSV), id=Ids.CARD)


CONTROLS_FROM_ADDRESS = """(search) => {
    const query = new URLSearchParams(search || ''), steps = STEPS, none = window.dash_clientside.no_update;
    const slider = document.getElementById('SLIDER');
    const wanted = query.has('epsilon') ? Number(query.get('epsilon')) : DEFAULT;
    let place = 0;
    steps.forEach((step, i) => { if (Math.abs(step - wanted) < Math.abs(steps[place] - wanted)) place = i; });
    const still = slider && (slider.dataset.held || slider.dataset.ahead);
    const way = ['fgsm', 'pgd'].includes(query.get('attack')) ? query.get('attack') : 'METHOD';
    return [way, query.get('target') || '*', still || !(wanted <= 32) ? none : place];
}"""

CHOOSE = """(method, target, search) => {
    const query = new URLSearchParams(search || ''), none = window.dash_clientside.no_update;
    const by = window.dash_clientside.callback_context.triggered_id;
    const name = by === 'TARGET' ? 'target' : 'attack', aim = target === '*' ? '' : target;
    const value = by === 'TARGET' ? aim : method;
    const before = query.get(name) || (name === 'attack' ? 'METHOD' : '');
    if (typeof value !== 'string' || value === before) return none;
    if (value && !(name === 'attack' && value === 'METHOD')) query.set(name, value); else query.delete(name);
    const text = query.toString();
    return text ? '?' + text : '';
}"""

SEARCH = """(asked, before) => {
    if (typeof asked !== 'string') return window.dash_clientside.no_update;
    const all = new URLSearchParams(asked), kept = new URLSearchParams();
    for (const name of ['run', 'split', 'sample', 'attack', 'target'])
        if (all.has(name)) kept.set(name, all.get(name));
    const now = '?' + kept.toString();
    return now === before ? window.dash_clientside.no_update : now;
}"""


def script(text: str) -> str:
    """With the ids and numbers of this page."""
    steps = ",".join(f"{step:g}" for step in EPSILON_STEPS)
    known = {
        "STEPS": f"[{steps}]", "SLIDER": Ids.SLIDER, "DEFAULT": f"{robustness.EPSILON:g}",
        "METHOD": robustness.METHOD, "TARGET": Ids.TARGET,
    }  # fmt: skip
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def register(app: Dash, services: Services) -> None:
    """Controls follow the address and become it; the answer and the search are asked for apart."""
    lazy_panel.register(app, Ids.ADDRESS_STORE, Ids.CARD)
    app.clientside_callback(
        script(CONTROLS_FROM_ADDRESS),
        Output(Ids.METHOD, "value"),
        Output(Ids.TARGET, "value"),
        Output(Ids.SLIDER, "value"),
        Input("url", "search"),
        Input(Ids.TARGET, "options"),
    )
    app.clientside_callback(
        script(CHOOSE),
        Output("url", "search", allow_duplicate=True),
        Input(Ids.METHOD, "value"),
        Input(Ids.TARGET, "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        SEARCH, Output(Ids.SEARCHED, "data"), Input(Ids.ADDRESS_STORE, "data"), State(Ids.SEARCHED, "data")
    )

    @app.callback(Output(Ids.TARGET, "options"), Input("app-view-state", "data"))
    def list_targets(search: str | None):
        try:
            classes = services.store.shown(Selection.parse(search).run).classes
        except (LookupError, ValueError):
            classes = []
        return [{"value": ANY, "label": "any other answer"}, *({"value": one, "label": one} for one in classes)]

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Output(Ids.WRONG, "children"),
        Input(Ids.NUMBER, "value"),
        Input(Ids.RANDOM, "n_clicks"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_sample(number: Any, clicks: int | None, search: str | None):
        selection = Selection.parse(search)
        try:
            ids = services.store.shown(selection.run).pictures(selection.split).ids
        except (Missing, Broken):
            raise PreventUpdate from None
        now = int(ids[0]) if selection.sample is None else selection.sample
        sample = int(random.choice(ids)) if ctx.triggered_id == Ids.RANDOM and clicks else number
        if not isinstance(sample, int) or isinstance(sample, bool):
            raise PreventUpdate
        if sample not in ids:
            return no_update, f"There is no image {sample} in {selection.split}."
        return (no_update if sample == now else selection.with_(sample=sample).query()), None

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.EPSILON_LABEL, "children"),
        Output(Ids.NUMBER, "value"),
        Output(Ids.CSV, "children"),
        Input(Ids.ADDRESS_STORE, "data"),
        State(Ids.NUMBER, "value"),
    )
    def draw_attack(search: Any, number: Any):
        selection = lazy_panel.read(search)
        question = robustness.question(services, selection)
        attempt = robustness.tried(services, question)
        csv = csv_link(table_url("attack", selection))
        news = no_update if number == question.example_id else question.example_id
        return answer(question, attempt, selection), epsilon_label(question.epsilon), news, csv

    @panel_callback(
        app,
        Ids.SMALLEST_FACE,
        plain.children(Ids.SMALLEST),
        Input(Ids.SEARCHED, "data"),
        prevent_initial_call=True,
        running=[(Output(Ids.SEARCHING, "className"), "rb-busy", "")],
    )
    def draw_smallest(search: Any):
        selection = lazy_panel.read(search)
        question = robustness.question(services, selection)
        return least(question, robustness.least(services, question), selection)


def epsilon_label(epsilon: float | None) -> list:
    """Where the slider is; data-epochs: what its places stand for, as assets/slide.js reads it."""
    now = robustness.EPSILON if epsilon is None else epsilon
    return [html.B(f"{now:.4g}", **{"data-epochs": ",".join(f"{step:g}" for step in EPSILON_STEPS)}), " of 255"]


def louder(change: np.ndarray) -> np.ndarray:
    """float32 [h, w, c] of what was added, in 0..1 → uint8 [h, w, c]: grey where nothing was, LOUDER times as loud."""
    return np.rint(255 * np.clip(0.5 + LOUDER * change, 0, 1)).astype(np.uint8)


def answer(question: Question, attempt: Attempt, selection: Selection) -> list:
    """Before, what was added, after; and what is said of each."""
    classes = question.run.classes
    before, after = int(attempt.before[0].argmax()), int(attempt.after[0].argmax())
    flipped = after == question.klass if question.targeted else after != question.klass
    label = "no label" if question.label is None else f"labelled {classes[question.label]}"
    drawer = Selection(run=selection.run, split=selection.split, ids=(question.example_id,), sample=question.example_id)
    shown = np.rint(attempt.images[0] * 255).astype(np.uint8)
    figures = [
        figure(question.image, "as it is", f"Image {question.example_id} of {selection.split}, {label}"),
        figure(louder(attempt.change[0]), f"what was added, × {LOUDER}", "The change of each pixel, grey where none"),
        figure(shown, "attacked", f"The image attacked within {robustness.reach(question.epsilon)}"),
    ]
    verdict = html.Div(
        [
            html.H3([dot(before), classes[before], html.Span(" → ", className="faint"), dot(after), classes[after]]),
            badge("so as it is", "mute")
            if question.targeted and before == question.klass
            else badge("flipped" if flipped else "not flipped", "warn" if flipped else "good"),
            button("Open its drawer", small=True, kind="ghost", search=drawer.query(), path="/"),
        ],
        className="rb-verdict",
    )
    bars = html.Div(
        [
            html.Div(
                [
                    html.H3(words),
                    probability_bars(
                        probabilities[0], classes, guess=int(probabilities[0].argmax()), label=question.label
                    ),
                ]
            )
            for words, probabilities in (("Before", attempt.before), ("After", attempt.after))
        ],
        className="rb-bars",
    )
    return [
        verdict,
        html.Div(figures, className="rb-shots"),
        bars,
        html.P(summary(question, attempt), className="quiet small"),
    ]


def figure(image: np.ndarray, words: str, alt: str) -> html.Figure:
    """A picture and what it is."""
    return html.Figure([html.Div(html.Img(src=inline_url(image), alt=alt), className="shot"), html.Figcaption(words)])


def summary(question: Question, attempt: Attempt) -> str:
    """What was asked for, how far the pixels went, and what a file of the picture would be taken for."""
    classes = question.run.classes
    aim = f"towards {classes[question.klass]}" if question.targeted else f"away from {classes[question.klass]}"
    known = "It has no label" if question.label is None else f"Labelled {classes[question.label]}"
    most, saved = 255 * float(np.abs(attempt.change[0]).max()), int(attempt.saved[0].argmax())
    return (
        f"{robustness.title(question.method)} {aim}: no pixel moved by more than {most:.3g} of 255. "
        f"{known}. Saved as a file, whose pixels have 256 levels, it is taken for "
        f"{classes[saved]} ({percent(float(attempt.saved[0][saved]))} %)."
    )


def least(question: Question, attempt: Attempt, selection: Selection) -> list:
    """The smallest epsilon, the way to see it, and where it was looked for."""
    epsilon, rungs = float(attempt.epsilon[0]), [255 * rung for rung in attempt.rungs]
    ladder = ", ".join(f"{rung:g}" for rung in rungs)
    where = html.P(
        f"{robustness.title(question.method)}, tried at {ladder} of 255 from below, then {attempt.halvings} times "
        "half way between the first that flips and the one before it.",
        className="faint small",
    )
    aim = (
        f"makes it {question.run.classes[question.klass]}"
        if question.targeted
        else f"ends {question.run.classes[question.klass]}"
    )
    if math.isnan(epsilon):
        return [html.P(f"Nothing up to {rungs[-1]:g} of 255 {aim}."), where]
    if epsilon == 0:
        return [html.P(f"None: it is {question.run.classes[question.klass]} as it is."), where]
    exact = 255 * epsilon
    there = selection.with_(epsilon=min(math.ceil(exact * 1e8) / 1e8, rungs[-1]))
    now = int(attempt.after[0].argmax())
    return [
        html.P([html.B(f"{exact:.3g}"), f" of 255 {aim}: it becomes {question.run.classes[now]}."]),
        html.Div(button("Show it", small=True, search=there.query(), **{"data-own": "epsilon"}), className="row-ff"),
        where,
    ]


TABLES = {"attack": of_services(robustness.attempt_rows)}
