"""Data sets: what people bring becomes one; every one that is here can be looked at, described, exported, put away."""

from dash import dcc

from dashboard.components.page import Page, Part, Row
from dashboard.pages.data import bring, look, preview, progress, sets
from dashboard.pages.data.memory import ACTIVE_MS, Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection


def memory(services: Services, selection: Selection) -> list:
    """Of this tab. What is brought and what is imported lies on the server: a reload or another tab shows the same."""
    return [
        dcc.Interval(id=Memory.TICK, interval=ACTIVE_MS),
        *(dcc.Store(id=one) for one in Memory if one is not Memory.TICK),
    ]


PAGE = Page(
    path="/data",
    title="Data",
    heading="Data sets",
    about="Bring labelled pictures of any kind, see what was understood before anything is written, look after what is "
    "here.",
    kind="datasets",
    rows=(Part(memory), Row((bring, 5), (preview, 7)), progress, sets, look),
)
