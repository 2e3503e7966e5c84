"""How sure is the network of each class?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures.labels import cut, escaped
from dashboard.figures.traces import trace
from dashboard.format.numbers import percent
from dashboard.theme import class_colours, palette, template

ROW = 21  # pixels a class
MAX_MARGIN_LABEL = 16  # characters of a name that fit into the margin
PADDING = 4  # above and below


def height(classes: int) -> int:
    """Pixels that the chart of so many classes needs."""
    return ROW * classes + 2 * PADDING


def bars(probabilities: np.ndarray, *, classes: Sequence[str], mode: str, truth: int | None = None) -> dict[str, Any]:
    """probabilities: float [C] → one bar a class, most likely on top, name at the left, per cent at the right.

    truth: the class id of the label, whose name is then marked.
    """
    p = palette(mode)
    colours = class_colours(mode, len(classes))
    order = np.argsort(-probabilities, kind="stable")
    places = list(range(len(classes)))
    names = []
    for place, i in enumerate(order):
        shown = escaped(cut(classes[i], MAX_MARGIN_LABEL))
        name = f"{shown} ✓" if i == truth else shown
        names.append(f'<b style="color:{p.ink}">{name}</b>' if place == 0 else name)
    traces = [
        trace(
            "bar",
            x=[1] * len(places),
            y=places,
            orientation="h",
            marker={"color": p.well, "line": {"width": 0}},
            hoverinfo="skip",
        ),
        trace(
            "bar",
            x=[max(float(probabilities[i]), 0.004) for i in order],  # a sliver keeps every class visible
            y=places,
            orientation="h",
            marker={"color": [colours[i] for i in order], "line": {"width": 0}, "cornerradius": 2},
            customdata=[
                [escaped(classes[i]), f"{100 * float(probabilities[i]):.4f}".rstrip("0").rstrip(".")] for i in order
            ],
            hovertemplate="<b>%{customdata[1]} %</b> %{customdata[0]}<extra></extra>",
        ),
    ]
    values = [
        {
            "x": 1, "xref": "paper", "xanchor": "right", "xshift": 46, "y": place, "yref": "y", "showarrow": False,
            "text": f"<b>{percent(probabilities[i])}</b>" if place == 0 else percent(probabilities[i]),
            "font": {"size": 12, "color": p.ink if place == 0 else p.ink_2},
        }
        for place, i in enumerate(order)
    ]  # fmt: skip
    longest = min(max(len(name) for name in classes), MAX_MARGIN_LABEL)
    layout = {
        "template": template(mode), "height": height(len(classes)), "barmode": "overlay", "bargap": 0.52,
        "annotations": values, "margin": {"l": min(150, 18 + 7 * longest), "r": 48, "t": PADDING, "b": PADDING},
        "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis": {
            "range": [len(places) - 0.5, -0.5], "tickvals": places, "ticktext": names, "showgrid": False,
            "fixedrange": True, "tickfont": {"size": 12, "color": p.ink_2}, "ticklabelstandoff": 6,
        },
    }  # fmt: skip
    return {"data": traces, "layout": layout}
