"""What was clicked or pointed at on a chart; it comes from the browser, so nothing in it is taken for granted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

MAX_NAME_LENGTH = 60  # characters of a name that an address takes


@dataclass(frozen=True)
class Keys:
    """What is held while clicking."""

    ctrl: bool = False
    shift: bool = False


def lead(
    app: Dash, graph: str, choose: Callable[[Selection, object, Keys], Selection | None], *, keyed: bool = False
) -> None:
    """A click on a chart leads to another address. choose: (selection, click, keys) → where to, None for nowhere.

    keyed: whether the keys matter. choose may raise Missing, Broken and PreventUpdate, which lead nowhere too.
    """

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(graph, "clickData"),
        *([State("app-keys-state", "data")] if keyed else []),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def open_click(click: object, *given: Any):
        held = given[0] if keyed and isinstance(given[0], dict) else {}
        try:
            there = choose(Selection.parse(given[-1]), click, Keys(bool(held.get("ctrl")), bool(held.get("shift"))))
        except (Missing, Broken):
            there = None
        if there is None:
            raise PreventUpdate
        return there.query()


def point(event: object) -> Mapping[str, Any]:
    """The first point of a click or hover, {} where there is none."""
    match event:
        case {"points": [dict() as first, *_]}:
            return first
    return {}


def name(event: object, axis: str) -> str | None:
    """A class that this point has on an axis, None where it has none."""
    value = point(event).get(axis)
    return value if isinstance(value, str) and len(value) <= MAX_NAME_LENGTH else None


def number(event: object, name: str) -> float | None:
    """A number that this point has by a name, None where it has none."""
    value = point(event).get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
