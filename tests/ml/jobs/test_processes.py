"""Processes of this machine and their logs."""

import subprocess
import sys

import psutil
import pytest

from ml.jobs.processes import gone, printed_progress, this_process, trim


def dead_process():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = this_process(child.pid)
    child.kill()
    child.communicate()
    return known


def test_gone_knows_dead_processes_and_reused_numbers():
    assert gone(**dead_process())
    mine = this_process()
    assert not gone(**mine)
    assert gone(**{**mine, "pid_started": mine["pid_started"] - 60})
    assert gone(**{**mine, "boot": "another start of this machine"})
    assert not gone("elsewhere", 1, 1.0, "")


def test_a_step_of_the_clock_ends_nobody(monkeypatch):
    """psutil adds the moment of the machine's start, which the kernel moves with the clock."""
    mine = this_process()
    if not mine["boot"]:
        pytest.skip("this system names no start of the machine")
    for step in (-3600, -5, 5, 3600):
        monkeypatch.setattr(psutil.Process, "create_time", lambda self, step=step: 1.7e9 + step)
        assert not gone(**mine)
        assert this_process() == mine


def test_rows_of_a_version_before_are_still_judged():
    """They have seconds since 1970 and no name for them."""
    started = psutil.Process().create_time()
    mine = this_process() | {"pid_started": started, "boot": None}
    assert not gone(**mine)
    assert gone(**{**mine, "pid_started": started - 60})


def test_a_log_keeps_its_end_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "job.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(1000):
            writer.write(f"line {number}\n".encode())
        trim(log, most=10_000)
        assert log.stat().st_size > 8_000  # not too long yet
        trim(log, most=4_000)
        writer.write(b"after\n")
    lines = log.read_text().splitlines()
    assert len(log.read_bytes()) < 1_100
    assert lines[0] == "(what came before was cut off)"
    assert lines[1:] == [f"line {number}" for number in range(1000 - len(lines[2:]), 1000)] + ["after"]
    trim(tmp_path / "none")


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("", {"stage": "computing"}),
        ("Traceback (most recent call last):\n  File\n", {"stage": "computing"}),
        ("computing slices\n", {"stage": "computing slices"}),
        ("learning from part 3 of 5\nmade slices\n", {"stage": "made slices"}),
        ("half, 3/4\nx" + "y" * 200, {"stage": "x" + "y" * 79}),
        ("z" * 9000 + "\nblur, 12/40\n", {"stage": "blur", "batch": 12, "batches": 40}),
    ],
)
def test_the_last_words_of_a_log(printed, expected, tmp_path):
    log = tmp_path / "job.log"
    assert printed_progress(log) == {"stage": "computing"}
    log.write_text(printed)
    assert printed_progress(log) == expected
