"""What stands beside an answer: how unusual the picture is, the nearest of the runner-up class, pictures like it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from dashboard.components import badge, dot
from dashboard.data.run import RunData
from dashboard.format.images import sprite_url, tile_style
from dashboard.services.container import Services
from dashboard.state.vocabulary import NO_LABEL
from ml.artifacts.reader import Missing
from ml.stats.ood import LIMIT, Familiarity

TRAINED = ("train", "reference")  # what the network learned from


def verdict(familiarity: Familiarity) -> html.Span:
    """One badge, in words."""
    return (
        badge("Unlike the training data (out of distribution)", "warn")
        if familiarity.unlike
        else badge("Looks like the training data", "good")
    )


def meter(familiarity: Familiarity) -> list:
    """Where this picture stands among the validation pictures."""
    place = f"{familiarity.percentile:.0f}"
    if familiarity.layers:
        how = "by what every layer says of it: the Mahalanobis distance"
    elif familiarity.model:
        how = "by what the last layer reads: the Mahalanobis distance"
    else:
        how = f"mean distance of the five nearest in the last layer: {familiarity.score:.2f}"
    words = f"Further from the training pictures than {place} % of {familiarity.n:,} validation images ({how})."
    advice = (
        f" Past {LIMIT:.0f} % the answer is a guess about something the network was not made for."
        if familiarity.unlike
        else f" Past {LIMIT:.0f} % the badge says so."
    )
    return [
        html.H3("How unusual is this picture?"),
        html.Div(
            [
                html.I(style={"left": f"{min(max(familiarity.percentile, 0.5), 99.5):.1f}%"}),
                html.U(style={"left": f"{LIMIT:.0f}%"}),
            ],
            className="meter",
            style={"--limit": f"{LIMIT:.0f}%"},
            role="img",
            **{"aria-label": f"{place} of 100"},
        ),
        html.P(words + advice, className="faint small"),
    ]


def rival(run: RunData, familiarity: Familiarity, klass: int, role: str) -> list:
    """The nearest reference picture of a class that was not the answer, and how far behind the nearest of all it is.

    role: what the class is to the picture, in words.
    """
    name = run.classes[klass]
    if familiarity.rival is None:
        return [html.P(f"None of the training images here is labelled {name}.", className="faint small")]
    near = familiarity.rival
    height, width = run.dataset["height"], run.dataset["width"]
    url = sprite_url(run.picture_set, "reference", [near.example_id])
    first = float(familiarity.distances[0]) if len(familiarity.distances) else 0.0
    if near.place == 1:
        words = "the nearest of all training images"
    elif first > 0:
        words = f"number {near.place:,} by distance, {near.distance / first:.1f} times as far as the nearest"
    else:
        words = f"number {near.place:,} by distance"
    return [
        html.Div(
            [
                html.Span(
                    className="px",
                    role="img",
                    style=tile_style(url, 0, 1, height, width),
                    **{"aria-label": f"Nearest training image labelled {name}"},
                ),
                html.P(
                    [
                        "Nearest of ",
                        role,
                        ", ",
                        html.Span([dot(klass), html.B(name)], className="named"),
                        f": {near.distance:.2f} away, {words}.",
                    ]
                ),
            ],
            className="rival",
        )
    ]


def labelled(run: RunData, probabilities: np.ndarray, guess: int, label: int | None) -> list:
    """What the sample is said to be, and how likely the network finds that."""
    if label is None:
        return [html.B(NO_LABEL), ": not scored"]
    likely = "" if label == guess or not run.can("probabilities") else f", which got {100 * probabilities[label]:.1f} %"
    return ["labelled ", html.B(run.classes[label]), likely]


def twins(run: RunData, split: str, example_id: int) -> list:
    """A warning where other pictures of the data set are nearly the same as an example; [] where none is."""
    try:
        frame = run.duplicates(split)
    except Missing as missing:
        return [html.P([f"{missing} ", html.Code(missing.command)], className="faint small")]
    mine = frame[frame["example_id"] == example_id].sort_values("distance")
    return warning([(row.other_split, int(row.other_id), float(row.distance)) for row in mine.itertuples()])


def warning(pairs: Sequence[tuple[str, int, float]]) -> list:
    """pairs: (split, id, distance) of pictures that are nearly the same, nearest first."""
    if not pairs:
        return []
    duplicates = []
    for split, example_id, distance in pairs:
        where = "training" if split in TRAINED else split
        duplicates.append(f"{where} image {example_id} (distance {distance:.3f})")
    leak = any(split in TRAINED for split, _, _ in pairs)
    more = " What the network says of a picture it has learned from says little about new ones." if leak else ""
    rest = f" and {len(duplicates) - 3} more" if len(duplicates) > 3 else ""
    return [
        html.Div(
            [
                badge("Near-duplicate", "warn"),
                html.P(f"Nearly the same picture as {', '.join(duplicates[:3])}{rest}.{more}"),
            ],
            className="twins",
            role="note",
        )
    ]


def came_as(services: Services, run: RunData, example_id: int) -> list[Any]:
    """The file that a picture of an imported data set was made of, for who wants to see it; nothing where it is not
    known. Whether it is still there is found out when it is asked for."""
    origin = services.datasets.original(run.dataset, example_id)
    if origin is None:
        return []
    there = f"/originals/{run.dataset['name']}/{example_id}.png?v={run.picture_set[1]}"
    link = html.A(origin.name or "its file", href=there, target="_blank", rel="noopener", id="sample-drawer-original")
    return ["It came as ", link, ". "]
