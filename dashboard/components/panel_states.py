"""The three faces of a panel that has no data to show: empty, loading, error."""

from typing import Any
from urllib.parse import urlencode

from dash import html

from dashboard.components import button, making
from dashboard.components.icons import icon
from ml.artifacts.reader import Incapable, Missing

FETCH = " data fetch "
WAYS = {" restore ": "Bring it back with", FETCH: "Fetch them with"}


def empty(sentence: str, command: str = "", gives: str = "") -> html.Div:
    """What is not there and the command that makes it, or brings it back. gives: what would, where no command does."""
    words = next((words for sign, words in WAYS.items() if sign in command), "Make it with")
    more: list[Any] = [html.P(words, className="quiet"), html.Code(command)] if command else []
    if FETCH in command:  # a button there does the same
        search = f"?{urlencode({'dataset': command.partition(FETCH)[2]})}"
        more.append(button("Go to Data", small=True, path="/data", search=search))
    more += making.offer(command)
    more += [html.P(gives, className="quiet")] if gives else []
    return html.Div([icon("empty"), html.H3(sentence), *more], className="face", role="status")


def missing(problem: Missing) -> html.Div:
    """The empty face of what could not be found or done."""
    return empty(str(problem), problem.command, problem.gives if isinstance(problem, Incapable) else "")


def loading(words: str) -> html.Div:
    """Still grey bars in the shape of what comes; CSS keeps them unseen for 300 ms."""
    bars = [html.I(className="sk", style={"width": f"{width}%"}) for width in (62, 88, 45, 74)]
    return html.Div([*bars, html.Span(words, className="faint")], className="face wait", **{"aria-busy": "true"})


def error(what: str, still: str = "The other panels read other files and are fine.", detail: str = "") -> html.Div:
    """What happened, what still works, what to do; details folded."""
    folded: list[Any] = [html.Details([html.Summary("Show details"), html.P(detail)])] if detail else []
    return html.Div(
        [
            icon("error"),
            html.H3(what),
            html.P(still, className="quiet"),
            html.Div([html.A("Try again", href="", className="btn-ff sm"), *folded], className="row-ff"),
        ],
        className="face bad",
        role="alert",
    )
