"""Two commands at a time: both run, one's words come after the other's, and either's failure is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEET = """
import pathlib, sys, time
own, other, status = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
own.touch()
while not other.exists():
    time.sleep(0.01)
print(own.name, "met", other.name, flush=True)
sys.exit(status)
"""
WAIT = """
import pathlib, sys, time
try:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)
except KeyboardInterrupt:
    print("put away", pathlib.Path(sys.argv[1]).name, flush=True)
    sys.exit(2)
"""


def beside(*words: object, **more):
    return subprocess.Popen(
        [sys.executable, ROOT / "tools" / "beside.py", *map(str, words)], stdout=subprocess.PIPE, text=True, **more
    )


@pytest.mark.parametrize("statuses", [(0, 0), (3, 0), (0, 4), (5, 6)])
def test_both_run_at_a_time_and_a_failure_of_either_is_told(tmp_path, statuses):
    one, two = tmp_path / "one", tmp_path / "two"
    meet = (sys.executable, "-c", MEET)
    process = beside(*meet, one, two, statuses[0], "--beside", *meet, two, one, statuses[1])
    assert process.communicate(timeout=100)[0] == "one met two\ntwo met one\n"
    assert process.returncode == (statuses[0] or statuses[1])


def test_both_end_with_it(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    wait = (sys.executable, "-c", WAIT)
    process = beside(*wait, one, "--beside", *wait, two)
    limit = time.monotonic() + 100
    while not (one.exists() and two.exists()):
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=100)[0] == "", "nobody holds its output any more"
    assert process.returncode == signal.SIGTERM


def test_what_is_broken_off_puts_its_things_away(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    wait = (sys.executable, "-c", WAIT)
    process = beside(*wait, one, "--beside", *wait, two, start_new_session=True)
    limit = time.monotonic() + 100
    while not (one.exists() and two.exists()):
        assert time.monotonic() < limit
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=100)[0] == "put away one\nput away two\n"
    assert process.returncode == 2
