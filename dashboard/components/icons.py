"""Sixteen-pixel line drawings, as masks: Dash has no SVG elements, and CSS colours a mask with currentColor."""

from dash import html

NAMES = (
    "close",
    "download",
    "link",
    "bookmark",
    "list",
    "next",
    "previous",
    "theme",
    "upload",
    "empty",
    "error",
    "check",
    "shuffle",
    "grid",
    "picture",
    "camera",
    "alike",
    "search",
)


def icon(name: str) -> html.I:
    """A decoration; the control it stands in carries the words."""
    if name not in NAMES:
        raise KeyError(name)
    return html.I(className=f"ico ico-{name}", **{"aria-hidden": "true"})
