"""Files that a crash leaves as they were or as they shall be."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from ml.system import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path):
    file = tmp_path / "a.json"
    atomic.write(file, b"\x00one")
    atomic.write(file, "zwei ü")
    assert file.read_text("utf-8") == "zwei ü"
    assert names(tmp_path) == ["a.json"]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path):
    file = tmp_path / "a.json"
    atomic.write(file, b"old")

    def fail():
        with atomic.replacing(file) as scratch:
            scratch.write_bytes(b"half")
            assert file.read_bytes() == b"old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_nothing_written_is_an_error_and_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.json"
    atomic.write(file, b"old")
    with pytest.raises(FileNotFoundError), atomic.replacing(file):
        pass
    assert file.read_bytes() == b"old"


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.json"
    atomic.write(file, b"old")
    code = f"""
import os, pathlib
from ml.system import atomic
with atomic.replacing(pathlib.Path({str(file)!r})) as scratch:
    scratch.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode != 0
    assert file.read_bytes() == b"old"
    (left,) = (name for name in names(tmp_path) if name != "a.json")
    assert left.startswith("a.json.")  # by which who owns the folder finds what a crash left
    assert left.endswith(".partial")


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    steps = []
    plain, rename = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: steps.append(stat.S_ISDIR(os.fstat(handle).st_mode)) or plain(handle)
    )
    monkeypatch.setattr(os, "replace", lambda *paths: steps.append("replace") or rename(*paths))
    atomic.write(tmp_path / "a", b"a")
    assert steps == [False, "replace", True]


def test_the_first_one_stays(tmp_path):
    file = tmp_path / "secret"
    made, start = [], threading.Barrier(8)

    def make(number):
        start.wait()
        if atomic.create(file, bytes([number]) * 1000, 0o600):
            made.append(number)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert file.read_bytes() == bytes(made) * 1000
    assert not atomic.create(file, b"late")
    assert names(tmp_path) == ["secret"]
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    file = tmp_path / "a"
    threads = [
        threading.Thread(target=lambda n=n: [atomic.write(file, bytes([n]) * 5000) for _ in range(20)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = file.read_bytes()
    assert content == content[:1] * 5000
    assert names(tmp_path) == ["a"]


def test_a_folder_moves(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "run").mkdir()
    (tmp_path / "here" / "run" / "x").write_bytes(b"x")
    atomic.rename(tmp_path / "here" / "run", tmp_path / "there" / "run")
    assert (tmp_path / "there" / "run" / "x").read_bytes() == b"x"
    assert names(tmp_path / "here") == []
