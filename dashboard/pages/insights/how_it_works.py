"""Six steps from a picture to an answer, with this run's own numbers and the picture you chose."""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, graph, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures import activations as figures
from dashboard.figures import history as curves
from dashboard.format.images import sprite_url, tile_style
from dashboard.format.numbers import percent
from dashboard.pages.insights import architecture, picture
from dashboard.pages.insights.stages import INSIDE
from dashboard.pages.insights.walked_picture import Walk, arrow, numbers, reach, row, shot, window
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import label_name
from ml.artifacts.reader import Broken, Missing
from ml.system.wording import quantity

NEEDS = ("layers", "training")


class Ids(StrEnum):
    FACE = "insights-lesson-face"
    STEPS = "insights-lesson-steps"


LESSON_STEPS = ("data", "convolution", "relu", "pooling", "dropout", "learning")
TITLES = ("The data set", "Convolution", "ReLU", "Pooling", "Dropout", "Learning")


def body_id(step: str) -> str:
    """Where a step's picture and words go."""
    return f"insights-lesson-{step}"


LOSS_GRAPH = "insights-lesson-loss-graph"


def layout(services: Services, selection: Selection) -> html.Article:
    """Six numbered places."""
    steps = [
        html.Li(
            [
                html.H3([html.Span(str(number), className="no"), title]),
                html.Div(panel_states.loading("Computing"), id=body_id(step), className="step-body"),
                *([html.Div(graph(LOSS_GRAPH), className="chart loss")] if step == "learning" else []),
            ]
        )
        for number, (step, title) in enumerate(zip(LESSON_STEPS, TITLES, strict=True), 1)
    ]
    return card("How does this work?", __doc__, [slot(Ids.FACE), html.Ol(steps, id=Ids.STEPS, className="lesson")])


def data(run: RunData, selection: Selection, image: np.ndarray) -> list:
    """One picture a class, and what a picture is: numbers."""
    pictures = run.pictures(selection.split)
    rows = picture.some(pictures.labels, min(len(run.classes), 20), 0)
    ids = [int(i) for i in pictures.ids[rows]]
    height, width, channels = image.shape
    sheet = sprite_url(run.picture_set, selection.split, ids)
    tiles = [
        html.Span(
            className="px",
            role="img",
            style=tile_style(sheet, place, len(ids), height, width),
            **{"aria-label": label_name(run.classes, int(pictures.labels[r]))},
        )
        for place, r in enumerate(rows)
    ]
    grid, where = window(image)
    spot = (where[1] / width, where[0] / height, grid.shape[1] / width, grid.shape[0] / height)
    counts = run.dataset["counts"]
    cells = [
        html.Span(str(int(v)), style={"background": f"rgb({v},{v},{v})", "color": "#fff" if v < 120 else "#000"})
        for v in grid.reshape(-1)
    ]
    colours = "one brightness" if channels == 1 else f"{channels} brightnesses"
    return [
        row(
            shot(image, f"your picture, {width} × {height}", "The chosen picture", spot),
            arrow(),
            html.Figure(
                [
                    html.Div(cells, className="numgrid", style={"--n": grid.shape[1]}),
                    html.Figcaption("a corner of it, as it is stored"),
                ]
            ),
        ),
        html.Div(tiles, className="tinies"),
        html.P(
            f"A picture is {height * width * channels:,} numbers: {colours} from 0 to 255 for each of {width} × "
            f"{height} points. "
            f"The network learns from {run.manifest['train_images']:,} such pictures whose class is known, one of "
            f"{len(run.classes)}, "
            f"and is judged on {counts['test']:,} others."
        ),
    ]


