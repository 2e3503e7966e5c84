"""Beside the picture: means of the class it is labelled and of the one suggested; without a label, of the likeliest."""

import numpy as np
from dash import Dash, Input, Output, html

from dashboard.analysis import to_label
from dashboard.analysis.label_review import Queue, image_url, queue, split_of
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
from dashboard.state.vocabulary import UNLABELLED, label_name
from ml.artifacts.reader import Missing
from ml.data.images import total

NEEDS = ("probabilities",)
FACE, BODY, PAD = "review-sample-face", "review-sample-body", "review-sample-pad"
TITLE = "review-sample-title"
NO_SUSPECT = "There is no suspected label to look at."
KEYS = 10  # classes that a digit stands for
PROBABILITY = {True: "probability, held out", False: "probability"}  # whether it was suspected by others than the run


def layout(services: Services, selection: Selection) -> html.Article:
    """The image in front and the keys."""
    head = html.Div(
        [html.Div([html.H2("Is this label right?", id=TITLE, className="card-title"), help_line(__doc__)])],
        className="card-h",
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
        Output(TITLE, "children"),
        Input("url", "search"),
        Input("review-done-state", "data"),
    )
    def draw_sample(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        issues, current_labels = queue(run, selection), services.decisions.current_labels(run.data_version)
        row = current(issues, current_labels, selection)
        if row is None:
            none = "There is no image to label." if split_of(selection) == UNLABELLED else NO_SUSPECT
            return panel_states.empty(none), None, title(selection)
        decision = current_labels.of(issues.split, int(issues.ids[row]))
        front = [pictures(services, run, issues, row), evidence(run, issues, row)]
        pad = [decision_line(run, issues, row, decision), keys(services, run, issues, row, decision)]
        return front, pad, title(selection)


def title(selection: Selection) -> str:
    """What is asked of the image in front."""
    return "What is this?" if split_of(selection) == UNLABELLED else "Is this label right?"


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
    scored = issues.split != UNLABELLED
    beside = [(label, "labelled"), (suggested, "suggested")]
    if not scored:
        beside = [(suggested, "predicted"), (int(np.argsort(-p, kind="stable")[1]), "runner-up")]

    def side(which: int, words: str) -> html.Figure:
        name = run.classes[which]
        alt = f"Mean of {counts[which]:,} training images labelled {name}"
        caption = [
            html.Span(words, className="faint"),
            html.B([dot(which), name]),
            html.Span(f"{percent(float(p[which]))} %", className="quiet", title=PROBABILITY[scored]),
        ]
        shot = html.Div(html.Img(src=inline_url(mean[which]), alt=alt), className="shot")
        return html.Figure([shot, html.Figcaption(caption)])

    where = image_url(run, issues.split, example)
    large = html.Div(
        html.Img(src=where, alt=f"Image {example}, {named(run, label)}", id="review-picture"),
        className="shot",
    )
    which = f"{'suspect ' if scored else ''}{row + 1:,} of {len(issues.ids):,}"
    caption = [html.B(f"#{example}", className="mono"), html.Span(which)]
    return html.Div(
        [
            html.Figure([large, html.Figcaption(caption)], className="big"),
            html.Div([side(*one) for one in beside], className="two-means"),
        ],
        className="shots",
    )


def evidence(run: RunData, issues: Queue, row: int) -> html.Div:
    """Probabilities and the nearest training images."""
    label, suggested = int(issues.labels[row]), int(issues.suggested[row])
    scored = issues.split != UNLABELLED
    bars = probability_bars(
        probabilities(run, issues, row), run.classes, guess=suggested, label=label if scored else None
    )
    try:
        ids, labels = neighbours(run, issues, int(issues.ids[row]))
        counts = np.bincount(labels, minlength=len(run.classes))
        words = (
            f"{counts[label]} of {len(ids)} are labelled {run.classes[label]}, "
            f"{counts[suggested]} {run.classes[suggested]}."
        )
        if not scored:
            words = f"{counts[suggested]} of {len(ids)} are labelled {run.classes[suggested]}. "
            words += to_label.unlike(run, run.without_labels().row(int(issues.ids[row])))
        near: list = [html.P(words, className="quiet small"), neighbour_list(run, ids, labels)]
    except Missing as missing:
        near = [html.P(str(missing), className="quiet small"), html.Code(missing.command)]
    return html.Div(
        [
            html.Div([html.H3("Nearest training images"), *near]),
            html.Div([html.H3("Probability of each class" + (", held out" if scored else "")), bars]),
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
    label = label_name(run.classes, int(issues.labels[row]))
    if issues.split == UNLABELLED:
        words: list = unlabelled_line(decision)
    elif decision is None:
        words = ["Labelled ", html.B(label), ". Nothing decided yet."]
    else:
        done = {"keep": "Kept as ", "exclude": "Left out", "relabel": "Relabelled "}[decision.action]
        words = [done, html.B(decision.after) if decision.after else "", f" by {decision.who}. It came as {label}."]
    return html.Div(html.P(words, className="said"), **{"data-decision": decision.action if decision else ""})


def unlabelled_line(decision: Decision | None) -> list:
    """What was said of an image that came without a label."""
    if decision is None:
        return [html.B("No label"), " yet. What it is given here makes it a training image of the next training."]
    if not decision.after:
        return [f"Left out by {decision.who}: it stays without a label."]
    how = ", as predicted" if decision.action == "keep" else ""
    return ["Labelled ", html.B(decision.after), f"{how}, by {decision.who}. It came without a label."]


def named(run: RunData, label: int) -> str:
    """'labelled Sandal', or 'no label'."""
    return f"labelled {run.classes[label]}" if label >= 0 else label_name(run.classes, label)


def keys(services: Services, run: RunData, issues: Queue, row: int, decision: Decision | None) -> html.Div:
    """A button for each key; each does the same as its key."""
    label, suggested = int(issues.labels[row]), int(issues.suggested[row])
    off = services.read_only
    scored = issues.split != UNLABELLED
    given = decision is not None and (decision.action == "relabel" or not scored)
    chosen = decision.after if decision is not None and given else None

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
        known = ((label, "labelled"), (suggested, "suggested" if scored else "predicted"))
        notes = [word for which, word in known if which == i]
        return key(
            str(i) if isinstance(i, int) and i < KEYS else "·",
            [dot(i), html.Span([name, html.Small(notes[0]) if notes else None], className="name")],
            "relabel",
            f"It is {name}",
            **{
                "data-label": name,
                "data-class": str(i),
                "aria-pressed": str(name == chosen).lower(),
                "aria-label": f"{verb} {name}" + "".join(f", {note}" for note in notes),
            },
        )

    likely = np.argsort(-probabilities(run, issues, row), kind="stable")[: class_choices.FIRST]
    verb, first = ("Relabel", [suggested, label]) if scored else ("Label", [suggested])
    classes = class_choices.choices(
        run.classes, relabel, label=verb, first=[*first, *likely.tolist()], className="classes"
    )
    acts = [
        key("Space", [f"Keep {run.classes[label]}"], "keep", "The label is right")
        if scored
        else key("Space", [f"It is {run.classes[suggested]}"], "keep", "What is predicted is right"),
        key("X", ["Exclude" if scored else "Skip"], "exclude", "Leave the image out"),
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
            html.Div(classes, role="group", **{"aria-label": verb, **class_choices.named(run.classes)}),
            html.Div(acts, className="acts"),
        ]
    )
