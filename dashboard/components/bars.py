"""Probability bars as plain elements: light enough for a drawer that opens on every click."""

from collections.abc import Sequence

import numpy as np
from dash import html

from dashboard.figures.probabilities import likeliest
from dashboard.format.numbers import percent
from dashboard.theme import class_variable


def probability_bars(
    probabilities: np.ndarray, classes: Sequence[str], *, guess: int, label: int | None = None
) -> html.Div:
    """probabilities: float [C]. The most likely class first, of many the rest as one.

    The label's bar is outlined where it is not the guess.
    """
    lines, listed = [], likeliest(probabilities, (guess, label))
    for i in listed.order:
        kinds = ["pbar", "on" if i in (guess, label) else "", "label" if i == label != guess else ""]
        bar = html.I(style={"width": f"{100 * probabilities[i]:.2f}%", "--c": class_variable(i)})
        lines.append(
            html.Div(
                [
                    html.Span(classes[i], title=classes[i]),
                    html.Span(bar, className="track"),
                    html.Span(percent(probabilities[i])),
                ],
                className=" ".join(k for k in kinds if k),
            )
        )
    if listed.rest:
        bar = html.I(style={"width": f"{100 * listed.together:.2f}%", "--c": "var(--ff-line-2)"})
        rest = [html.Span(listed.words), html.Span(bar, className="track"), html.Span(percent(listed.together))]
        lines.append(html.Div(rest, className="pbar"))
    return html.Div(
        lines,
        className="pbars",
        role="img",
        **{"aria-label": f"Probability bars, {classes[guess]} {percent(probabilities[guess])} percent first"},
    )
