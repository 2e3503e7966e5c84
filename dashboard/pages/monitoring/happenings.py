"""Who did what here: decisions, feedback, slices, runs, jobs and accounts, the newest first."""

import time
from urllib.parse import urlencode

from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.picker import Picker
from dashboard.records.happenings import NAMELESS, Happening, Wanted
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.people.acting import ACTS

FACE, BODY, CSV = "monitoring-happenings-face", "monitoring-happenings-body", "monitoring-happenings-csv"
WHO, ACT = "monitoring-happenings-who", "monitoring-happenings-act"
LINES = 20
EVERYBODY, EVERYTHING = "everybody", "everything"
CLOSED = "A read-only server does not show who did what."


def layout(services: Services, selection: Selection) -> html.Article:
    """Who and what narrow the list."""
    if services.read_only:
        return card("What happened", __doc__, html.P(CLOSED, className="quiet"))
    acts = [option(EVERYTHING, "everything"), *(option(act, words) for act, (_, words) in ACTS.items())]
    filters = html.Div(
        [
            html.Div(
                [html.Label("By", htmlFor=WHO, className="label quiet"), Picker(WHO, people(services), EVERYBODY)],
                className="runpick",
            ),
            html.Div(
                [html.Label("What", htmlFor=ACT, className="label quiet"), Picker(ACT, acts, EVERYTHING)],
                className="runpick",
            ),
            button("Look again", id=f"{BODY}-again", small=True, kind="ghost"),
        ],
        className="mon-filters",
    )
    body = [filters, slot(FACE, "Reading what happened"), plain.place(BODY)]
    return card("What happened", __doc__, body, tools=[html.Span(id=CSV)])


def option(value: str, label: str) -> dict[str, str]:
    return {"value": value, "label": label, "group": ""}


def people(services: Services) -> list[dict[str, str]]:
    """Everybody, then each by name, then those without one."""
    names = services.happenings.names()
    named = [option(name, name) for name in names if name]
    return [option(EVERYBODY, "everybody"), *named, *([option(NAMELESS, "no name")] if "" in names else [])]


def register(app: Dash, services: Services) -> None:
    """The newest lines, as who and what narrow them; all of them as CSV."""
    if services.read_only:
        return

    @panel_callback(
        app,
        FACE,
        plain.children(BODY),
        Output(CSV, "children"),
        Input(WHO, "value"),
        Input(ACT, "value"),
        Input(f"{BODY}-again", "n_clicks"),
    )
    def list_happenings(who: object, act: object, _: int | None):
        if not isinstance(who, str | None) or not isinstance(act, str | None):
            raise PreventUpdate
        chosen = {"who": who if who != EVERYBODY else "", "act": act if act != EVERYTHING else ""}
        rows = services.happenings.listing(Wanted(chosen["who"] or "", chosen["act"] or ""), LINES + 1)
        query = urlencode({name: value for name, value in chosen.items() if value})
        link = csv_link(f"/export/happenings.csv{'?' + query if query else ''}")
        if not rows:
            return html.P("Nothing of the kind was done since this is written down.", className="quiet"), link
        more = f"The newest {LINES}; the file has all of them." if len(rows) > LINES else None
        lines = html.Ul([shown(one) for one in rows[:LINES]], className="mon-happened")
        return [lines, html.P(more, className="quiet small") if more else None], link


def shown(one: Happening) -> html.Li:
    """What, then who and when."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(one.at)) + " UTC"
    what = html.Span([html.B(one.about, className="mono"), f" {one.words}"])
    return html.Li(html.Div([what, html.Span(f"{one.who or 'no name'}, {at}", className="faint small")]))
