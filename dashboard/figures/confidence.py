"""How sure it was: right answers above the line, mistakes below."""

from typing import Any

import numpy as np
import pandas as pd

from dashboard.theme import alpha, palette, template

SIDE_MARGIN = 14  # pixels left and right of the axis, which the rows under the chart leave too
RIGHT, WRONG = 0, 1  # the traces that are clicked


def histogram(
    table: pd.DataFrame, *, reject: float = 0.0, chosen: tuple[float, float] | None = None, mode: str = "light"
) -> dict[str, Any]:
    """table: rows low, high, right, wrong; heights are square roots of the counts, so that few beside many are seen.

    reject: the threshold, 0..1; bins below it fade. chosen: the range that is selected; bins outside fade.
    """
    p = palette(mode)
    low, high = table["low"].to_numpy(), table["high"].to_numpy()
    middles, width = (50 * (low + high)).tolist(), float(100 * (high[0] - low[0])) if len(table) else 5.0
    above, below = np.sqrt(table["right"].to_numpy()), np.sqrt(table["wrong"].to_numpy())
    top = max(float(above.max(initial=0)), 1.0) * 1.1
    bottom = max(float(below.max(initial=0)) * 1.2, top * 0.2)
    lit = np.ones(len(table), bool) if chosen is None else (high > chosen[0] + 1e-6) & (low < chosen[1] - 1e-6)
    lit &= high > reject + 1e-9
    marked = lit if chosen is not None else np.zeros(len(table), bool)

    def hit(words: str, column: str, end: float) -> dict[str, Any]:
        return {
            "type": "bar",
            "x": middles,
            "y": [end] * len(table),
            "width": width,
            "marker": {"color": [alpha(p.accent, 0.12 if on else 0) for on in marked]},
            "text": [
                f"<b>{n:,}</b> {words}<br>{100 * a:.0f} to {100 * b:.0f} % sure"
                for n, a, b in zip(table[column], low, high, strict=True)
            ],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }

    def bars(heights: np.ndarray, colour: str, strength: float) -> dict[str, Any]:
        return {
            "type": "bar",
            "x": middles,
            "y": heights.round(3).tolist(),
            "width": width * 0.84,
            "marker": {"color": [alpha(colour, strength if on else 0.18) for on in lit], "cornerradius": 2},
            "hoverinfo": "skip",
        }

    line = {
        "type": "line", "x0": 100 * reject, "x1": 100 * reject, "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": p.accent, "width": 1.5},
    }  # fmt: skip
    zero = {"type": "line", "x0": 0, "x1": 100, "y0": 0, "y1": 0, "line": {"color": p.line_2, "width": 1}}
    words = [("right", 1.0, "top"), ("mistakes", 0.0, "bottom")]
    return {
        "data": [
            hit("right", "right", top),
            hit("mistakes", "wrong", -bottom),
            bars(above, p.good, 0.62),
            bars(-below, p.heat, 0.95),
        ],
        "layout": {
            "template": template(mode),
            "barmode": "overlay",
            "margin": {"l": SIDE_MARGIN, "r": SIDE_MARGIN, "t": 4, "b": 22},
            "xaxis": {
                "range": [0, 100], "tickvals": [0, 25, 50, 75, 100], "ticksuffix": " %", "fixedrange": True,
                "showgrid": False,
            },
            "yaxis": {"range": [-bottom, top], "visible": False, "fixedrange": True},
            "shapes": [zero, *([line] if reject else [])],
            "annotations": [
                {
                    "x": 0, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": anchor,
                    "showarrow": False, "text": text, "font": {"size": 12, "color": p.ink_2},
                }
                for text, y, anchor in words
            ],
        },
    }  # fmt: skip


def shares(counts: np.ndarray, *, top: float, mode: str = "light") -> dict[str, Any]:
    """counts: int [bins], of equal width over 0..1, drawn as shares of their sum. top: where the axis ends, 0..1."""
    p, n = palette(mode), max(int(counts.sum()), 1)
    width = 100 / len(counts)
    return {
        "data": [
            {
                "type": "bar",
                "x": [width * (i + 0.5) for i in range(len(counts))],
                "y": (100 * counts / n).round(3).tolist(),
                "width": width * 0.84,
                "marker": {"color": alpha(p.accent, 0.7), "cornerradius": 2},
                "text": [
                    f"<b>{count:,}</b> of {counts.sum():,}<br>{width * i:.0f} to {width * (i + 1):.0f} % sure"
                    for i, count in enumerate(counts.tolist())
                ],
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            }
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 34, "r": SIDE_MARGIN, "t": 8, "b": 22},
            "xaxis": {"range": [0, 100], "tickvals": [0, 25, 50, 75, 100], "fixedrange": True, "showgrid": False},
            "yaxis": {"range": [0, 100 * top * 1.08], "nticks": 4, "fixedrange": True},
        },
    }
