"""When the network says 80 %, is it right in 80 of 100 cases?"""

from typing import Any

import numpy as np
import pandas as pd

from dashboard.theme import alpha, palette, template
from ml.system.wording import quantity

LEFT, SIDE_MARGIN = 34, 14  # pixels beside the axis, which the rows under the chart leave too
BINS_AT, DOTS, AFTER = 0, 3, 4  # traces


def reliability(
    table: pd.DataFrame,
    low: np.ndarray,
    high: np.ndarray,
    *,
    after: pd.DataFrame | None = None,
    chosen: tuple[float, float] | None = None,
    mode: str = "light",
) -> dict[str, Any]:
    """table: a row a bin: low, high, n, right and confidence, its mean; after: the same of scaled confidences.

    low, high: ends of each bin's 95 % interval, 0..1.

    chosen: the range of confidence that is selected, 0..1. Trace BINS_AT has one column a bin, and DOTS and AFTER the
    bins that hold anything.
    """
    p = palette(mode)
    full = table["n"].to_numpy() > 0
    share = 100 * (table["right"][full] / table["n"][full]).to_numpy()
    confidences = 100 * table["confidence"][full].to_numpy()
    ends = list(zip(100 * low[full], 100 * high[full], strict=True))
    texts = dict.fromkeys(range(len(table)), "no image")
    for i, s, c, (lo, hi) in zip(np.flatnonzero(full).tolist(), share, confidences, ends, strict=True):
        row = table.iloc[i]
        texts[i] = (
            f"<b>{s:.1f} %</b> right of {quantity(int(row.n), 'image')}<br>where it said {100 * row.low:.0f} to "
            f"{100 * row.high:.0f} %, {c:.1f} on average<br>95 % interval {lo:.1f} to {hi:.1f}"
        )
    gaps = [value for x, (lo, hi) in zip(confidences, ends, strict=True) for value in ((x, lo), (x, hi), (None, None))]
    first, last = chosen or (1.0, 0.0)
    lit = [first - 1e-6 <= a and b <= last + 1e-6 for a, b in zip(table["low"], table["high"], strict=True)]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar", "x": (50 * (table["low"] + table["high"])).tolist(), "y": [100] * len(table),
            "width": 100 / len(table), "text": list(texts.values()), "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": [alpha(p.accent, 0.13 if on else 0) for on in lit]},
        },
        {
            "type": "scatter", "mode": "lines", "x": [0, 100], "y": [0, 100], "hoverinfo": "skip",
            "line": {"color": p.ink_3, "width": 1.2, "dash": "4px,3px"},
        },
        {
            "type": "scatter", "mode": "lines", "x": [x for x, _ in gaps], "y": [y for _, y in gaps],
            "hoverinfo": "skip", "line": {"color": p.accent, "width": 2.5},
        },
        {
            "type": "scatter", "mode": "markers", "x": confidences.tolist(), "y": share.tolist(), "cliponaxis": False,
            "text": [texts[i] for i in np.flatnonzero(full).tolist()], "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": 8, "color": p.accent, "line": {"color": p.card_flat, "width": 1.2}},
        },
    ]  # fmt: skip
    if after is not None:
        held = after[after["n"] > 0]
        shares, meant = 100 * held["right"] / held["n"], 100 * held["confidence"]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "x": meant.tolist(), "y": shares.tolist(), "cliponaxis": False,
                "text": [
                    f"<b>{s:.1f} %</b> right of {quantity(n, 'image')}<br>after scaling, {c:.1f} % sure on average"
                    for s, n, c in zip(shares, held["n"], meant, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "size": 8, "symbol": "diamond-open", "color": p.run_b, "line": {"color": p.run_b, "width": 1.6},
                },
            }
        )  # fmt: skip
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": LEFT, "r": SIDE_MARGIN, "t": 24, "b": 22},
            "xaxis": {
                "range": [0, 100], "tickvals": [0, 25, 50, 75, 100], "ticksuffix": " %", "showgrid": False,
                "fixedrange": True,
            },
            "yaxis": {"range": [0, 102], "tickvals": [0, 25, 50, 75, 100], "fixedrange": True},
            "annotations": [
                {
                    "x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yshift": 6,
                    "yanchor": "bottom", "showarrow": False, "text": "accuracy, %",
                    "font": {"size": 12, "color": p.ink_2},
                }
            ],
        },
    }  # fmt: skip
