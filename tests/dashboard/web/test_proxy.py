"""What proxies say about a request, as far as they are believed: prefix, host, addresses in answers."""

import json

import pytest
from flask import Flask, Response, request

from dashboard.web import proxy, security
from dashboard.web import server as serve

PREFIX = "X-Forwarded-Prefix"


def client(*, prefix="", proxies=0):
    """A server whose pages say under which root and at which path of it they were asked for."""
    server = Flask("seen")
    server.add_url_rule("/", "/", lambda: echo())
    server.add_url_rule("/<path:path>", "/<path:path>", lambda path: echo())
    server.add_url_rule("/export/<name>", "export", lambda name: echo())
    proxy.install(server, prefix=prefix, proxies=proxies, pages=["/", "/insights"])
    return server.test_client()


def echo():
    return Response(f"{proxy.root()} {request.path}", mimetype="text/plain")


@pytest.mark.parametrize(
    ("path", "header", "answer"),
    [
        ("/fashion/insights", "/fashion", "/fashion /insights"),  # left on
        ("/insights", "/fashion", "/fashion /insights"),  # taken off
        ("/", "/fashion/", "/fashion /"),
        ("/fashion/", "/fashion", "/fashion /"),
        ("/fashionable", "/fashion", "/fashion /fashionable"),
        ("/user/ann/proxy/8050/x", "/user/ann/proxy/8050", "/user/ann/proxy/8050 /x"),
        ("/user/a%20b/x", "/user/a%20b", "/user/a%20b /x"),
        ("/user/%C3%A4@home/x", "/user/%C3%A4@home", "/user/%C3%A4@home /x"),
        ("/x", None, " /x"),
        ("/x", "/", " /x"),
        ("/insights/x", "/insights", "/insights /insights/x"),  # a page of the app: only one taken off can be meant
    ],
)
def test_a_prefix_is_known_left_on_or_taken_off(path, header, answer):
    headers = {PREFIX: header} if header else {}
    assert client(proxies=1).get(path, headers=headers).text == answer


@pytest.mark.parametrize(
    "header",
    [
        "//evil.example",
        "/a//b",
        "fashion",
        "/a/../b",
        "/..",
        '/"><script>',
        "/a b",
        "/ä",
        "/a%2",
        "/a?b",
        "/" + "a" * 1001,
    ],
)
def test_what_is_no_prefix_is_not_believed(header):
    assert client(proxies=1).get("/x", headers={PREFIX: header.encode().decode("latin-1")}).text == " /x"


def test_a_header_is_believed_as_far_as_the_proxies_are_counted():
    assert client().get("/x", headers={PREFIX: "/fashion"}).text == " /x"
    assert client(proxies=1).get("/x", headers={PREFIX: "/theirs, /ours"}).text == "/ours /x"
    assert client(proxies=2).get("/x", headers={PREFIX: "/theirs, /ours"}).text == "/theirs /x"
    assert client(prefix="/fashion", proxies=1).get("/x", headers={PREFIX: "/else"}).text == "/fashion /x"


def test_the_setting_needs_no_header():
    web = client(prefix="/fashion/")
    assert web.get("/fashion/insights").text == "/fashion /insights"
    assert web.get("/health").text == "/fashion /health"  # a probe that knows no proxy


def test_the_prefix_alone_leads_to_the_app():
    moved = client(proxies=1).get("/fashion?run=a", headers={PREFIX: "/fashion"})
    assert (moved.status_code, moved.headers["Location"]) == (308, "/fashion/?run=a")


@pytest.mark.parametrize("prefix", ["fashion", "//fashion", "/a/../b", "/a b"])
def test_another_setting_is_refused_in_words(monkeypatch, capsys, prefix):
    monkeypatch.setenv("FASHION_PREFIX", prefix)
    with pytest.raises(SystemExit):
        serve.prefix()
    assert "FASHION_PREFIX is" in capsys.readouterr().err


def test_a_setting_that_begins_like_a_path_of_the_app_is_refused():
    for prefix in ("/insights", "/export/app"):
        with pytest.raises(ValueError, match="a path of the app itself"):
            client(prefix=prefix)


def behind(app, **headers):
    """Asks the app as a proxy at /fashion does."""
    web = app.server.test_client()
    return lambda path, **more: web.open(path, headers={PREFIX: "/fashion", **headers}, **more)


