"""How good is it, and how sure can we be?"""

import numpy as np
import pandas as pd
from dash import Dash, Input, html

from dashboard.analysis.class_parts import END, by_interval
from dashboard.components import dot, plain, stat, way, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures.accuracy import percent_ticks
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import split_name
from dashboard.theme import class_variable
from ml.stats.intervals import wilson

FACE = "dashboard-scores-face"
BODY = "dashboard-scores-body"


def layout(services: Services, selection: Selection) -> html.Section:
    """One card: the accuracy with all classes on one axis, and six more numbers."""
    return html.Section([slot(FACE), plain.place(BODY, className="ff-card scores")], **{"aria-label": "Scores"})


def register(app: Dash, services: Services) -> None:
    """Redraw when run, split, labels or epoch change; the selection does not touch the whole split's scores."""

    @panel_callback(app, FACE, plain.children(BODY), Input("app-view-state", "data"))
    def draw_scores(search: str | None):
        selection = Selection.parse(search)
        return body(services.store.shown(selection.run).for_selection(selection), selection)


def body(run: RunData, selection: Selection) -> list:
    """Hero and stats of the selection's split."""
    split = selection.split
    predictions = run.predictions(split)
    classes = len(run.classes)
    hits = np.bincount(predictions.labels[predictions.right & predictions.kept], minlength=classes)
    n = np.bincount(predictions.labels[predictions.kept], minlength=classes)
    low, high = wilson(hits, n)
    share = np.divide(hits, n, out=np.zeros(classes), where=n > 0)
    right, total = int(hits.sum()), int(n.sum())
    ends = (float(wilson(right, total)[0]), float(wilson(right, total)[1]))
    conditions = ", labels as reviewed" if run.current_labels else ""
    conditions += f", after epoch {run.epoch}" if run.epoch is not None and split != "reference" else ""
    hero = html.Div(
        [
            html.Div(
                [
                    html.Span([f"{100 * right / total:.1f}", html.Small("%")], className="hero-n"),
                    html.Div(
                        [
                            html.H2(f"of {split_name(split)} images named right (accuracy){conditions}"),
                            html.P(
                                [
                                    f"95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f}, {right:,} of {total:,}",
                                    *([", ", mistakes(selection, total - right)] if right < total else []),
                                ],
                                className="quiet",
                            ),
                        ]
                    ),
                ],
                className="hero-top",
            ),
            strip(run.classes, share, low, high, n, right / total, ends),
        ],
        className="hero",
    )
    return [hero, html.Div(stats(run, selection, share, low, high, n), className="stats")]


def mistakes(selection: Selection, n: int) -> html.Button:
    """The way to what is not right."""
    return way(f"{n:,} wrong", selection.clear().with_(outcome=("wrong",)).query(), label=f"See the {n:,} wrong ones")


def floor_of(low: np.ndarray) -> float:
    """Where an axis of class accuracies may start: at most 0.8, in steps of 0.1, below every interval."""
    return max(0.0, min(0.8, np.floor(float(low.min()) * 10 - 1e-9) / 10))


def strip(classes: list[str], share, low, high, n, overall: float, ends: tuple[float, float]) -> html.Div:
    """Every class on one axis, worst first, with the interval of all images behind them."""
    floor = floor_of(low[n > 0]) if (n > 0).any() else 0.0

    def at(value: float) -> str:
        return f"{100 * (value - floor) / (1 - floor):.2f}%"

    ticks = percent_ticks(floor)
    parts: list = [html.I(className="gridline", style={"left": at(t / 100)}) for t in ticks]
    parts += [
        html.Span(f"{t}" + (" %" if t == 100 else ""), className="tick", style={"left": at(t / 100)}) for t in ticks
    ]
    parts += [
        html.I(className="band", style={"left": at(ends[0]), "width": f"calc({at(ends[1])} - {at(ends[0])})"}),
        html.I(className="all", style={"left": at(overall)}),
        html.Span("all images", className="all-name", style={"left": at(overall)}),
    ]
    order = told_apart(share, low, high, n)
    for place, i in enumerate(order):
        colour, top = class_variable(i), f"{6 + place * 7.3:.1f}px"
        width = f"calc({at(high[i])} - {at(low[i])})"
        parts += [
            html.I(className="range", style={"--c": colour, "left": at(low[i]), "width": width, "top": top}),
            html.I(className="at", style={"--c": colour, "left": at(share[i]), "top": top}),
        ]
    best, worst = extremes(low, high, n)
    below = f"{13 + order.index(worst) * 7.3:.1f}px"
    if best != worst:  # where all are alike, the first of them is both
        parts.append(
            html.Span(
                classes[worst],
                className="name",
                title=classes[worst],
                style={"left": at(share[worst]), "top": below, "transform": f"translateX(-{at(share[worst])})"},
            )
        )
        end = f"{order.index(best) * 7.3:.1f}px"
        parts.append(
            html.Span(
                classes[best],
                className="name end",
                title=classes[best],
                style={
                    "left": f"calc({at(high[best])} + 8px)",
                    "top": end,
                    "maxWidth": f"min(70px, calc(100% - {at(high[best])} + 52px))",
                },
            )
        )
    of = (
        "each class"
        if len(order) == len(classes)
        else f"the {END} worst and the {END} best of {int((n > 0).sum()):,} classes"
    )
    words = (
        f"Accuracy of {of} with its interval, from {classes[worst]} {100 * share[worst]:.1f} percent "
        f"to {classes[best]} {100 * share[best]:.1f} percent; all images {100 * overall:.1f} percent"
    )
    title = "" if len(order) == len(classes) else words
    return html.Div(
        parts, className="strip", role="img", style={"--n": len(order)}, title=title, **{"aria-label": words}
    )


