"""D1: the server is killed while labels are decided. What was acknowledged is there, and nothing is there twice."""

import csv
import io
import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from ml.data import load
from tests.suspects import TOY, suspect

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
REVIEWERS = 4
ROUTE = "/api/v1/decisions"


def post(address: str, body: dict) -> bool:
    """Whether the server said that it is saved. Busy (503) it may be; to refuse is no way to treat a decision."""
    data = json.dumps(body).encode()
    try:
        with urlopen(Request(address + ROUTE, data, {"Content-Type": "application/json"}), timeout=10) as answer:
            return len(json.loads(answer.read())["decisions"]) == len(body["ids"])
    except HTTPError as error:
        if error.code == 503:
            return False
        raise AssertionError(f"{error.code} {error.read()[:200]!r}") from error
    except (URLError, OSError, HTTPException, ValueError):
        return False


class Reviewer(threading.Thread):
    """Presses keys as the page does: one after the other, each again until it is acknowledged."""

    def __init__(self, name: str, examples: list[int], where: dict[str, str], done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.who, self.examples, self.where, self.done = name, examples, where, done
        self.saved: list[str] = []
        self.pending: str | None = None
        self.failed: list[str] = []

    def run(self) -> None:
        rng = random.Random(self.who)
        try:
            while not self.done.is_set():
                self.pending = batch = secrets.token_hex(16)
                body = {"run": "toy", "split": "test", "ids": rng.sample(self.examples, 3), "who": self.who}
                body |= {"action": "relabel", "label": f"Bar {rng.randrange(4)}", "batch": batch}
                while not post(self.where["address"], body):
                    if self.done.is_set():
                        return
                    time.sleep(0.05)
                self.saved.append(batch)
                self.pending = None
        except AssertionError as wrong:
            self.failed.append(str(wrong))


def test_d1_decisions_that_were_acknowledged_survive_a_killed_server(home, no_artifacts, tmp_path, count, tell):
    suspect(home)
    kills, rng = count(2, 25), random.Random(7)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), "--artifacts", str(no_artifacts)]
    env = {**os.environ, "FASHION_HOME": str(home)}
    where, done = {"address": f"http://127.0.0.1:{port}"}, threading.Event()
    examples = load(TOY)["test"].ids.tolist()
    reviewers = [Reviewer(f"reviewer {i}", examples[i::REVIEWERS], where, done) for i in range(REVIEWERS)]
    log = (tmp_path / "server.log").open("w+")
    child = None
    try:
        for number in range(kills + 1):
            child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            before = sum(len(one.saved) for one in reviewers)
            if number == 0:
                for one in reviewers:
                    one.start()
            limit = time.monotonic() + 60
            while sum(len(one.saved) for one in reviewers) < before + 20 and time.monotonic() < limit:
                assert not any(one.failed for one in reviewers), [one.failed for one in reviewers]
                time.sleep(0.02)
            assert time.monotonic() < limit, (tmp_path / "server.log").read_text()
            if number < kills:
                time.sleep(rng.random())
                child.send_signal(signal.SIGKILL)
                child.wait()
        done.set()
        for one in reviewers:
            one.join(30)
        with urlopen(where["address"] + "/export/decisions.csv", timeout=30) as answer:
            rows = list(csv.DictReader(io.StringIO(answer.read().decode())))
    finally:
        done.set()
        if child is not None:
            child.kill()
            child.wait()
        log.close()
    assert not any(one.failed for one in reviewers)
    with sqlite3.connect(home / "fashion.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        written = Counter(batch for (batch,) in database.execute("SELECT batch FROM decisions"))
    saved = {batch for one in reviewers for batch in one.saved}
    unsure = {one.pending for one in reviewers if one.pending}
    assert saved <= set(written), f"{len(saved - set(written))} of {len(saved)} acknowledged presses are lost"
    assert set(written) <= saved | unsure
    assert set(written.values()) == {3}  # a press is there as a whole, and once
    assert len(rows) == 3 * len(written)
    tell(f"{kills} kills, {len(saved)} presses of 3 images acknowledged, 0 lost, 0 twice")
