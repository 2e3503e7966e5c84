"""Start a training, watch it learn, and see every run and job."""

import secrets

from dash import Dash, dcc, html

from dashboard.components import page_head
from dashboard.pages.training import changed, details, form, live, queue, runs
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH = "/training"
TITLE = "Training"
FORM = (Memory.FIELDS, Memory.PRESETS, Memory.BASIS)  # with the form, which knows what is in them
PANELS = (form, live, queue, changed, runs, details)


def layout(services: Services, selection: Selection) -> html.Div:
    """The page; every panel reads the job table itself, so a reload or a second tab shows the same."""
    return html.Div(
        [
            page_head(TITLE, "Start a run, watch it learn, leave whenever you like. It goes on without this page."),
            html.P(id="training-away", className="notice", role="alert"),  # written by assets/training.js
            dcc.Interval(id=Memory.TICK, interval=live.ACTIVE_MS, disabled=True),  # assets/training.js lets it tick
            *(dcc.Store(id=memory) for memory in Memory if memory not in (Memory.TICK, Memory.INTENT, *FORM)),
            dcc.Store(id=Memory.INTENT, data=secrets.token_hex(16)),
            html.Div([panel.layout(services, selection) for panel in PANELS], className="ff-grid training"),
        ]
    )


def register(app: Dash, services: Services) -> None:
    for panel in PANELS:
        panel.register(app, services)
