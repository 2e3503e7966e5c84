"""The guards, one by one, on a small app; forged envelopes in bulk are in tests/faults/test_web.py."""

import base64
import logging
import re

import orjson
import pytest

from dashboard.web import errors, security
from tests.sample_app import build

CALLBACK = "/_dash-update-component"


@pytest.fixture
def client():
    return build().server.test_client()


def body(**changes):
    """What the sample app's page sends when its button `go` was clicked."""
    return {
        "output": "two-out.children",
        "outputs": {"id": "two-out", "property": "children"},
        "inputs": [{"id": "go", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["go.n_clicks"],
    } | changes


def test_a_callback_of_the_apps_own_page_is_answered(client):
    answer = client.post(CALLBACK, json=body(), headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200
    assert answer.json["response"]["two-out"]["children"] == "one 1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost:9"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
        ({"Host": "localhost.evil.example"}, 400),
        ({"Host": "10.0.0.1"}, 400),
        ({"Host": "[::1"}, 400),
        ({"Host": "127.0.0.1:1234"}, 200),
        ({"Host": "[::1]:8050"}, 200),
        ({"Host": "LOCALHOST:8050"}, 200),
    ],
)
def test_only_this_apps_own_pages_reach_a_callback(client, headers, status):
    assert client.post(CALLBACK, json=body(), headers=headers).status_code == status


def test_hosts_can_be_named(monkeypatch):
    monkeypatch.setenv("FASHION_HOSTS", "fashion.example, other.example:8050")
    client = build().server.test_client()
    assert client.get("/", headers={"Host": "fashion.example"}).status_code == 200
    assert client.get("/", headers={"Host": "other.example:8050"}).status_code == 200
    assert client.get("/", headers={"Host": "other.example:1"}).status_code == 400


def test_a_password_guards_every_address(monkeypatch, caplog):
    monkeypatch.setenv("FASHION_PASSWORD", "pass:wörd")
    client = build().server.test_client()
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/api/v1/size", "/nowhere", "/_favicon.ico"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    log = caplog.records
    for wrong in ("Basic", "Basic !!", "Bearer x", "Basic " + base64.b64encode(b"x:wrong").decode(), "Basic eA=="):
        assert client.get("/", headers={"Authorization": wrong}).status_code == 401
    assert client.get("/", headers={"Authorization": security.basic("pass:wörd")}).status_code == 200
    assert [one.getMessage() for one in log] == ["wrong password from 127.0.0.1"] * 5


def test_who_guesses_behind_an_uncounted_proxy_locks_nobody_out_who_was_let_in_before(monkeypatch, caplog):
    """All visitors of such a proxy have one address, whatever they say of themselves."""
    monkeypatch.setenv("FASHION_PASSWORD", "secret")
    app = build().server
    known, other, guesser = (app.test_client() for _ in range(3))
    right = {"Authorization": security.basic("secret", "ada")}
    first = known.get("/", headers=right)
    assert first.status_code == 200
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Set-Cookie" not in known.get("/", headers=right).headers
    for number in range(100):
        claimed = {"Authorization": security.basic(f"guess {number}", "ada"), "X-Forwarded-For": f"10.0.0.{number}"}
        assert guesser.get("/", headers=claimed).status_code in (401, 429)
    assert guesser.get("/", headers=right).status_code == 429, "a right guess is not told from a wrong one"
    assert other.get("/", headers=right).status_code == 429
    assert known.get("/", headers=right).status_code == 200
    assert any("a proxy that FASHION_PROXIES does not count" in one.getMessage() for one in caplog.records)
    # the cookie is good for its name, and for as few tries as an address
    assert known.get("/", headers={"Authorization": security.basic("secret", "bo")}).status_code == 429
    guesses = {known.get("/", headers={"Authorization": security.basic("no", "ada")}).status_code for _ in range(40)}
    assert guesses == {401, 429}
    for forged in ("x.y", ".", "0" * 32 + "." + "0" * 64):
        other.set_cookie("fashion-device", forged)
        assert other.get("/", headers=right).status_code == 429


def test_wrong_passwords_are_slowed_and_logged_by_client(monkeypatch, caplog):
    monkeypatch.setenv("FASHION_PASSWORD", "secret")
    client = build().server.test_client(use_cookies=False)
    wrong, right = {"Authorization": security.basic("guess")}, {"Authorization": security.basic("secret")}
    for _ in range(200):
        assert client.get("/", headers=right).status_code == 200, "who knows it is never held back"
    answers = [client.get("/", headers=wrong) for _ in range(300)]
    assert [one.status_code for one in answers[:10]] == [401] * 10
    assert {one.status_code for one in answers[12:]} == {429}, "a busy machine gives a try or two back"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert answers[-1].get_json()["error"].startswith("Too many wrong passwords from your address. Try again in ")
    assert client.get("/", headers=right).status_code == 429, "or one's answers would tell which guess is right"
    assert client.get("/").status_code == 401, "to ask is no guess"
    assert client.get("/health").status_code == 200
    elsewhere = {"REMOTE_ADDR": "10.0.0.7"}
    assert client.get("/", headers=right, environ_base=elsewhere).status_code == 200
    said = [one.getMessage() for one in caplog.records if "wrong password from 127.0.0.1" in one.getMessage()]
    assert 10 <= len(said) <= 12
    assert said[9].endswith("; further tries have to wait")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        (
            {
                "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
                "Sec-Fetch-User": "?1",
            },
            200,
        ),
    ],
)  # fmt: skip
def test_another_site_cannot_ask_for_what_costs_but_may_link_to_it(headers, status):
    server = build().server
    server.add_url_rule("/export/runs/toy.zip", "costly", lambda: "made")
    server.add_url_rule("/sprites/<name>", "sheet", lambda name: name)
    server.add_url_rule("/search", "search", lambda: "found")
    for path in ("/export/runs/toy.zip", "/sprites/1,2,3.png", "/search?q=boot"):
        assert server.test_client().get(path, headers=headers).status_code == status
    assert server.test_client().get("/", headers=headers).status_code == 200, "a page"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (orjson.dumps(body()), "text/plain", 415),
        (orjson.dumps(body()), "application/x-www-form-urlencoded", 415),
        (orjson.dumps(body()).replace(b'"value":1', b'"value":NaN'), "application/json", 400),
        (orjson.dumps(body()).replace(b'"value":1', b'"value":"\\ud800"'), "application/json", 400),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (orjson.dumps(body(output="no.such")), "application/json", 404),
    ],
)
def test_a_body_that_is_no_envelope_is_refused(client, content, kind, status):
    answer = client.post(CALLBACK, data=content, content_type=kind)
    assert answer.status_code == status
    assert len(answer.json["error"]) > 20


