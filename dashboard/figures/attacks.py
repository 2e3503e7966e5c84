"""How fast the accuracy falls when every pixel may move a little further."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.figures.history import LABEL
from dashboard.figures.labels import escaped
from dashboard.theme import alpha, palette, template

HEIGHT = 300


@dataclass(frozen=True)
class Line:
    """One attack on one run. name: written at its end; epsilon: of 255, ascending; the rest in 0..1, n for hover.

    colour: a field of the palette; dashed: the weaker attack.
    """

    name: str
    epsilon: Sequence[float]
    value: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    hover: Sequence[str]
    colour: str = "accent"
    dashed: bool = False


def curves(
    lines: Sequence[Line], *, chosen: tuple[int, float] | None = None, height: int = HEIGHT, mode: str = "light"
) -> dict[str, Any]:
    """Each step to the right doubles epsilon, from 0 on; bands are 95 % intervals. chosen: (line, epsilon), ringed.

    The points of line i are the trace of number len(lines) + i. height: pixels the chart will have.
    """
    p = palette(mode)
    steps = sorted({e for line in lines for e in line.epsilon})
    place = {epsilon: i for i, epsilon in enumerate(steps)}
    bands, points = [], []
    for i, line in enumerate(lines):
        colour = getattr(p, line.colour)
        at = [place[e] for e in line.epsilon]
        bands.append(
            {
                "type": "scatter", "mode": "lines", "x": [*at, *at[::-1]],
                "y": [*(100 * y for y in line.high), *(100 * y for y in line.low[::-1])],
                "fill": "toself", "fillcolor": alpha(colour, 0.14), "line": {"width": 0}, "hoverinfo": "skip",
            }
        )  # fmt: skip
        ringed = [chosen == (i, e) for e in line.epsilon]
        points.append(
            {
                "type": "scatter", "mode": "lines+markers", "x": at, "y": [round(100 * y, 3) for y in line.value],
                "name": line.name,
                "line": {"color": colour, "width": 2.2, "dash": "5px,3px" if line.dashed else "solid"},
                "marker": {
                    "size": [11 if on else 7 for on in ringed],
                    "color": [p.card_flat if on else colour for on in ringed],
                    "line": {"color": colour, "width": [2.5 if on else 0 for on in ringed]},
                },
                "text": list(line.hover), "hovertemplate": "%{text}<extra></extra>", "cliponaxis": False,
            }
        )  # fmt: skip
    return {
        "data": [*bands, *points],
        "layout": {
            "template": template(mode),
            "margin": {"l": 34, "r": 92, "t": 8, "b": 38},
            "annotations": _names(lines, place, (height - 46) / 100, mode),
            "xaxis": {
                "range": [-0.2, max(len(steps) - 0.9, 0.2)], "tickvals": list(range(len(steps))),
                "ticktext": [f"{e:g}" for e in steps], "showgrid": False, "fixedrange": True,
                "title": {"text": "ε, in 255ths", "standoff": 4, "font": {"size": 11, "color": p.ink_3}},
            },
            "yaxis": {
                "range": [0, 100.3], "tickvals": [0, 25, 50, 75, 100], "fixedrange": True, "zeroline": True,
                "zerolinecolor": p.grid, "zerolinewidth": 1,
            },
        },
    }  # fmt: skip


def _names(lines: Sequence[Line], place: dict[float, int], pixels: float, mode: str) -> list[dict[str, Any]]:
    """At the end of each line, pushed apart where they would meet. pixels: a per cent's height."""
    p = palette(mode)
    ends = sorted((100 * line.value[-1], i) for i, line in enumerate(lines) if len(line.value))
    labels, top = [], -float(LABEL)
    for value, i in ends:
        at = max(value * pixels, top + LABEL)  # from the lowest up
        top = at
        line = lines[i]
        labels.append(
            {
                "x": place[line.epsilon[-1]], "y": value, "xanchor": "left", "xshift": 9,
                "yshift": at - value * pixels, "showarrow": False, "text": f"{escaped(line.name)} {value:.1f}",
                "font": {"size": 12, "color": getattr(p, line.colour), "weight": 600},
            }
        )  # fmt: skip
    return labels
