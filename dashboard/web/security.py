"""Guards between the network and the app: hosts, password, origins, sizes, callback envelopes and headers.

Nothing here knows a page. `install` registers the guards on the Flask server behind a Dash app; what a callback does
with a value that has the right shape stays the callback's own duty.
"""

import base64
import functools
import hashlib
import ipaddress
import logging
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from dash import Dash
from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.http import HTTP_STATUS_CODES

from dashboard.web import errors, passwords
from dashboard.web.errors import RequestError
from dashboard.web.identity import Identity
from dashboard.web.proxy import CALLBACK
from ml.people import acting
from ml.people.accounts import Accounts
from ml.settings import Listening

log = logging.getLogger(__name__)

CALLBACK_BYTES = 16 * 2**20
"""Largest callback body: a file of 12 MB grows by a third in base64."""
API_BYTES = 30 * 10**6
BATCH_ROUTE = "/api/v1/batch"
BATCH_BYTES = 64 * 10**6
UPLOADS = "/api/v1/uploads"
PIECE_BYTES = 32 * 10**6
"""Of an upload, which may be of any number of pieces."""
OTHER_BYTES = 64 * 2**10
ANY_ADDRESS = "any address"
"""Among the accepted hosts: a Host that is a bare IP address. No other site's name can be made to point at one."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
CLOSED = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content security policy of an answer that needs nothing."""
PARTS = ("application/json", "text/css", "text/javascript", "image/")
"""What is no document of its own: its policy is `CLOSED`, as the page's is longer, and a visit asks often."""

# What the browser can send for these properties; None is always possible. Properties missing here hold whatever the
# callback that reads them checks.
TYPES: dict[str, type | tuple[type, ...]] = {
    "clickData": dict,
    "contents": (str, list),
    "filename": (str, list),
    "hash": str,
    "hoverData": dict,
    "href": str,
    "n_blur": int,
    "n_clicks": int,
    "n_intervals": int,
    "n_submit": int,
    "pathname": str,
    "relayoutData": dict,
    "search": str,
    "selectedData": dict,
}


def body_limit(path: str) -> int:
    """The most bytes a request to `path`, with a proxy's prefix or without, may carry in its body."""
    if path.endswith(CALLBACK):
        return CALLBACK_BYTES
    if path.endswith(BATCH_ROUTE):
        return BATCH_BYTES
    if f"{UPLOADS}/" in path:
        return PIECE_BYTES
    return API_BYTES if "/api/" in path else OTHER_BYTES


class Json(DefaultJSONProvider):
    """Flask's JSON, read strictly: no NaN, no lone surrogates, no nesting that exhausts the stack."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """The value in `s`; ValueError where it is not JSON. Options of json.loads are not taken."""
        return orjson.loads(s)


class Forged(ValueError):
    """A callback body that the app's own page cannot have sent."""


def check_envelope(body: Any, callbacks: Mapping[str, Any]) -> None:
    """Compare a callback body with the callbacks that the app declared.

    body: the decoded JSON; callbacks: `app.callback_map`. Raises Forged with the reason, or LookupError where no
    callback has this output. The values of properties are checked as far as `TYPES` knows them.
    """
    if not isinstance(body, dict):
        raise Forged("the body is not an object")
    output = body.get("output")
    if not isinstance(output, str):
        raise Forged("output is not a string")
    declared = callbacks.get(output)
    if declared is None:
        raise LookupError("no callback has this output")
    sent: list[dict[str, Any]] = []
    for part, key in (("inputs", "inputs"), ("state", "state")):
        items = body.get(part, [])
        if not isinstance(items, list) or len(items) != len(declared[key]):
            raise Forged(f"{part} is not a list of {len(declared[key])}")
        for item, want in zip(items, declared[key], strict=True):
            components = check_dependency(item, want["id"], want["property"])
            for one in components:
                check_value(one)
            if part == "inputs":
                sent += components
    if not declared.get("no_output"):
        check_outputs(body.get("outputs"), output)
    changed = body.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(one, str) for one in changed):
        raise Forged("changedPropIds is not a list of strings")
    for one in changed:
        check_changed(one, sent)


def check_outputs(sent: Any, output: str) -> None:
    """Raise Forged unless `sent` names the outputs of the callback called `output`."""
    wanted = dash_outputs(output)
    items = sent if output.startswith("..") else [sent]
    if not isinstance(items, list) or len(items) != len(wanted):
        raise Forged(f"outputs is not a list of {len(wanted)}")
    for item, (identity, name) in zip(items, wanted, strict=True):
        check_dependency(item, identity, name)


