"""A training as it goes on: one measure over the epochs, within them and at their ends, other trainings beside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from dashboard.figures.history import LABEL, epoch_ticks, value_axis
from dashboard.figures.labels import cut, escaped
from dashboard.theme import Palette, alpha, palette, template

Columns = Mapping[str, Sequence[float]]

# measure: column of the steps, column of the epochs, what a hover calls it, how a value reads
MEASURES = {
    "loss": ("loss", "train_loss", "loss", ".3f"),
    "accuracy": ("accuracy", "train_accuracy", "accuracy", ".1f"),
    "rate": ("learning_rate", "learning_rate", "learning rate", ".2~g"),
    "speed": ("images_per_second", "images_per_second", "images a second", ",.0f"),
}
JUDGED = ("loss", "accuracy")  # measured on the validation pictures as well
DASHES = ("solid", "6px,3px", "2px,2px")  # of the others, which may lie close in colour to some eyes
OTHERS = len(DASHES)
MIN_RATE = 1e-5  # a rate below this reads 0
NAME = 15  # letters of a name at a line's end
EARLY, ENOUGH = 0.1, 20  # the first tenth of a training may leave the chart, once there are so many points


@dataclass(frozen=True)
class Training:
    """One training. history: the `history` noun's columns; steps: epoch (a fraction) and the measures' columns."""

    name: str = ""
    history: Columns = field(default_factory=dict)
    steps: Columns = field(default_factory=dict)


@dataclass
class _Line:
    """x in epochs; named at its end unless `label` is empty, further right where `room` says that another ends."""

    x: np.ndarray
    y: np.ndarray
    style: dict[str, Any]
    hover: str
    label: str = ""
    room: float = 0.0

    @property
    def end(self) -> float:
        return max(float(self.x[-1]), self.room)


def curves(
    own: Training,
    others: Sequence[Training] = (),
    *,
    measure: str,
    mode: str,
    epochs: int = 0,
    interval: tuple[Sequence[float], Sequence[float]] | None = None,
    planned: Sequence[tuple[float, float]] = (),
    height: int = 200,
) -> dict[str, Any]:
    """measure: loss (nats), accuracy (0..1), rate or speed (pictures a second). epochs: how many there will be.

    interval: ends of the validation accuracy's 95 % interval, per epoch, as a band. planned: (epochs done, rate), drawn
    faintly. height: pixels of the chart, to keep the labels apart. At most three others are drawn, as far as the axis
    of the training in front goes.
    """
    if measure not in MEASURES:
        raise ValueError(f"{measure!r} is not one of {', '.join(MEASURES)}")
    p, scale = palette(mode), 100.0 if measure == "accuracy" else 1.0
    last = max([epochs, *_epochs(own)]) or max([1, *(epoch for other in others for epoch in _epochs(other))])
    others = [_until(other, last) for other in others[:OTHERS]]
    mine = [line for line in _own(own, measure, p, scale) if len(line.x)]
    for line in mine:  # the epochs' line ends before the steps' does, which its name must not cover
        line.room = max(line.end for line in mine)
    lines = [*(line for line in _others(others, measure, p, scale) if len(line.x)), *mine]
    band = [scale * np.asarray(end, float) for end in interval] if interval is not None else []
    known = np.isfinite(band[0]) if band else np.array([], bool)
    band = [end[known] for end in band]
    ahead = np.array([rate for _, rate in planned]) if measure == "rate" else np.array([])
    low, high, step = _axis([*(_settled(line, last) for line in lines), *band, ahead], measure)
    traces: list[dict[str, Any]] = []
    if known.any():
        at = np.asarray(own.history["epoch"], float)[known].tolist()
        traces.append(
            {
                "type": "scatter", "mode": "lines",
                "x": [*at, *at[::-1]], "y": [*_short(band[1]), *_short(band[0][::-1])],
                "fill": "toself", "fillcolor": alpha(p.accent, 0.14), "line": {"width": 0}, "hoverinfo": "skip",
            }
        )  # fmt: skip
    if len(ahead):
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": _short([at for at, _ in planned]), "y": _short(ahead),
                "line": {"color": p.line_2, "width": 1.2, "dash": "2px,3px"}, "hoverinfo": "skip", "name": "planned",
            }
        )  # fmt: skip
    traces += [
        {
            "type": "scatter", "mode": "lines" if len(line.x) > 1 else "markers", "x": _short(line.x),
            "y": _short(line.y), "line": line.style, "name": line.hover,
            "marker": {"size": 6, "color": line.style["color"]},
            "hovertemplate": f"<b>%{{y:{MEASURES[measure][3]}}}{' %' if scale > 1 else ''}</b> {line.hover}"
            "<br>epoch %{x:.3~g}<extra></extra>",
        }
        for line in lines
    ]  # fmt: skip
    labels = _labels(lines, p, len(ahead) > 0, (height - 38) / max(high - low, 1e-12), last)
    ticks = epoch_ticks(last) if last > 1 else [1]
    room = max([len(label["text"]) for label in labels if "xshift" in label], default=9)
    edge = 0.003 * (high - low)
    return {
        "data": traces,
        "layout": {
            "template": template(mode),
            "margin": {"l": 42, "r": max(78, 16 + math.ceil(6.6 * room)), "t": 8, "b": 30},
            "annotations": labels,
            "xaxis": {
                "range": [0, last], "tickvals": ticks, "showgrid": False, "fixedrange": True, "ticklabelstandoff": 8,
                "ticktext": [f"epoch {tick}" if tick == ticks[0] else f"{tick}" for tick in ticks],
            },
            "yaxis": {
                "range": [low - edge, high + edge], "tick0": low, "dtick": step, "fixedrange": True, "zeroline": True,
                "zerolinecolor": p.grid, "zerolinewidth": 1, "showticklabels": bool(lines) or bool(len(ahead)),
                "tickformat": _ticks(measure, step),
            },
        },
    }  # fmt: skip


def schedule(planned: Sequence[tuple[float, float]], *, mode: str) -> dict[str, Any]:
    """The learning rate over a training to come, with its peak and its end; (epochs done, rate), at least two."""
    p = palette(mode)
    x, y = [at for at, _ in planned], [rate for _, rate in planned]
    peak = max(y)
    top = y.index(peak)
    notes = [(x[top], peak, rate_words(peak), "left" if x[top] < 0.7 * x[-1] else "right")]
    return {
        "data": [
            {
                "type": "scatter", "mode": "lines", "x": _short(x), "y": _short(y), "fill": "tozeroy",
                "fillcolor": alpha(p.accent, 0.10), "line": {"color": p.accent, "width": 1.8},
                "hovertemplate": "<b>%{y:.2~g}</b> after %{x:.2~f} epochs<extra></extra>",
            }
        ],
        "layout": {
            "template": template(mode), "margin": {"l": 2, "r": 2, "t": 16, "b": 16},
            "xaxis": {
                "range": [0, x[-1]], "tickvals": [0, x[-1]], "ticktext": ["start", f"epoch {x[-1]:.0f}"],
                "showgrid": False, "fixedrange": True, "ticklabelposition": "outside",
            },
            "yaxis": {"range": [0, peak * 1.02], "visible": False, "fixedrange": True},
            "annotations": [
                {
                    "x": at, "y": rate, "text": text, "showarrow": False, "xanchor": anchor, "yanchor": "bottom",
                    "font": {"size": 11, "color": p.ink_2},
                }
                for at, rate, text, anchor in notes
            ],
        },
    }  # fmt: skip


def _epochs(training: Training) -> list[int]:
    return [int(epoch) for epoch in training.history.get("epoch", [])]


def _until(other: Training, last: int) -> Training:
    """Its first epochs: the training in front says how far the axis goes."""
    rows = [i for i, epoch in enumerate(_epochs(other)) if epoch <= last]
    return Training(other.name, {name: [values[i] for i in rows] for name, values in other.history.items()})


def _own(own: Training, measure: str, p: Palette, scale: float) -> list[_Line]:
    """The training itself: thin within the epochs, thick at their ends."""
    within, per_epoch, words, form = MEASURES[measure]
    quiet = {"color": p.ink_3, "width": 1.2}
    loud = {"color": p.accent, "width": 2.2}
    outer = _line(own.history, per_epoch, scale, loud, f"{words} of the epoch")
    inner = _line(own.steps, within, scale, quiet, f"train {words}" if measure in JUDGED else words)
    if len(inner.x):
        _bridge(inner, outer)
    if measure in JUDGED:
        judged = _line(own.history, f"validation_{words}", scale, loud, f"validation {words}")
        train = inner
        if not len(inner.x):  # a training before there were steps, or its first second
            train = _line(own.history, per_epoch, scale, {**quiet, "dash": "4px,3px", "width": 1.6}, f"train {words}")
        train.label, judged.label = _value("train", train, form), _value("val", judged, form)
        return [train, judged]
    if measure == "rate":
        line = inner if len(inner.x) else outer
        line.style = {**loud, "width": 1.8}
        line.label = rate_words(line.y[-1]) if len(line.x) else ""
        return [line]
    outer.label = _value("", outer, form)
    inner.label = "" if len(outer.x) else _value("", inner, form)
    return [inner, outer]


def _bridge(inner: _Line, outer: _Line) -> None:
    """Give the steps' line the means of epochs that were over before anybody looked within them, in place."""
    seen = set(np.ceil(inner.x).tolist())
    missed = np.array([epoch not in seen for epoch in outer.x.tolist()], bool)
    x, y = np.append(inner.x, outer.x[missed]), np.append(inner.y, outer.y[missed])
    order = np.argsort(x, kind="stable")
    inner.x, inner.y = x[order], y[order]


