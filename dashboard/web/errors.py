"""What a person or a program gets to read when a request fails: one kind of error, one handler, one sentence each."""

import html
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from dash import set_props
from dash.exceptions import DependencyException
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from dashboard.web.proxy import root

log = logging.getLogger(__name__)

NOTICE = "app-notice"
"""Id of the element that tells about a callback that failed outside every panel's own error face."""
RETRY_SECONDS = "2"  # after which to come again where an error does not say it
SENTENCES = {
    400: "The server does not understand this request; the app's own pages do not send it.",
    401: "This app asks for its password.",
    403: "This request comes from another site, so the server refuses it.",
    404: "There is nothing at this address.",
    405: "This address does not take this kind of request.",
    415: "This address takes another type of content.",
    431: "The request's headers are longer than the server accepts.",
    500: "Something went wrong on the server. It has been written to its log under this number: ",
    503: "The server is busy; try again in a moment.",
}


class RequestError(Exception):
    """A request that is answered with an error. status: HTTP, 4xx or 503; field: the input at fault.

    headers: of the answer; more: what a program gets beside the sentence.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        field: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.field = status, field
        self.headers, self.more = dict(headers or {}), dict(more or {})
        if status == 503:
            self.headers.setdefault("Retry-After", RETRY_SECONDS)


Known = Callable[[Exception], RequestError | None]
"""Which answer an error of another room means, None where it is one that nobody expected."""


def sentence(status: int, limit: int) -> str:
    """What a person is told with this status. limit: bytes of a body that the address takes."""
    if status == 413:
        size = f"{limit // 10**6} MB" if limit >= 10**6 else f"{limit // 2**10} KB"
        return f"The request is larger than the {size} that this address accepts."
    return SENTENCES.get(status, "The server cannot answer this request.")


def page(status: int, text: str, home: str = "/") -> str:
    """A whole HTML page that says one sentence and leads back to the app, which is at `home`."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{status} · Fashion Forward</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><main><h1>Fashion Forward</h1><p>{html.escape(text)}</p>"
        f'<p><a href="{html.escape(home)}">To the app</a></p></main></body></html>'
    )


def wants_page() -> bool:
    """Whether the current request was made by a person who opened an address, and not by a program."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith(("/api/", "/_dash"))


def response(error: RequestError) -> Response:
    """A small page to a person, {"error": sentence} to a program, with "field" where one is at fault."""
    if wants_page():
        made = Response(page(error.status, str(error), f"{root()}/"), error.status, mimetype="text/html")
    else:
        body = {"error": str(error), **({"field": error.field} if error.field else {}), **error.more}
        made = Response(orjson.dumps(body), error.status, mimetype="application/json")
    made.headers["Cache-Control"] = "no-store"
    made.headers.update(error.headers)
    return made


def note(error: BaseException, where: str) -> str:
    """Write an error that nobody expected to the log; the number under which it stands there."""
    number = secrets.token_hex(6)
    log.error("error %s in %s", number, where, exc_info=error)
    return number


def on_error(error: Exception, known: Known = lambda _: None) -> None:
    """Dash's handler of exceptions in callbacks: tell the person, change nothing else.

    What `known` has words for is told in them; anything else is written down, and the person gets its number.
    """
    expected = known(error)
    words = SENTENCES[500] + note(error, "a callback") if expected is None else str(expected)
    set_props(NOTICE, {"children": words})


def install(server: Flask, known: Known = lambda _: None) -> None:
    """Answer every failure in one sentence, and unexpected ones with a number that is found in the log."""

    @server.errorhandler(Exception)
    def answer(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException) and (error.code is None or error.code < 400):
            return error  # a redirect
        expected = error if isinstance(error, RequestError) else _of_flask(error) or known(error)
        if expected is not None:
            return response(expected)
        return response(RequestError(500, SENTENCES[500] + note(error, request.path)))


def _of_flask(error: Exception) -> RequestError | None:
    """The same of what Flask and Dash raise themselves."""
    limit = request.max_content_length or 0
    if isinstance(error, DependencyException):  # a file of a component that is not there
        return RequestError(404, sentence(404, limit))
    if not isinstance(error, HTTPException) or error.code is None or (error.code >= 500 and error.code != 503):
        return None
    # A description that this app wrote says more than the general sentence of its status.
    own = error.description if error.description != type(error).description else None
    general = error.code == 413 or error.code in SENTENCES
    allowed = {"Allow": ", ".join(getattr(error, "valid_methods", None) or ())} if error.code == 405 else {}
    return RequestError(error.code, own or (sentence(error.code, limit) if general else error.name), headers=allowed)
