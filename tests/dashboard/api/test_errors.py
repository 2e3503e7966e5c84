"""One answer to each kind of error, whatever route it comes from; and where routes find the run of an address."""

import io
import re
import secrets
from pathlib import Path

import pytest

from dashboard.api import openapi
from dashboard.components import explanations
from dashboard.pages import TABLES
from dashboard.records.rows import Closed, Declined, ReadOnly
from dashboard.services.explainer import NoExplanation
from dashboard.services.runs import Busy
from dashboard.shell import create_app
from dashboard.web.errors import RequestError
from ml.artifacts.reader import Broken, Missing
from ml.images.decoding import Refusal
from tests.conftest import nothing_shipped
from tests.feedback import data_url, picture

HERE = "http://127.0.0.1"
KINDS = (
    (Missing("There is no such thing.", "python -m ml train"), 404, "There is no such thing. Try: python -m ml train"),
    (NoExplanation("it has no convolution"), 404, "There is no such picture: it has no convolution."),
    (Broken("It does not check out."), 409, "It does not check out."),
    (ReadOnly(), 403, "This server changes nothing (it was started with --read-only)."),
    (Closed(), 503, "The database cannot be used just now, so nothing can be changed. Looking works on."),
    (Busy("Another one is at it."), 503, "Another one is at it."),
    (Declined("That is against the rules."), 422, "That is against the rules."),
    (Refusal("This is damaged.", 422), 422, "This is damaged."),
    (Refusal("This is no picture.", 415), 415, "This is no picture."),
    (RequestError(400, "This is not JSON."), 400, "This is not JSON."),
    (RequestError(413, "This is too large."), 413, "This is too large."),
)
BROKEN = "torn"


@pytest.fixture(scope="module")
def shared(toy_home, tmp_path_factory):
    """The app on the toy run, which no test here changes."""
    app = create_app(nothing_shipped(tmp_path_factory.mktemp("errors")), home=toy_home, read_only=True)
    app.server.test_client().get("/", base_url=HERE)
    return app.server


@pytest.fixture
def torn(home):
    """A run of the listing that cannot be opened."""
    (home / "runs" / BROKEN).mkdir()
    (home / "runs" / BROKEN / "manifest.json").write_text("{")


@pytest.fixture
def web(torn, app):
    return app.server.test_client()


def own_routes(server):
    """(endpoint, method, an address) of every route that is not Dash's or Flask's."""
    for rule in server.url_map.iter_rules():
        if not rule.endpoint.startswith(("/", "_dash", "static")):
            address = re.sub(r"<int:\w+>", "1", rule.rule)
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield rule.endpoint, method, re.sub(r"<\w+>", "x", address)


@pytest.mark.parametrize(("error", "status", "words"), KINDS)
def test_every_route_answers_an_error_the_same_way(shared, monkeypatch, error, status, words):
    def fail(**_):
        raise error

    routes = list(own_routes(shared))
    assert len(routes) >= 40
    for endpoint, method, address in routes:
        monkeypatch.setitem(shared.view_functions, endpoint, fail)
        answer = shared.test_client().open(address, method=method, base_url=HERE)
        assert (answer.status_code, answer.get_json()) == (status, {"error": words}), address
        assert ("Retry-After" in answer.headers) == (status == 503), address
        assert answer.headers["Content-Security-Policy"]


def test_the_field_at_fault_and_a_way_out_stand_beside_the_sentence(shared, monkeypatch):
    def fail():
        raise Declined("This name is taken.", "name", "toy-2")

    monkeypatch.setitem(shared.view_functions, "health", fail)
    answer = shared.test_client().get("/health", base_url=HERE)
    assert answer.status_code == 409
    assert answer.get_json() == {"error": "This name is taken.", "field": "name", "free": "toy-2"}


def test_what_nobody_expected_is_a_number_in_the_log(shared, monkeypatch, caplog):
    def fail():
        raise KeyError("the secret")

    monkeypatch.setitem(shared.view_functions, "health", fail)
    answer = shared.test_client().get("/health", base_url=HERE)
    assert answer.status_code == 500
    assert "secret" not in answer.get_data(as_text=True)
    assert re.search(r"[0-9a-f]{12}", answer.get_json()["error"])[0] in caplog.text


def test_a_person_gets_the_same_sentence_on_a_page(shared):
    accept = {"Accept": "text/html"}
    answer = shared.test_client().get("/export/nothing.csv", headers=accept, base_url=HERE)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no such table." in answer.get_data(as_text=True)


def test_the_documents_list_every_status():
    text = (Path(__file__).parents[3] / "docs/api.md").read_text()
    listed = {int(status) for status in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)}
    assert listed == {*openapi.ERRORS, 405, 500}


NOUNS = sorted({*TABLES, *explanations.TABLES})
EXPORTS = (
    *(f"/export/{noun}.csv" for noun in (*NOUNS, "decisions", "queue", "reviewed", "monitoring")),
    "/export/report.html",
    "/export/projection.html",
)


@pytest.mark.parametrize("address", EXPORTS)
def test_exports_are_of_the_run_that_the_page_shows(web, address):
    """A page whose address names a run that is gone shows the default one: its files are of that run too."""
    here, gone = (web.get(f"{address}?sample=1{more}", base_url=HERE) for more in ("", "&run=gone"))
    assert gone.status_code == here.status_code
    assert gone.headers.get("Content-Disposition") == here.headers.get("Content-Disposition")
    if address.endswith(".csv"):
        assert gone.data == here.data
    assert web.get(f"{address}?run={BROKEN}", base_url=HERE).status_code == 409


def test_a_page_without_its_run_still_hands_out_tables(web):
    answer = web.get("/export/confusion.csv?run=gone", base_url=HERE)
    assert answer.status_code == 200
    assert 'filename="toy-confusion-test.csv"' in answer.headers["Content-Disposition"]


def statuses_of(web, run):
    """address → status of every request that names a run."""

    def form(field):
        return {field: (io.BytesIO(content), "a.png"), "run": run}

    content = io.BytesIO(web.get("/pictures/synthetic-4-28x28x1/test/1.png", base_url=HERE).data).getvalue()
    key = secrets.token_hex(16)
    image = data_url(picture(1))
    judgement = {
        "key": key,
        "run": run,
        "prediction": "x",
        "said": "x",
        "confidence": "1",
        "image": image,
        "label": "x",
    }
    decision = {"run": run, "split": "test", "ids": [1], "action": "keep", "batch": key}
    statuses = {
        path: web.post(f"/api/v1/{path}", data=form(field), base_url=HERE).status_code
        for path, field in (("predict", "image"), ("frame", "image"), ("explain", "image"), ("batch", "files"))
    }
    for path, body in (
        ("whatif", {"image": image, "run": run}),
        ("feedback", judgement),
        ("decisions", decision),
        ("decisions/undo", {"run": run}),
    ):
        statuses[path] = web.post(f"/api/v1/{path}", json=body, base_url=HERE).status_code
    for path in (
        f"/explanations/{run}/test/1.png?target=1", f"/suspects/{run}/1.png", f"/suspects/{run}/sheet/1-2.png",
        f"/export/runs/{run}.zip", f"/export/runs/{run}.md", f"/export/runs/{run}/onnx.onnx",
    ):  # fmt: skip
        statuses[path] = web.get(path, base_url=HERE).status_code
    return statuses


@pytest.mark.parametrize(("run", "status"), [("gone", 404), (BROKEN, 409)])
def test_a_run_that_is_named_is_missing_or_broken_everywhere(web, run, status):
    statuses = statuses_of(web, run)
    assert set(statuses.values()) == {status}, statuses
