"""Beside the picture: the mean of the class it is labelled, and of the class that a held-out network suggests."""

import numpy as np
from dash import Dash, Input, html

from dashboard.analysis.label_review import Queue, image_url, queue
from dashboard.components import class_choices, dot, help_line, panel_states, plain
from dashboard.components.bars import probability_bars
from dashboard.components.panel import panel_callback, slot
from dashboard.components.tiles import neighbour_list
from dashboard.data.run import RunData
from dashboard.format.images import inline_url
from dashboard.format.numbers import percent
from dashboard.pages.review.queue import current
from dashboard.records.decisions import Decision
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.data.images import total

FACE, BODY, PAD = "review-sample-face", "review-sample-body", "review-sample-pad"
KEYS = 10  # classes that a digit stands for


def layout(services: Services, selection: Selection) -> html.Article:
    """The image in front and the keys."""
    head = html.Div(
        [html.Div([html.H2("Is this label right?", className="card-title"), help_line(__doc__)])], className="card-h"
    )
    body = html.Div(
        [plain.place(BODY, className="front"), plain.place(PAD, className="pad")], className="sample", tabIndex="-1"
    )
    return html.Article([head, slot(FACE, "Looking at the first image"), body], className="ff-card")


def register(app: Dash, services: Services) -> None:
    """Redraw when another image comes to the front, or something was decided of it."""

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        plain.children(PAD),
        Input("url", "search"),
        Input("review-done-state", "data"),
    )
    def draw_sample(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        issues, current_labels = queue(run, selection), services.decisions.current_labels(run.data_version)
        row = current(issues, current_labels, selection)
        if row is None:
            return panel_states.empty("There is no suspected label to look at."), None
        decision = current_labels.of(issues.split, int(issues.ids[row]))
        front = [pictures(services, run, issues, row), evidence(run, issues, row)]
        return front, [decision_line(run, issues, row, decision), keys(services, run, issues, row, decision)]


def means(services: Services, run: RunData) -> tuple[np.ndarray, np.ndarray]:
    """The mean picture of each class over the reference part of train, uint8 [C, h, w, c], and n of each, int [C]."""

    def make() -> tuple[np.ndarray, np.ndarray]:
        known = run.pictures("reference")
        counts = np.bincount(known.labels, minlength=len(run.classes))
        sums = np.zeros((len(run.classes), *known.images.shape[1:]))
        for label in range(len(run.classes)):
            sums[label] = total(known.images, np.flatnonzero(known.labels == label))
        each = sums / np.maximum(counts, 1).reshape(-1, 1, 1, 1)
        return each.round().astype(np.uint8), counts

    return services.store.keep(("class means", *run.picture_set), make)


def probabilities(run: RunData, issues: Queue, row: int) -> np.ndarray:
    """float32 [C], by a network that had not learned from this label."""
    example = int(issues.ids[row])
    if issues.split == "train":
        suspects = run.suspects()
        return suspects["probabilities"][int(np.flatnonzero(suspects["example_id"] == example)[0])]
    predictions = run.predictions(issues.split)
    return predictions.probabilities[predictions.row(example)]


def pictures(services: Services, run: RunData, issues: Queue, row: int) -> html.Div:
    """The image large, the two classes' means smaller beside it."""
    example, label, suggested = int(issues.ids[row]), int(issues.labels[row]), int(issues.suggested[row])
    p, (mean, counts) = probabilities(run, issues, row), means(services, run)

    def side(which: int, words: str) -> html.Figure:
        name = run.classes[which]
        alt = f"Mean of {counts[which]:,} training images labelled {name}"
        caption = [
            html.Span(words, className="faint"),
            html.B([dot(which), name]),
            html.Span(f"{percent(float(p[which]))} %", className="quiet", title="probability, held out"),
        ]
        shot = html.Div(html.Img(src=inline_url(mean[which]), alt=alt), className="shot")
        return html.Figure([shot, html.Figcaption(caption)])

    where = image_url(run, issues.split, example)
    large = html.Div(
        html.Img(src=where, alt=f"Image {example}, labelled {run.classes[label]}", id="review-picture"),
        className="shot",
    )
    caption = [html.B(f"#{example}", className="mono"), html.Span(f"suspect {row + 1:,} of {len(issues.ids):,}")]
    return html.Div(
        [
            html.Figure([large, html.Figcaption(caption)], className="big"),
            html.Div([side(label, "labelled"), side(suggested, "suggested")], className="two-means"),
        ],
        className="shots",
    )


def evidence(run: RunData, issues: Queue, row: int) -> html.Div:
    """Probabilities and the nearest training images."""
    label, suggested = int(issues.labels[row]), int(issues.suggested[row])
    bars = probability_bars(probabilities(run, issues, row), run.classes, guess=suggested, label=label)
    try:
        ids, labels = neighbours(run, issues, int(issues.ids[row]))
        counts = np.bincount(labels, minlength=len(run.classes))
        words = (
            f"{counts[label]} of {len(ids)} are labelled {run.classes[label]}, "
            f"{counts[suggested]} {run.classes[suggested]}."
        )
        near: list = [html.P(words, className="quiet small"), neighbour_list(run, ids, labels)]
    except Missing as missing:
        near = [html.P(str(missing), className="quiet small"), html.Code(missing.command)]
    return html.Div(
        [
            html.Div([html.H3("Nearest training images"), *near]),
            html.Div([html.H3("Probability of each class, held out"), bars]),
        ],
        className="evidence",
    )


def neighbours(run: RunData, issues: Queue, example: int) -> tuple[list[int], list[int]]:
    """Ids and labels of the nearest reference images, nearest first. Raises Missing or Broken."""
    if issues.split == "train":
        suspects = run.suspects()
        ids = suspects["neighbour_id"][int(np.flatnonzero(suspects["example_id"] == example)[0])].tolist()
    else:
        ids = run.neighbours(issues.split, example)["neighbour_id"].tolist()
    known = run.pictures("reference")
    return ids, [int(known.labels[known.row(one)]) for one in ids]


def decision_line(run: RunData, issues: Queue, row: int, decision: Decision | None) -> html.Div:
    """What was decided of it, by whom."""
    label = run.classes[int(issues.labels[row])]
    if decision is None:
        words: list = ["Labelled ", html.B(label), ". Nothing decided yet."]
    else:
        done = {"keep": "Kept as ", "exclude": "Left out", "relabel": "Relabelled "}[decision.action]
        words = [done, html.B(decision.after) if decision.after else "", f" by {decision.who}. It came as {label}."]
    return html.Div(html.P(words, className="said"), **{"data-decision": decision.action if decision else ""})


def keys(services: Services, run: RunData, issues: Queue, row: int, decision: Decision | None) -> html.Div:
    """A button for each key; each does the same as its key."""
    label, suggested = int(issues.labels[row]), int(issues.suggested[row])
    off = services.read_only
    chosen = decision.after if decision is not None and decision.action == "relabel" else None

    def key(cap: str, words: list, act: str, hint: str = "", **more: str) -> html.Button:
        return html.Button(
            [html.Kbd(cap, **{"aria-hidden": "true"}), *words],
            type="button",
            className="key",
            disabled=off,
            title=hint,
            **{"data-press": act, **more},
        )

    def relabel(i: int | str, name: str) -> html.Button:
        notes = [word for which, word in ((label, "labelled"), (suggested, "suggested")) if which == i]
        return key(
            str(i) if isinstance(i, int) and i < KEYS else "·",
            [dot(i), html.Span([name, html.Small(notes[0]) if notes else None], className="name")],
            "relabel",
            f"It is {name}",
            **{
                "data-label": name,
                "data-class": str(i),
                "aria-pressed": str(name == chosen).lower(),
                "aria-label": f"Relabel {name}" + "".join(f", {note}" for note in notes),
            },
        )

    likely = np.argsort(-probabilities(run, issues, row), kind="stable")[: class_choices.FIRST]
    classes = class_choices.choices(
        run.classes, relabel, label="Relabel", first=[suggested, label, *likely.tolist()], className="classes"
    )
    acts = [
        key("Space", [f"Keep {run.classes[label]}"], "keep", "The label is right"),
        key("X", ["Exclude"], "exclude", "Leave the image out"),
        key("U", ["Undo"], "undo", "Take back what you decided last"),
        html.Span(
            [
                html.Button(
                    html.Kbd("←"), type="button", className="key", **{"data-press": "back", "aria-label": "Previous"}
                ),
                html.Button(
                    html.Kbd("→"), type="button", className="key", **{"data-press": "on", "aria-label": "Next"}
                ),
            ],
            className="walk",
        ),
    ]
    return html.Div(
        [
            html.Div(classes, role="group", **{"aria-label": "Relabel", **class_choices.named(run.classes)}),
            html.Div(acts, className="acts"),
        ]
    )
