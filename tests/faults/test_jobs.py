"""Faults of trainings, J1 to J7 of the reliability plan, with real workers, trainers and servers.

FASHION_FAULTS=full (`make test-faults`) runs them at full count.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

from dashboard.services.jobs import Jobs
from ml.jobs.queue import QUEUE, JobTable
from ml.jobs.start import start_worker
from tests.callbacks import Client
from tests.faults.trainings import TRACE, contiguous, processes, reaches, submit, trained, training, until
from tests.promises import promised
from tests.training_form import untouched

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

ROOT = Path(__file__).resolve().parents[2]


def test_j1_a_killed_trainer_is_interrupted_and_resumes_to_the_same_numbers(own, count, tell):
    table = JobTable(own)
    epochs = count(15, 100)
    whole = submit(table, "whole", epochs=epochs)
    start_worker(own)
    trained(table, whole)
    broken = submit(table, "broken", epochs=epochs)
    start_worker(own)
    luck, worst, kills = random.Random(1), 0.0, 0
    for _ in range(count(3, 10)):
        running, _ = until(lambda: training(table, broken) or table.get(broken.id).state == "done", 60, "training")
        if running is True:  # it was faster than the kills
            break
        time.sleep(luck.uniform(0, 1.5))
        with contextlib.suppress(ProcessLookupError):  # then it was faster
            os.kill(running.pid, signal.SIGKILL)
        ended, seconds = reaches(table, broken, "interrupted", "done", within=promised(10))
        if ended.state == "done":
            break
        worst, kills = max(worst, seconds), kills + 1
        assert "SIGKILL" in Jobs(own).view(broken.id).job.cause  # what the page shows
        table.resume(broken.id)
        start_worker(own)
    reaches(table, broken, "done", within=200)
    assert table.get(broken.id).attempt == kills + 1 > count(1, 8)
    assert contiguous(table.history(broken.id)) == contiguous(table.history(whole.id))
    batches = [row["batch"] for row in table.steps(broken.id)]
    assert batches == sorted(set(batches))  # epochs that take less than half a second have none
    assert all(0 < batch <= table.get(broken.id).batches for batch in batches)
    digests = [
        json.loads((own / "runs" / n / "manifest.json").read_text())["weights"]["sha256"] for n in ("whole", "broken")
    ]
    assert digests[0] == digests[1]
    tell(f"{kills} kills; said within {worst:.1f} s; weights equal bit for bit")


# Trains for ever, tells of every epoch and of the moments of every checkpoint, and lingers a little in each.
SAVING = """
import os, sys, time
from pathlib import Path
from ml.data import synthetic
from ml.models import build
from ml.system import atomic
from ml.training import loop
from ml.training.config import TrainConfig
def lingering(name):
    real = getattr(os, name)
    def act(*arguments):
        print(f"before-{name}", flush=True); time.sleep(0.03)
        real(*arguments)
        print(f"after-{name}", flush=True); time.sleep(0.03)
    return act
class Os:
    fsync, replace = staticmethod(lingering("fsync")), staticmethod(lingering("replace"))
    def __getattr__(self, name): return getattr(os, name)
atomic.os = Os()
data = synthetic.load("synthetic-4-28x28x1", train=64, validation=16, test=16)
model = build("fashion_cnn", channels=1, height=28, width=28, classes=4)
config = TrainConfig(epochs=100, batch_size=64, threads=1)
for epoch in loop.fit(model, data, config, checkpoint=Path(sys.argv[1])):
    print(f"epoch-{epoch.epoch}", flush=True)