def convolution(walk: Walk, mode: str) -> list:
    """The picture, the kernel that it excites most, the map that comes out."""
    layer = walk.first("Conv2d")
    if layer is None or layer["name"] not in walk.maps:
        return [
            html.P(
                "This network has no convolutions: every number of the picture goes straight to every unit of "
                "the first dense layer, wherever it lies. A network with convolutions slides small windows over "
                "the picture instead."
            )
        ]
    channel = walk.channel
    out = walk.maps[layer["name"]][channel]
    kernels = walk.run.filters()[layer["name"]][channel].astype(np.float32)
    row_, column = (int(i) for i in np.unravel_index(out.argmax(), out.shape))
    before = walk.before(layer)  # a picture that was enlarged for the network
    seen = walk.image.shape[:2] if before is None else before.shape[1:]
    spot = reach(seen, kernels.shape[1:], layer, row_, column)
    at = (column / out.shape[1], row_ / out.shape[0], 1 / out.shape[1], 1 / out.shape[0])
    shown = kernels[:3]
    most = float(np.abs(shown).max())
    grids = [
        numbers(k, most, mode, f"filter {channel + 1}" if len(kernels) == 1 else f"channel {i + 1}", "{:.2f}")
        for i, k in enumerate(shown)
    ]
    units, size = layer["shape"][0], f"{kernels.shape[1]} × {kernels.shape[2]}"
    return [
        row(
            shot(walk.image, "your picture", "The chosen picture", spot),
            arrow("✕"),
            html.Div(grids, className="grids"),
            arrow(),
            shot(
                figures.paint(out, float(np.abs(out).max())), "its response", f"What filter {channel + 1} answers", at
            ),
        ),
        html.P(
            f"A filter is a window of {size} weights that slides over the picture. At each place it multiplies, "
            "adds up and writes one number. "
            f"The first layer learned {units} of them; filter {channel + 1} has most to say about yours. In the "
            f"framed place it answers {out.max():.2f}, its largest value."
        ),
    ]


def relu(walk: Walk) -> list:
    """The same map before and after."""
    layer = walk.first("ReLU")
    before = walk.before(layer) if layer else None
    if layer is None or before is None or layer["name"] not in walk.maps:
        return [
            html.P(
                "ReLU sets every negative number to zero and leaves the others alone. In this network it follows "
                "layers whose numbers form no picture, so there is nothing to show."
                if layer
                else "Between its layers, this network has no ReLU: it bends its numbers another way."
            )
        ]
    channel = min(walk.channel, len(before) - 1)
    was, is_ = before[channel], walk.maps[layer["name"]][channel]
    most = float(np.abs(was).max())
    zero, whole = int((was < 0).sum()), was.size
    return [
        row(
            shot(
                figures.tint(was, most),
                f"before: {was.min():.1f} to {was.max():.1f}",
                "The map before ReLU, negative values in orange",
            ),
            arrow(),
            shot(
                figures.tint(is_, most),
                f"after: {is_.min():.1f} to {is_.max():.1f}",
                "The map after ReLU, negative values gone",
            ),
        ),
        html.P(
            "Orange says “the opposite of what I look for”. ReLU keeps what is above zero and sets the rest to "
            f"zero: here {zero:,} of {whole:,} values "
            f"({100 * zero / whole:.0f} %). Without a bend like this, a stack of layers could do no more than a "
            "single one."
        ),
    ]


def pooling(walk: Walk, mode: str) -> list:
    """A map, smaller; and one square of it in numbers."""
    layer = walk.first("MaxPool2d")
    before = walk.before(layer) if layer else None
    if layer is None or before is None or layer["name"] not in walk.maps:
        sides = dict.fromkeys(maps.shape[1:] for maps in walk.maps.values() if maps[0].size > 1)
        steps = [" × ".join(map(str, side)) for side in sides]
        return [
            html.P(
                f"This network has no max pooling: its maps become smaller, {' to '.join(steps)}, where a window moves "
                "by more than one point at a time."
                if len(steps) > 1
                else "This network has no pooling: it never makes a picture smaller between its layers."
            )
        ]
    size = int(float(architecture.setting(layer, "kernel_size", "2")))
    stride = int(float(architecture.setting(layer, "stride", str(size))))
    channel = min(walk.channel, len(before) - 1)
    was, is_ = before[channel], walk.maps[layer["name"]][channel]
    most = float(max(np.abs(was).max(), 1e-9))
    i, j = (int(v) for v in np.unravel_index(is_.argmax(), is_.shape))
    square = was[i * stride : i * stride + size, j * stride : j * stride + size]
    spot = (j * stride / was.shape[1], i * stride / was.shape[0], size / was.shape[1], size / was.shape[0])
    at = (j / is_.shape[1], i / is_.shape[0], 1 / is_.shape[1], 1 / is_.shape[0])
    return [
        row(
            shot(figures.paint(was, most), f"{was.shape[1]} × {was.shape[0]}", "The map before pooling", spot),
            arrow(),
            numbers(square, most, mode, f"largest: {square.max():.1f}"),
            arrow(),
            shot(figures.paint(is_, most), f"{is_.shape[1]} × {is_.shape[0]}", "The map after pooling", at),
        ),
        html.P(
            f"Of each {size} × {size} square only the largest number stays. The map shrinks to {is_.size:,} of "
            f"{was.size:,} numbers, "
            "and what stands one point further left still looks the same."
        ),
    ]


