"""Options, the port, waitress's own refusals, compression, and how the server ends."""

import gc
import gzip
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from unittest.mock import Mock
from urllib.request import Request, urlopen

import brotli
import pytest
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel

from dashboard.web import compression, security, server
from ml.system.paths import ASSETS
from tests.promises import promised
from tests.sample_app import build

SAMPLE = [sys.executable, "-m", "tests.sample_app"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def process():
    """process(*arguments, **environment) → (the sample app as a process, its port), ready to answer."""
    started = []

    def start(*arguments, **environment):
        port = free_port()
        child = subprocess.Popen(
            [*SAMPLE, "--port", str(port), *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(child)
        assert "is on http://" in child.stdout.readline()
        return child, port

    yield start
    for child in started:
        child.kill()
        child.communicate()


def ended(*arguments, **environment) -> str:
    """What the sample app says when it does not start."""
    done = subprocess.run(
        [*SAMPLE, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture
def refused(monkeypatch, capfd):
    """refused(*arguments, **environment) → the one line with which the server's options end the process that asks."""

    def ask(*arguments, **environment) -> str:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                server.options(arguments)
        assert end.value.code == 1
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        return said.err

    return ask


def test_a_busy_port_is_named_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in ended("--port", str(port))
        assert str(port) in ended(PORT=str(port))


@pytest.mark.parametrize("port", ["x", "70000", "-1"])
def test_a_port_that_is_none_is_refused(refused, port):
    assert "is not a port" in refused(f"--port={port}")


def test_a_host_that_others_reach_needs_a_password_or_read_only(process, refused):
    for host in ("0.0.0.0", "::", "192.0.2.1", "a-name.example"):
        assert "FASHION_PASSWORD" in refused("--host", host)
    assert "FASHION_PASSWORD" in refused(HOST="0.0.0.0")
    _, port = process("--host", "0.0.0.0", "--read-only")
    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        assert answer.status == 200
    _, port = process(HOST="0.0.0.0", FASHION_PASSWORD="secret")
    with urlopen(Request(f"http://127.0.0.1:{port}/", headers={"Authorization": security.basic("secret")})) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_is_recognised(host):
    assert server.is_loopback(host)


def test_options_come_from_the_environment_where_there_are_no_arguments(monkeypatch):
    monkeypatch.setenv("FASHION_READ_ONLY", "true")
    chosen = server.options(None)
    assert chosen.read_only
    assert chosen.listener is None
    assert chosen.artifacts is None


def test_an_address_is_accepted_when_others_may_come():
    assert security.host_accepted("192.0.2.7:80", {security.ANY_ADDRESS})
    assert security.host_accepted("[2001:db8::1]:80", {security.ANY_ADDRESS})
    assert not security.host_accepted("name.example", {security.ANY_ADDRESS})


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_end_and_then_the_process(process, signum):
    child, port = process()
    answers = []

    def ask():
        with urlopen(f"http://127.0.0.1:{port}/slow?seconds=1.5") as answer:
            answers.append(answer.read())

    threads = [threading.Thread(target=ask) for _ in range(10)]  # two more than there are workers
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    child.send_signal(signum)
    began = time.monotonic()
    for thread in threads:
        thread.join(10)
    assert child.wait(10) == 0
    assert time.monotonic() - began < 10
    assert answers == [b"done"] * 10
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)


def test_a_server_that_is_told_to_end_ends_after_it_was_told():
    web = server.listen(build().server, server.take("127.0.0.1", 0))
    end, plain, open_still = server.Stop(), web.pull_trigger, []
    thread = threading.Thread(target=server.until, args=(web, end))

    def wake():
        plain()  # from here on the server sees that it is to end
        thread.join(0.5)
        open_still.append(os.fstat(web.trigger.trigger).st_mode)  # it raises where it is closed

    web.pull_trigger = wake
    thread.start()
    while end.web is None:
        time.sleep(0.01)
    end.set()
    thread.join(10)
    assert not thread.is_alive()
    assert open_still[0]


def exchange(address: str, head: str, body: bytes = b"", pause: float = 0.0) -> tuple[int, dict, dict]:
    """Send a request byte by byte as given; status, headers and decoded body of the answer."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        time.sleep(pause)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /api/v1/size HTTP/1.1\nHost: localhost\nContent-Length: 10000000000", 413),
        ("POST /api/v1/size HTTP/1.1\nHost: localhost\nExpect: 100-continue\nContent-Length: 10000000000", 413),
        ("POST /_dash-update-component HTTP/1.1\nHost: localhost\nContent-Length: 17000000", 413),
        ("POST /api/v1/size HTTP/1.1\nHost: localhost\nTransfer-Encoding: gzip", 400),
        ("GET / HTTP/1.1\nHost: localhost\nContent-Length: -1", 400),
        ("GET / HTTP/1.1\nHost: localhost\nNo colon", 400),
        ("GET / HTTP/1.1\nHost: localhost\nX: " + "a" * 300_000, 431),
    ],
)
def test_the_server_refuses_before_reading_a_body(serving, head, status):
    address = serving(build())
    began = time.monotonic()
    answered, headers, body = exchange(address, head)
    assert answered == status
    assert time.monotonic() - began < 5  # who waited for a body would wait for ever
    assert len(body["error"]) > 20
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


def test_a_sender_of_a_large_body_gets_to_read_the_refusal(serving):
    address = serving(build())
    body = b"x" * 35_000_000
    status, _, answer = exchange(
        address, f"POST /api/v1/size HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body, pause=0.3
    )
    assert status == 413
    assert "30 MB" in answer["error"]
    chunks = b"".join(b"100000\r\n" + b"x" * 2**20 + b"\r\n" for _ in range(31)) + b"0\r\n\r\n"
    status, _, answer = exchange(
        address, "POST /api/v1/size HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked", chunks, pause=0.3
    )
    assert status == 413
    with urlopen(Request(f"{address}/api/v1/size", data=b"x" * 1000)) as fine:
        assert json.load(fine) == {"bytes": 1000}


def test_the_largest_file_of_a_page_fits_into_a_callback():
    from dashboard.services.uploads import API_BYTES, PAGE_BYTES

    assert PAGE_BYTES * 4 / 3 + 4096 < security.CALLBACK_BYTES
    assert API_BYTES <= security.API_BYTES


def fetch(address: str, path: str, **headers: str):
    with closing(http.client.HTTPConnection(address.removeprefix("http://"))) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def test_plotly_is_compressed_once_and_revalidated(serving, monkeypatch):
    calls = []
    real = brotli.compress
    monkeypatch.setattr(
        "flask_compress.flask_compress.brotli.compress", lambda *a, **k: calls.append(1) or real(*a, **k)
    )
    address = serving(build())
    calls.clear()
    path = "/_dash-component-suites/plotly/package_data/plotly.min.js"
    status, headers, first = fetch(address, path, **{"Accept-Encoding": "gzip, br"})
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "br", "Accept-Encoding")
    assert len(first) < 1_300_000
    assert fetch(address, path, **{"Accept-Encoding": "gzip, br"})[2] == first
    assert len(calls) == 1
    tag = {"If-None-Match": headers["ETag"], "Accept-Encoding": "gzip, br"}
    assert fetch(address, path, **tag)[0] == 304
    plain = fetch(address, path)[2]
    assert plain == brotli.decompress(first)
    assert gzip.decompress(fetch(address, path, **{"Accept-Encoding": "gzip"})[2]) == plain


def test_files_with_a_fingerprint_are_kept_and_answers_are_not(serving):
    address = serving(build())
    page = fetch(address, "/")[2].decode()
    suite = page.split('<script src="')[1].split('"')[0]
    assert "immutable" in fetch(address, suite)[1]["Cache-Control"]
    assert fetch(address, "/")[1]["Cache-Control"] == "no-cache"
    assert fetch(address, "/_dash-layout")[1]["Cache-Control"] == "no-cache"


def test_made_up_fingerprints_do_not_fill_the_memory():
    kept = compression.Kept()
    for i in range(2 * compression.KEPT):
        kept.set(f"br;{i}", b"x")
        kept.set("br;", b"private")
    assert len(kept.files) == compression.KEPT
    assert kept.get("br;") is None
    app = build().server
    names = set()
    for i in range(3):
        with app.test_request_context(f"/_dash-component-suites/dash/dcc/dash_core_components.v1m{i}.js"):
            from flask import request

            names.add(compression.cache_key(request))
    assert len(names) == 1


def test_kept_files_become_smaller_once_nothing_new_is_asked():
    kept = compression.Kept()
    text = (ASSETS / "clientside.js").read_bytes()
    rough = brotli.compress(text, quality=4)
    kept.set("br;before", rough)
    thread = kept.tighten(rest=0.05)
    kept.set("br;a.js", rough)
    kept.set("gzip;a.js", rough)
    until = time.monotonic() + promised(20)
    while kept.get("br;a.js") is rough and time.monotonic() < until:
        time.sleep(0.02)
    assert len(kept.get("br;a.js")) < len(rough)
    assert brotli.decompress(kept.get("br;a.js")) == text
    assert kept.get("gzip;a.js") is kept.get("br;before") is rough
    kept.set("br;a.js", kept.get("br;a.js"))  # as every answer does
    assert kept.loose.empty()
    assert thread.is_alive()
    assert thread.daemon


def test_garbage_is_collected_from_the_first_answer_on():
    gc.disable()  # as app.py does before its imports
    try:
        server.warm(build())
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()


STATES = [*itertools.product(((), ("one",), ("one", "two")), (0, 7), (False, True), (False, True))]


@pytest.mark.parametrize("state", STATES)
def test_a_connection_asks_and_is_asked_as_in_waitress(state):
    """Its two questions are written out for speed, for the lookahead that this server has."""
    names = ("requests", "total_outbufs_len", "will_close", "close_when_flushed")
    channel = Mock(ends=None, adj=Mock(channel_request_lookahead=Adjustments().channel_request_lookahead))
    channel.configure_mock(**dict(zip(names, state, strict=True)))
    assert server.Channel.readable(channel) == HTTPChannel.readable(channel)
    assert server.Channel.writable(channel) == bool(HTTPChannel.writable(channel))