"""


def test_j2_a_kill_in_a_checkpoint_leaves_a_whole_one(tmp_path, count, tell):
    import torch

    moments = ("before-fsync", "after-fsync", "before-replace", "after-replace")
    luck = random.Random(2)
    checkpoint, told = tmp_path / "checkpoint.pt", 0
    for number in range(count(4, 50)):
        command = [sys.executable, "-c", SAVING, str(checkpoint)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            wanted, seen, begun = moments[number % 4], luck.randint(1, 3), told
            for line in child.stdout:
                if line.startswith("epoch-"):
                    told = max(told, int(line.removeprefix("epoch-")))
                seen -= line.strip() == wanted
                if seen == 0:
                    child.kill()
                    break
            told = max(
                [told, *(int(line.removeprefix("epoch-")) for line in child.stdout if line.startswith("epoch-"))]
            )
        assert child.returncode == -signal.SIGKILL
        assert told >= begun
        if told or checkpoint.exists():
            saved = len(torch.load(checkpoint, weights_only=True)["history"])
            assert saved >= told, "an epoch that was told is lost"
    assert told > 0
    tell(f"{count(4, 50)} kills; a whole checkpoint each time, no finished epoch lost")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def ask(address: str, path: str, data: bytes | None = None) -> tuple[int, str]:
    """Status and text of the answer, whatever the status."""
    try:
        with urlopen(Request(address + path, data, {"Content-Type": "application/json"}), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


@pytest.fixture
def server(own, no_artifacts, tmp_path):
    """server(port) → (`python app.py` on the home, its address), once it answers."""
    started = []

    def start(port: int | None = None) -> tuple[subprocess.Popen, str]:
        port = port or free_port()
        log = (tmp_path / "server.log").open("a")
        command = [sys.executable, "app.py", "--port", str(port), "--artifacts", str(no_artifacts)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        started.append((child, log))
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert child.poll() is None, (tmp_path / "server.log").read_text()
            try:
                return ask(address, "/health")[0] == 200
            except URLError:
                return False

        until(answers, 30, "the server answers")
        return child, address

    yield start
    for child, log in started:
        child.kill()
        child.wait()
        log.close()


@pytest.fixture
def client(server) -> Client:
    _, address = server()
    return Client(lambda path, data: ask(address, path, data), lambda path: ask(address, path)[1])


FORM = {
    **untouched(),
    "training-model-select": "compact_cnn", "training-dataset-select": "bars", "training-epochs-input": 50,
    "training-batch-input": 32, "training-rate-input": "0.003", "training-optimiser-select": "adamw",
    "training-images-range": 600, "training-augment-checks": [], "training-seed-input": 3, "training-name-input": "",
}  # fmt: skip


def start(client: Client, intent: str, **changes) -> tuple[int, dict, float]:
    """Presses Start as a browser would: status, what changed, seconds."""
    values = {f"{name}.value": value for name, value in {**FORM, **changes}.items()}
    values |= {"training-start.n_clicks": 1, "training-images-range.max": 600, "training-intent-state.data": intent}
    began = time.monotonic()
    status, made = client.fire_with("training-ticket-state.data", "training-start.n_clicks", values)
    return status, made, time.monotonic() - began


def relay(client: Client, ticket: object, query: str = "") -> int:
    """Fires the background callback; the status."""
    values = {"training-ticket-state.data": ticket}
    plain = client.send
    client.send = lambda path, data: plain(path + query, data)
    try:
        return client.fire_with("training-relayed-state.data", "training-ticket-state.data", values)[0]
    finally:
        client.send = plain


@pytest.mark.browser
@pytest.mark.allow_problems(
    "ERR_CONNECTION_REFUSED",
    "ERR_EMPTY_RESPONSE",
    "ERR_CONNECTION_RESET",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "Failed to fetch",
    "did not respond",
)
def test_j3_and_j5_the_server_is_killed_while_a_tab_looks_on(own, server, page, idle, tell):
    table = JobTable(own)
    port = free_port()
    child, address = server(port)
    page.goto(f"{address}/training")
    page.wait_for_function(idle)
    page.select_option("#training-model-select", "compact_cnn")
    page.select_option("#training-dataset-select", "bars")
    page.fill("#training-epochs-input", "200")
    page.fill("#training-batch-input", "16")
    page.click("#training-start")
    page.wait_for_selector("#training-status:text-is('running')", timeout=60_000)
    job, _ = until(lambda: (now := table.current()).stage == "training" and now, 60, "training")
    helpers = psutil.Process(child.pid).children(recursive=True)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    relays = [p for p in helpers if p.is_running() and "spawn_main" in " ".join(p.cmdline())]
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in relays), 10, "relays leave")
    server(port)
    seen = table.get(job.id).batch
    before = page.inner_text("#training-live-left")
    # the same tab goes on by itself, and one process trains, the one of before
    until(lambda: page.inner_text("#training-live-left") != before, promised(5), "the tab goes on")
    until(lambda: table.get(job.id).batch > seen, promised(10), "the training goes on")
    assert [p.pid for p in processes(own, "train", job.id)] == [job.pid]
    shown, other = [], page.context.new_page()
    for tab in (page, other):
        began = time.monotonic()
        tab.goto(f"{address}/training", wait_until="commit")  # of the first tab a reload
        tab.wait_for_selector("#training-status:text-is('running')", timeout=20_000)
        shown.append(time.monotonic() - began)
        tab.wait_for_function(idle)  # one after the other: who opens a second tab has the first before them
    assert max(shown) < promised(2)
    assert other.inner_text("#training-live-title") == page.inner_text("#training-live-title")
    other.close()
    tell(f"shown again after {shown[0]:.1f} s by a reload, {shown[1]:.1f} s in a second tab")
    tree = [psutil.Process(job.pid), *psutil.Process(job.pid).children(recursive=True)]
    page.click("#training-cancel")
    _, seconds = reaches(table, job, "cancelled", within=promised(5))
    left = promised(5) - seconds
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in tree), left, "all end")
    page.wait_for_selector("#training-status:text-is('cancelled')", timeout=1000 * promised(5))
    assert not list((own / "runs").glob("*"))
    assert JobTable(own).get(job.id).state == "cancelled"


def test_j3_a_server_killed_at_random_moments_finds_its_training_again(own, server, count, tell):
    table, port, luck, worst = JobTable(own), free_port(), random.Random(3), 0.0
    child, address = server(port)

    def look(address: str) -> dict:
        """What a tab is told by its next look."""
        client = Client(lambda path, data: ask(address, path, data), lambda path: ask(address, path)[1])
        return client.fire_with("training-live-state.data", "training-live-interval.n_intervals", {})[1]

    job = submit(table, "kept", epochs=200, batch_size=16)
    until(lambda: look(address) and training(table, job), 60, "training")
    running, kills = table.get(job.id), count(3, 10)
    for _ in range(kills):
        time.sleep(luck.uniform(0, 1.5))
        helpers = psutil.Process(child.pid).children(recursive=True)
        child.kill()
        child.wait()
        child, address = server(port)
        told, seconds = until(
            lambda address=address: look(address).get("training-live-state"), promised(5), "found again"
        )
        worst = max(worst, seconds)
        assert told["data"][:2] == [job.id, "running"]
        assert [p.pid for p in processes(own, "train")] == [running.pid]
        gone = [p for p in helpers if "spawn_main" in " ".join(command_of(p))]
        until(lambda gone=gone: not any(command_of(p) for p in gone), 10, "relays of a dead server leave")
    assert table.get(job.id).lease == running.lease
    assert len(processes(own, "work")) == 1
    table.cancel(job.id)
    reaches(table, job, "cancelled", within=promised(5))
    events = [row["event"] for row in table.events(job.id)]
    assert events == ["queued", "running", "owned", "cancelling", "cancelled"]
    tell(f"{kills} kills; found again within {worst:.1f} s; one trainer throughout")


def command_of(process: psutil.Process) -> list[str]:
    """Empty when it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_j4_fifty_starts_from_ten_sessions(own, client, count):
    table = JobTable(own)
    answers: list[dict] = []
    most, crowd = [0], [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            states = [job.state for job in table.listing()]
            most[0] = max(most[0], states.count("running"))
            crowd[0] = max(crowd[0], states.count("running") + states.count("queued"))

    def session(number: int) -> None:
        answers.extend(start(client, f"{number}-{k}")[1] for k in range(5))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    sessions = [threading.Thread(target=session, args=(number,)) for number in range(10)]
    for thread in sessions:
        thread.start()
    for thread in sessions:
        thread.join()
    until(lambda: client.fire_with("training-live-state.data", "training-live-interval.n_intervals", {}) and
          [job for job in table.listing() if job.state == "running"], 30, "one begins")  # fmt: skip
    time.sleep(count(2, 20))
    over.set()
    watcher.join()
    refused = [made for made in answers if "training-ticket-state" not in made]
    assert len(answers) == 50
    assert len(answers) - len(refused) == len(table.listing()) <= QUEUE + 1
    assert all("waiting already" in made["training-form-notice"]["children"] for made in refused)
    assert most[0] == 1
    assert crowd[0] <= QUEUE + 1
    assert len(processes(own, "train")) <= 1
    together = sum(p.memory_info().rss for p in processes(own))
    assert together < 2 * 2**30


def test_j4_eight_starts_at_once_are_one_running_five_waiting_and_two_told(own, client):
    answers: list[dict] = []
    gate = threading.Barrier(8)

    def session(number: int) -> None:
        gate.wait()
        answers.append(start(client, f"{number}")[1])

    sessions = [threading.Thread(target=session, args=(number,)) for number in range(8)]
    for thread in sessions:
        thread.start()
    for thread in sessions:
        thread.join()
    refused = [made["training-form-notice"]["children"] for made in answers if "training-ticket-state" not in made]
    assert len(refused) == 2
    assert all(f"{QUEUE + 1} trainings are waiting already: the queue is full" in words for words in refused)
    table = JobTable(own)
    start_worker(own)
    running, _ = until(lambda: [job for job in table.listing() if job.state == "running"], 30, "one begins")
    assert sorted(job.state for job in table.listing()) == ["queued"] * QUEUE + ["running"]
    assert len(processes(own, "train")) <= 1
    _, made, _ = start(client, "later")
    assert made["training-form-notice"]["children"].startswith(f"{running[0].run_id} is running, and 5 trainings")


def test_j6_forged_swapped_and_replayed_handles_harm_nobody(own, client, count):
    table = JobTable(own)
    rows = [submit(table, name) for name in ("a", "b")]
    sentinel = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        luck = random.Random(6)
        forged = [str(sentinel.pid), f"{sentinel.pid}~{'0' * 64}", "~", "1~x", "-1", "x" * 5000, "%00", "None"]
        tickets = [
            None, 7, "x", [], {}, {"job": "f" * 32, "attempt": 1}, {"job": rows[0].id, "attempt": 99},
            {"job": rows[0].id}, {"job": {"$ne": 1}, "attempt": 1}, {"job": rows[1].id, "attempt": "1", "home": "/"},
        ]  # fmt: skip
        statuses = set()
        for _ in range(count(60, 200)):
            names = luck.sample(["cacheKey", "job", "oldJob", "cancelJob", "endId"], luck.randint(0, 3))
            query = "?" + "&".join(f"{name}={luck.choice(forged)}" for name in names)
            statuses.add(relay(client, luck.choice(tickets), query))
        assert all(status < 500 for status in statuses), statuses
        assert sentinel.poll() is None
        assert [table.get(job.id) for job in rows] == rows
        assert [p.pid for p in processes(own, "-c")] == [sentinel.pid]  # no interpreter was started for a forged ticket
    finally:
        sentinel.kill()
        sentinel.wait()


def test_j7_a_hundred_settings_that_do_not_check_out(own, client):
    wrong: dict[str, list] = {
        "training-epochs-input": [0, -1, 201, 10**9, 1.5, "x", None, [1], {"a": 1}, True, "1e400", "", "NaN"],
        "training-batch-input": [0, 15, 2049, 3.5, "x", None, [], {}, "16; DROP TABLE jobs", "1e400", -(10**30)],
        "training-rate-input": [0, -1, 2.1, "1e400", "nan", "inf", None, [], {}, "0,003", "x" * 10_000, "0x1p-3"],
        "training-optimiser-select": ["adam", None, 1, [], {}, "ADAMW", "__class__", "", "adamw "],
        "training-model-select": ["resnet", None, 1, [], {}, "../x", "", "fashion_cnn\x00", "FASHION_CNN", "m" * 99],
        "training-dataset-select": ["cifar", None, 1, [], {}, "../../etc", "", "bars/..", "synthetic-1-1x1x1"],
        "training-augment-checks": [["x"], "flip", {"flip": 1}, [None], [["flip"]], 1, ["flip"] * 3 + ["erase2"]],
        "training-seed-input": [-1, 2**31, 1.5, "x", None, [], {}, "1e400", "٣٣x"],
        "training-images-range": [0, 99, -5, 10**12, 1.5, "x", [], {}, "1e400"],
        "training-name-input": ["../", "!?", "日本", "-", "a" * 100, 5, [], {}, "_", "\n!", ".", "…"],
    }  # fmt: skip
    wrong["training-epochs-input"].remove(True)  # JSON's true is 1 to Python and to pydantic: one epoch, as asked
    cases = [(name, value) for name, values in wrong.items() for value in values]
    cases = [case for case in cases if case not in [("training-augment-checks", {}), ("training-name-input", [])]]
    assert len(cases) >= 95
    seconds = []
    for number, (name, value) in enumerate(cases):
        status, made, took = start(client, f"{number}", **{name: value})
        seconds.append(took)
        assert status < 500, (name, value)
        if status == 200:
            said = " ".join(part["children"] for part in made.values() if part.get("children"))
            assert said, (name, value)
            assert not TRACE.search(said)
            assert "training-ticket-state" not in made, (name, value)
    assert JobTable(own).listing() == []
    assert sorted(seconds)[int(0.95 * len(seconds))] < promised(0.1)