def check_dependency(item: Any, identity: str, name: str) -> list[dict[str, Any]]:
    """The components that `item` names, after comparing them with the declared id (a wildcard as JSON) and property."""
    pattern = orjson.loads(identity) if identity.startswith("{") else None
    many = pattern is not None and any(value in (["ALL"], ["ALLSMALLER"]) for value in pattern.values())
    if many != isinstance(item, list):
        raise Forged(f"{identity} is {'not ' if many else ''}a list")
    items = item if many else [item]
    for one in items:
        if not isinstance(one, dict) or one.get("property") != name:
            raise Forged(f"not the property {name} of {identity}")
        actual = one.get("id")
        if pattern is None:
            if actual != identity:
                raise Forged(f"not the component {identity}")
            continue
        if not isinstance(actual, dict) or actual.keys() != pattern.keys():
            raise Forged(f"not a component like {identity}")
        for key, value in pattern.items():
            if isinstance(value, list):  # a wildcard
                if not isinstance(actual[key], (str, int, float)):
                    raise Forged(f"{key} of {identity} is not a plain value")
            elif actual[key] != value:
                raise Forged(f"not a component like {identity}")
    return items


def check_value(item: Mapping[str, Any]) -> None:
    """Raise Forged where the value of a property has a type that no browser sends for it."""
    value, kind = item.get("value"), TYPES.get(item["property"])
    if value is None or kind is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Forged(f"{item['property']} has the type {type(value).__name__}")


def check_changed(name: str, inputs: list[dict[str, Any]]) -> None:
    """Raise Forged unless `name` ("id.property", the id of a wildcard as JSON) is one of the inputs sent along."""
    text, _, prop = name.rpartition(".")
    identity: Any = text
    if text.startswith("{"):
        try:
            identity = orjson.loads(text)
        except ValueError as error:
            raise Forged("changedPropIds holds a broken id") from error
    if not any(one["id"] == identity and one["property"] == prop for one in inputs):
        raise Forged("changedPropIds names what is not an input")


@functools.lru_cache(maxsize=1024)
def dash_outputs(output: str) -> list[tuple[str, str]]:
    """The (id, property) pairs in a callback's name, `a.b`, or `..a.b...c.d..` for several; at most 1,024 are kept.

    Only names that are keys of the callback map come here, so the cache cannot be filled from outside.
    """
    names = output[2:-2].split("...") if output.startswith("..") else [output]
    pairs = []
    for name in names:
        identity, _, prop = name.rpartition(".")
        pairs.append((identity.replace("\\.", "."), prop))
    return pairs


def hosts_from_environment() -> set[str]:
    """Accepted Host names: this machine's own, those of FASHION_HOSTS (commas), and those that platforms announce."""
    named = Listening.read()
    hosts = ",".join((named.hosts, named.space, named.render, named.heroku))
    return {"localhost", "127.0.0.1", "::1"} | {host.strip().lower() for host in hosts.split(",") if host.strip()}


def host_accepted(host: str, accepted: Collection[str]) -> bool:
    """Whether a Host header (name or address, with or without a port) is one of `accepted`."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in accepted or host.lower() in accepted:
        return True
    if ANY_ADDRESS in accepted:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
    return False


def basic(password: str, name: str = "fashion") -> str:
    """The Authorization header that carries a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def same_origin() -> bool:
    """Whether the current request comes from this app's own pages or from no page at all."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()


# and what is looked up or cut for each address anew
COSTLY = (
    "/api/", "/export/", "/explanations/", "/training/log/", "/feedback/pictures/", "/search", "/sprites/",
    "/originals/", "/pictures/", "/suspects/",
)  # fmt: skip


def costly(path: str) -> bool:
    """Whether a GET makes work: files are drawn up, explanations computed. Another page's images could ask for many."""
    return path.startswith(COSTLY)


def wanted() -> bool:
    """Whether the current request comes from this app's own pages, no page at all, or a link that a person followed."""
    if request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"):
        return True
    navigated = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest"))
    return navigated == ("navigate", "document") and request.headers.get("Sec-Fetch-User") == "?1"


