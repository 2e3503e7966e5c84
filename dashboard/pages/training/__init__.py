"""Start a training, watch it learn, and see every run and job."""

import secrets

from dash import dcc, html

from dashboard.components import to_add
from dashboard.components.page import Page, Part, Row
from dashboard.pages.training import add, changed, details, engines, form, live, queue, runs
from dashboard.pages.training.memory import ACTIVE_MS, Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.people import acting

FORM = (Memory.FIELDS, Memory.PRESETS, Memory.BASIS)  # with the form, which knows what is in them


def memory(services: Services, selection: Selection) -> list:
    """Of this tab; every panel reads the job table itself, so a reload or a second tab shows the same."""
    return [
        html.P(id="training-away", className="notice", role="alert"),  # written by assets/training.js
        dcc.Interval(id=Memory.TICK, interval=ACTIVE_MS, disabled=True),  # assets/training.js lets it tick
        *(dcc.Store(id=one) for one in Memory if one not in (Memory.TICK, Memory.INTENT, *FORM)),
        dcc.Store(id=Memory.INTENT, data=secrets.token_hex(16)),
    ]


def actions(services: Services, selection: Selection) -> list:
    """The panel at the end, from the beginning; where one may add something."""
    return [to_add(add.TITLE)] if not services.read_only and acting.may("import") else []


PAGE = Page(
    path="/training",
    title="Training",
    about="Start a run, watch it learn, leave whenever you like. It goes on without this page.",
    copy=False,
    actions=actions,
    rows=(
        Part(memory),
        Row((form, 4), (live, 8), (queue, 7), (changed, 5), add, runs, (details, 0, engines), kind="training"),
    ),
)
