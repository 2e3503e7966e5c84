"""How one number of a layer's maps was computed, in pictures and words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html

from dashboard import theme
from dashboard.components import panel_states
from dashboard.figures import activations as figures
from dashboard.format.images import inline_url

LARGEST = 5  # parts of a sum that are named, the largest first


@dataclass(frozen=True)
class Spot:
    """One number of a layer's maps; counted from 0."""

    channel: int
    row: int
    column: int


def size(maps: np.ndarray) -> str:
    return " × ".join(map(str, maps.shape[1:]))


def pair(stop: Any, arithmetic: Any, spot: Spot, of: str, target: str) -> list:
    """What the layer was given, with the window that was looked at, and what it made of it, with the pixel."""
    kind = type(arithmetic).__name__
    given = None
    if stop.before is not None:
        channel = spot.channel
        if kind == "Products":
            channel = int(arithmetic.channels[np.abs(arithmetic.parts).argmax()])
        maps = stop.before[min(channel, len(stop.before) - 1)]
        window = getattr(arithmetic, "window", None)
        if window is None and stop.before.shape[1:] == stop.maps.shape[1:] and kind != "Mixed":
            window = (spot.row, spot.column, 1, 1)
        one = f"map {channel + 1} of {len(stop.before)}" if len(stop.before) > 1 else "one map"
        given = html.Figure(
            [
                html.Div([painted(maps, "What goes in"), frame(window, maps.shape)], className="shot"),
                html.Figcaption(f"goes in: {one}, {size(stop.before)}"),
            ]
        )
    made = stop.maps[spot.channel]
    height, width = made.shape
    marks = {
        "data-pixels": target,
        "data-of": of,
        "data-rows": str(height),
        "data-columns": str(width),
        "data-row": str(spot.row),
        "data-column": str(spot.column),
    }
    answer = html.Figure(
        [
            html.Div(
                [painted(made, "What comes out"), frame((spot.row, spot.column, 1, 1), made.shape)],
                className="shot",
                tabIndex="0",
                role="group",
                **{"aria-label": f"Map {spot.channel + 1}: arrow keys choose the pixel"},
                **marks,
            ),
            html.Figcaption(f"comes out: map {spot.channel + 1}, row {spot.row + 1}, column {spot.column + 1}"),
        ]
    )
    return [given or html.Figure(panel_states.empty("What goes in is no picture.")), answer]


def painted(values: np.ndarray, alt: str) -> html.Img:
    """float [h, w] as a picture: black is zero, blue above, orange below."""
    image = figures.paint(values, float(np.abs(values).max(initial=0)))
    return html.Img(src=inline_url(image), alt=alt, className="crisp")


def frame(window: tuple[int, int, int, int] | None, shape: tuple[int, ...]) -> html.I | None:
    """A frame at top, left of height, width in pixels of a picture of this shape; cut at its edges."""
    if window is None:
        return None
    top, left = max(window[0], 0), max(window[1], 0)
    bottom, right = min(window[0] + window[2], shape[0]), min(window[1] + window[3], shape[1])
    places = (left / shape[1], top / shape[0], (right - left) / shape[1], (bottom - top) / shape[0])
    return html.I(style={k: f"{100 * v:.3f}%" for k, v in zip(("left", "top", "width", "height"), places, strict=True)})


def decimal(value: float, digits: int = 2) -> str:
    """'−0.31', with a true minus; '0' for nothing."""
    text = f"{value:.{digits}f}"
    return ("0" if float(text) == 0 else text).replace("-", "−")


