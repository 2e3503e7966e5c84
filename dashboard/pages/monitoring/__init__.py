"""What is asked just now, and whether it is still what the run was tested on."""

from dash import Dash, Input, dcc, html

from dashboard.components import button, plain
from dashboard.components.page import Page, Part, Row
from dashboard.pages.monitoring import answering, compared, counted, drift_tests, happenings
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SINCE

TICK = "monitoring-tick-state"  # assets/monitoring.js sets it every five seconds while somebody can see the page
RANGE = "monitoring-range"
WORDS = {"hour": "Last hour", "day": "Last day", "all": "All"}


def actions(services: Services, selection: Selection) -> list:
    """How far back, and a rest for the eyes."""
    return [plain.place(RANGE), button("Pause", small=False, **{"data-live": "", "aria-pressed": "false"})]


def register_range(app: Dash, services: Services) -> None:
    """How far back, as the address has it."""

    @app.callback(plain.children(RANGE), Input("url", "search"))
    def draw_range(search: str | None):
        return ranges(Selection.parse(search))


def ranges(selection: Selection) -> html.Div:
    """The last hour, the last day, all there is."""
    now = selection.since or SINCE[0]
    buttons = [
        html.Button(
            WORDS[name],
            type="button",
            **{
                "data-search": selection.with_(since=name if name != SINCE[0] else None).query(),
                "aria-pressed": str(name == now).lower(),
            },
        )
        for name in SINCE
    ]
    return html.Div(buttons, className="seg", role="group", **{"aria-label": "How far back"})


PAGE = Page(
    path="/monitoring",
    title="Monitoring",
    about="Each picture that the Prediction page or the API answers is counted, not kept. Charts follow by themselves.",
    actions=actions,
    head=register_range,
    kind="monitoring",
    rows=(
        Part(lambda services, selection: dcc.Store(id=TICK)),
        Row(counted, (compared, 8), (drift_tests, 4), answering, happenings),
    ),
)
