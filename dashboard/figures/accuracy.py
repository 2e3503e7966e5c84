"""Share of each class named right, with its interval, as horizontal bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.labels import escaped
from dashboard.theme import alpha, palette, template

BASE = 0.34  # opacity of a bar under an interval


def percent_ticks(floor: float) -> list[int]:
    """Round percentages from `floor` (0..1) to 100, at most five of them."""
    step = next(step for step in (5, 10, 20, 25) if (100 - 100 * floor) / step <= 4.001)
    return list(range(-(-round(100 * floor) // step) * step, 101, step))


def bars(
    right: np.ndarray,
    n: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    floor: float = 0.0,
    chosen: Sequence[str] = (),
    mode: str = "light",
) -> dict[str, Any]:
    """right, n: int [C]; low, high: ends of the 95 % interval, 0..1; all in the order drawn from the top.

    colours: one a class, '#rrggbb'. floor: where the axis starts, 0..1; above zero there are no bars, only dots and
    lines. chosen: the classes to keep lit, all when empty.
    """
    ring = palette(mode).card_flat
    share = np.divide(right, n, out=np.zeros(len(classes)), where=np.asarray(n) > 0)
    lit = [not chosen or name in chosen for name in classes]
    hover = [
        f"<b>{100 * s:.1f} %</b> of {k:,} {escaped(c)} named right<br>95 % interval {100 * a:.1f} to {100 * b:.1f}"
        for s, k, c, a, b in zip(share, n, classes, low, high, strict=True)
    ]
    faded = [alpha(c, 1 if on else 0.22) for c, on in zip(colours, lit, strict=True)]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "y": list(classes),
            "x": (100 * share).round(3).tolist(),
            "width": 0.5,
            "marker": {
                "color": [
                    alpha(c, (BASE if on else 0.1) if floor == 0 else 0) for c, on in zip(colours, lit, strict=True)
                ],
                "cornerradius": 2,
            },
            "text": hover,
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]
    for name, a, b, colour in zip(classes, low, high, faded, strict=True):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [100 * a, 100 * b],
                "y": [name, name],
                "hoverinfo": "skip",
                "line": {"color": colour, "width": 2.5},
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": (100 * share).round(3).tolist(),
            "y": list(classes),
            "marker": {"size": 8, "color": faded, "line": {"color": ring, "width": 1.2}},
            "text": hover,
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    ticks = percent_ticks(floor)
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": 6, "r": 16, "t": 0, "b": 22},
            "xaxis": {
                "range": [100 * floor, 100.6],
                "tickvals": ticks,
                "fixedrange": True,
                "ticktext": [f"{t:g}" + (" %" if t == 100 else "") for t in ticks],
            },
            "yaxis": {"type": "category", "range": [len(classes) - 0.5, -0.5], "visible": False, "fixedrange": True},
        },
    }