def told_apart(share: np.ndarray, low: np.ndarray, high: np.ndarray, n: np.ndarray) -> list[int]:
    """The classes of the axis, worst first; of many the ends of their order, which the best and the worst belong to."""
    if len(share) <= MANY_CLASSES:
        return np.argsort(share, kind="stable").tolist()
    best_first, known = by_interval(low, high, n)
    best, worst = extremes(low, high, n)
    ranked = [i for i in best_first[:known] if i not in (best, worst)][::-1]
    return [worst, *ranked[: END - 1], *ranked[max(END - 1, len(ranked) - END + 1) :], best]


def extremes(low: np.ndarray, high: np.ndarray, n: np.ndarray) -> tuple[int, int]:
    """The best and the worst class that can be told by their intervals: one image alone makes a class neither.

    Best is who has the highest lower end, worst who has the lowest upper end; a class without an image is neither.
    """
    return int(np.argmax(np.where(n > 0, low, -1.0))), int(np.argmin(np.where(n > 0, high, 2.0)))


def bins() -> html.Button:
    """The way to the diagram whose bins the calibration error is of, further down."""
    return html.Button("15 bins", type="button", className="way-to", **{"data-goto": "dashboard-sure"})


def stats(run: RunData, selection: Selection, share, low, high, n) -> list:
    """Macro-F1, loss, calibration, best and worst class, size."""
    frame = run.scores(selection.split)
    overall = frame[frame["class"].isna()].set_index("metric")
    floor = floor_of(low[n > 0]) if (n > 0).any() else 0.0
    best, worst = extremes(low, high, n)
    f1, none = overall.loc["macro_f1"], ("–", "", html.Span(className=BLANK), "no class stands out")

    def of_class(title: str, i: int, outcome: tuple[str, ...] = ()):
        value, ends = f"{100 * share[i]:.1f}", f"{100 * low[i]:.1f} – {100 * high[i]:.1f}, n {n[i]:,}"
        mark = whisker(share[i], low[i], high[i], (floor, 1), class_variable(i))
        name = run.classes[i]
        there = selection.clear().with_(true=(name,), outcome=outcome)
        words = f"{title}: {name}, {value} percent, {ends}. See its {'mistakes' if outcome else 'images'}"
        return stat([dot(i), f"{title}, {name}"], value, "%", mark, ends, search=there.query(), words_of_link=words)

    return [
        stat(
            "Macro-F1",
            f"{100 * f1.value:.1f}",
            "%",
            whisker(f1.value, f1.low, f1.high, (floor, 1)),
            f"{100 * f1.low:.1f} – {100 * f1.high:.1f}",
        ),
        *sureness(overall),
        *(
            (of_class("Best", best), of_class("Worst", worst, ("wrong",)))
            if best != worst
            else (stat("Best", *none), stat("Worst", *none))
        ),
        about_size(run),
    ]


BLANK = "whisk blank"


def sureness(overall: pd.DataFrame) -> list:
    """Loss and calibration; of predictions that came without numbers, that nobody knows them."""
    loss, ece = (overall.loc[m] if m in overall.index else None for m in ("loss", "calibration_error"))
    none = ("–", "", html.Span(className=BLANK), "needs all probabilities")
    return [
        stat("Loss", *none)
        if loss is None
        else stat(
            "Loss",
            f"{loss.value:.3f}",
            "",
            whisker(loss.value, loss.low, loss.high, (0, max(0.5, 1.5 * loss.high))),
            f"{loss.low:.3f} – {loss.high:.3f}",
        ),
        stat("Calibration (ECE)", *none[:3], "needs confidences")
        if ece is None
        else stat(
            "Calibration (ECE)",
            f"{100 * ece.value:.1f}",
            "%",
            whisker(ece.value, ece.low, ece.high, (0, max(0.06, 1.2 * ece.high))),
            [f"{100 * ece.low:.1f} – {100 * ece.high:.1f}, ", bins()],
        ),
    ]


def about_size(run: RunData) -> html.Div | html.Button:
    """How many numbers the network has, where there is one."""
    blank, parameters = html.Span(className=BLANK), run.manifest.get("parameters")
    if parameters is None:
        return stat("Parameters", "–", "", blank, "predictions alone")
    size_of = run.manifest.get("bytes") or 4 * parameters
    size, unit = (f"{parameters / 1e6:.2f}", "M") if parameters >= 100_000 else (f"{parameters:,}", "")
    return stat("Parameters", size, unit, blank, f"{size_of / 1e6:.1f} MB of weights")
