"""What the server does with a network or predictions that were brought: it asks processes, and never opens a file."""

import errno
import io
import pickle
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dashboard.services import looking
from dashboard.services.adding import Adding
from dashboard.services.jobs import Jobs
from dashboard.services.looking import TOO_MUCH
from dashboard.services.staging import Staged, Staging
from ml.data import load
from ml.jobs.queue import Refused
from tests import own_networks
from tests.conftest import TOY

MANY = 240  # seconds, of a machine that does other things


@pytest.fixture
def adding(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_DB", raising=False)
    jobs = Jobs(tmp_path)
    monkeypatch.setattr(jobs, "wake", lambda: False)
    return Adding(Staging(tmp_path), jobs)


def bring(adding: Adding, name: str, content: bytes, purpose: str = "run") -> Staged:
    staging = adding._staging
    staged = staging.create(name, len(content), purpose)
    staging.append(staged.id, 0, io.BytesIO(content))
    return staging.get(staged.id)


def looked(adding: Adding, staged: Staged, **choices):
    limit = time.monotonic() + MANY
    while time.monotonic() < limit:
        found = adding.look(staged, TOY, choices)
        if found.answer is not None or found.problem:
            return found
        time.sleep(0.1)
    raise AssertionError("too long")


class Canary:
    """A pickle that would make a file."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (self.place, "w")


def test_nothing_that_was_brought_is_opened_in_this_process(adding, tmp_path):
    """Every opening of a file is watched while the server brings, looks and begins; so is what a pickle would do."""
    canary = tmp_path / "canary"
    own_networks.network(load(TOY), tmp_path / "net.onnx")
    bad = bring(adding, "net.pt", pickle.dumps(Canary(str(canary))))
    good = bring(adding, "net.onnx", (tmp_path / "net.onnx").read_bytes())
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple) -> None:
        if watching and event == "open" and isinstance(arguments[0], str | Path):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    refused, found = looked(adding, bad), looked(adding, good)
    adding.begin(good, "net", TOY, {}, taken=(), datasets=(TOY,))
    watching = False
    assert "pickle" in refused.answer["refused"]
    assert found.answer["found"]["kind"] == "imported"
    assert not canary.exists()
    assert any("look-" in one for one in opened), "the watch sees what is opened"
    assert not {str(bad.place), str(good.place)} & {*opened}


def test_what_was_understood_is_known_at_once_and_its_rows_are_kept(adding, tmp_path):
    csv = own_networks.predictions(load(TOY), tmp_path / "said.csv", more=3)
    staged = bring(adding, "said.csv", csv.read_bytes())
    first = looked(adding, staged)
    assert first.answer["found"]["matched"] == 600
    again = Adding(adding._staging, adding._jobs)
    assert again.look(staged, TOY, {}).answer == first.answer
    key = adding.key(TOY, {})
    assert adding.left_out(staged.id, key).read_text(encoding="utf-8-sig").count("\n") == 4
    for wrong in ("../x", key.upper(), key + "0"):
        assert adding.left_out(staged.id, wrong) is None
    assert adding.left_out("f" * 24, key) is None


def test_a_look_that_nobody_asks_for_again_leaves_no_zombie(tmp_path):
    looks = looking.Looking(tmp_path, "runs add")
    looks.ask(tmp_path / "kind-what.json", ["runs", "--help"], {})
    (number,) = (look.process.pid for look in looks._looks.values())
    assert psutil.pid_exists(number)
    limit = time.monotonic() + MANY
    while psutil.pid_exists(number) and time.monotonic() < limit:  # a zombie exists
        time.sleep(0.05)
    assert not psutil.pid_exists(number)


def test_what_is_no_job_is_refused_in_words(adding):
    staged = bring(adding, "said.csv", b"id,predicted\n1,Bar 0\n")
    pictures = bring(adding, "pets.zip", b"PK", purpose="")
    assert adding.brought(pictures.id) is None
    assert [one.id for one in adding.listing()] == [staged.id]
    for name, dataset, words in (
        ("!!", TOY, "needs a letter"), ("mine", TOY, "There is a run mine"), ("x", "gone", "Choose the data set"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=words):
            adding.begin(staged, name, dataset, {}, taken=("mine",), datasets=(TOY,))
    job = adding.begin(staged, "Mine 2", TOY, {}, taken=("mine",), datasets=(TOY,), intent="once")
    assert (job.run_id, job.kind, job.spec["dataset"]) == ("mine-2", "add", TOY)
    twice = adding.begin(staged, "Mine 2", TOY, {}, taken=("mine",), datasets=(TOY,), intent="once")
    assert twice.id == job.id
    assert adding.free("mine", ("mine",)) == "mine-3"
    with pytest.raises(Refused, match="mine-2 already"):
        adding.begin(staged, "mine-2", TOY, {}, taken=(), datasets=(TOY,))


def test_much_that_is_said_is_looked_at_and_too_much_refused(adding):
    """Names of a thousand classes are more than an argument of a process may have."""
    called = [f"{'a very long name ' * 8}{i}" for i in range(2_000)]
    names = dict.fromkeys(called, load(TOY).classes[0])
    rows = "".join(f"{i},{called[i]}\n" for i in load(TOY)["test"].ids[:5])
    table = bring(adding, "said.csv", f"id,predicted\n{rows}".encode())
    found = looked(adding, table, predictions={"names": names, "split": "test"})
    assert found.problem == ""
    assert found.answer["found"]["matched"] == 5
    too_many = {"predictions": {"names": {**names, **{f"{'b' * 200}{i}": "b" for i in range(30_000)}}}}
    assert adding.look(table, TOY, too_many).problem == TOO_MUCH
    with pytest.raises(Refused, match="too much for a page"):
        adding.begin(table, "said", TOY, too_many, taken=(), datasets=(TOY,))


def test_few_are_looked_at_at_once_and_what_nobody_waits_for_makes_room(adding, monkeypatch):
    begun: list[subprocess.Popen] = []

    def start(command, **how):
        begun.append(popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True))
        return begun[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(looking.subprocess, "Popen", start)
    brought = [bring(adding, f"{i}.csv", b"id,predicted\n") for i in range(looking.AT_ONCE + 2)]
    now = [time.monotonic()]
    monkeypatch.setattr(looking.time, "monotonic", lambda: now[0])
    try:
        for _ in range(3):
            answers = [adding.look(one, TOY, {}) for one in brought]
            assert not any(one.answer or one.problem for one in answers), "those that wait are told nothing else"
        assert len(begun) == looking.AT_ONCE
        now[0] += looking.FORSAKEN + 1
        adding.look(brought[0], TOY, {})
        adding.look(brought[-1], TOY, {})
        assert len(begun) == looking.AT_ONCE + 1
        assert begun[0].poll() is None, "somebody waits for it"
        begun[1].wait(10)
        adding.look(brought[-1], TOY, {"doctor": "advice"})
        assert len(begun) == looking.AT_ONCE + 2
        begun[2].wait(10)  # its question has changed
    finally:
        for one in begun:
            one.kill()
            one.wait()


def test_where_no_process_can_be_started_it_is_said(adding, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(looking.subprocess, "Popen", none)
    table = bring(adding, "said.csv", b"id,predicted\n")
    assert adding.look(table, TOY, {}).problem == looking.NOT_BEGUN


def test_a_look_that_ended_on_a_full_disk_says_so(adding, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(
        looking.subprocess, "Popen", lambda *_, **__: popen([sys.executable, "-c", "raise SystemExit(1)"])
    )
    table = bring(adding, "said.csv", b"id,predicted\n")

    def ended() -> str:
        limit = time.monotonic() + MANY
        while not (problem := adding.look(table, TOY, {}).problem) and time.monotonic() < limit:
            time.sleep(0.05)
        return problem

    assert ended() == looking.CRASHED
    monkeypatch.setattr(looking.disk, "used_up", lambda folder: True)
    assert ended() == looking.disk.NOW
