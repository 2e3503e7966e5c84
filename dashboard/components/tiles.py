"""Rows of small pictures cut from one sprite sheet."""

from collections.abc import Sequence

from dash import html

from dashboard.components import dot
from dashboard.pictures import sprite_url, tile_style
from dashboard.store import RunView


def neighbour_list(run: RunView, ids: Sequence[int], labels: Sequence[int], notes: Sequence[str] = ()) -> html.Ul:
    """Reference pictures with their labels; notes: a second line under each."""
    url = sprite_url(run.dataset["name"], "reference", list(ids))
    height, width = run.dataset["height"], run.dataset["width"]
    items = []
    for place, label in enumerate(labels):
        name = run.classes[label]
        picture = html.Span(
            className="px",
            role="img",
            style=tile_style(url, place, len(ids), height, width),
            **{"aria-label": f"Training image labelled {name}"},
        )
        note = html.Span(notes[place], className="cap faint") if place < len(notes) else None
        items.append(html.Li([picture, html.Span([dot(label), name], className="cap", title=name), note]))
    return html.Ul(items, className="nbs")
