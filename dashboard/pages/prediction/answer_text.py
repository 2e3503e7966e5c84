"""An answer in words: how sure, in which set, by which threshold."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from dash import html

from dashboard.analysis import prediction_sets
from dashboard.analysis.prediction_sets import Verdict
from dashboard.components import badge, column_head, csv_link, dot, plain
from dashboard.data.run import RunData
from dashboard.figures.probabilities import MANY
from dashboard.format.csv import Source, csv_data_url
from dashboard.format.numbers import percent
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import LEVELS
from ml.artifacts.reader import Broken, Missing

NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
ABSTAINED = "No answer"
UNLIKE = (
    plain.element("P", "Unlike anything it was trained on", className="big"),
    plain.element("P", "It has to name one of its classes all the same. A guess:", className="small quiet"),
)


@dataclass
class AnswerText:
    """The answer in words; the fields are outputs."""

    label: str = ""
    confidence: Any = ""
    truth: Any = None
    set: Any = None
    top: Any = None
    title: str = "All classes"
    choices: Any = None
    threshold: str = ""
    csv: Any = None
    unlike: Any = None


def describe(
    run: RunData, probabilities: np.ndarray, selection: Selection, truth: int | None, *, unlike: bool | None = False
) -> AnswerText:
    """An answer in words. probabilities: float [C], as trained; truth: a class id.

    unlike: whether the picture is called unlike the training data, so that the label is no headline.
    """
    selection = readable(run, selection)
    verdict = prediction_sets.judged(run, probabilities, selection)
    number = f"{100 * verdict.confidence:.1f}"
    return AnswerText(
        ABSTAINED if verdict.abstains else verdict.label,
        [number, html.Small(" %")],
        _truth(verdict, truth),
        [*_abstained(verdict), *_set(run, probabilities, selection)],
        _top(run, probabilities),
        classes_title(len(run.classes)),
        _ways(run, selection),
        f"{100 * verdict.threshold:.0f} %",
        csv_link(csv_data_url(*_table(run, probabilities), Source.of(run)), name="answer.csv"),
        [*UNLIKE] if unlike else None,
    )


def _table(run: RunData, probabilities: np.ndarray) -> tuple[list[str], list[list]]:
    """Every class, likeliest first: as trained, and where the run knows it calibrated, and in which sets."""
    columns: dict[str, Any] = {"as_trained": probabilities.astype(float)}
    with contextlib.suppress(Missing, Broken):
        columns["calibrated"] = prediction_sets.scaled(run, probabilities[None])[0]
    with contextlib.suppress(Missing, Broken):
        columns |= {
            f"in_set_{level}": prediction_sets.sets(run, probabilities[None], level / 100)[0].astype(int)
            for level in LEVELS
        }
    order = np.argsort(-probabilities, kind="stable")
    rows = [[run.classes[i], *(column[i].item() for column in columns.values())] for i in order]
    return ["class", *columns], rows


def readable(run: RunData, selection: Selection) -> Selection:
    """The selection, as trained where the run has no temperature."""
    if selection.scaling is None:
        return selection
    try:
        run.temperature()
    except (Missing, Broken):
        return replace(selection, scaling=None)
    return selection


def _truth(verdict: Verdict, truth: int | None) -> Any:
    if truth is None or not 0 <= truth < len(verdict.classes):
        return None
    if verdict.abstains:
        mark = badge("not answered", "mute")
    else:
        mark = badge("right", "good") if truth == verdict.predicted else badge("wrong", "bad")
    return html.P(["Labelled ", html.B(verdict.classes[truth]), " ", mark])


def _abstained(verdict: Verdict) -> list[Any]:
    """Why there is no answer, [] where there is one."""
    if not verdict.abstains:
        return []
    likeliest, threshold = f"{100 * verdict.confidence:.1f} %", f"{100 * verdict.threshold:.0f} %"
    words = f" is likeliest, and {likeliest} is under your threshold of {threshold}."
    return [html.P([html.B(verdict.label), words], className="small quiet")]


def _set(run: RunData, probabilities: np.ndarray, selection: Selection) -> list[Any]:
    """The conformal set in words, and what sets of its level are worth."""
    try:
        chosen = [run.classes[i] for i in prediction_sets.members(run, probabilities, selection.level)]
        worth = prediction_sets.measured(run).get(selection.level)
    except Missing as missing:
        return [html.P([f"{missing} ", html.Code(missing.command)], className="faint small")]
    except Broken as broken:
        return [html.P(str(broken), className="faint small")]
    words = [html.P([f"{selection.level} % set: ", html.B(prediction_sets.worded(chosen))])]
    if worth is not None and worth.covered.n:
        share = worth.covered
        words.append(
            html.P(
                f"Such sets held the true class of {share.percent} % of test images ({share.span}, {share.count:,} of "
                f"{share.n:,}); {worth.size:.2f} classes each on average, {worth.empty:,} of them empty.",
                className="faint small",
            )
        )
    return words


def _top(run: RunData, probabilities: np.ndarray) -> list[Any]:
    """The likeliest classes, as trained and calibrated."""
    try:
        scaled: np.ndarray | None = prediction_sets.scaled(run, probabilities[None])[0]
    except (Missing, Broken):
        scaled = None
    head = [html.Td(), column_head("Uncalibrated", title="As trained")]
    rows = []
    for i in np.argsort(-probabilities, kind="stable")[:3].tolist():
        cells = [
            html.Th([dot(i), html.Span(run.classes[i])], scope="row"),
            html.Td(f"{percent(probabilities[i])} %"),
        ]
        if scaled is not None:
            cells.append(html.Td(f"{percent(float(scaled[i]))} %"))
        rows.append(html.Tr(cells))
    if scaled is not None:
        head.append(column_head("Calibrated", title="By temperature scaling"))
    caption = html.Caption(f"Top {NUMBERS[len(rows)]}")
    return [html.Table([caption, html.Thead(html.Tr(head)), html.Tbody(rows)], className="top3")]


def _ways(run: RunData, selection: Selection) -> list[Any]:
    """Buttons that change how the answer is told: each leads to the address that says so."""
    try:
        warmth = f"divided by {run.temperature():.2f}, which is fitted on validation"
        missing = ""
    except (Missing, Broken) as problem:
        warmth, missing = "", str(problem)
    scalings = [
        _choice("Uncalibrated", selection, on=selection.scaling is None, title="As trained", scaling=None),
        _choice(
            "Calibrated",
            selection,
            on=selection.scaling is not None,
            title=missing or f"Temperature scaling: logits {warmth}",
            disabled=bool(missing),
            scaling="temperature",
        ),
    ]
    levels = [_choice(f"{level} %", selection, on=selection.level == level, level=level) for level in LEVELS]
    return [
        html.Div(
            [html.Span(words), html.Div(buttons, className="seg", role="group", **{"aria-label": name})],
            className="way",
        )
        for words, name, buttons in (
            ("Confidence: as trained, or by temperature scaling", "Probabilities", scalings),
            ("Set that holds the truth (conformal prediction)", "Level of the prediction set", levels),
        )
    ]


def _choice(
    words: str, selection: Selection, *, on: bool, title: str = "", disabled: bool = False, **change: Any
) -> dict:
    return plain.element(
        "Button",
        words,
        type="button",
        title=title or None,
        disabled=disabled,
        **{
            "data-search": replace(selection, **change).query(),
            "data-own": ",".join(change),  # what is changed by hand stays as it is by then
            "aria-pressed": str(on).lower(),
        },
    )


def classes_title(classes: int) -> str:
    if classes > MANY:
        return f"Likeliest of {classes:,} classes"
    return f"All {NUMBERS[classes] if classes < len(NUMBERS) else classes} classes" if classes else "All classes"
