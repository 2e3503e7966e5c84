"""Processes that are forked: each new, limited and ended as those are that begin by themselves."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from ml.importing import apart, forks
from ml.importing.graph import Unusable

WORK = "tests.ml.importing.at_work"


@pytest.fixture(scope="module")
def ours():
    made = forks.Forks()
    yield made
    made.end()


@pytest.fixture(params=["forked", "alone"])
def way(request, ours, monkeypatch):
    """Both ways in which a process begins."""
    monkeypatch.setattr(forks, "current", lambda: ours if request.param == "forked" else None)
    return request.param


def asked(scratch, do="tell", seconds=30.0, memory=2**30, **more):
    return apart.run(
        WORK, scratch, {"do": do, "seconds": seconds, "memory": memory, "path": "net", **more}, "net", "done"
    )


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_each_piece_of_work_has_a_new_process_that_is_asked_alone(way, tmp_path, monkeypatch):
    said = []
    for words in ("first", "second"):
        monkeypatch.setenv("ASKED", words)
        said.append(asked(tmp_path))
        assert said[-1]["environ"] == {"ASKED": words}, "what others were asked, or loaded with, is not seen"
    assert said[0]["pid"] != said[1]["pid"]
    assert {one["begun"] for one in said} == {1}
    assert {one["loaded"] for one in said} == {way == "forked"}
    assert said[0]["open"] == ["/dev/null"] * 3
    if way == "forked":
        assert said[0]["parent"] == said[1]["parent"] != os.getpid()


def test_a_limit_of_memory_holds(way, tmp_path):
    assert asked(tmp_path, "fill", memory=2**30)["bytes"] == 300_000_000
    with pytest.raises(Unusable, match=r"needs more than the 0\.1 GiB"):
        asked(tmp_path, "fill", memory=100_000_000)


def at_work(process: psutil.Process) -> bool:
    try:
        return "tests.ml.importing.at_work" in process.cmdline()
    except psutil.Error:  # it has ended, and nobody has taken notice yet
        return False


def test_what_takes_too_long_is_ended(way, tmp_path):
    with pytest.raises(Unusable, match="net was not done in 3 s"):
        asked(tmp_path, "hang", seconds=3.0)
    assert not psutil.wait_procs([one for one in psutil.Process().children(recursive=True) if at_work(one)], 10)[1]
    told = asked(tmp_path)
    assert told["begun"] == 1
    if way == "forked":
        left = psutil.wait_procs(psutil.Process(told["parent"]).children(), 10)[1]
        assert not left, "what hung is gone"


def test_what_is_left_in_the_temporary_folder_goes_with_it(way, tmp_path):
    """As what coremltools and torch remove at the end of a process alone, which is killed or ends without it."""
    kept = [Path(asked(tmp_path)["kept"])]
    with pytest.raises(Unusable, match="ended the process that tried it"):
        asked(tmp_path, "crash")
    kept.append(Path((tmp_path / "kept").read_text(encoding="utf-8")))
    assert kept[0] != kept[1]
    for one in kept:
        assert one.is_relative_to(tmp_path)
        assert not one.exists()
    assert not list(Path(tempfile.gettempdir()).glob("left-at-work-*"))


def test_what_crashes_is_told_and_harms_no_other(way, tmp_path):
    with pytest.raises(Unusable, match=r"ended the process that tried it \(status -11\)"):
        asked(tmp_path, "crash")
    with pytest.raises(Unusable, match=r"ended the process that tried it \(status 3\)"):
        asked(tmp_path, "exit", status=3)
    assert asked(tmp_path)["begun"] == 1


def test_where_the_process_that_forks_has_ended_work_begins_by_itself(tmp_path, monkeypatch):
    own = forks.Forks()
    monkeypatch.setattr(forks, "current", lambda: own)
    parent = asked(tmp_path)["parent"]
    psutil.Process(parent).kill()
    assert asked(tmp_path)["parent"] == os.getpid()
    again = asked(tmp_path)["parent"]
    assert again not in (parent, os.getpid())
    own.end()
    assert gone(again)


def test_it_ends_with_whoever_started_it_and_what_it_forked_too(tmp_path):
    (tmp_path / "request.json").write_text('{"do": "hang"}')
    begin = f"Forks().run({WORK!r}, Path({str(tmp_path)!r}), (), {{}}, 60)"
    code = f"from pathlib import Path; from ml.importing.forks import Forks; {begin}"
    process = subprocess.Popen([sys.executable, "-c", code])
    pid = tmp_path / "pid"
    for _ in range(600):
        if pid.exists() and pid.read_text():
            break
        time.sleep(0.05)
    work = psutil.Process(int(pid.read_text()))
    forker = work.parent()
    process.kill()
    process.wait()
    assert not psutil.wait_procs([work, forker], timeout=20)[1]


def test_one_serves_all_within_and_none_outside():
    outer = forks.current()
    with forks.together():
        first = forks.current()
        with forks.together():
            assert forks.current() is first
        seen = []
        thread = threading.Thread(target=lambda: seen.append(forks.current()))
        thread.start()
        thread.join()
    assert seen == [None], "threads do not wait for each other's work"
    assert forks.current() is outer
