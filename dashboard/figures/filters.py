"""Convolution kernels side by side, on one scale centred at zero."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.theme import colorscale, palette, template

LIMIT = 64  # kernels at a time
ACROSS = 8


@dataclass(frozen=True)
class Part:
    """What is shown at a time: kernels [out, in] of a layer, and the words it is chosen by."""

    words: str
    places: tuple[tuple[int, int], ...]


def parts(outputs: int, inputs: int) -> list[Part]:
    """A layer of `outputs` filters over `inputs` channels in portions of LIMIT kernels at most.

    All at once where they fit; layers over a picture's few channels by input channel, deeper ones by output channel.
    """
    if outputs * inputs <= LIMIT:
        return [Part(f"All {outputs} filters", tuple((o, i) for o in range(outputs) for i in range(inputs)))]
    by_input = inputs <= 4
    portions = []
    for fixed in range(inputs if by_input else outputs):
        moving = outputs if by_input else inputs
        for start in range(0, moving, LIMIT):
            stop = min(start + LIMIT, moving)
            places = tuple((m, fixed) if by_input else (fixed, m) for m in range(start, stop))
            name = f"Picture channel {fixed + 1}" if by_input else f"Filter {fixed + 1}"
            more = "" if moving <= LIMIT else f", {'filters' if by_input else 'inputs'} {start + 1} to {stop}"
            portions.append(Part(name + more, places))
    return portions


def kernels(weights: np.ndarray, part: Part, *, mode: str = "light") -> dict[str, Any]:
    """weights: float [out, in, k, k] of one layer. Colours reach from the part's largest weight to its negative."""
    p = palette(mode)
    shown = np.array([weights[o, i] for o, i in part.places], np.float32)
    high, wide = shown.shape[1:]
    across, down = grid(part)
    canvas = np.full((down * (high + 1), across * (wide + 1)), np.nan, np.float32)
    hover = np.full(canvas.shape, "", object)
    names: list[dict[str, Any]] = []
    varies = 0 if len({o for o, _ in part.places}) > 1 else 1
    for place, ((o, i), kernel) in enumerate(zip(part.places, shown, strict=True)):
        top, left = place // across * (high + 1) + 1, place % across * (wide + 1)
        canvas[top : top + high, left : left + wide] = kernel
        for (row, column), value in np.ndenumerate(kernel):
            hover[top + row, left + column] = (
                f"<b>{value:+z.3f}</b> filter {o + 1}, input {i + 1}<br>row {row + 1}, column {column + 1}"
            )
        names.append({"x": left - 0.5, "y": top - 0.5, "text": str((o, i)[varies] + 1)})
    most = float(np.abs(shown).max()) or 1.0
    edge = {"visible": False, "fixedrange": True}
    return {
        "data": [
            {
                "type": "heatmap", "z": [[None if v != v else round(float(v), 4) for v in row] for row in canvas],
                "text": hover.tolist(), "hovertemplate": "%{text}<extra></extra>", "hoverongaps": False,
                "zmin": -most, "zmax": most, "colorscale": colorscale(p.div), "showscale": False,
                "xgap": 0.5, "ygap": 0.5,
            },
            {
                "type": "scatter", "mode": "text", "hoverinfo": "skip", "textposition": "top right",
                "x": [n["x"] for n in names], "y": [n["y"] for n in names], "text": [n["text"] for n in names],
                "textfont": {"size": 10, "color": p.ink_3},
            },
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "xaxis": {**edge, "range": [-0.6, ACROSS * (wide + 1) - 1.4]},
            "yaxis": {
                **edge, "range": [canvas.shape[0] - 0.4, -0.6], "scaleanchor": "x", "constrain": "domain",
                "constraintoward": "top",
            },
        },
    }  # fmt: skip


def grid(part: Part) -> tuple[int, int]:
    """Kernels across and down."""
    across = min(ACROSS, max(len(part.places), 1))
    return across, -(-len(part.places) // across)


def aspect(weights: np.ndarray, part: Part) -> str:
    """CSS aspect ratio of the box in which the chart's cells are square. ACROSS columns, however few are there."""
    high, wide = weights.shape[2:]
    return f"{ACROSS * (wide + 1)} / {grid(part)[1] * (high + 1)}"


def strongest(weights: np.ndarray, part: Part) -> float:
    """The largest weight of a part, sign aside: where the colours end."""
    return float(max(np.abs(weights[o, i]).max() for o, i in part.places))
