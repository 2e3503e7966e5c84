"""Who sent a request: a name from a proxy that is believed, an account's password or token, or one shared password."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import secrets
import threading
from typing import Any

import orjson
from cachetools import TTLCache
from flask import Flask, request
from sqlalchemy.exc import SQLAlchemyError

from dashboard.web import errors
from dashboard.web.errors import RequestError
from dashboard.web.passwords import ASKS, Guesses
from ml.people.accounts import Account, Accounts, Busy
from ml.people.acting import WHO, Person
from ml.settings import Listening, People
from ml.system.wording import shows

log = logging.getLogger(__name__)

VERIFIED_SECONDS = 300.0  # an argon2 takes a tenth of a second, a page sends thirty requests
VERIFIED = 1_024  # headers that are remembered
OWN = "fashion.own"
"""In a WSGI environment: the server's own request. No header gets there, and its value is an object of this process."""
OWN_MARK = object()
PROGRAMS = ("/api/", "/export/", "/metrics")  # what a token opens
ELSEWHERE = "This app is reached through the proxy that signs people in."
NOBODY_LEFT = "There is no account left here. Whoever runs this server can add one: python -m ml users add."
UNREADABLE = "The proxy names somebody in a way that cannot be read."
TOKENS_WHERE = "A token opens the API and the files; pages ask for a name and a password."
AWAY = "Accounts cannot be read just now, so nobody can be let in. Try again in a moment."


class Identity:
    """Finds out who sent the current request of a server. accounts: None for a server that knows none."""

    def __init__(self, server: Flask, accounts: Accounts | None = None, *, read_only: bool = False) -> None:
        self._server, self._accounts, self._read_only = server, accounts, read_only
        self._guesses = Guesses()
        self._key = secrets.token_bytes(32)
        self._verified: TTLCache[bytes, tuple[int, int]] = TTLCache(VERIFIED, VERIFIED_SECONDS)  # → account, version
        self._lock = threading.Lock()
        self._seen = False  # whether there ever was an account to sign in with: then the app opens by itself no more
        try:
            self._locked()
        except RequestError:
            log.warning("accounts cannot be read")

    def person(self) -> Person:
        """Raises RequestError where it is nobody who may come in."""
        if request.environ.get(OWN) is OWN_MARK:
            return Person(how="server")
        proxies = People.read()
        if proxies.header and listed(proxies):
            named = name_in(request.headers.get(proxies.header, ""))
            if named:
                account = self._find(named)
                return Person(account.name if account else named, account.role if account else proxies.role, "proxy")
        password, locked = Listening.read().password, self._locked()
        if not password and not locked:
            return self._open(bool(proxies.header))
        header = request.headers.get("Authorization", "")
        found: list[Person] = []

        def matches(given: str) -> bool:
            person = self._of(given, password, locked)
            found.extend([person] if person else [])
            return person is not None

        self._guesses.check(header, (credentials(header) or (b"", b""))[0], matches)
        return found[0]

    def _open(self, proxied: bool) -> Person:
        """Nobody is asked for anything, unless somebody was before, or has to come through a proxy."""
        exposed = self._server.config.get("OPEN_TO_OTHERS") and not self._read_only
        if proxied:
            raise RequestError(401, ELSEWHERE)
        if self._seen or (exposed and self._accounts is not None):
            raise RequestError(401, NOBODY_LEFT)
        return Person()

    def _of(self, header: str, password: str, locked: bool) -> Person | None:
        """Whom an Authorization header proves to be here."""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            account = self._by_token(rest.strip())
            if account is None:
                return None
            if not request.path.startswith(PROGRAMS):
                raise RequestError(401, TOKENS_WHERE, headers=ASKS)
            return Person(account.name, account.role, "token")
        given = credentials(header)
        if given is None:
            return None
        if not locked:  # with accounts, a password that everybody knows would let anybody be anybody
            same = hmac.compare_digest(hashlib.sha256(given[1]).digest(), hashlib.sha256(password.encode()).digest())
            return Person(how="password") if same else None
        return self._signed(header, *given)

    def _signed(self, header: str, user: bytes, password: bytes) -> Person | None:
        """By name and password. What was right stays so for a while, or until the account changes."""
        try:
            name, secret = user.decode(), password.decode()
        except UnicodeDecodeError:
            return None
        account = self._find(name)
        mark = hmac.digest(self._key, header.encode("utf-8", "surrogateescape"), "sha256")
        with self._lock:
            known = self._verified.get(mark)
        if account is not None and known == (account.number, account.version):
            return Person(account.name, account.role, "account")
        if self._accounts is None or not self._ask(lambda accounts: accounts.matches(account, secret)) or not account:
            return None
        with self._lock:
            self._verified[mark] = (account.number, account.version)
        return Person(account.name, account.role, "account")

    def _locked(self) -> bool:
        """Whether there are accounts to sign in with."""
        try:
            locked = self._accounts is not None and self._accounts.locked()
        except (SQLAlchemyError, OSError, RuntimeError) as error:
            # without accounts the app opens without a database too, but not where it had them, or others reach it
            if self._seen or self._server.config.get("OPEN_TO_OTHERS"):
                raise RequestError(503, AWAY) from error
            return False
        self._seen |= locked
        return locked

    def _find(self, name: str) -> Account | None:
        return self._ask(lambda accounts: accounts.find(name)) if self._accounts is not None else None

    def _by_token(self, token: str) -> Account | None:
        return self._ask(lambda accounts: accounts.of_token(token)) if self._accounts is not None else None

    def _ask(self, question: Any) -> Any:
        try:
            return question(self._accounts)
        except (SQLAlchemyError, OSError, RuntimeError) as error:
            raise RequestError(503, AWAY) from error
        except Busy:
            raise RequestError(503, errors.SENTENCES[503]) from None


def credentials(header: str) -> tuple[bytes, bytes] | None:
    """Name and password in an Authorization header, None where it holds none."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(token, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return name, password


def peer() -> str:
    """The address at the other end of the connection, whatever a header says."""
    return request.environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR") or request.remote_addr or ""


def listed(proxies: People) -> bool:
    """Whether the current request comes from an address whose header is believed."""
    try:
        address = ipaddress.ip_address(peer())
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in proxies.proxies)


def name_in(value: str) -> str:
    """The name that a proxy's header carries, '' for none: text, or JupyterHub's JSON object with a name.

    Raises RequestError for what is no name, two names among it: a header that was sent twice arrives with a comma.
    """
    text = value.strip()
    if text.startswith("{"):
        try:
            found = orjson.loads(text)
        except ValueError:
            raise RequestError(400, UNREADABLE) from None
        text = found.get("name") if isinstance(found.get("name"), str) else ""
    else:
        try:  # WSGI hands headers on as latin-1
            text = text.encode("latin-1").decode()
        except UnicodeError:
            raise RequestError(400, UNREADABLE) from None
    name = " ".join(text.split())
    if len(name) > WHO or not shows(name) or "," in name:
        raise RequestError(400, UNREADABLE)
    return name