def _others(others: Sequence[Training], measure: str, p: Palette, scale: float) -> list[_Line]:
    """Each by its value at the ends of epochs, the validation's where there is one."""
    _, per_epoch, words, _ = MEASURES[measure]
    column = f"validation_{words}" if measure in JUDGED else per_epoch
    lines = []
    for other, colour, dash in zip(others, (p.run_b, p.good, p.ink), DASHES, strict=False):
        name = escaped(other.name)
        title = f"{name}, validation {words}" if measure in JUDGED else f"{name}, {words}"
        line = _line(other.history, column, scale, {"color": colour, "width": 1.6, "dash": dash}, title)
        line.label = escaped(cut(other.name, NAME))
        lines.append(line)
    return lines


def _line(columns: Columns, name: str, scale: float, style: dict[str, Any], hover: str) -> _Line:
    x, y = (np.asarray(columns.get(key, []), float) for key in ("epoch", name))
    known = np.isfinite(y)  # a script may not have told it of every epoch
    return _Line(x[known], scale * y[known], dict(style), hover) if len(y) else _Line(y, y, dict(style), hover)


def rate_words(rate: float) -> str:
    """'0.003', '0.000084', '0' for next to nothing."""
    return "0" if rate < MIN_RATE else f"{float(f'{rate:.2g}'):.7f}".rstrip("0").rstrip(".")


