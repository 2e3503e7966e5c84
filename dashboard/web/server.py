"""Serving the app: options, the port, the first request, waitress, and an orderly end."""

import argparse
import copy
import errno
import functools
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dash import Dash
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ErrorTask

from dashboard.web import security
from dashboard.web.identity import OWN, OWN_MARK
from ml.people.accounts import Accounts
from ml.settings import Listening, People, Proxies
from ml.system import memory
from ml.system.paths import home_dir

log = logging.getLogger(__name__)

CONNECTIONS = 1000
THREADS = 8
TURN = 0.02  # s; a panel of 5 to 20 ms is finished in one turn, so those asked for first are answered first
TIDY = 10  # s between two looks for memory to give back
DRAIN_SECONDS = 10.0
"""How long requests that are under way may take once the server was told to stop."""
LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * 2**20
"""How much of a body that was refused unread is read and thrown away, so that its sender gets to read the answer."""


class Options(argparse.Namespace):
    """What `python app.py` was told: where to listen, which artifacts to show, and whether anything may change."""

    host: str
    port: int
    artifacts: Path | None
    read_only: bool
    listener: socket.socket | None = None


def options(arguments: Sequence[str] | None, program: str = "python app.py") -> Options:
    """Options from command line arguments, or from the environment alone where `arguments` is None.

    With arguments, the port is taken at once, before the slow imports: a busy port, or a host that others can reach
    without a password, ends the process here with one line and status 1.
    """
    environment = Listening.read()
    parser = argparse.ArgumentParser(prog=program, description="Serve Fashion Forward.")
    parser.add_argument("--host", default=environment.host or "127.0.0.1", help="address to listen on (HOST)")
    parser.add_argument("--port", default=environment.port or "8050", help="port to listen on (PORT)")
    parser.add_argument("--artifacts", type=Path, help="folder of the runs that ship with the app")
    parser.add_argument(
        "--read-only",
        action="store_true",
        default=environment.read_only,
        help="show and predict, but train nothing and keep nothing (FASHION_READ_ONLY=1)",
    )
    chosen = parser.parse_args([] if arguments is None else list(arguments), namespace=Options())
    if arguments is None:
        return chosen
    if not str(chosen.port).isdecimal() or int(chosen.port) > 65535:
        stop(f"{chosen.port} is not a port: choose one from 1 to 65535.")
    chosen.port = int(chosen.port)
    named = people()
    if not is_loopback(chosen.host) and not (environment.password or chosen.read_only or named or accounts_exist()):
        stop(
            f"Others can reach {chosen.host}: set FASHION_PASSWORD, add accounts (python -m ml users add NAME), "
            "or say --read-only (no training, no feedback)."
        )
    chosen.listener = take(chosen.host, chosen.port)
    return chosen


def people() -> bool:
    """Whether a proxy names people (FASHION_USER_HEADER); stops the process where that is not set as it must be."""
    try:
        return bool(People.read().header)
    except ValueError as wrong:
        stop(str(wrong))


def accounts_exist() -> bool:
    """Whether somebody can sign in with an account."""
    try:
        return Accounts(home_dir()).locked()
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        stop(f"the database of accounts cannot be read: {error}")


def stop(reason: str) -> NoReturn:
    """End the process with status 1 and one line that says why."""
    print(f"Fashion Forward: {reason}", file=sys.stderr)
    raise SystemExit(1)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach `host`, a name or an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def take(host: str, port: int) -> socket.socket:
    """A socket bound to the address and listening; stops the process where that cannot be had.

    Connections wait in its queue until the server is ready, so nobody is refused during the start.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        if os.name != "nt":  # there it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            stop(f"port {port} is in use; stop the program that uses it, or choose another: PORT={port + 1} make run")
        stop(f"cannot listen on {host}:{port}: {error.strerror or error}.")
    return listener


def warm(app: Dash) -> Flask:
    """The WSGI server of `app` after its first request: Dash answers concurrent first requests with errors.

    Garbage is collected from here on, and never looked for among what the start made, which stays.
    """
    with app.server.test_client() as client:
        for path in ("/_dash-dependencies", "/_dash-layout", "/"):
            response = client.get(path, environ_base={OWN: OWN_MARK})
            if response.status_code != 200:
                raise RuntimeError(f"the app answered {response.status_code} to its first request for {path}")
    gc.freeze()
    gc.enable()
    return app.server


class Parser(HTTPRequestParser):
    """Reads a request; the largest body depends on the path, and a body that is too large is refused unread."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        self.adj: Adjustments = limited(self.adj, security.body_limit(self.path))

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if self.error:
            self.expect_continue = False  # or the sender is asked for the body all the same
        return consumed


@functools.lru_cache(maxsize=16)
def limited(adj: Adjustments, limit: int) -> Adjustments:
    """Waitress's settings with another largest body, in bytes."""
    own = copy.copy(adj)
    own.max_request_body_size = limit + 1
    return own


