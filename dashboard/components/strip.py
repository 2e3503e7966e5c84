"""The first pictures of a selection in one row, and the way to all of them."""

from dash import Dash, Input, Output, html

from dashboard.components import button, card, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.services.container import Services
from dashboard.state.selection import Selection

SHOWN = 12


def layout(id: str, title: str = "Selected images", help_text: str = "", tools: object = None) -> html.Article:
    """A card with one row of the images of the selection."""
    body = [slot(f"{id}-face"), plain.place(f"{id}-row", className="tiles one-row")]
    more = [*([tools] if tools is not None else []), html.Span(id=f"{id}-open")]
    return card(title, help_text or "The first dozen, mistakes made most surely first.", body, tools=more)


def register(app: Dash, services: Services, id: str) -> None:
    """Redrawn with the address."""

    @panel_callback(
        app, f"{id}-face", plain.children(f"{id}-row"), Output(f"{id}-open", "children"), Input("url", "search")
    )
    def draw_strip(search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run).asked(selection)
        rows = run.ordered(selection)
        if not len(rows):
            return html.P("No image matches all of these filters.", className="quiet small"), None
        to = button(f"Open {len(rows):,} in the gallery", small=True, search=selection.query(), path="/")
        return tiles.answers(run, selection, rows[:SHOWN]), to
