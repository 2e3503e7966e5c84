"""How did it learn? One measure over the epochs, training and validation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dashboard.figures.traces import trace
from dashboard.theme import alpha, palette, template

MEASURES = ("loss", "accuracy")
LABEL = 15  # pixels a line of text needs
LETTERS = 10  # of a label that the usual margin holds


def curves(
    history: Mapping[str, Sequence[float]],
    *,
    measure: str,
    mode: str,
    epochs: int | None = None,
    interval: tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray] | None = None,
    height: int = 300,
) -> dict[str, Any]:
    """history: columns epoch, train_<measure>, validation_<measure> (a frame or a mapping), one row an epoch.

    measure: loss (mean cross-entropy, nats) or accuracy (0..1). epochs: where the axis ends; the last row's when None.
    interval: ends of the validation measure's 95 % interval, per row, as a band. height: pixels the chart will have,
    to keep the two labels at the line ends apart.
    """
    if measure not in MEASURES:
        raise ValueError(f"{measure!r} is not one of {', '.join(MEASURES)}")
    p = palette(mode)
    epoch = np.asarray(history["epoch"], int)
    last = max(int(epochs or 0), int(epoch.max(initial=1)), 2)
    share = measure == "accuracy"
    scale = 100.0 if share else 1.0
    values = {part: scale * np.asarray(history[f"{part}_{measure}"], float) for part in ("train", "validation")}
    ends = tuple(scale * np.asarray(end, float) for end in interval) if interval is not None else ()
    low, high, step = value_axis([*values.values(), *ends], share)
    edge = 0.003 * (high - low)  # plotly leaves out a gridline that lies on the border
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    traces = []
    if ends:
        known = np.isfinite(ends[0])
        at, bottom, top = epoch[known], ends[0][known], ends[1][known]
        traces.append(trace(
            "scatter", x=[*at, *at[::-1]], y=[*top, *bottom[::-1]], mode="lines", hoverinfo="skip",
            line={"width": 0}, fill="toself", fillcolor=alpha(p.accent, 0.14),
        ))  # fmt: skip
    lines = {
        "train": {"color": p.ink_3, "width": 1.6, "dash": "4px,3px"},
        "validation": {"color": p.accent, "width": 2.2},
    }
    told = {part: np.flatnonzero(np.isfinite(values[part])) for part in lines}  # a run from elsewhere may lack some
    for part, line in lines.items():
        rows = told[part]
        traces.append(trace(
            "scatter", x=epoch[rows], y=values[part][rows], mode="lines",
            line={**line, "shape": "linear"}, hovertemplate=_hover(part, measure, ends),
            customdata=_texts(values[part][rows], tuple(e[rows] for e in ends) if part == "validation" else (), share),
        ))  # fmt: skip
    last_of = {part: rows[-1] for part, rows in told.items() if len(rows)}
    if last_of:
        traces.append(trace(
            "scatter", x=[int(epoch[row]) for row in last_of.values()],
            y=[float(values[part][row]) for part, row in last_of.items()], mode="markers",
            hoverinfo="skip", cliponaxis=False,
            marker={"size": 6.8, "color": [lines[part]["color"] for part in last_of]},
        ))  # fmt: skip
    named = _ends(epoch, values, last_of, lines, share, (height - 32) / (high - low), high)
    wide = any(len(one["text"]) > LETTERS for one in named if "xshift" in one)
    layout = {
        "template": template(mode), "margin": {"l": 34, "r": 84 if wide else 76, "t": 8, "b": 30},
        "annotations": named,
        "xaxis": {
            "range": [1 - 0.02 * (last - 1), last], "tickvals": epoch_ticks(last), "ticklabelstandoff": 8,
            "showgrid": False, "fixedrange": True,
            "ticktext": ["epoch 1" if tick == 1 else f"{tick}" for tick in epoch_ticks(last)],
        },
        "yaxis": {
            "range": [low - edge, high + edge], "tick0": low, "dtick": step, "fixedrange": True, "zeroline": True,
            "zerolinecolor": p.grid, "showticklabels": bool(len(epoch)),
            "zerolinewidth": 1, "tickformat": ".0f" if share else f".{digits}f",
        },
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _hover(part: str, measure: str, ends: tuple) -> str:
    more = ", %{customdata[1]}" if ends and part == "validation" else ""
    return f"<b>%{{customdata[0]}}</b> {part} {measure}<br>epoch %{{x}}{more}<extra></extra>"


def _texts(values: np.ndarray, ends: tuple, share: bool) -> list[list[str]]:
    """Value and interval of each point, in words."""
    words = [f"{value:.1f} %" if share else f"{value:.3f}" for value in values]
    if not ends:
        return [[word] for word in words]
    return [[w, f"{low:.1f} – {high:.1f}"] for w, low, high in zip(words, *ends, strict=True)]


def _ends(
    epoch: np.ndarray, values: dict, last_of: dict, lines: dict, share: bool, pixels: float, high: float
) -> list[dict[str, Any]]:
    """Name and last value at the end of each line, none above the chart. last_of: its last row; pixels: per unit of the
    value axis, which ends at high."""
    if not last_of:
        words = {"text": "nobody told it" if len(epoch) else "no finished epoch", "showarrow": False}
        return [{**words, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}]
    ends = {part: float(values[part][row]) for part, row in last_of.items()}
    ordered = sorted(ends, key=lambda part: -ends[part])
    apart = max(LABEL - (ends[ordered[0]] - ends[ordered[-1]]) * pixels, 0) if len(ordered) > 1 else 0.0
    push = min(apart / 2, max((high - ends[ordered[0]]) * pixels, 0.0) + 1)
    return [
        {
            "x": int(epoch[last_of[part]]), "y": ends[part], "xanchor": "left", "xshift": 7, "yshift": shift,
            "showarrow": False, "font": {"size": 12, "color": lines[part]["color"], "weight": 600},
            "text": f"{'val' if part == 'validation' else part} {ends[part]:.{1 if share else 3}f}",
        }
        for part, shift in zip(ordered, (push, push - apart), strict=False)
    ]  # fmt: skip


def value_axis(series: list[np.ndarray], share: bool) -> tuple[float, float, float]:
    """Ends of the value axis and its step: at most five gridlines, losses from zero, accuracies up to 100."""
    values = np.concatenate(series)
    values = values[np.isfinite(values)]
    if share:
        low = float(values.min(initial=90.0))
        step = next((s for s in (1, 2, 5, 10, 20) if 100 - low <= 5 * s), 25)
        return max(100.0 - step * math.ceil((100 - low) / step), 0.0), 100.0, float(step)
    high = float(values.max(initial=0.1))
    power = 10 ** math.floor(math.log10(max(high, 1e-6) / 4))
    step = next(m * power for m in (1, 2, 5, 10, 20) if high <= 4.4 * m * power)
    return 0.0, max(high * 1.06, step), step


def epoch_ticks(last: int) -> list[int]:
    """At most four whole epochs, the first and the last among them."""
    parts = next((n for n in (3, 2) if (last - 1) % n == 0), 3) if last > 3 else last - 1
    return sorted({round(1 + (last - 1) * k / parts) for k in range(parts + 1)})
