"""What was clicked or pointed at on a chart; it comes from the browser, so nothing in it is taken for granted."""

from collections.abc import Mapping
from typing import Any


def point(event: object) -> Mapping[str, Any]:
    """The first point of a click or hover, {} where there is none."""
    match event:
        case {"points": [dict() as first, *_]}:
            return first
    return {}


def number(event: object, name: str) -> float | None:
    """A number that this point has by a name, None where it has none."""
    value = point(event).get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