def explained(stop: Any, arithmetic: Any, spot: Spot, mode: str) -> list:
    """How the number came about, in numbers that add up."""
    value = html.B(decimal(arithmetic.value, 3))
    match type(arithmetic).__name__:
        case "Products":
            return products(arithmetic, mode)
        case "Largest":
            most = float(np.nanmax(np.abs(arithmetic.inputs)))
            grid = numbers(arithmetic.inputs, most, mode, "the square it looks at")
            return [html.Div([grid, html.Span("largest", className="arrow"), html.P(value)], className="parts")]
        case "Scaled":
            line = (
                f"({decimal(arithmetic.given, 3)} − {decimal(arithmetic.mean, 3)}) ÷ {decimal(arithmetic.spread, 3)} "
                f"× {decimal(arithmetic.gain, 3)} + {decimal(arithmetic.offset, 3)} = "
            )
            names = "(given − mean) ÷ spread × gain + offset; mean and spread are of the training pictures"
            return [html.P([line, value], className="sum"), html.P(names, className="faint small")]
        case "Added":
            first, second = (came(name) for name in arithmetic.names)
            total = arithmetic.first + arithmetic.second
            line = f"{decimal(arithmetic.first, 3)} ({first}) + {decimal(arithmetic.second, 3)} ({second}) = "
            if arithmetic.bent and total < 0:
                return [html.P([line, decimal(total, 3), ", below zero, so ", value], className="sum")]
            return [html.P([line, value], className="sum")]
        case "Bent":
            return [html.P([f"{stop.kind}({decimal(arithmetic.given, 3)}) = ", value], className="sum")]
        case _:
            why = (
                "Attention: every patch looked at every other, so no window says where this number came from."
                if stop.kind == "EncoderBlock"
                else "This step does several things at once, so no single line says where this number came from."
            )
            return [html.P(["Here: ", value], className="sum"), html.P(why, className="faint small")]


def came(name: str) -> str:
    """What a part of a block is called in a sum."""
    return f"its {name.split('.', 2)[2]}" if name else "what came in"


def products(arithmetic: Any, mode: str) -> list:
    """One convolution at one place: a map's window times its weights, the sums of all maps, the bias, the total."""
    order = np.argsort(-np.abs(arithmetic.parts), kind="stable")
    first = int(order[0])
    inputs, weights = arithmetic.inputs[first], arithmetic.weights[first]
    grids = [
        numbers(inputs, float(np.abs(inputs).max()), mode, f"window of map {arithmetic.channels[first] + 1}"),
        html.Span("×", className="arrow", **{"aria-hidden": "true"}),
        numbers(weights, float(np.abs(weights).max()), mode, "its weights"),
        html.Span("=", className="arrow", **{"aria-hidden": "true"}),
        html.P(
            [html.B(decimal(float(arithmetic.parts[first]), 3)), html.Small(f"{inputs.size} products, added up")],
            className="part",
        ),
    ]
    rows = [(f"map {arithmetic.channels[i] + 1}", float(arithmetic.parts[i])) for i in order[:LARGEST]]
    rest = order[LARGEST:]
    if len(rest):
        rows.append(
            (f"the other {len(rest)}" if len(rest) > 1 else "the other one", float(arithmetic.parts[rest].sum()))
        )
    rows.append(("bias", arithmetic.bias))
    most = max(max(abs(amount) for _, amount in rows), 1e-12)
    lines = [
        html.Li(
            [
                html.Span(name),
                html.Span(
                    html.I(className="less" if amount < 0 else "", style={"width": f"{100 * abs(amount) / most:.1f}%"}),
                    className="track",
                ),
                html.Span(decimal(amount, 3)),
            ]
        )
        for name, amount in rows
    ]
    total = html.Li([html.B("together"), html.Span(), html.B(decimal(arithmetic.value, 3))], className="total")
    return [html.Div(grids, className="parts"), html.Ul([*lines, total], className="walk-parts")]


def numbers(values: np.ndarray, most: float, mode: str, caption: str) -> html.Figure:
    """A grid of numbers, each on its colour of the diverging scale. values: float [rows, columns], NaN for nothing."""
    stops = theme.palette(mode).div
    cells = []
    for value in values.reshape(-1):
        if np.isnan(value):
            cells.append(html.Span(""))
            continue
        colour = theme.ramp(stops, 0.5 + 0.5 * float(value) / most if most else 0.5)
        cells.append(html.Span(decimal(float(value)), style={"background": colour, "color": theme.ink_on(colour)}))
    return html.Figure([html.Div(cells, className="numgrid", style={"--n": values.shape[1]}), html.Figcaption(caption)])
