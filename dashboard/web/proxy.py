"""What proxies before the app change of a request: who asks, under which host name, beneath which path.

Everywhere else the app stands at "/": pages, routes and the addresses in answers know nothing of a prefix. It is taken
off where a request comes in and put on where an answer that holds addresses goes out, each request's own, so nothing
that is kept can hold another's. assets/00-address.js does the same for what scripts ask for.
"""

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_to_bytes

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from ml.settings import checked_prefix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CALLBACK = "/_dash-update-component"

PAGE_ENDPOINTS = ("/", "/<path:path>", "/_dash-layout", CALLBACK)
"""Dash's answers that hold addresses: the page, what stands on it, what callbacks change of it."""
SLASH = rb"(?:/|\\u002f)"  # plotly's JSON writes the second
ADDRESS = re.compile(
    # in JSON, where a quote within text is escaped, and in the page's head
    rb'("(?:href|src|url|pathname|requests_pathname_prefix)":\s*"|":\s*"url\(|background-image:url\(|\s(?:href|src|data-solid)=")'
    rb"(?=" + SLASH + rb"(?!" + SLASH + rb"))"
)


class Prefix:
    """WSGI: the path before the app's own becomes SCRIPT_NAME, whether the proxy took it off or left it on.

    fixed: the prefix of the setting; without it SCRIPT_NAME is what a trusted proxy named. taken: first segments of the
    app's own paths, of which no prefix that is left on can be told apart.
    """

    def __init__(self, app: "WSGIApplication", fixed: str, taken: Collection[str]) -> None:
        self.app, self.fixed, self.taken = app, fixed, taken

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        prefix = self.fixed or self.named(environ)
        environ["SCRIPT_NAME"] = mount = unquote_to_bytes(prefix).decode("latin-1")
        path = environ.get("PATH_INFO", "")
        if mount and path == mount and not self.ours(prefix):
            query = environ.get("QUERY_STRING")
            start_response("308 Permanent Redirect", [("Location", f"{prefix}/{'?' + query if query else ''}")])
            return []
        if mount and path.startswith(mount + "/") and not self.ours(prefix):
            environ["PATH_INFO"] = path[len(mount) :]
        return self.app(environ, start_response)

    def named(self, environ: "WSGIEnvironment") -> str:
        try:
            return checked_prefix(environ.get("SCRIPT_NAME", ""))
        except ValueError:  # the app then stands where it is asked
            return ""

    def ours(self, prefix: str) -> bool:
        """Whether the app has such paths itself; then the proxy has taken the prefix off, as the header means it."""
        return unquote(prefix.split("/")[1]) in self.taken


def install(server: Flask, *, prefix: str = "", proxies: int = 0, pages: Collection[str] = ()) -> None:
    """Let `server` stand behind proxies; call it when all routes are there, after security and compression.

    prefix: of the setting; proxies: how many stand before the server and are believed. Raises ValueError where the
    prefix is none.
    """
    paths = (*(rule.rule for rule in server.url_map.iter_rules()), *pages)
    behind = Prefix(server.wsgi_app, checked_prefix(prefix), {path.split("/")[1] for path in paths} - {""})
    if behind.fixed and behind.ours(behind.fixed):
        raise ValueError(
            f"FASHION_PREFIX is {prefix[:40]!r}, but a path of the app itself begins like that: choose another."
        )
    trusted = dict.fromkeys(("x_for", "x_proto", "x_host", "x_prefix"), proxies)
    server.wsgi_app = ProxyFix(behind, **trusted) if proxies else behind  # type: ignore[method-assign]

    @server.before_request
    def inward() -> None:
        if request.script_root and request.path == CALLBACK and request.method == "POST":
            body = request.get_json()  # the one that Dash reads
            for one in (*body.get("inputs", []), *body.get("state", [])):
                if isinstance(one, dict) and one.get("property") == "pathname" and one.get("value"):
                    one["value"] = within(one["value"])

    @server.after_request  # runs before compression, which was registered earlier
    def outward(response: Response) -> Response:
        if root() and request.endpoint in PAGE_ENDPOINTS and not response.direct_passthrough:
            response.set_data(ADDRESS.sub(rb"\g<1>" + root().encode(), response.get_data()))
        return response


def root() -> str:
    """The path before the app's own in the current request, as it stands in an address; "" for none."""
    return quote(request.script_root, safe="/~@:+,=")


def within(path: str) -> str:
    """The app's own part of a path in the address bar, which may be written with other escapes."""
    depth = request.script_root.count("/") + 1
    parts = path.split("/")
    return "/" + "/".join(parts[depth:]) if unquote("/".join(parts[:depth])) == request.script_root else path
