"""How far two runs are apart on each class: bars from zero, to the right where A is better, with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.accuracy import BASE
from dashboard.figures.labels import escaped
from dashboard.theme import alpha, palette, template

TICK_STEPS = (0.5, 1, 2, 5, 10, 20, 50)


def points(value: float, digits: int = 1) -> str:
    """A share as signed points: '+2.9', '−0.4', '0.0'."""
    text = f"{100 * abs(value):.{digits}f}"
    return text if not float(text) else f"{'+' if value > 0 else '−'}{text}"


def reach(low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Where an axis around zero ends on either side to hold all intervals, and its step, both in points."""
    most = 100 * max(float(np.abs([*low, *high]).max(initial=0)), 0.002)
    step = next((step for step in TICK_STEPS if most <= 2.2 * step), 50)
    return max(most * 1.04, step), step


def bars(
    gap: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    n: np.ndarray,
    sure: np.ndarray,
    classes: Sequence[str],
    *,
    chosen: Sequence[str] = (),
    mode: str = "light",
) -> dict[str, Any]:
    """gap: float [C], share A has right minus share B has right; low, high: ends of its 95 % interval; n: int [C].

    sure: bool [C], where the gap holds although all classes were looked at; its dot is filled. All in the order drawn
    from the top. chosen: the classes to keep lit, all when empty.
    """
    p = palette(mode)
    end, step = reach(low[n > 0], high[n > 0])
    colours = [p.run_a if value >= 0 else p.run_b for value in gap]
    lit = [1.0 if not chosen or name in chosen else 0.22 for name in classes]
    strong = [alpha(colour, on) for colour, on in zip(colours, lit, strict=True)]
    hover = [
        f"<b>{points(g)}</b> points, {escaped(name)}<br>95 % interval {points(a)} to {points(b)}, n {k:,}"
        + ("" if held else "<br>not told apart from zero when all classes count")
        for g, a, b, k, held, name in zip(gap, low, high, n, sure, classes, strict=True)
    ]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "y": list(classes),
            "x": (100 * gap).round(3).tolist(),
            "width": 0.5,
            "marker": {
                "color": [alpha(colour, BASE * on) for colour, on in zip(colours, lit, strict=True)],
                "cornerradius": 2,
            },
            "text": hover,
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]
    traces += [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [100 * float(a), 100 * float(b)],
            "y": [name, name],
            "hoverinfo": "skip",
            "line": {"color": colour, "width": 2.5},
        }
        for name, a, b, k, colour in zip(classes, low, high, n, strong, strict=True)
        if k
    ]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": (100 * gap).round(3).tolist(),
            "y": list(classes),
            "marker": {
                "size": 8,
                "color": [colour if held else p.card_flat for colour, held in zip(strong, sure, strict=True)],
                "line": {"color": strong, "width": 1.8},
            },
            "text": hover,
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    ticks = [step * k for k in (-2, -1, 0, 1, 2) if abs(step * k) <= end]
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": 6, "r": 6, "t": 0, "b": 22},
            "xaxis": {
                "range": [-end, end],
                "tickvals": ticks,
                "ticktext": [f"{'+' if t > 0 else '−' if t < 0 else ''}{abs(t):g}" for t in ticks],
                "fixedrange": True,
                "zeroline": True,
                "zerolinecolor": p.line_2,
                "zerolinewidth": 1,
            },
            "yaxis": {"type": "category", "range": [len(classes) - 0.5, -0.5], "visible": False, "fixedrange": True},
        },
    }
