"""The parts of the address that this page follows: what is asked about, and how the answer is told.

Panels follow one of them, so that telling the same answer another way asks nothing anew.
"""

from dash import Dash, Input, Output, State, dcc

from dashboard.services.container import Services
from dashboard.state.selection import Selection

QUESTION = "prediction-address-asked"
DISPLAY = "prediction-address-told"
SCALED = "prediction-address-scaled"  # the same without the threshold, which changes while a slider moves
QUERY_KEYS = {
    QUESTION: ["run", "split", "sample", "way", "ask"],
    DISPLAY: ["scaling", "level", "abstain"],
    SCALED: ["scaling", "level"],
}
TAKE = """(search, ...before) => {
    const all = new URLSearchParams(search || '');
    return %s.map((names, place) => {
        const kept = new URLSearchParams();
        for (const name of names) if (all.has(name)) kept.set(name, all.get(name));
        const now = '?' + kept.toString();
        return now === before[place] ? dash_clientside.no_update : now;
    });
}"""


def layout(services: Services, selection: Selection) -> list[dcc.Store]:
    """One store a part."""
    return [dcc.Store(id=part) for part in QUERY_KEYS]


def register(app: Dash, _: Services) -> None:
    """A part changes only when what it holds does."""
    app.clientside_callback(
        TAKE % list(QUERY_KEYS.values()),
        *(Output(part, "data") for part in QUERY_KEYS),
        Input("url", "search"),
        *(State(part, "data") for part in QUERY_KEYS),
    )
