"""What is asked just now, and whether it is still what the run was tested on."""

from dash import Dash, Input, dcc, html

from dashboard.components import button, icon, page_head, plain
from dashboard.pages.monitoring import answering, compared, counted
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SINCE

PATH, TITLE = "/monitoring", "Monitoring"
PANELS = (counted, compared, answering)
TICK = "monitoring-tick-state"  # assets/monitoring.js sets it every five seconds while somebody can see the page
RANGE = "monitoring-range"
WORDS = {"hour": "Last hour", "day": "Last day", "all": "All"}


def layout(services: Services, selection: Selection) -> html.Div:
    """How far back, the counters, the comparison with the test set."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    actions = [
        plain.place(RANGE),
        button("Pause", small=False, **{"data-live": "", "aria-pressed": "false"}),
        copy,
    ]
    sentence = (
        "Each picture that the Prediction page or the API answers is counted, not kept. Charts follow by themselves."
    )
    return html.Div(
        [
            page_head("Monitoring", sentence, actions),
            dcc.Store(id=TICK),
            html.Div([counted.layout(), *compared.layout(), answering.layout()], className="ff-grid"),
        ],
        className="monitoring",
    )


def register(app: Dash, services: Services) -> None:
    """How far back, then the panels."""

    @app.callback(plain.children(RANGE), Input("url", "search"))
    def draw_range(search: str | None):
        return ranges(Selection.parse(search))

    for panel in PANELS:
        panel.register(app, services)


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
