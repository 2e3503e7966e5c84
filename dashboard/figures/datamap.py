"""How surely each example was named by its label while the network learned, and how much that changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.projection import lasso
from dashboard.theme import alpha, palette, ramp, template

LEVELS = ("never", "once", "twice", "3 times", "4 or more")  # forgotten


def colours(mode: str) -> list[str]:
    """One a level of LEVELS."""
    p = palette(mode)
    return [p.ink_3, *(ramp(tuple(p.seq), at) for at in (0.35, 0.55, 0.78, 1.0))]


def level(forgotten: np.ndarray) -> np.ndarray:
    """int [n] of times → int [n] into LEVELS."""
    return np.minimum(forgotten, len(LEVELS) - 1)


def drawn_rows(mean: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """Ascending rows of the examples that are drawn, all where there are no more than `most`.

    mean: float [n], 0..1. A draw without replacement in which the less sure come up more often, so that the crowd of
    the easy ones does not hide them (Efraimidis and Spirakis 2006, Inf. Process. Lett. 97:181).
    """
    n = len(mean)
    if n <= most:
        return np.arange(n)
    weight = np.clip(1 - mean.astype(np.float64), 0, 1) + 0.03
    keys = np.log(np.random.default_rng(seed).random(n)) / weight
    return np.sort(np.argpartition(-keys, most)[:most])


def scatter(
    points: np.ndarray,
    levels: np.ndarray,
    words: Sequence[str],
    *,
    lit: np.ndarray | None = None,
    outline: Sequence[tuple[float, float]] = (),
    mode: str = "light",
    keep: str = "",
) -> dict[str, Any]:
    """points: float [n, 2], variability and mean confidence in percent; levels: int [n] into LEVELS.

    words: one text a point, shown on hover. lit: bool [n], the others fade. outline: vertices of the lasso in force.
    """
    p, stops = palette(mode), colours(mode)
    shown = np.ones(len(points), bool) if lit is None else lit
    order = np.argsort(levels, kind="stable")  # what was forgotten most lies on top
    fill = [alpha(stop, opacity) for opacity in (0.1, 0.85) for stop in stops]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "none",  # assets/dots.js draws the points
                "x": points[order, 0].round(2).tolist(),
                "y": points[order, 1].round(2).tolist(),
                "text": [words[i] for i in order.tolist()],
                "hovertemplate": "%{text}<extra></extra>",
                "customdata": (levels + len(stops) * shown)[order].tolist(),
                "meta": {"dots": {"colours": fill, "size": 4, "opacity": 1}},
            }
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 46, "r": 12, "t": 8, "b": 40},
            "uirevision": keep,
            **lasso(outline, p.accent),
            "xaxis": {
                "range": [-1, max(51.0, float(points[:, 0].max(initial=0)) + 1)],
                "title": {"text": "variability: deviation of that confidence, points", "standoff": 6},
                "showgrid": False,
            },
            "yaxis": {
                "range": [-3, 103],
                "tickvals": [0, 25, 50, 75, 100],
                "title": {"text": "mean confidence in the label, %", "standoff": 4},
                "showgrid": True,
            },
        },
    }