@pytest.mark.parametrize(
    "forged",
    [
        None,
        [],
        "text",
        {},
        body(output=["two-out.children"]),
        body(inputs={}),
        body(inputs=[]),
        body(inputs=[1]),
        body(inputs=[{"id": "go", "property": "children", "value": 1}]),
        body(inputs=[{"id": "fail", "property": "n_clicks", "value": 1}]),
        body(inputs=[{"id": {"type": "go"}, "property": "n_clicks"}]),
        body(inputs=[[{"id": "go", "property": "n_clicks", "value": 1}]]),
        body(inputs=[{"id": "go", "property": "n_clicks", "value": "1"}]),
        body(inputs=[{"id": "go", "property": "n_clicks", "value": True}]),
        body(state=[{"id": "go", "property": "n_clicks", "value": 1}]),
        body(outputs=None),
        body(outputs=[]),
        body(outputs={"id": "two-out", "property": "title"}),
        body(outputs={"id": "go", "property": "children"}),
        body(changedPropIds="go.n_clicks"),
        body(changedPropIds=[1]),
        body(changedPropIds=["fail.n_clicks"]),
        body(changedPropIds=["{.n_clicks"]),
    ],
)
def test_forged_envelopes_are_recognised(forged):
    with pytest.raises(security.Forged):
        security.check_envelope(forged, build().callback_map)


@pytest.mark.parametrize(
    ("identity", "fine"),
    [
        ({"type": "button", "index": 0}, True),
        ({"type": "button", "index": "a"}, True),
        ({"type": "other", "index": 0}, False),
        ({"type": "button"}, False),
        ({"type": "button", "index": [0]}, False),
        ({"type": "button", "index": {"a": 1}}, False),
        ({"type": "button", "index": 0, "more": 1}, False),
        ("button", False),
    ],
)
def test_a_wildcard_matches_components_of_its_pattern_only(identity, fine):
    envelope = {
        "output": "all-out.children",
        "outputs": {"id": "all-out", "property": "children"},
        "inputs": [[{"id": identity, "property": "n_clicks", "value": 1}]],
    }
    if fine:
        security.check_envelope(envelope, build().callback_map)
    else:
        with pytest.raises(security.Forged):
            security.check_envelope(envelope, build().callback_map)