def _value(word: str, line: _Line, form: str) -> str:
    return f"{word} {line.y[-1]:{form}}".strip() if len(line.x) else ""


def _settled(line: _Line, last: int) -> np.ndarray:
    """The values that the axis must hold: all, or without the wild start."""
    late = line.x > EARLY * last
    return line.y[late] if len(line.x) >= ENOUGH and late.sum() >= ENOUGH / 2 else line.y


def _axis(values: list[np.ndarray], measure: str) -> tuple[float, float, float]:
    """Ends of the value axis and its step, at most five gridlines."""
    if measure in JUDGED:
        return value_axis([*values, np.array([])], measure == "accuracy")
    high = float(np.concatenate([*values, [0.0]]).max())
    if high <= 0:
        return 0.0, 1.0, 0.25
    power = 10 ** math.floor(math.log10(high / 4))
    step = next(m * power for m in (1, 2, 2.5, 5, 10, 20) if high <= 4.4 * m * power)
    return 0.0, max(high * 1.08, step), step


def _ticks(measure: str, step: float) -> str:
    if measure == "rate":
        return ".2~g"
    if measure == "speed":
        return ",.0f"
    return ".0f" if measure == "accuracy" else f".{max(0, -math.floor(math.log10(step) + 1e-9))}f"


def _labels(lines: list[_Line], p: Palette, planned: bool, pixels: float, last: int) -> list[dict[str, Any]]:
    """Names at the ends of lines, pushed apart where lines end near each other. pixels: per unit of the value axis."""
    named = [line for line in lines if line.label]
    if not lines and not planned:
        words = {"text": "nothing measured yet", "showarrow": False, "xref": "paper", "yref": "paper"}
        return [{**words, "x": 0.5, "y": 0.5}]
    groups: list[list[_Line]] = []
    for line in sorted(named, key=lambda line: line.end):
        near = groups and line.end - groups[-1][-1].end < 0.2 * last
        groups[-1].append(line) if near else groups.append([line])
    return [
        {
            "x": round(line.end, 4), "y": round(float(line.y[-1]), 6), "xanchor": "left", "xshift": 7,
            "yshift": round(shift, 1), "showarrow": False, "text": line.label,
            "font": {"size": 12, "color": line.style["color"], "weight": 600}, "bgcolor": alpha(p.card_flat, 0.7),
            "borderpad": 0,
        }
        for group in groups
        for line, shift in zip(group, _apart([line.y[-1] * pixels for line in group]), strict=True)
    ]  # fmt: skip


def _apart(heights: list[float]) -> list[float]:
    """How far to move labels at these heights so that none covers another and the group stays where it is."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + LABEL)
    drift = sum(placed) / len(placed) - sum(heights) / len(heights)
    return [new - old - drift for new, old in zip(placed, heights, strict=True)]


def _short(values: Any) -> list[float]:
    """Five digits are more than a screen shows."""
    return [float(f"{value:.5g}") for value in np.asarray(values, float)]
