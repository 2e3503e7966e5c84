"""How two runs learned, on one chart: one measure by epoch or by seconds of training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dashboard.figures.history import LABEL, MEASURES, epoch_ticks, value_axis
from dashboard.figures.labels import escaped
from dashboard.format.numbers import duration
from dashboard.theme import alpha, palette, template

BY = ("epoch", "seconds")
EACH = 4  # at most so many ticks of time
LINE_STYLES: dict[str, dict[str, Any]] = {"train": {"width": 1.6, "dash": "4px,3px"}, "validation": {"width": 2.2}}
Columns = Mapping[str, Sequence[float]]


def curves(
    a: Columns,
    b: Columns,
    *,
    measure: str,
    by: str,
    mode: str,
    best: tuple[int, int] = (0, 0),
    intervals: tuple[Any, Any] | None = None,
    height: int = 270,
) -> dict[str, Any]:
    """a, b: columns epoch, seconds (of that epoch), train_<measure>, validation_<measure>, one row an epoch.

    measure: loss (nats) or accuracy (0..1). by: epoch, or seconds since the training began. best: the epoch of each
    that became the run, ringed. intervals: (low, high) of each run's validation measure, per row, as bands. height:
    pixels the chart will have, to keep the two labels apart. Measures that nobody told are nan and not drawn.
    """
    if measure not in MEASURES or by not in BY:
        raise ValueError(f"no curve of {measure!r} by {by!r}")
    p = palette(mode)
    share = measure == "accuracy"
    scale = 100.0 if share else 1.0
    at = [_times(side, by) for side in (a, b)]
    values = [{part: scale * np.asarray(side[f"{part}_{measure}"], float) for part in LINE_STYLES} for side in (a, b)]
    bands = [tuple(scale * np.asarray(end, float) for end in ends) for ends in intervals or ()]
    # the first epochs' training values, averaged while the network knew nothing, would flatten everything else
    drawn = [*(side["validation"] for side in values), *(end for ends in bands for end in ends)]
    low, high, step = value_axis(drawn, share)
    digits = 0 if share else max(0, -math.floor(math.log10(step) + 1e-9))
    edge = 0.003 * (high - low)  # plotly leaves out a gridline that lies on the border
    last = max([float(x[-1]) for x in at if len(x)], default=1.0)
    traces: list[dict[str, Any]] = []
    for x, ends, colour in zip(at, bands, (p.run_a, p.run_b), strict=False):
        known = np.isfinite(ends[0])
        x, ends = x[known], tuple(end[known] for end in ends)
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": [*x, *x[::-1]], "y": [*ends[1], *ends[0][::-1]],
                "fill": "toself", "fillcolor": alpha(colour, 0.14), "line": {"width": 0}, "hoverinfo": "skip",
            }
        )  # fmt: skip
    for name, side, x, series, colour in zip("AB", (a, b), at, values, (p.run_a, p.run_b), strict=True):
        for part, line in LINE_STYLES.items():
            told = np.flatnonzero(np.isfinite(series[part]))
            epochs = np.asarray(side["epoch"])[told]
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": x[told].tolist(), "y": series[part][told].tolist(),
                    "name": f"{escaped(name)} {part}",
                    "line": {**line, "color": alpha(colour, 0.6) if part == "train" else colour},
                    "text": _hover(name, part, measure, epochs, x[told], series[part][told], by),
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )  # fmt: skip
    ends_at = []
    for name, side, x, series, colour, epoch in zip("AB", (a, b), at, values, (p.run_a, p.run_b), best, strict=True):
        told = np.flatnonzero(np.isfinite(series["validation"]))
        if not len(told):
            continue
        rows = told[np.asarray(side["epoch"])[told] == epoch]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "hoverinfo": "skip", "cliponaxis": False,
                "x": x[rows].tolist(), "y": series["validation"][rows].tolist(),
                "marker": {"size": 8, "color": p.card_flat, "line": {"color": colour, "width": 1.8}},
            }
        )  # fmt: skip
        ends_at.append((float(x[told[-1]]), float(series["validation"][told[-1]]), name, colour))
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": 34, "r": 62, "t": 8, "b": 30},
            "annotations": _labels(ends_at, share, (height - 38) / (high - low), last) or _nothing(any(map(len, at))),
            "xaxis": {"fixedrange": True, "showgrid": False, "ticklabelstandoff": 8, **_axis(by, last)},
            "yaxis": {
                "range": [low - edge, high + edge], "tick0": low, "dtick": step, "tickformat": f".{digits}f",
                "fixedrange": True, "zeroline": True, "zerolinecolor": p.grid, "zerolinewidth": 1,
            },
        },
    }  # fmt: skip


def _times(side: Columns, by: str) -> np.ndarray:
    return np.asarray(side["epoch"], float) if by == "epoch" else np.cumsum(np.asarray(side["seconds"], float))


def _hover(name: str, part: str, measure: str, epochs, x, values, by: str) -> list[str]:
    def when(epoch: float, at: float) -> str:
        return f"epoch {epoch:.0f}" + (f", after {duration(at)}" if by == "seconds" else "")

    form = "{:.1f} %" if measure == "accuracy" else "{:.3f}"
    return [
        f"<b>{form.format(value)}</b> {escaped(name)}, {part} {measure}<br>{when(epoch, at)}"
        for value, epoch, at in zip(values, epochs, x, strict=True)
    ]


def _labels(ends: list[tuple[float, float, str, str]], share: bool, pixels: float, last: float) -> list[dict[str, Any]]:
    """Name and last value at the end of each line; those at the same end of the axis are kept apart."""
    push = [0.0] * len(ends)
    if len(ends) == 2 and abs(ends[0][0] - ends[1][0]) < 0.2 * last:
        above = 0 if ends[0][1] >= ends[1][1] else 1
        room = max(LABEL - abs(ends[0][1] - ends[1][1]) * pixels, 0) / 2
        push[above], push[1 - above] = room, -room
    return [
        {
            "x": x, "y": y, "xanchor": "left", "xshift": 7, "yshift": shift, "showarrow": False,
            "font": {"size": 12, "color": colour, "weight": 600}, "text": f"{escaped(name)} {y:.{1 if share else 3}f}",
        }
        for (x, y, name, colour), shift in zip(ends, push, strict=True)
    ]  # fmt: skip


def _nothing(epochs: bool) -> list[dict[str, Any]]:
    """What stands in a chart without a validation curve. epochs: whether there are any."""
    words = "nobody told it of validation" if epochs else "no finished epoch"
    return [{"text": words, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}]


def _axis(by: str, last: float) -> dict[str, Any]:
    if by == "epoch":
        end = max(int(last), 2)
        ticks = epoch_ticks(end)
        return {
            "range": [1 - 0.02 * (end - 1), end],
            "tickvals": ticks,
            "ticktext": [f"epoch {tick}" if tick == 1 else f"{tick}" for tick in ticks],
        }
    unit = 1 if last < 120 else 60 if last < 7_200 else 3_600
    step = unit * next((s for s in (1, 2, 5, 10, 15, 20, 30, 60, 120) if last / unit <= EACH * s), last / unit / EACH)
    ticks = np.arange(0, last + step / 100, step).tolist()
    words = {1: "s", 60: "min", 3_600: "h"}[unit]
    return {
        "range": [0, max(last, 1)],
        "tickvals": ticks,
        "ticktext": [f"{t / unit:g}" if i else f"0 {words}" for i, t in enumerate(ticks)],
    }
