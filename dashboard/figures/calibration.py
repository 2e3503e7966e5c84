"""When the network says 80 %, is it right in 80 of 100 cases?"""

from typing import Any

import numpy as np
import pandas as pd

from dashboard.theme import alpha, palette, template

BINS = 15


def bins(confidence: np.ndarray, right: np.ndarray, number: int = BINS) -> pd.DataFrame:
    """confidence: float [n] of 0..1; right: bool [n] → one row a bin of equal width: low, high, n, right, confidence.

    A bin holds low < confidence ≤ high, as the calibration error of the scores counts them; `confidence` is its mean,
    NaN where n is 0.
    """
    which = np.clip(np.ceil(confidence.astype(np.float64) * number).astype(int) - 1, 0, number - 1)
    n = np.bincount(which, minlength=number)
    hits = np.bincount(which, right.astype(float), minlength=number).astype(int)
    total = np.bincount(which, confidence.astype(np.float64), minlength=number)
    mean = np.divide(total, n, out=np.full(number, np.nan), where=n > 0)
    edges = np.arange(number + 1) / number
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n, "right": hits, "confidence": mean})


def reliability(table: pd.DataFrame, low: np.ndarray, high: np.ndarray, *, mode: str = "light") -> dict[str, Any]:
    """table: of `bins`; low, high: ends of each bin's 95 % interval, 0..1. Below: how many images each bin holds."""
    p = palette(mode)
    full = table["n"].to_numpy() > 0
    share = 100 * (table["right"][full] / table["n"][full]).to_numpy()
    said = 100 * table["confidence"][full].to_numpy()
    ends = list(zip(100 * low[full], 100 * high[full], strict=True))
    hover = [
        f"<b>{s:.1f} %</b> right of {n:,} images<br>where it said {a:.0f} to {b:.0f} %, {c:.1f} on average"
        f"<br>95 % interval {lo:.1f} to {hi:.1f}"
        for s, n, a, b, c, (lo, hi) in zip(
            share, table["n"][full], 100 * table["low"][full], 100 * table["high"][full], said, ends, strict=True
        )
    ]
    gaps = [value for x, (lo, hi) in zip(said, ends, strict=True) for value in ((x, lo), (x, hi), (None, None))]
    middles = (50 * (table["low"] + table["high"])).tolist()
    counts = table["n"].tolist()
    return {
        "data": [
            {
                "type": "scatter", "mode": "lines", "x": [0, 100], "y": [0, 100], "hoverinfo": "skip",
                "line": {"color": p.ink_3, "width": 1.2, "dash": "4px,3px"},
            },
            {
                "type": "scatter", "mode": "lines", "x": [x for x, _ in gaps], "y": [y for _, y in gaps],
                "hoverinfo": "skip", "line": {"color": p.accent, "width": 2.5},
            },
            {
                "type": "scatter", "mode": "markers", "x": said.tolist(), "y": share.tolist(), "text": hover,
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"size": 8, "color": p.accent, "line": {"color": p.card_flat, "width": 1.2}},
            },
            {
                "type": "bar", "x": middles, "y": counts, "yaxis": "y2", "width": 100 / len(table) * 0.62,
                "marker": {"color": alpha(p.accent, 0.34), "cornerradius": 2},
                "hovertemplate": "<b>%{y:,}</b> images<extra></extra>",
            },
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 34, "r": 10, "t": 8, "b": 38},
            "xaxis": {
                "range": [0, 101.5], "tickvals": [0, 25, 50, 75, 100], "showgrid": False, "fixedrange": True,
                "anchor": "y2", "title": {"text": "confidence, %", "standoff": 4},
            },
            "yaxis": {"range": [0, 102], "tickvals": [0, 25, 50, 75, 100], "domain": [0.26, 1], "fixedrange": True},
            "yaxis2": {
                "domain": [0, 0.17], "showgrid": False, "showticklabels": False, "fixedrange": True,
                "rangemode": "tozero",
            },
            "annotations": [
                {
                    "x": 0, "y": height, "xref": "paper", "yref": "paper", "xanchor": "left", "xshift": 4,
                    "yanchor": "top", "showarrow": False, "text": words, "font": {"size": 12, "color": p.ink_2},
                }
                for height, words in ((1, "named right, %"), (0.17, "images"))
            ],
        },
    }  # fmt: skip