def dropout(walk: Walk) -> list:
    """A map with a mask of the layer's own rate; or why there is none."""
    layers = [layer for layer in walk.layers if layer["kind"].startswith("Dropout")]
    if not layers:
        return [
            html.P(
                "This run has no dropout layers. Where there are some, they set numbers to zero at random while "
                "the network trains, so that it cannot lean on any single one; when it answers, all of them are "
                "there."
            )
        ]
    rates = ", ".join(dict.fromkeys(f"{100 * rate(layer):g} %" for layer in layers))
    words = f"This run has {quantity(len(layers), 'dropout layer')} ({rates})"
    rest = "so the network cannot lean on any single one. When it answers, nothing is dropped."
    layer = next((one for one in layers if walk.before(one) is not None), None)
    before = walk.before(layer) if layer else None
    if layer is None or before is None:
        units = math.prod(layers[0]["shape"])
        return [
            html.P(
                f"{words}, after layers whose numbers form no picture. While training, about "
                f"{units * rate(layers[0]):,.0f} of {units:,} numbers are set to zero at random, {rest}"
            )
        ]
    p = rate(layer)
    kept = np.random.default_rng(0).random(before.shape) >= p
    after = np.where(kept, before / (1 - p), 0)
    channel = min(walk.channel, len(before) - 1)
    most = float(np.abs(after[channel]).max())
    gone = int((~kept).sum())
    return [
        row(
            shot(figures.paint(before[channel], most), "as it is", "The map before dropout"),
            arrow(),
            shot(
                figures.paint(after[channel], most), f"{100 * p:g} % dropped", "The map with random values set to zero"
            ),
        ),
        html.P(
            f"{words}. While training, the first one sets numbers to zero at random, here {gone:,} of "
            f"{before.size:,}, others for every picture, "
            f"and makes the rest {1 / (1 - p):.2f} times as large, {rest}"
        ),
    ]


def rate(layer: dict[str, Any]) -> float:
    """A dropout layer's own."""
    match = re.search(r"\bp=([\d.]+)", layer["settings"])
    return float(match.group(1)) if match else 0.0


def learning(run: RunData, probabilities: np.ndarray) -> list:
    """The run's own loss, from the first epoch to the last."""
    history, config = run.history(), run.manifest["config"]
    loss = history["train_loss"].to_numpy()
    steps = -(-run.manifest["train_images"] // config["batch_size"]) * len(history)
    top = np.argsort(-probabilities, kind="stable")[:2]
    guesses = " and ".join(f"{run.classes[i]} {percent(float(probabilities[i]))} %" for i in top)
    return [
        html.P(
            f"At first the {run.manifest['parameters']:,} numbers are random. The network guesses "
            f"{config['batch_size']} pictures, "
            "the loss says how far off it was, and every number moves a little the way that lowers it. About "
            f"{steps:,} such steps took the training loss "
            f"from {loss[0]:.2f} after the first epoch to {loss[-1]:.2f}. Of your picture the run now says {guesses}."
        )
    ]


def alone(step: Callable[..., list], *given: Any) -> list:
    """A step, or why it cannot be told of this run; the others are told all the same."""
    try:
        return step(*given)
    except Missing as missing:
        command = [" Make it with ", html.Code(missing.command)] if missing.command else []
        return [html.P([str(missing), *command], className="quiet")]
    except Broken as broken:
        return [html.P(str(broken), className="quiet")]


def register(app: Dash, services: Services) -> None:
    """All steps at once: they share one pass of the picture through the network."""

    @panel_callback(
        app,
        Ids.FACE,
        *(Output(body_id(step), "children") for step in LESSON_STEPS),
        Output(LOSS_GRAPH, "figure"),
        Input(INSIDE, "data"),
        Input("app-view-state", "data"),
        Input(picture.Ids.STATE, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_lesson(near: Any, search: str | None, chosen: Any, mode: Any):
        if not near:
            raise PreventUpdate
        selection, mode = Selection.parse(search), theme.mode_of(mode)
        run = services.store.shown(selection.run)
        pictures = run.pictures(selection.split)
        row = picture.row_of(pictures, chosen)
        image = pictures.images[row]
        maps = services.explainer.feature_maps(run.run_id, image)
        walk = Walk(run, image, maps)
        predictions = run.predictions(selection.split)
        probabilities = predictions.probabilities[predictions.row(int(pictures.ids[row]))]
        return (
            data(run, selection, image),
            alone(convolution, walk, mode),
            alone(relu, walk),
            alone(pooling, walk, mode),
            alone(dropout, walk),
            learning(run, probabilities),
            curves.curves(run.history(), measure="loss", mode=mode, height=132),
        )
