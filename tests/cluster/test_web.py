"""O3: the app while its broker is absent, hangs, dies and comes back. Predictions never fail, and people are told."""

import io
import json
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from PIL import Image

from dashboard.services.job_database import NO_BROKER, NO_WORKER
from ml.jobs.queue import JobTable
from tests.callbacks import Client, body, dependency
from tests.cluster.conftest import LIMIT, Cluster, free_port, until
from tests.cluster.test_cluster import reaches, trained_once
from tests.promises import promised
from tests.training_form import untouched

pytestmark = [pytest.mark.faults, pytest.mark.timeout(LIMIT)]

FORM = {
    **untouched(), "training-model-select": "compact_cnn", "training-dataset-select": "bars",
    "training-epochs-input": 4, "training-batch-input": 32, "training-augment-checks": [],
}  # fmt: skip


def send(address: str, path: str, data: bytes | None = None, kind: str = "application/json") -> tuple[int, str]:
    """Status and text of the answer, whatever the status."""
    try:
        with urlopen(Request(address + path, data, {"Content-Type": kind}), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


@pytest.fixture
def address(cluster, toy_home, no_artifacts) -> str:
    """The app of the cluster, with one run to predict with; its broker has not been started."""
    shutil.copytree(toy_home / "runs", cluster.home / "runs")
    port = free_port()
    app = cluster.start("app", "--port", str(port), "--artifacts", str(no_artifacts))
    there = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert app.is_running(), cluster.log()
        try:
            return send(there, "/health")[0] == 200
        except URLError:
            return False

    until(answers, 60, "the app answers")
    return there


@pytest.fixture
def predictions(address) -> Iterator[list[tuple[int, float]]]:
    """Status and seconds of a prediction about every half second, for as long as the test runs."""
    picture = io.BytesIO()
    Image.new("L", (28, 28), 90).save(picture, "PNG")
    edge = "fashion-forward-edge"
    form = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'.encode()
    form += picture.getvalue() + f"\r\n--{edge}--\r\n".encode()
    seen: list[tuple[int, float]] = []
    over = threading.Event()

    def predict() -> None:
        while not over.wait(0.5):
            began = time.monotonic()
            status, _ = send(address, "/api/v1/predict", form, f"multipart/form-data; boundary={edge}")
            seen.append((status, time.monotonic() - began))

    thread = threading.Thread(target=predict, daemon=True)
    thread.start()
    yield seen
    over.set()
    thread.join(30)


class Page:
    """What a tab does, without a browser: starts trainings, polls the relay, reads the banner."""

    def __init__(self, address: str) -> None:
        self.address, self.statuses = address, set()
        self.client = Client(self.post, lambda path: send(address, path)[1])

    def post(self, path: str, data: bytes) -> tuple[int, str]:
        status, text = send(self.address, path, data)
        self.statuses.add(status)
        return status, text

    def start(self, name: str, epochs: int = 4) -> dict:
        form = {**FORM, "training-name-input": name, "training-epochs-input": epochs}
        values = {f"{one}.value": value for one, value in form.items()}
        values |= {"training-start.n_clicks": 1, "training-images-range.max": 600, "training-intent-state.data": name}
        began = time.monotonic()
        status, made = self.client.fire_with("training-ticket-state.data", "training-start.n_clicks", values)
        assert status == 200
        assert time.monotonic() - began < promised(2)
        return made["training-ticket-state"]["data"]

    def relay(self, ticket: dict, **handles: str) -> dict:
        """One request of the background callback; what it answered."""
        which = dependency(self.client.dependencies, "training-relayed-state.data")
        asked = body(which, {"training-ticket-state.data": ticket}, ["training-ticket-state.data"])
        status, text = self.post(f"/_dash-update-component?{urlencode(handles)}", asked)
        return json.loads(text) if status == 200 else {}

    def banner(self) -> str:
        _, made = self.client.fire_with("app-cluster-notice.children", "app-cluster-notice-interval.n_intervals", {})
        return made.get("app-cluster-notice", {}).get("children") or ""


def test_o3_the_broker_is_absent_then_there_then_hangs_then_dies_and_comes_back(
    cluster: Cluster, address, predictions, tell
):
    page, table = Page(address), JobTable(cluster.home)
    _, seconds = until(lambda: page.banner() == NO_BROKER, 20, "absent at the start, and said")
    assert seconds < promised(5)
    assert json.loads(send(address, "/health")[1])["broker"] == "unreachable"
    early = page.start("early")
    assert page.relay(early) == {}
    assert table.get(early["job"]).state == "queued"
    # it is there: what waited begins
    cluster.redis.start()
    until(lambda: page.banner() == NO_WORKER, 10, "no worker yet, and said")
    cluster.start("ml", "work")
    cluster.start("dashboard.observe")
    until(lambda: table.get(early["job"]).state == "running", 60, "it begins")
    until(lambda: page.banner() == "", 10, "all is well, and said")
    # the background callback runs on its own workers and tells of the row
    later = page.start("later")
    handles = page.relay(later)
    handles = {"cacheKey": handles["cacheKey"], "job": handles["job"]}

    def told() -> list:
        progress = page.relay(later, **handles).get("progress", {})
        return next(iter(progress.values()), [None])

    until(lambda: later["job"] in (told() or [None]), 60, "the relay tells")
    # it hangs: every page says so, nothing else waits for it
    cluster.redis.signal(signal.SIGSTOP)
    _, seconds = until(lambda: page.banner() == NO_BROKER, 20, "hanging, and said")
    assert seconds < promised(5)
    began = time.monotonic()
    assert told() in (None, [None])
    assert time.monotonic() - began < promised(5)
    cluster.redis.signal(signal.SIGCONT)
    until(lambda: page.banner() == "", 10, "well again, and said")
    # it dies with every message in it, and comes back
    cluster.redis.kill()
    until(lambda: page.banner() == NO_BROKER, 10, "dead, and said")
    told()
    cluster.redis.start()
    job, _ = reaches(cluster, table, table.get(early["job"]), "done")
    assert job.attempt == 1
    trained_once(cluster, table, job)
    table.cancel(later["job"])
    until(lambda: page.banner() == "", 10, "well again, and said")
    assert json.loads(send(address, "/health")[1])["broker"] == "ok"
    assert max(page.statuses) < 500
    assert predictions
    assert {status for status, _ in predictions} == {200}
    tell(f"{len(predictions)} predictions meanwhile, none failed")
