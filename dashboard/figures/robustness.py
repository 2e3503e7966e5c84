"""How much is left under each corruption: a row a corruption, a column a severity."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.gaps import points
from dashboard.theme import colorscale, ink_on, palette, ramp, template

ROW = 36  # pixels a corruption
PALE = 0.4  # of a difference that may be chance
LEFT, TOP_MARGIN = 84, 24


def height(rows: int) -> int:
    """Pixels that the chart of so many corruptions needs."""
    return ROW * rows + TOP_MARGIN


def heatmap(
    right: np.ndarray,
    n: np.ndarray,
    names: Sequence[str],
    hover: Sequence[Sequence[str]],
    *,
    chosen: tuple[int, int] | None = None,
    mode: str = "light",
) -> dict[str, Any]:
    """right, n: int [rows, severities], how many of how many are right; hover: in words, the same shape.

    The colour is the share that is wrong, from none to all, so that any two runs look alike where they are alike.
    chosen: row and column that are ringed.
    """
    p = palette(mode)
    wrong = 1 - np.asarray(right) / np.maximum(n, 1)
    text = [[f"{100 * (1 - share):.1f}" for share in row] for row in wrong]
    inks = [[ink_on(ramp(p.seq, float(share))) for share in row] for row in wrong]
    cells = _cells(wrong, (0.0, 1.0), p.seq, names, hover, 1.0)
    return _drawn([cells], text, inks, names, chosen, mode)


def difference(
    gap: np.ndarray,
    sure: np.ndarray,
    names: Sequence[str],
    hover: Sequence[Sequence[str]],
    *,
    chosen: tuple[int, int] | None = None,
    mode: str = "light",
) -> dict[str, Any]:
    """gap: float [rows, severities], A's share right minus B's, NaN where there is none; sure: bool, pale where not."""
    p = palette(mode)
    most = float(np.nanmax(np.abs(gap), initial=0)) or 1.0
    text = [["" if np.isnan(x) else points(float(x)) for x in row] for row in gap]
    inks = [
        [
            ink_on(ramp(p.div, (float(x) / most + 1) / 2)) if s and not np.isnan(x) else p.ink_2
            for x, s in zip(*row, strict=True)
        ]
        for row in zip(gap, sure, strict=True)
    ]
    traces = [
        _cells(np.where(sure == on, gap, np.nan), (-most, most), p.div, names, hover, 1.0 if on else PALE)
        for on in (True, False)
    ]
    return _drawn(traces, text, inks, names, chosen, mode)


def _cells(
    values: np.ndarray,
    ends: tuple[float, float],
    stops: tuple[str, ...],
    names: Sequence[str],
    hover: Sequence[Sequence[str]],
    opacity: float,
) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": severities(values.shape[1]),
        "y": list(names),
        "z": [[None if np.isnan(x) else round(float(x), 6) for x in row] for row in values],
        "zmin": ends[0],
        "zmax": ends[1],
        "colorscale": colorscale(stops),
        "opacity": opacity,
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "text": [list(row) for row in hover],
        "hovertemplate": "%{text}<extra></extra>",
    }


def severities(count: int) -> list[str]:
    """What the columns are called."""
    return [f"{i + 1}" for i in range(count)]


def _drawn(
    traces: list[dict[str, Any]],
    text: list[list[str]],
    inks: list[list[str]],
    names: Sequence[str],
    chosen: tuple[int, int] | None,
    mode: str,
) -> dict[str, Any]:
    p, rows, columns = palette(mode), len(names), len(text[0]) if text else 0
    labels = severities(columns)
    places = list(np.ndindex(rows, columns))
    numbers = {
        "type": "scatter",
        "mode": "text",
        "x": [labels[j] for _, j in places],
        "y": [names[i] for i, _ in places],
        "text": [text[i][j] for i, j in places],
        "textfont": {"size": 13, "color": [inks[i][j] for i, j in places]},
        "hoverinfo": "skip",
    }
    ring = []
    if chosen is not None:
        i, j = chosen
        ring = [
            {
                "type": "rect", "x0": j - 0.47, "x1": j + 0.47, "y0": i - 0.46, "y1": i + 0.46,
                "line": {"color": p.accent, "width": 2.5},
            }
        ]  # fmt: skip
    edge = {"type": "category", "fixedrange": True, "showgrid": False, "categoryorder": "array"}
    return {
        "data": [*traces, numbers],
        "layout": {
            "template": template(mode),
            "margin": {"l": LEFT, "r": 2, "t": TOP_MARGIN, "b": 0},
            "xaxis": {
                **edge, "side": "top", "range": [-0.5, columns - 0.5], "categoryarray": labels,
                "tickvals": labels, "ticktext": [f"severity {one}" if one == "1" else one for one in labels],
            },
            "yaxis": {
                **edge, "range": [rows - 0.5, -0.5], "categoryarray": list(names),
                "tickvals": list(names), "ticktext": list(names),
                "tickfont": {"size": 12, "color": p.ink_2},
            },
            "shapes": ring,
            "dragmode": False,
        },
    }  # fmt: skip
