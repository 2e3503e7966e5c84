"""How much one client may ask: buckets of tokens, who is held back, and in which words."""

import threading
from urllib.request import Request, urlopen

import pytest
from flask import Flask, request

from dashboard.web import proxy, rate_limits
from dashboard.web import server as serve
from dashboard.web.proxy import CALLBACK
from dashboard.web.rate_limits import BURST, CALLBACK_COST, RATE, Buckets, cost
from ml.settings import Limits


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_pace():
    clock = Clock()
    buckets = Buckets(rate=2.0, burst=3.0, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == pytest.approx(0.5)
    assert buckets.take("b") == 0, "another client has a bucket of its own"
    clock.now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    clock.now += 1_000
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0], "no more than the burst comes back"
    assert buckets.take("a") > 0


def test_what_was_done_already_is_paid_by_the_next_request():
    clock = Clock()
    buckets = Buckets(rate=2.0, burst=3.0, clock=clock)
    buckets.spend("a", 13.0)  # a batch of 13
    assert buckets.take("a") == pytest.approx((1 + 10) / 2)
    clock.now += 5.5
    assert buckets.take("a") == 0


def test_a_request_that_costs_more_than_a_bucket_holds_waits_for_a_full_one():
    buckets = Buckets(rate=1.0, burst=3.0, clock=Clock())
    assert buckets.take("a", 20.0) == 0
    assert buckets.take("a", 1.0) == pytest.approx(18.0)


def test_buckets_are_bounded(monkeypatch):
    monkeypatch.setattr(rate_limits, "CLIENTS", 10)
    buckets = Buckets(rate=1.0, burst=3.0)
    for number in range(100):
        buckets.take(f"client {number}")
    assert len(buckets._kept) == 10


def server(rate: float | None, **config: bool) -> Flask:
    made = Flask("limited")
    made.config.update(config)
    rate_limits.install(made, rate)
    made.add_url_rule("/api/v1/predict", "predict", lambda: "yes", methods=["GET", "POST"])
    made.add_url_rule("/page", "page", lambda: "yes")
    return made


def statuses(made: Flask, path: str, times: int) -> list[int]:
    client = made.test_client()
    return [client.post(path).status_code if "api" in path else client.get(path).status_code for _ in range(times)]


def test_nobody_is_held_back_on_loopback_and_the_setting_says_otherwise():
    assert set(statuses(server(None), "/api/v1/predict", 300)) == {200}
    assert set(statuses(server(0.0, OPEN_TO_OTHERS=True), "/api/v1/predict", 300)) == {200}
    assert 429 in statuses(server(None, OPEN_TO_OTHERS=True), "/api/v1/predict", 300)
    assert 429 in statuses(server(0.5), "/api/v1/predict", 10)
    assert set(statuses(server(0.5), "/page", 300)) == {200}, "pages are not held back"


def test_callbacks_and_files_are_counted_too():
    """By what they cost: a callback that asks a network as much as a prediction, a file more, pages nothing."""
    made = server(1.0)  # ten tokens at first
    made.add_url_rule(CALLBACK, "callback", lambda: "yes", methods=["POST"])
    made.add_url_rule("/export/scores.csv", "export", lambda: "yes")
    made.add_url_rule("/explanations/warm", "warm", lambda: "yes")

    def answered(ask) -> int:
        """How many of a hundred requests of a client of its own."""
        client = made.test_client()
        answered.address += 1
        where = {"REMOTE_ADDR": f"10.0.0.{answered.address}"}
        return sum(ask(client, where).status_code == 200 for _ in range(100))

    answered.address = 0

    def callback(output):
        return lambda client, where: client.post(CALLBACK, json={"output": output}, environ_base=where)

    assert answered(callback("dashboard-confusion-graph.figure")) >= 95
    assert 10 <= answered(callback("..prediction-label.children...prediction-truth.children..")) <= 20
    assert 2 <= answered(lambda client, where: client.get("/export/scores.csv", environ_base=where)) <= 4
    assert 3 <= answered(lambda client, where: client.get("/explanations/warm", environ_base=where)) <= 5
    assert answered(lambda client, where: client.get("/page", environ_base=where)) == 100


