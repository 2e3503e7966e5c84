"""How often each class was guessed, as bars, against how often it was the truth, as ticks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.labels import escaped
from dashboard.theme import alpha, palette, template


def bars(
    guesses: np.ndarray,
    truths: np.ndarray,
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    chosen: Sequence[str] = (),
    mode: str = "light",
    ticks: str = "are",
) -> dict[str, Any]:
    """guesses, truths: int [C], in class order from the top. chosen: the classes to keep lit, all when empty.

    ticks: what stands between a tick's number and its class.
    """
    p = palette(mode)
    most = max(int(guesses.max(initial=0)), int(truths.max(initial=0)), 4)
    step = next(s * 10**e for e in range(9) for s in (1, 2, 5) if most / (s * 10**e) <= 4.2)
    top = -(-most // step) * step
    hover = [
        f"<b>{g:,}</b> predicted {escaped(name)}<br>{t:,} {ticks} {escaped(name)}"
        for name, g, t in zip(classes, guesses, truths, strict=True)
    ]
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": truths.tolist(),
        "y": list(classes),
        "hoverinfo": "skip",
        "cliponaxis": False,
    }
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": guesses.tolist(),
                "y": list(classes),
                "width": 0.5,
                "marker": {
                    "color": [
                        alpha(c, 0.85 if not chosen or n in chosen else 0.22)
                        for c, n in zip(colours, classes, strict=True)
                    ],
                    "cornerradius": 2,
                },
                "text": hover,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            },
            {**marks, "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 5, "color": p.card_flat}}},
            {**marks, "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": p.ink}}},
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 6, "r": 16, "t": 0, "b": 22},
            "xaxis": {
                "range": [0, top * 1.01],
                "fixedrange": True,
                "tickvals": list(range(0, top + 1, step)),
                "tickformat": ",",
            },
            "yaxis": {"type": "category", "range": [len(classes) - 0.5, -0.5], "visible": False, "fixedrange": True},
        },
    }
