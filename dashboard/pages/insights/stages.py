"""What is drawn first: words at once, then the 3D chart, then the rest; what asks the network waits to be looked at."""

from dash import Dash, Input, State, dcc

from dashboard.components import lazy_panel
from dashboard.services.container import Services
from dashboard.state.selection import Selection

START = "insights-start-state"  # 1 when the first panels are on screen
LATER = "insights-later-state"  # 1 when the 3D chart is drawn, or will not be
INSIDE = "insights-inside-state"  # the page once the panels that need the network come near the window
INSIDE_AT = "insights-inside"
ARCHITECTURE, ARCHITECTURE_FACE = "insights-architecture-body", "insights-architecture-face"
SPACE, SPACE_FACE = "insights-projection-graph", "insights-projection-face"

# Both return promises, so that Dash knows of work to come until the next stage has begun; both end on their own.
PAINTED = """(_, __, started) => {
    if (started) return;
    return new Promise((done) => {
        const go = () => { clearTimeout(soon); dash_clientside.set_props('%s', {data: 1}); done(); };
        const soon = setTimeout(go, 400);  // a hidden tab has no frames
        requestAnimationFrame(() => setTimeout(go, 0));
    });
}"""

DRAWN = """(face, started) => {
    if (started) return;
    return new Promise((done) => {
        const go = () => { dash_clientside.set_props('%s', {data: 1}); done(); };
        const idle = window.requestIdleCallback || ((then) => setTimeout(then, 50));
        const look = (tries) => {
            if (face || tries > 60 || document.querySelector('#%s canvas')) idle(go, {timeout: 2000});
            else setTimeout(() => look(tries + 1), 150);
        };
        look(0);
    });
}"""


def layout(services: Services, selection: Selection) -> list[dcc.Store]:
    """Memory of this visit."""
    return [dcc.Store(id=START), dcc.Store(id=LATER), dcc.Store(id=INSIDE)]


def register(app: Dash, _: Services) -> None:
    """set_props, not outputs: panels must not wait for each other when the address changes."""
    # a run that does not say what it is made of has a face there, and the rest of the page goes on
    first = (Input(ARCHITECTURE, "children"), Input(ARCHITECTURE_FACE, "children"))
    app.clientside_callback(PAINTED % START, *first, State(START, "data"))
    app.clientside_callback(
        DRAWN % (LATER, SPACE), Input(SPACE_FACE, "children"), State(LATER, "data"), prevent_initial_call=True
    )
    lazy_panel.watch(app, INSIDE, INSIDE_AT, pixels=240)
