"""Probability bars as plain elements: light enough for a drawer that opens on every click."""

from collections.abc import Sequence

import numpy as np
from dash import html

from dashboard.format.numbers import percent


def probability_bars(
    probabilities: np.ndarray, classes: Sequence[str], *, guess: int, label: int | None = None
) -> html.Div:
    """probabilities: float [C]. The most likely class first; the label's bar is outlined where it is not the guess."""
    lines = []
    for i in np.argsort(-probabilities, kind="stable").tolist():
        kinds = ["pbar", "on" if i in (guess, label) else "", "label" if i == label != guess else ""]
        bar = html.I(style={"width": f"{100 * probabilities[i]:.2f}%", "--c": f"var(--ff-class-{i})"})
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
    return html.Div(
        lines,
        className="pbars",
        role="img",
        **{"aria-label": f"Probability bars, {classes[guess]} {percent(probabilities[guess])} percent first"},
    )
