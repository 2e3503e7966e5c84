"""Newest first. Click to choose, then accept what a network may learn from; A, R, N, Delete and U do it by keyboard."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, card, csv_link, panel_states, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.selection_bar import chip
from dashboard.records.feedback import Item
from dashboard.services import feedback
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import STATES
from ml.artifacts.reader import Broken
from ml.system.wording import shows


class Ids(StrEnum):
    FACE = "feedback-inbox-face"
    STATE = "feedback-inbox-states"
    GRID = "feedback-inbox-grid"
    FOOT = "feedback-inbox-foot"
    CLASS = "feedback-inbox-class"
    TEXT = "feedback-inbox-text"
    LINKS = "feedback-inbox-links"


PAGE = 24
ALL = "all"
DEEDS = 20  # lines of what was done
BADGES = {"new": "info", "accepted": "good", "rejected": "mute"}
NO_FEEDBACK_YET = "No feedback yet. Judge an answer on the Prediction page, and it will be here."
NO_FEEDBACK_MATCHES = "No feedback matches these filters."
DATABASE_UNREADABLE = "The database cannot be read just now. Looking at runs and predicting work on."
ACTS = (
    ("accepted", "Accept", "A"),
    ("rejected", "Reject", "R"),
    ("new", "Undecided", "N"),
    ("delete", "Delete", "Del"),
)


def layout(services: Services, selection: Selection) -> html.Article:
    """Filters, what to do with the chosen ones, and the list."""
    options = [{"value": ALL, "label": "All classes"}]
    options += [
        {"value": name, "label": name} for name in dict.fromkeys((*services.feedback.labels(), *selection.true))
    ]
    fields = html.Div(
        [
            plain.place(Ids.STATE, className="chips"),
            html.Div(
                [
                    html.Label("It is", htmlFor=Ids.CLASS, className="label"),
                    dbc.Select(id=Ids.CLASS, options=options, value=selection.true[0] if selection.true else ALL),
                ],
                className="field",
            ),
            html.Div(
                [
                    html.Label("Text", htmlFor=Ids.TEXT, className="label"),
                    dbc.Input(
                        id=Ids.TEXT, type="search", debounce=True, maxlength=60, value=selection.text or "",
                        placeholder="In notes, classes, runs",
                    ),
                ],
                className="field",
            ),
        ],
        className="fb-filters",
    )  # fmt: skip
    acts = [
        button([words, html.Kbd(key)], small=True, kind="danger" if name == "delete" else "", **{"data-inbox": name})
        for name, words, key in ACTS
    ]
    undo = button(["Undo delete", html.Kbd("U")], small=True, hidden=True, **{"data-inbox": "restore"})
    tools = html.Div(
        [
            html.Span("Choose by clicking", id="feedback-inbox-chosen", className="quiet small", role="status"),
            button("Choose all here", small=True, kind="ghost", **{"data-inbox": "all"}),
            *acts,
            undo,
        ],
        className="row-ff fb-acts",
    )
    messages = [
        html.P(id="feedback-inbox-status", className="good small", role="status"),
        html.P(id="feedback-inbox-error", className="bad small", role="alert"),
    ]
    body = html.Div([tools, *messages, plain.place(Ids.GRID, "ul", className="fb-grid"), plain.place(Ids.FOOT)])
    links = plain.place(Ids.LINKS, className="row-ff")
    return card("Inbox", __doc__, [fields, slot(Ids.FACE, "Reading feedback"), body], tools=links)


def register(app: Dash, services: Services) -> None:
    """The list, and the two fields that write the address."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.STATE),
        plain.children(Ids.GRID),
        plain.children(Ids.FOOT),
        plain.children(Ids.LINKS),
        Input("url", "search"),
        Input("feedback-done-state", "data"),
    )
    def list_feedback(search: str | None, _: object):
        return listed(services, Selection.parse(search))

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(Ids.CLASS, "value"),
        Input(Ids.TEXT, "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def narrow(name: object, text: object, search: str | None):
        if ctx.triggered_id not in (Ids.CLASS, Ids.TEXT):
            raise PreventUpdate
        now = Selection.parse(search)
        there = narrowed(now, name, text)
        if (there.true, there.text) == (now.true, now.text):  # a page that opens fires this too, and stays where it is
            raise PreventUpdate
        return there.query()


def narrowed(selection: Selection, name: object, text: object) -> Selection:
    """The address with what the two fields say; what cannot be an address is left out."""
    words = " ".join(text.split())[:60] if isinstance(text, str) else ""
    classes = (name,) if isinstance(name, str) and 0 < len(name) <= 60 and shows(name) and name != ALL else ()
    return selection.with_(true=classes, text=words if words and shows(words) else None)


def listed(services: Services, selection: Selection) -> tuple[Any, ...]:
    """States with their counts, one page of the list, where it is, and the ways out. Raises Broken."""
    if not services.feedback.readable():
        raise Broken(DATABASE_UNREADABLE)
    chosen = feedback.filtered(selection)
    counts = services.feedback.counts(chosen)
    total = counts[chosen.state] if chosen.state else sum(counts.values())
    pages = max(-(-total // PAGE), 1)
    page = min(selection.page, pages)
    items = services.feedback.listing(chosen, limit=PAGE, start=(page - 1) * PAGE)
    marks = services.store.marks()
    grid: Any = [entry(one, marks.name(one.run)) for one in items]
    if not items:
        narrowing = chosen.state or chosen.run or chosen.labels or chosen.text
        grid = html.Li(panel_states.empty(NO_FEEDBACK_MATCHES if narrowing else NO_FEEDBACK_YET), className="wide")
    links = []
    if total:
        query = selection.with_(page=1).query()
        links = [csv_link(f"/export/feedback.csv{query}"), csv_link(f"/export/feedback.zip{query}", "ZIP of accepted")]
    known = marks.name(selection.run) if selection.run else ""
    trash = html.Span(
        id="feedback-trashed", hidden=True, **{"data-numbers": ",".join(map(str, services.feedback.trashed()))}
    )
    return states(selection, counts, known), grid, [foot(selection, page, pages, total), done(services), trash], links


def states(selection: Selection, counts: dict[str, int], run: str) -> list[Any]:
    """All, and each state with how many it has; chips of what else narrows."""
    choices: list[tuple[str | None, str, int]] = [(None, "All", sum(counts.values()))]
    choices += [(state, state.capitalize(), counts[state]) for state in STATES]
    buttons = [
        html.Button(
            [words, " ", html.B(f"{n:,}")],
            type="button",
            **{
                "data-search": selection.with_(state=state).query(),
                "aria-pressed": str(selection.state == state).lower(),
            },
        )
        for state, words, n in choices
    ]
    filters: list[Any] = [html.Div(buttons, className="seg", role="group", **{"aria-label": "State"})]
    if run:
        filters.append(chip("run", run, selection.with_(run=None), None))
    for name in selection.true:
        filters.append(chip("it is", name, selection.with_(true=tuple(n for n in selection.true if n != name)), None))
    if selection.text:
        filters.append(chip("text", selection.text, selection.with_(text=None), None))
    return filters


def entry(one: Item, run: str) -> html.Li:
    """A picture, what was said and what it is, the note; pressed to be chosen."""
    when = datetime.fromtimestamp(one.at, UTC).strftime("%d %b %Y, %H:%M UTC")
    sure = f"{100 * one.confidence:.1f} %"
    words = f"right, it is {one.label}" if one.right else f"wrong, it is {one.label}"
    name = f"Feedback {one.number}: answered {one.said} with {sure}; {words}; {one.state}"
    way = [html.Img(src=f"/feedback/pictures/{one.picture}.png", alt="", className="crisp")]
    more: Sequence[Any] = ()
    if one.sent:
        sent = f"/feedback/pictures/{one.picture}/sent.png"
        more = [html.A("As sent", href=sent, target="_blank", rel="noopener", className="small")]
    return html.Li(
        [
            html.Button(
                [
                    html.Span(way, className="px"),
                    html.Span([html.B(one.label), badge("right", "good") if one.right else badge("wrong", "bad")]),
                    html.Span(f"answered {one.said}, {sure}", className="quiet small"),
                ],
                type="button",
                className="fb-pick",
                **{"data-pick": str(one.number), "aria-pressed": "false", "aria-label": name},
            ),
            html.P(one.note, className="small fb-note") if one.note else None,
            html.Div(
                [
                    badge(one.state, BADGES[one.state]),
                    html.Span(f"{run}, {when}", className="faint small"),
                    html.Span(one.origin, className="faint small") if one.origin else None,
                    *more,
                ],
                className="fb-about",
            ),
        ]
    )


def done(services: Services) -> html.Details | None:
    """What was done last, and by whom."""
    deeds = services.feedback.deeds(DEEDS)
    if not deeds:
        return None
    lines = [
        html.Li(f"{datetime.fromtimestamp(one.at, UTC):%d %b %Y, %H:%M UTC}: {one.feedback} {one.what} by {one.who}")
        for one in deeds
    ]
    return html.Details(
        [
            html.Summary("What was done", className="small"),
            html.Ul(lines, className="small quiet"),
            csv_link("/export/feedback-log.csv"),
        ]
    )


def foot(selection: Selection, page: int, pages: int, total: int) -> Any:
    """Where we are, and the pages before and after."""
    if pages == 1:
        return html.P(f"{total:,} in all", className="quiet small") if total else None
    steps = [
        button(
            "Newer", small=True, disabled=page == 1, search=selection.with_(page=page - 1).query() if page > 1 else None
        ),
        button(
            "Older",
            small=True,
            disabled=page == pages,
            search=selection.with_(page=page + 1).query() if page < pages else None,
        ),
    ]
    words = html.Span(f"Page {page} of {pages}, {total:,} in all", className="quiet small")
    return html.Div([words, html.Div(steps, className="row-ff")], className="pager")
