"""A button for each class; of many the first ones, and a field that finds the others (assets/classes.js).

For what plain.Plain draws: a callback's component has no such field.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from dash import html

from dashboard.components.plain import element
from dashboard.state.values import MANY_CLASSES

PLACE, NAME = "\ue000", "\ue001"  # stand for a class in the button that is copied for what is found
FIRST = 12  # classes whose buttons are there without looking for any


def choices(
    names: Sequence[str],
    make: Callable[[int | str, str], Any],
    *,
    label: str,
    without: Sequence[str] = (),
    first: Sequence[int] = (),
    className: str = "chips",
) -> list:
    """make: (class id, name) → its button. label: what is chosen, for the field; without: names that are not offered;
    first: the classes to begin with where there are many."""
    offered = [i for i, name in enumerate(names) if name not in without]
    if len(names) <= MANY_CLASSES:
        return [html.Div([make(i, names[i]) for i in offered], className=className)]
    begin = dict.fromkeys([*(i for i in first if i in set(offered)), *offered])
    find = element(
        "Input",
        type="search",
        className="form-control",
        placeholder=f"Find among {len(names):,} classes",
        **{"data-find-class": "", "aria-label": f"Find a class: {label}", "maxLength": 60, "autoComplete": "off"},
    )
    return [
        html.Div(
            [
                find,
                html.Div([make(i, names[i]) for i in list(begin)[:FIRST]], className=className, **{"data-first": ""}),
                html.Div(make(PLACE, NAME), hidden=True, **{"data-pattern": ""}),
                html.Div(className=className, **{"data-found": ""}),
                html.P(className="faint small", role="status", **{"data-found-said": ""}),
            ],
            className="class-choices",
            **{"data-without": json.dumps([*without])},
        )
    ]


def named(names: Sequence[str]) -> dict[str, str]:
    """Attributes of what holds several `choices`, or one: the names of all classes, once."""
    return {"data-class-names": json.dumps([*names], ensure_ascii=False)} if len(names) > MANY_CLASSES else {}
