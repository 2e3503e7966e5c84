"""The first dozen, mistakes made most surely first."""

from dash import Dash, Input, Output, html

from dashboard.components import button, card, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.pages.slices import saved
from dashboard.services.container import Services
from dashboard.state.selection import Selection

ID = "slices-strip"
IMAGES_SHOWN = 12


def layout(services: Services, selection: Selection) -> html.Article:
    """One row of the selected images, the way to all of them, and a name to keep them under."""
    body = [slot(f"{ID}-face"), plain.place(f"{ID}-row", className="tiles one-row")]
    return card("Selected images", __doc__, body, tools=[saved.keep_selection(services), html.Span(id=f"{ID}-open")])


def register(app: Dash, services: Services) -> None:
    """Redrawn with the address."""

    @panel_callback(
        app, f"{ID}-face", plain.children(f"{ID}-row"), Output(f"{ID}-open", "children"), Input("url", "search")
    )
    def draw_strip(search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run).for_selection(selection)
        rows = run.ordered(selection)
        if not len(rows):
            return html.P("No image matches all of these filters.", className="quiet small"), None
        to = button(f"Open {len(rows):,} in the gallery", small=True, search=selection.query(), path="/")
        return tiles.answers(run, selection, rows[:IMAGES_SHOWN]), to