def test_a_visitor_walks_through_ten_images_with_all_their_maps():
    """At the usual rate of a server that is open to others: before, the fourth image had none."""
    clock = [0.0]
    bucket = Buckets(RATE, RATE * BURST, lambda: clock[0])
    for _ in range(10):
        waits = [bucket.take("visitor", cost("GET", "/explanations/toy/test/3.png")) for _ in range(6)]
        waits += [bucket.take("visitor", CALLBACK_COST) for _ in range(11)]
        assert waits == [0.0] * 17
        clock[0] += 0.5


@pytest.mark.parametrize(
    ("addresses", "same"),
    [
        (("10.0.0.7", "10.0.0.8"), False),
        (("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), True),
        (("2001:db8:1:2::1", "2001:db8:1:3::1"), False),
        (("::ffff:10.0.0.7", "10.0.0.7"), True),
    ],
)
def test_a_client_is_an_address_or_a_network_of_one_customer(addresses, same):
    made = Flask("named")
    seen = set()
    for address in addresses:
        with made.test_request_context(environ_base={"REMOTE_ADDR": address}):
            seen.add(rate_limits.client())
    assert (len(seen) == 1) == same


def test_who_is_held_back_is_told_for_how_long():
    made = server(0.1)
    client = made.test_client()
    assert client.post("/api/v1/predict").status_code == 200
    answer = client.post("/api/v1/predict")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert answer.get_json()["error"].startswith("Too many requests from your address: 0.1 predictions a second")
    assert client.post("/api/v1/predict", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 200


@pytest.mark.parametrize(("text", "rate"), [("", None), ("off", 0.0), ("OFF", 0.0), ("5", 5.0), (" 0.5 ", 0.5)])
def test_the_setting_is_a_number_or_off(monkeypatch, text, rate):
    monkeypatch.setenv("FASHION_LIMITS", text)
    assert Limits.read().rate == rate


@pytest.mark.parametrize("text", ["many", "nan", "-1", "0", "inf", "1e9"])
def test_another_setting_is_refused_in_words(monkeypatch, text):
    monkeypatch.setenv("FASHION_LIMITS", text)
    with pytest.raises(ValueError, match="FASHION_LIMITS is"):
        Limits.read()


def test_proxies_are_trusted_only_where_the_setting_counts_them(monkeypatch, capsys):
    monkeypatch.delenv("FASHION_PROXIES", raising=False)
    assert serve.trusted_proxies() == 0
    monkeypatch.setenv("FASHION_PROXIES", "1")
    assert serve.trusted_proxies() == 1
    monkeypatch.setenv("FASHION_PROXIES", "yes")
    with pytest.raises(SystemExit):
        serve.trusted_proxies()
    assert "FASHION_PROXIES" in capsys.readouterr().err


@pytest.mark.parametrize(("proxies", "client"), [("", "127.0.0.1"), ("1", "10.0.0.7"), ("2", "10.0.0.6")])
def test_the_client_is_who_a_counted_proxy_names(monkeypatch, proxies, client):
    monkeypatch.setenv("FASHION_PROXIES", proxies)
    made = Flask("named")
    made.add_url_rule("/", "who", lambda: rate_limits.client() + request.headers.get("X-Forwarded-For", ""))
    proxy.install(made, proxies=serve.trusted_proxies())
    web, end = serve.listen(made, serve.take("127.0.0.1", 0)), serve.Stop()
    thread = threading.Thread(target=serve.until, args=(web, end), daemon=True)
    thread.start()
    try:
        query = Request(f"http://127.0.0.1:{web.effective_port}/", headers={"X-Forwarded-For": "10.0.0.6, 10.0.0.7"})
        with urlopen(query, timeout=10) as answer:
            assert answer.read().decode().startswith(client)
    finally:
        end.set()
        thread.join(15)