def test_bodies_are_limited_by_address(client):
    for path, limit in ((CALLBACK, security.CALLBACK_BYTES), ("/api/v1/size", security.API_BYTES)):
        answer = client.post(path, data=b" " * (limit + 1), content_type="application/json")
        assert answer.status_code == 413
        assert "MB" in answer.json["error"]
    assert client.post("/api/v1/size", data=b" " * security.API_BYTES).json == {"bytes": security.API_BYTES}
    assert client.post("/", data=b" " * (security.OTHER_BYTES + 1)).status_code == 413


def test_a_header_of_the_app_stands_once_and_what_an_answer_says_itself_stays():
    app = build()

    @app.server.get("/api/v1/own")
    def own():
        return "x", 200, {"content-security-policy": "sandbox", "Referrer-Policy": "no-referrer", "Server": "who"}

    headers = app.server.test_client().get("/api/v1/own").headers
    assert headers.getlist("Content-Security-Policy") == ["sandbox"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert "X-Frame-Options" not in headers, "its own policy says who may frame it"
    assert "Server" not in headers


def directives(answer) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))


@pytest.mark.parametrize(
    "path",
    ["/", "/other", "/nowhere", "/_dash-layout", "/_dash-dependencies", "/api/v1/size", "/crash", "/_favicon.ico"],
)
def test_every_answer_is_fenced(client, path):
    answer = client.get(path)
    policy = directives(answer)
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    if answer.mimetype == "text/html":
        assert "unsafe" not in policy["script-src"]
        assert re.search(r"'sha256-[\w+/=]{44}'", policy["script-src"])
    else:  # no page, and nothing in it may run
        assert policy["default-src"] == "'none'"
        assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Server" not in answer.headers


def test_only_a_public_demo_may_be_framed(monkeypatch):
    monkeypatch.setenv("FASHION_FRAMES", "https://platform.example")
    assert directives(build().server.test_client().get("/"))["frame-ancestors"] == "'none'"
    answer = build(read_only=True).server.test_client().get("/")
    assert directives(answer)["frame-ancestors"] == "'self' https://platform.example"
    assert "X-Frame-Options" not in answer.headers
    monkeypatch.setenv("FASHION_FRAMES", "*; script-src *")
    assert directives(build(read_only=True).server.test_client().get("/"))["frame-ancestors"] == "'none'"


def test_an_unexpected_error_shows_a_number_that_the_log_holds(client, caplog):
    for headers in ({}, {"Accept": "text/html"}):
        caplog.clear()
        answer = client.get("/crash", headers=headers)
        assert answer.status_code == 500
        number = re.search(r"number: ([0-9a-f]{12})", answer.text)[1]
        assert number in caplog.text
        assert "secret" in caplog.text
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


def test_an_error_in_a_callback_is_told_with_its_number(client, caplog):
    envelope = body(
        output="fail-out.children",
        outputs={"id": "fail-out", "property": "children"},
        inputs=[{"id": "fail", "property": "n_clicks", "value": 1}],
        changedPropIds=["fail.n_clicks"],
    )
    caplog.set_level(logging.ERROR)
    answer = client.post(CALLBACK, json=envelope)
    assert answer.status_code == 200
    notice = answer.json["sideUpdate"][errors.NOTICE]["children"]
    assert re.search(r"[0-9a-f]{12}$", notice)[0] in caplog.text
    assert "secret" not in answer.text


def test_unknown_addresses_are_404_in_the_form_the_asker_reads(client):
    assert client.get("/other").status_code == 200
    page = client.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert client.get("/nowhere").json == {"error": errors.SENTENCES[404]}
    for path in ("/_mcp", "/console", "/_dash-ws", CALLBACK, "/_dash-component-suites/dash/../../x", "/favicon.ico"):
        assert client.get(path).status_code == 404
    assert client.delete("/").status_code == 405