class Refusal(ErrorTask):
    """What waitress refuses before the app sees it, in the words and with the headers of the app."""

    def execute(self) -> None:
        code = self.request.error.code
        if code == 501:  # an unknown transfer encoding is the sender's fault
            code = 400
        status, headers, body = security.refusal(code, getattr(self.request, "path", "/"))
        self.status = status
        self.response_headers.extend(headers)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    """A connection. After a refusal it reads on for a moment: closing at once would destroy the answer on its way."""

    parser_class = Parser
    error_task_class = Refusal
    refused = False
    ends: float | None = None
    discarded = 0

    def service(self) -> None:
        self.refused = bool(self.requests and self.requests[0].error)
        super().service()

    # The loop asks every connection both questions each time that any has something: of twenty that is a sixth of all
    # Python that runs. So they are waitress's own, in one expression each, for a lookahead of 0.
    def readable(self) -> bool:
        ready = not (self.requests or self.total_outbufs_len or self.will_close or self.close_when_flushed)
        return ready or self.ends is not None

    def writable(self) -> bool:
        if self.ends is not None:
            return self.over()
        return bool(self.total_outbufs_len or self.will_close or self.close_when_flushed)

    def over(self) -> bool:
        """Whether enough of a refused body was thrown away."""
        return self.ends is not None and (time.monotonic() > self.ends or self.discarded > LINGER_BYTES)

    def handle_read(self) -> None:
        if self.ends is None:
            super().handle_read()
            return
        try:
            self.discarded += len(self.recv(2**16))  # an empty answer has closed the channel
        except OSError:
            super().handle_close()

    def handle_write(self) -> None:
        if self.ends is None:
            super().handle_write()
        else:
            super().handle_close()

    def handle_close(self) -> None:
        if self.refused and self.ends is None and self.connected and not self.total_outbufs_len:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                super().handle_close()
                return
            self.ends = time.monotonic() + LINGER_SECONDS
            self.will_close = False
            return
        super().handle_close()


def listen(server: Flask, listener: socket.socket) -> TcpWSGIServer:
    """Waitress around `server` on a bound socket; it answers once `until` runs its loop."""
    web = create_server(
        server,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        max_request_body_size=security.BATCH_BYTES + 1,
        # what people send and see stays in memory: waitress would put longer bodies into temporary files
        inbuf_overflow=security.BATCH_BYTES + 1,
        outbuf_overflow=security.BATCH_BYTES + 1,
        asyncore_use_poll=True,  # select() ends at 1,024 files
        ident="",
        clear_untrusted_proxy_headers=False,  # dashboard.web.proxy alone reads them, as far as they are trusted
    )
    web.channel_class = Channel
    return web


def trusted_proxies() -> int:
    """How many proxies stand before the server and are believed about a request (FASHION_PROXIES, 0 to 9)."""
    try:
        return Proxies.read().count
    except ValueError as wrong:
        stop(str(wrong))


def prefix() -> str:
    """The path at which people reach the app through a proxy, without its last slash; "" for none (FASHION_PREFIX)."""
    try:
        return Proxies.read().prefix
    except ValueError as wrong:
        stop(str(wrong))


class Stop:
    """Set by a signal, or by `set` from another thread: the server ends when the requests under way are answered."""

    def __init__(self) -> None:
        self.wanted = False
        self.web: TcpWSGIServer | None = None
        self.lock = threading.RLock()  # a signal may come while its own thread holds it

    def set(self, *_: int | FrameType | None) -> None:
        """Ask the server to end."""
        with self.lock:  # or the server could close what wakes it before it is woken
            self.wanted = True
            if self.web is not None:
                self.web.pull_trigger()


def until(web: TcpWSGIServer, end: Stop) -> None:
    """Serve until `end` is set, then answer what is under way for at most `DRAIN_SECONDS` and close."""
    end.web = web
    loop: dict[str, Any] = {"map": web._map, "use_poll": True, "count": 1}
    tidied = time.monotonic()
    while not end.wanted:
        wasyncore.loop(timeout=1, **loop)
        if time.monotonic() > tidied + TIDY:
            memory.trim()
            tidied = time.monotonic()
    with end.lock:
        end.web = None
    wasyncore.loop(timeout=0, map=web._map, use_poll=True, count=32)  # who had connected already is let in
    web.accepting = False
    web.del_channel()
    web.socket.close()
    limit = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < limit and any(is_busy(channel) for channel in list(web.active_channels.values())):
        wasyncore.loop(timeout=0.1, **loop)
    web.task_dispatcher.shutdown(timeout=2)
    wasyncore.close_all(web._map, ignore_all=True)


def is_busy(channel: HTTPChannel) -> bool:
    """Whether a request on this connection is being received, worked on or answered."""
    return bool(channel.requests or channel.total_outbufs_len or channel.request is not None)


def allow_files() -> None:
    """Let the process open a file for each connection and each large body, where the system lets us."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(4 * CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(server: Flask, chosen: Options) -> None:
    """Serve the warm WSGI `server` on the socket that `options` took, until SIGTERM or Ctrl-C; then return."""
    if chosen.listener is None:
        raise ValueError("options() was asked for no socket")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a full queue is ordinary
    allow_files()
    sys.setswitchinterval(TURN)
    if not is_loopback(chosen.host):
        server.config["OPEN_TO_OTHERS"] = True
        server.config["ACCEPTED_HOSTS"] |= {security.ANY_ADDRESS, chosen.host.lower()}
    end = Stop()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end.set)
    web = listen(server, chosen.listener)
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    below = f"{prefix()}/" if prefix() else ""
    print(f"Fashion Forward is on http://{host}:{web.effective_port}{below}", flush=True)
    if (kept := server.extensions.get("kept-files")) is not None:  # see compression
        kept.tighten()
    until(web, end)
    log.info("stopped")
