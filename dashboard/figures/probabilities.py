"""How sure is the network of each class?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.figures.labels import cut, escaped
from dashboard.figures.traces import trace
from dashboard.format.numbers import percent
from dashboard.theme import class_colours, palette, template

ROW = 21  # pixels a class
MANY, LISTED = 16, 10  # of more classes than these, the likeliest are drawn and the rest is summed
MAX_MARGIN_LABEL = 16  # characters of a name that fit into the margin
PADDING = 4  # above and below


def height(classes: int) -> int:
    """Pixels that the chart of so many classes needs."""
    return ROW * (classes if classes <= MANY else LISTED + 1) + 2 * PADDING


@dataclass(frozen=True)
class Likeliest:
    """order: class ids, most likely first; rest: how many are not among them; together: their probability."""

    order: list[int]
    rest: int
    together: float

    @property
    def words(self) -> str:
        """What the rest is called."""
        return f"{self.rest:,} others"


def likeliest(probabilities: np.ndarray, also: Sequence[int | None] = ()) -> Likeliest:
    """probabilities: float [C]; also: classes that are listed whatever they got."""
    order = np.argsort(-probabilities, kind="stable").tolist()
    if len(order) <= MANY:
        return Likeliest(order, 0, 0.0)
    kept = {*order[:LISTED], *(i for i in also if i is not None)}
    rest = [i for i in order if i not in kept]
    return Likeliest([i for i in order if i in kept], len(rest), float(probabilities[rest].sum()))


def bars(probabilities: np.ndarray, *, classes: Sequence[str], mode: str, truth: int | None = None) -> dict[str, Any]:
    """probabilities: float [C] → one bar a class, most likely on top, name at the left, per cent at the right.

    truth: the class id of the label, whose name is then marked.
    """
    p = palette(mode)
    colours = class_colours(mode, len(classes))
    listed = likeliest(probabilities, (truth,))
    order = listed.order
    chances = [float(probabilities[i]) for i in order]
    whole, fills = [escaped(classes[i]) for i in order], [colours[i] for i in order]
    names = []
    for place, i in enumerate(order):
        shown = escaped(cut(classes[i], MAX_MARGIN_LABEL))
        name = f"{shown} ✓" if i == truth else shown
        names.append(f'<b style="color:{p.ink}">{name}</b>' if place == 0 else name)
    if listed.rest:
        names.append(listed.words)
        whole.append(listed.words)
        fills.append(p.line_2)
        chances.append(listed.together)
    places = list(range(len(names)))
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
            x=[max(chance, 0.004) for chance in chances],  # a sliver keeps every class visible
            y=places,
            orientation="h",
            marker={"color": fills, "line": {"width": 0}, "cornerradius": 2},
            customdata=[
                [name, f"{100 * chance:.4f}".rstrip("0").rstrip(".")]
                for name, chance in zip(whole, chances, strict=True)
            ],
            hovertemplate="<b>%{customdata[1]} %</b> %{customdata[0]}<extra></extra>",
        ),
    ]
    values = [
        {
            "x": 1, "xref": "paper", "xanchor": "right", "xshift": 46, "y": place, "yref": "y", "showarrow": False,
            "text": f"<b>{percent(chance)}</b>" if place == 0 else percent(chance),
            "font": {"size": 12, "color": p.ink if place == 0 else p.ink_2},
        }
        for place, chance in enumerate(chances)
    ]  # fmt: skip
    longest = min(
        max(len(name) for name in (*(classes[i] for i in order), listed.words if listed.rest else "")), MAX_MARGIN_LABEL
    )
    layout = {
        "template": template(mode), "height": ROW * len(places) + 2 * PADDING, "barmode": "overlay", "bargap": 0.52,
        "annotations": values, "margin": {"l": min(150, 18 + 7 * longest), "r": 48, "t": PADDING, "b": PADDING},
        "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis": {
            "range": [len(places) - 0.5, -0.5], "tickvals": places, "ticktext": names, "showgrid": False,
            "fixedrange": True, "tickfont": {"size": 12, "color": p.ink_2}, "ticklabelstandoff": 6,
        },
    }  # fmt: skip
    return {"data": traces, "layout": layout}
