"""What is known of an answer, in the sample drawer: how sure it was, of which classes, and where one can go on."""

import numpy as np
from dash import html

from dashboard.components import button, explanations
from dashboard.components.bars import probability_bars
from dashboard.components.icons import icon
from dashboard.data.run import RunData
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts import kinds


def percent_of(run: RunData, probability: float) -> str:
    """How sure it was, '' where nobody knows."""
    return f"{100 * probability:.1f} %" if run.can("top-k") else ""


def without_maps(run: RunData, convolutions: bool) -> str:
    """Why maps are not there, '' where all are."""
    if not run.can("gradients"):
        return explanations.without(run)
    return "" if convolutions else "No Grad-CAM: this network has no convolution for it to look at. "


def bars(run: RunData, probabilities: np.ndarray, guess: int, label: int | None) -> html.Div | html.P:
    """The probabilities that are known, and which are not."""
    if not run.can("top-k"):
        return html.P(kinds.lacks("top-k"), className="quiet small")
    drawn = probability_bars(probabilities, run.classes, guess=guess, label=label)
    if run.can("probabilities"):
        return drawn
    note = html.P("Only the likeliest classes are known: the others have what is left.", className="quiet small")
    return html.Div([drawn, note])


def ways(run: RunData, selection: Selection) -> list:
    """From the sample to where something can be done with it."""
    assert selection.sample is not None
    studio = selection.here().with_(sample=selection.sample).query()
    review = Selection(
        run=selection.run, split=selection.split, ids=(selection.sample,), sample=selection.sample
    ).query()
    words = "Label it in Review" if selection.split == UNLABELLED else "Its label in Review"
    return [
        button("Open in the studio", kind="primary", search=studio, path="/prediction")
        if run.can(kinds.NETWORK)
        else None,
        # of what the run learned from, Review has the suspected alone
        button(words, search=review, path="/review") if selection.split != "reference" else None,
        html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""}),
    ]