def refusal(status: int, path: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body for a request that is refused before Flask sees it."""
    body = orjson.dumps({"error": errors.sentence(status, body_limit(path))})
    headers = {**HEADERS, "Content-Security-Policy": CLOSED, "Content-Type": "application/json"}
    return f"{status} {HTTP_STATUS_CODES.get(status, 'Refused')}", list(headers.items()), body


def policy(app: Dash, read_only: bool) -> str:
    """The content security policy of the app, with the hashes of its inline scripts; after all callbacks are defined.

    A public demo (read only) may be shown inside the pages named in FASHION_FRAMES, such as a platform's own; there
    is nothing in it that a stolen click could do.
    """
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", app.index_string, re.DOTALL)
    inline += getattr(app, "inline", ())
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline]
    scripts = [*app.csp_hashes(), *(f"'sha256-{digest}'" for digest in digests)]
    frames = Listening.read().frames if read_only else ""
    # a page of the app's own address may frame it too: a notebook behind the same proxy
    frames = f"'self' {frames}" if re.fullmatch(r"[A-Za-z0-9.:/* -]+", frames) else "'none'"
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(dict.fromkeys(scripts))}",
            # React and plotly.js set style attributes, and neither can use hashes for them.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {frames}",
        )
    )


def install(
    app: Dash,
    *,
    pages: Collection[str],
    read_only: bool = False,
    known: errors.Known = lambda _: None,
    accounts: Accounts | None = None,
) -> None:
    """Guard the server behind `app`; call it when all callbacks are defined, before the first request.

    pages: the paths that have a page; every other one is answered 404. known: what errors of other rooms mean.
    The app itself takes `errors.on_error`.
    """
    server = app.server
    server.json = Json(server)
    server.config.setdefault("ACCEPTED_HOSTS", hosts_from_environment())

    @functools.cache
    def header() -> str:
        return policy(app, read_only)

    guard_requests(server, app, pages, Identity(server, accounts, read_only=read_only))
    errors.install(server, known)

    @server.after_request
    def add_headers(response: Response) -> Response:
        if g.get("missing") and response.status_code == 200:
            response.status_code = 404
        sent = {name.lower(): value for name, value in response.headers}
        own = sent.get("content-security-policy")
        policed = own or (CLOSED if (response.mimetype or "").startswith(PARTS) else header())
        for name, value in {**HEADERS, "Content-Security-Policy": policed}.items():
            if name.lower() not in sent:
                response.headers.add(name, value)
        if "frame-ancestors 'none'" not in policed:
            del response.headers["X-Frame-Options"]
        if "server" in sent:
            del response.headers["Server"]
        passwords.remember(response)
        return response


def guard_requests(server: Flask, app: Dash, pages: Collection[str], identity: Identity) -> None:
    """Refuse requests that no page of this app sends, before anything else looks at them; say who sends the others."""

    @server.teardown_request
    def forget(_: BaseException | None) -> None:
        acting.leave()

    @server.before_request
    def guard() -> None:
        acting.enter(acting.Person(role=acting.LOOK))
        if request.path == "/health":  # probes of a platform know neither name nor password
            return
        # a proxy that is believed may pass on a visitor's own X-Forwarded-Host, so the Host beside it must be right too
        sent = request.environ.get("werkzeug.proxy_fix.orig", {}).get("HTTP_HOST") or request.host
        if not all(host_accepted(host, server.config["ACCEPTED_HOSTS"]) for host in (request.host, sent)):
            raise RequestError(400, "This server does not go by that host name; FASHION_HOSTS lists its names.")
        acting.enter(identity.person())
        looking = request.method in ("GET", "HEAD", "OPTIONS")
        if not (looking or same_origin()) or (looking and costly(request.path) and not wanted()):
            raise RequestError(403, errors.SENTENCES[403])
        limit = body_limit(request.path)
        request.max_content_length = limit
        if (request.content_length or 0) > limit:
            raise RequestError(413, errors.sentence(413, limit))
        if request.path == CALLBACK and request.method == "POST":
            try:
                check_envelope(request.get_json(), app.callback_map)
            except Forged as error:
                log.info("forged callback: %s", error)
                raise RequestError(400, errors.SENTENCES[400]) from None
            except LookupError:
                words = "This app has no such callback; reload the page if the app was updated."
                raise RequestError(404, words) from None
        if request.endpoint == "/<path:path>" and request.path not in pages:
            # A person gets the app all the same: it says that there is no such page, beside the way to the others.
            g.missing = True
            if not errors.wants_page():
                raise RequestError(404, errors.SENTENCES[404])
