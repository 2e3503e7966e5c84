"""Live answers beside those on the test set: how sure, which classes, and how many over time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dashboard.figures.labels import cut, escaped
from dashboard.theme import alpha, palette, template

ROW = 26  # pixels of a class
MAX_BAR_LABEL = 24  # characters of a name beside its bar


def confidences(live: np.ndarray, base: np.ndarray, *, mode: str = "light") -> dict[str, Any]:
    """live, base: int [bins] answers by confidence, in equal bins from 0 to 1. Bars are live, the line the test set."""
    p = palette(mode)
    bins = len(live)
    ends = np.linspace(0, 100, bins + 1)
    shares = [100 * counts / max(counts.sum(), 1) for counts in (np.asarray(live, float), np.asarray(base, float))]
    words = [
        f"<b>{a:.1f} %</b> live ({n:,} of {int(np.sum(live)):,})<br>{b:.1f} % on test<br>{low:.0f} to {high:.0f} % sure"
        for a, b, n, low, high in zip(*shares, np.asarray(live).tolist(), ends[:-1], ends[1:], strict=True)
    ]
    return {
        "data": [
            {
                "type": "bar",
                "x": ((ends[:-1] + ends[1:]) / 2).tolist(),
                "y": shares[0].round(4).tolist(),
                "width": 100 / bins * 0.84,
                "marker": {"color": alpha(p.accent, 0.75), "cornerradius": 2},
                "text": words,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "x": ends.tolist(),
                "y": [*shares[1].round(4).tolist(), float(shares[1][-1].round(4))],
                "line": {"color": p.ink, "width": 1.8, "shape": "hv"},
                "hoverinfo": "skip",
            },
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 40, "r": 20, "t": 6, "b": 26},
            "xaxis": {"range": [0, 100], "tickvals": [0, 25, 50, 75, 100], "ticksuffix": " %", "fixedrange": True},
            "yaxis": {"rangemode": "tozero", "ticksuffix": " % ", "fixedrange": True, "nticks": 5},
        },
    }


def mix(
    live: Sequence[int],
    base: Sequence[int],
    classes: Sequence[str],
    *,
    colours: Sequence[str],
    ends: tuple[np.ndarray, np.ndarray],
    n: tuple[int, int] | None = None,
    mode: str = "light",
) -> dict[str, Any]:
    """live, base: int [C] answers by class; ends: of the 95 % interval of the live shares, 0..1, float [C] each.

    n: how many answers there are of either, where these are not all classes.

    Bars are live with their intervals, ticks the test set.
    """
    p = palette(mode)
    here, there = n or (sum(live), sum(base))
    shares = [100 * count / max(here, 1) for count in live]
    usual = [100 * count / max(there, 1) for count in base]
    low, high = (100 * np.asarray(end, float) for end in ends)
    words = [
        f"<b>{a:.1f} %</b> {escaped(name)} ({x:.1f} – {y:.1f}, {k:,} of {here:,})<br>{b:.1f} % on test"
        for a, b, k, name, x, y in zip(shares, usual, live, classes, low, high, strict=True)
    ]
    ticks = {"type": "scatter", "mode": "markers", "x": usual, "y": list(classes), "hoverinfo": "skip"}
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": shares,
                "y": list(classes),
                "width": 0.5,
                "marker": {"color": [alpha(c, 0.34) for c in colours], "cornerradius": 2},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": np.maximum(high - shares, 0).round(4).tolist(),
                    "arrayminus": np.maximum(np.array(shares) - low, 0).round(4).tolist(),
                    "color": p.ink_3,
                    "thickness": 2,
                    "width": 0,
                },
                "text": words,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            },
            {**ticks, "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 5, "color": p.card_flat}}},
            {**ticks, "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": p.ink}}},
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 6, "r": 16, "t": 0, "b": 24},
            "xaxis": {"rangemode": "tozero", "ticksuffix": " %", "fixedrange": True, "nticks": 5},
            "yaxis": {
                "type": "category",
                "range": [len(classes) - 0.5, -0.5],
                "fixedrange": True,
                "showgrid": False,
                "automargin": True,
                "tickvals": list(classes),
                "ticktext": [escaped(cut(name, MAX_BAR_LABEL)) for name in classes],
                "ticksuffix": "  ",
            },
        },
    }


def height(classes: int) -> int:
    """Pixels of the chart of the class mix."""
    return 40 + ROW * max(classes, 2)


def traffic(minutes: Sequence[int], counts: Sequence[int], *, step: int, mode: str = "light") -> dict[str, Any]:
    """minutes: since 1970, the starts of stretches of `step` minutes; counts: predictions in each. Times are UTC."""
    p = palette(mode)
    times = [datetime.fromtimestamp(60 * minute, UTC) for minute in minutes]
    words = [f"<b>{n:,}</b> predictions<br>{at:%d %b, %H:%M} UTC" for at, n in zip(times, counts, strict=True)]
    return {
        "data": [
            {
                "type": "bar",
                "x": [f"{at:%Y-%m-%d %H:%M:%S}" for at in times],
                "y": list(counts),
                "width": 60_000 * step * 0.84,
                "offset": 0,
                "marker": {"color": alpha(p.accent, 0.75)},
                "text": words,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            }
        ],
        "layout": {
            "template": template(mode),
            "margin": {"l": 40, "r": 12, "t": 6, "b": 40},
            "xaxis": {"type": "date", "fixedrange": True, "showgrid": False, "nticks": 6},
            "yaxis": {"rangemode": "tozero", "fixedrange": True, "nticks": 4, "tickformat": ",d"},
        },
    }