@pytest.fixture
def mounted(home, no_artifacts, monkeypatch):
    """The whole app, which believes one proxy."""
    from dashboard.shell import create_app

    monkeypatch.setenv("FASHION_PROXIES", "1")
    return create_app(no_artifacts, home=home)


def addresses(answer):
    """Every value of the answer's JSON that is an address of the app."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in ("href", "src") and isinstance(value, str) and value.startswith("/"):
                yield value
            elif isinstance(value, str) and value.startswith("url(/"):
                yield value[4:]
            else:
                yield from addresses(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from addresses(value)


def test_answers_hold_the_prefix_of_their_own_request(mounted):
    from tests.callbacks import Client

    for prefix in ("/fashion", "/user/ann/proxy/8050", ""):
        web = mounted.server.test_client()
        headers = {PREFIX: prefix} if prefix else {}

        def send(path, body, web=web, headers=headers):
            answer = web.post(path, data=body, content_type="application/json", headers=headers)
            return answer.status_code, answer.text

        page = web.get("/insights", headers=headers)
        assert page.status_code == 200
        config = page.text.split('id="_dash-config" type="application/json">')[1].split("</script>")[0]
        assert json.loads(config)["requests_pathname_prefix"] == f"{prefix}/"
        for tag in ("<script src=", '<link rel="stylesheet" href='):
            assert f'{tag}"{prefix}/' in page.text
            assert page.text.count(f'{tag}"/') == page.text.count(f'{tag}"{prefix}/')
        client = Client(send, lambda path, web=web: web.get(path).text)
        status, drawn = client.fire("app-page.children", "url.pathname", url__pathname=f"{prefix}/insights")
        assert status == 200
        urls = list(addresses(drawn))
        assert f"{prefix}/comparison" in urls, "the links to the other pages"
        assert all(one.startswith(f"{prefix}/") for one in urls)
        assert "There is no page" not in json.dumps(drawn)
        status, drawn = client.fire("dashboard-gallery-grid.tree", "url.search", url__search="?outcome=right")
        urls = list(addresses(drawn))
        assert status == 200
        assert any(one.startswith(f"{prefix}/sprites/") for one in urls)
        assert all(one.startswith(f"{prefix}/") for one in urls)


def test_pictures_tables_and_the_api_are_where_the_prefix_says(mounted):
    ask = behind(mounted)
    for path in ("/health", "/export/confusion.csv", "/api/v1/runs", "/export/report.html"):
        for prefix in ("", "/fashion"):
            assert ask(prefix + path).status_code == 200, prefix + path
    lost = ask("/fashion/nowhere.png", method="GET")
    assert lost.status_code == 404


def test_an_error_leads_back_beneath_the_prefix(mounted):
    refused = behind(mounted, Accept="text/html")("/fashion/export/nothing.csv")
    assert refused.status_code == 404
    assert 'href="/fashion/"' in refused.text


def test_the_origin_is_compared_with_the_host_that_the_proxy_names(mounted):
    mounted.server.config["ACCEPTED_HOSTS"] = {"app", "fashion.example", "localhost"}

    def ask(**headers):
        body, kind = json.dumps({"output": "none"}), "application/json"
        return behind(mounted, **headers)(
            "/fashion/_dash-update-component", method="POST", data=body, content_type=kind
        ).status_code

    public = {"Host": "app", "X-Forwarded-Host": "fashion.example"}
    assert ask(**public, Origin="https://fashion.example") == 404  # let through; there is no such callback
    assert ask(**public, Origin="https://app") == 403
    assert ask(Host="app", Origin="https://fashion.example") == 403
    # a proxy that does not set the header passes on a visitor's own
    assert ask(**{"Host": "evil.example", "X-Forwarded-Host": "fashion.example"}) == 400
    assert ask(**{"Host": "fashion.example", "X-Forwarded-Host": "evil.example"}) == 400


@pytest.mark.parametrize("prefix", ["", "/fashion", "/user/ann/proxy/8050"])
def test_the_largest_body_is_the_same_beneath_a_prefix(prefix):
    """Waitress asks before it knows which prefixes are believed."""
    for path in (security.CALLBACK, security.BATCH_ROUTE, "/api/v1/predict", "/x"):
        assert security.body_limit(prefix + path) == security.body_limit(path)
